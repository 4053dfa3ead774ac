"""Where the native binary is, and whether this machine can run it."""

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
    """The binary: the one LAKEPLAN_BINARY names, else the one the wheel installed for this interpreter, else one on PATH.

    Raises CannotStart where there is none, or where it is for another machine.
    """
    named = os.environ.get("LAKEPLAN_BINARY")
    if named:
        found = Path(named)
        if not found.is_file():
            raise CannotStart(f"LAKEPLAN_BINARY names {named}, and there is no such file")
    else:
        found = _installed()
    machine, made_for = _machine(), made_for_machine(found)
    if made_for is not None and made_for != machine:
        raise CannotStart(_other_machine(machine, made_for))
    return found


def cannot_execute(binary: Path, fault: OSError) -> CannotStart:
    """The error for a binary that the system refused to start."""
    if fault.errno == errno.ENOEXEC:
        return CannotStart(_other_machine(_machine(), made_for_machine(binary) or "another system"))
    return CannotStart(f"{binary} cannot be started: {fault.strerror}")


def made_for_machine(binary: Path) -> str | None:
    """The architecture an ELF file is for, in the words of `platform.machine()`; None where it is no ELF file."""
    with binary.open("rb") as file:
        head = file.read(20)
    if len(head) < 20 or not head.startswith(b"\x7fELF"):
        return None
    number = int.from_bytes(head[18:20], "little" if head[5] == 1 else "big")
    return _ELF_MACHINES.get(number, f"ELF machine {number}")


def _installed() -> Path:
    package = Path(__file__).parent
    # After those of this interpreter: beside the package, and where `pip install --target` puts scripts. The last is for a
    # wheel that a deploy gave a version of its own (`dynamic_version`): its scripts keep the folder of the old version.
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
    """The binary with the right to be executed, which such a wheel has lost too."""
    if not os.access(binary, os.X_OK):
        try:
            binary.chmod(binary.stat().st_mode | 0o111)
        except OSError as fault:
            raise CannotStart(
                f"{binary} may not be executed, and this user cannot change that ({fault.strerror}): deploy the wheel as it "
                "was built, without dynamic_version"
            ) from fault
    return binary


def _user_scripts() -> list[Path]:
    """Where `pip install --user` puts scripts."""
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
