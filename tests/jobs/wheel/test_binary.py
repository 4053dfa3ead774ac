"""The choice of the binary, and the errors if there is none."""

import os
import platform
import shutil
import unittest
from unittest import mock

import lakeplan
from stand_ins import TaskCase


def elf(machine: int) -> bytes:
    return b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00" + machine.to_bytes(2, "little") + bytes(44)


class Machine(TaskCase):
    def raised(self):
        raised = self.main("quickstart").raised
        self.assertIsInstance(raised, lakeplan.CannotStart)
        self.assertNotIn("\n", str(raised))
        return str(raised)

    def test_a_wheel_for_another_machine_names_both_and_a_fix(self):
        # This binary could run here, so only the check can stop it.
        shutil.copy("/bin/true", self.binary)
        here, other = ("x86_64", "aarch64") if platform.machine() == "x86_64" else ("aarch64", "x86_64")
        with mock.patch.object(platform, "machine", return_value=other):
            output = self.raised()
        self.assertIn(f"this machine is {other}, and this wheel's lakeplan is for {here}", output)
        self.assertIn(f"choose {here} compute", output)
        self.assertIn(f"jobs/wheel/build --target {other}-unknown-linux-gnu", output)

    def test_an_arm_wheel_is_refused_before_it_runs(self):
        self.binary.write_bytes(elf(0xB7))
        with mock.patch.object(platform, "machine", return_value="AMD64"):
            self.assertIn("this machine is x86_64, and this wheel's lakeplan is for aarch64", self.raised())

    def test_a_file_of_another_system_is_refused(self):
        self.binary.write_bytes(b"MZ" + bytes(100))
        self.assertIn("is for another system", self.raised())

    def test_a_file_without_execute_permission_is_named(self):
        self.binary.chmod(0o600)
        self.assertIn(f"{self.binary} cannot be started", self.raised())

    def test_a_missing_binary_is_named(self):
        os.environ["LAKEPLAN_BINARY"] = "/nowhere/lakeplan"
        self.assertIn("LAKEPLAN_BINARY names /nowhere/lakeplan, which does not exist", self.raised())

    def test_the_binary_on_the_path_is_used_or_all_places_are_named(self):
        from lakeplan import _binary

        del os.environ["LAKEPLAN_BINARY"]
        nowhere = self.folder / "nowhere"
        with mock.patch.object(_binary.sysconfig, "get_path", return_value=str(nowhere)):
            with mock.patch.dict(os.environ, PATH=str(self.folder)):
                self.assertEqual(_binary.find(), self.binary)
            with mock.patch.dict(os.environ, PATH=str(nowhere)):
                with self.assertRaisesRegex(lakeplan.CannotStart, f"no binary lakeplan in {nowhere}.* nor on PATH"):
                    _binary.find()

    def test_the_binary_is_found_after_a_deployment_changed_the_version(self):
        from lakeplan import _binary

        del os.environ["LAKEPLAN_BINARY"]
        site = self.folder / "site"
        binary = site / "lakeplan-0.1.0.data" / "scripts" / "lakeplan"
        binary.parent.mkdir(parents=True)
        shutil.copy("/bin/true", binary)
        binary.chmod(0o644)
        with (
            mock.patch.object(_binary.sysconfig, "get_path", return_value=str(self.folder / "nowhere")),
            mock.patch.object(_binary, "__file__", str(site / "lakeplan" / "_binary.py")),
        ):
            self.assertEqual(_binary.find(), binary)
        self.assertTrue(os.access(binary, os.X_OK))


if __name__ == "__main__":
    unittest.main()
