"""Finds the native binary, and checks that this machine can run it."""

from __future__ import annotations

import errno
import os
import platform
import shutil
import sysconfig
from pathlib import Path

from ._errors import CannotStart

NAME = "lakeplan"
_ELF_MACHINES = {0x03: "i386", 0x28: "armv7l", 0x3E: "x86_64", 0xB7: "aarch64", 0xF3: "riscv64"}
_SAME = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64"}


def find() -> Path:
    """Returns the binary: the one in LAKEPLAN_BINARY, or the one that the wheel installed for this interpreter, or the one on PATH.

    Raises CannotStart if there is none, or if it is for another machine.
    """
    named = os.environ.get("LAKEPLAN_BINARY")
    if named:
        found = Path(named)
        if not found.is_file():
            raise CannotStart(f"LAKEPLAN_BINARY names {named}, which does not exist")
    else:
        found = _installed()
    machine, made_for = _machine(), target_machine(found)
    if made_for is not None and made_for != machine:
        raise CannotStart(_other_machine(machine, made_for))
    return found


def cannot_execute(binary: Path, err: OSError) -> CannotStart:
    """Returns the error for a binary that the system refused to start."""
    if err.errno == errno.ENOEXEC:
        return CannotStart(_other_machine(_machine(), target_machine(binary) or "another system"))
    return CannotStart(f"{binary} cannot be started: {err.strerror}")


def target_machine(binary: Path) -> str | None:
    """Returns the architecture of an ELF file as `platform.machine()` names it, or None if it is not an ELF file."""
    with binary.open("rb") as file:
        head = file.read(20)
    if len(head) < 20 or not head.startswith(b"\x7fELF"):
        return None
    number = int.from_bytes(head[18:20], "little" if head[5] == 1 else "big")
    return _ELF_MACHINES.get(number, f"ELF machine {number}")


def _installed() -> Path:
    package = Path(__file__).parent
    # After the scripts of this interpreter: next to the package, and the target of `pip install
    # --target`. The last is for a wheel to which a deployment gave another version
    # (`dynamic_version`): its scripts stay in the folder of the old version.
    places = [
        Path(sysconfig.get_path("scripts")),
        *_user_scripts(),
        package,
        package.parent / "bin",
        *package.parent.glob(f"{NAME}-*.data/scripts"),
    ]
    for place in places:
        candidate = place / NAME
        if candidate.is_file():
            return _executable(candidate)
    on_path = shutil.which(NAME)
    if on_path:
        return Path(on_path)
    looked = ", ".join(dict.fromkeys(str(place) for place in places))
    raise CannotStart(
        f"there is no binary {NAME} in {looked} nor on PATH: install the wheel with pip, or name the binary in LAKEPLAN_BINARY"
    )


def _executable(binary: Path) -> Path:
    """Makes the binary executable, because such a wheel has also lost the permission."""
    if not os.access(binary, os.X_OK):
        try:
            binary.chmod(binary.stat().st_mode | 0o111)
        except OSError as err:
            raise CannotStart(
                f"{binary} may not be executed, and this user cannot change that ({err.strerror}): deploy the wheel as it "
                "was built, without dynamic_version"
            ) from err
    return binary


def _user_scripts() -> list[Path]:
    """Returns the folder of scripts from `pip install --user`."""
    known = "posix_user" in sysconfig.get_scheme_names()
    return [Path(sysconfig.get_path("scripts", "posix_user"))] if known else []


def _machine() -> str:
    machine = platform.machine().lower()
    return _SAME.get(machine, machine)


def _other_machine(machine: str, made_for: str) -> str:
    return (
        f"this machine is {machine}, and this wheel's lakeplan is for {made_for}: choose {made_for} compute (no Arm or "
        f"Graviton nodes), or build the wheel for this machine with jobs/wheel/build --target {machine}-unknown-linux-gnu"
    )
