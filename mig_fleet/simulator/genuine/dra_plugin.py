"""The command of the kubelet plugin of NVIDIA's DRA driver on a simulated driver.

It gets what its container would get: the node's PCI devices, the driver's root with NVML and ``nvidia-smi`` (which it
only looks for), the folders of the kubelet, and the address of the API server with an administrator's rights. It does
not wait for the kubelet's answer to its registration, and gets none.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mig_fleet.simulator.driver import DriverFile
from mig_fleet.simulator.driver.library import SONAME, reading
from mig_fleet.simulator.genuine import node_files
from mig_fleet.simulator.genuine.namespace import command_inside

PROGRAM: Final = "gpu-kubelet-plugin"
LIBRARY: Final = Path("usr", "lib64", SONAME)
SMI: Final = Path("usr", "bin", "nvidia-smi")


def command(
    root: Path,
    program: Path,
    node: str,
    file: DriverFile,
    nvml: Path,
    kubeconfig: Path,
    variables: Mapping[str, str] | None = None,
) -> list[str]:
    """``root`` is an empty folder with a short path, because sockets are in it; ``nvml`` the folder of the library;
    ``variables`` are added to the program's environment.
    """
    folder = root / "node"
    node_files.write(folder, file.read())
    for path in (LIBRARY, SMI):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / LIBRARY).symlink_to(nvml / SONAME)
    (root / SMI).touch(mode=0o755)
    folders = {name: root / name for name in ("dev", "cdi", "registry", "plugins")}
    for each in folders.values():
        each.mkdir()
    options = {
        "container-driver-root": root,
        "node-name": node,
        "cdi-root": folders["cdi"],
        "nvidia-cdi-hook-path": "/bin/true",
        "image-name": "simulated",
        "kubelet-registrar-directory-path": folders["registry"],
        "kubelet-plugins-directory-path": folders["plugins"],
        "kubeconfig": kubeconfig,
    }
    environment = {**reading(nvml, file), "PATH": "/nonexistent", **(variables or {})}
    return command_inside(
        folder, [str(program), *(f"--{name}={value}" for name, value in options.items())], environment
    )
