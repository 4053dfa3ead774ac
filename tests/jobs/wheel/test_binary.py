"""Which binary is run, and what is said where none can be."""

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

    def test_a_wheel_on_a_machine_it_is_not_for_says_both_and_the_way_out(self):
        # One that would run here, so that it is the check that stops it.
        shutil.copy("/bin/true", self.binary)
        here, other = ("x86_64", "aarch64") if platform.machine() == "x86_64" else ("aarch64", "x86_64")
        with mock.patch.object(platform, "machine", return_value=other):
            said = self.raised()
        self.assertIn(f"this machine is {other}, and this wheel's lakeplan is for {here}", said)
        self.assertIn(f"choose {here} compute", said)
        self.assertIn(f"jobs/wheel/build --target {other}-unknown-linux-gnu", said)

    def test_a_wheel_of_arm_on_this_machine_is_refused_before_it_is_run(self):
        self.binary.write_bytes(elf(0xB7))
        with mock.patch.object(platform, "machine", return_value="AMD64"):
            self.assertIn("this machine is x86_64, and this wheel's lakeplan is for aarch64", self.raised())

    def test_a_file_that_the_system_cannot_execute_is_called_another_systems(self):
        self.binary.write_bytes(b"MZ" + bytes(100))
        self.assertIn("is for another system", self.raised())

    def test_a_file_that_may_not_be_executed_is_named(self):
        self.binary.chmod(0o600)
        self.assertIn(f"{self.binary} cannot be started", self.raised())

    def test_a_name_that_leads_nowhere_is_said(self):
        os.environ["LAKEPLAN_BINARY"] = "/nowhere/lakeplan"
        self.assertIn("LAKEPLAN_BINARY names /nowhere/lakeplan, and there is no such file", self.raised())

    def test_without_a_wheel_the_one_on_the_path_is_run_and_without_it_all_places_are_named(self):
        from lakeplan import _binary

        del os.environ["LAKEPLAN_BINARY"]
        nowhere = self.folder / "nowhere"
        with mock.patch.object(_binary.sysconfig, "get_path", return_value=str(nowhere)):
            with mock.patch.dict(os.environ, PATH=str(self.folder)):
                self.assertEqual(_binary.find(), self.binary)
            with mock.patch.dict(os.environ, PATH=str(nowhere)):
                with self.assertRaisesRegex(lakeplan.CannotStart, f"no binary lakeplan in {nowhere}.* nor on PATH"):
                    _binary.find()

    def test_a_wheel_that_a_deploy_gave_another_version_still_has_its_binary(self):
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
