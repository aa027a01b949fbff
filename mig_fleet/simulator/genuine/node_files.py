"""The files of a node that genuine programs read beside NVML: PCI devices and their names, kernel modules, the kernel's
release and that of the operating system.
"""

import shutil
from pathlib import Path
from typing import Final

from mig_fleet.simulator import operating_system
from mig_fleet.simulator.driver import Driver, Gpu
from mig_fleet.simulator.driver.text import SUBSYSTEM, board

VENDOR: Final = "10de"
CLASS: Final = "0x030200"  # a 3D controller

PCI_DEVICES: Final = "pci-devices"
PCI_NAMES: Final = "pci-names"
PROC: Final = "proc"
OS_RELEASE: Final = "os-release"
KERNEL_RELEASE: Final = "kernel-release"
FILES: Final = {
    "modules": "nvidia 1 0 - Live 0x0000000000000000\n",
    OS_RELEASE: operating_system.OS_RELEASE,
    KERNEL_RELEASE: f"{operating_system.KERNEL}\n",
}
"""Files that are the same on each node."""

MOUNTS: Final = {
    PCI_DEVICES: "/sys/bus/pci/devices",
    PCI_NAMES: "/usr/share/misc",
    OS_RELEASE: "/etc/os-release",
    KERNEL_RELEASE: "/proc/sys/kernel/osrelease",
}
"""Folder or file of a node → where its programs see it. Without the few names of ``pci.ids``, go-nvlib parses its own
list of 40,000 names for each GPU, again and again.
"""


def prepare(folder: Path) -> None:
    """Make the folders of a node without GPUs: the mounts of a namespace need them."""
    for name in (PCI_DEVICES, PCI_NAMES, PROC):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (folder / name).write_text(text)


def write(folder: Path, driver: Driver) -> None:
    """Make the files those of a driver's GPUs. The folders stay the same ones, because they may be mounted."""
    prepare(folder)
    devices = folder / PCI_DEVICES
    for present in devices.iterdir():
        shutil.rmtree(present)
    for gpu in driver.gpus:
        _write_device(devices / gpu.bus.lower().removeprefix("0000"), gpu)
    names = {board(gpu.model)[2:6].lower(): gpu.model.name for gpu in driver.gpus}
    rows = "".join(f"\t{device}  {name}\n" for device, name in names.items())
    (folder / PCI_NAMES / "pci.ids").write_text(
        f"{VENDOR}  NVIDIA Corporation\n{rows}C 03  Display controller\n\t02  3D controller\n"
    )


def _write_device(folder: Path, gpu: Gpu) -> None:
    folder.mkdir()
    values = {
        "vendor": f"0x{VENDOR}",
        "device": f"0x{board(gpu.model)[2:6].lower()}",
        "class": CLASS,
        "subsystem_vendor": f"0x{SUBSYSTEM[6:].lower()}",
        "subsystem_device": f"0x{SUBSYSTEM[2:6].lower()}",
        "numa_node": "-1",
        "resource": "0x0000000000000000 0x0000000000000000 0x0000000000000000",
    }
    for name, value in values.items():
        (folder / name).write_text(f"{value}\n")
