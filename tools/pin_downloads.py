"""Prints the SHA-256 sums of official downloads for ``pins.toml``: ``python -m tools.pin_downloads FAMILY...``.

They are those of the publishers' lists, for each platform, so compare them with a second source (another network, a
package of a distribution) before you commit them.
"""

import sys
import tomllib

from mig_fleet.toolchain import pins
from mig_fleet.toolchain.download import Downloads, expected_sha256
from mig_fleet.toolchain.errors import ToolchainError
from mig_fleet.toolchain.pins import Machine

MACHINES = [Machine(os, arch) for os in ("linux", "darwin") for arch in ("amd64", "arm64")]


def table(name: str, downloads: Downloads) -> str:
    """The table ``sha256`` of a family. Raises :class:`ToolchainError`."""
    known = tomllib.loads((pins.HERE / "pins.toml").read_text())["families"]
    lines = [f"[families.{pins.family(name).name}.download.sha256]"]
    for machine in MACHINES:
        for artifact in pins.family_for(name, known[name], machine).artifacts:
            listed = expected_sha256(downloads.text(artifact.sums), artifact.name)
            lines.append(f'"{machine}/{artifact.name}" = "{listed}"' if listed else f"# {machine}: not in the list")
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        found = Downloads()
        print("\n\n".join(table(name, found) for name in sys.argv[1:]))
    except ToolchainError as problem:
        sys.exit(str(problem))
