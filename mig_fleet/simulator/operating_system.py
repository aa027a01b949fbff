"""The operating system of every simulated node, as its kubelet and Node Feature Discovery read it."""

from typing import Final

ID: Final = "ubuntu"
VERSION_ID: Final = "24.04"
NAME: Final = "Ubuntu 24.04.3 LTS"
KERNEL: Final = "6.8.0-85-generic"

OS_RELEASE: Final = f'PRETTY_NAME="{NAME}"\nID={ID}\nVERSION_ID="{VERSION_ID}"\n'
"""The file ``/etc/os-release`` (os-release(5)), with the fields that are read."""
