"""Compares the simulator with NVIDIA's own programs: `python -m tools.conformance [--cases N] [--write]`.

It runs tests/conformance and prints, for each part, cases, equal ones, differences, versions and time. With ``--write``
it also writes these figures to docs/explanation/truth.md. Exits with 1 if anything differs.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mig_fleet import toolchain
from tests.conformance.parts import PARTS, Part
from tests.conformance.records import FILE

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "explanation" / "truth.md"
MARK: Final = "<!-- Below: written by `make conformance-page`. -->\n"
HEAD: Final = (
    "| part | program | compared | cases | agree | differ | seconds |",
    "|---|---|---|---:|---:|---:|---:|",
)


@dataclass(frozen=True)
class Row:
    """What the cases of one part showed; ``seconds`` is the sum over all processes."""

    part: Part
    version: str
    cases: int
    equal: int
    seconds: float

    @property
    def differences(self) -> int:
        return self.cases - self.equal

    def markdown(self) -> str:
        part = self.part
        figures = f"{self.cases:,} | {self.equal:,} | {self.differences:,} | {self.seconds:.0f}"
        return f"| {part.name} | {part.program} v{self.version} | {part.compared} | {figures} |"


def rows(records: Iterable[Mapping[str, Any]]) -> list[Row]:
    """One row for each part that has cases."""
    found = list(records)
    summed = []
    for part in PARTS:
        of_part = [record for record in found if record["part"] == part.name]
        if of_part:
            equal = sum(record["agrees"] for record in of_part)
            seconds = sum(record["seconds"] for record in of_part)
            version = toolchain.family(part.family).version
            summed.append(Row(part, version, len(of_part), equal, seconds))
    return summed


def table(summed: Iterable[Row], day: str) -> str:
    """The generated end of the page."""
    lines = [row.markdown() for row in summed]
    return "\n".join([*HEAD, *lines, "", f"Measured on {day}, with the versions above."]) + "\n"


def run_tests(cases: int | None, records: Path) -> int:
    """The exit status of pytest."""
    environment = {**os.environ, FILE: str(records)}
    if cases is not None:
        environment["MIG_FLEET_CONFORMANCE_CASES"] = str(cases)
    processes = str(max(2, os.cpu_count() or 2))
    command = ["-m", "pytest", "-q", "-m", "conformance", "-n", processes, "--dist", "loadgroup", "tests/conformance"]
    return subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, help="generated cases of mig-parted; other ones each time (default: 500)")
    parser.add_argument("--write", action="store_true", help=f"write the figures to {PAGE.relative_to(ROOT)}")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder, "records")
        records.touch()
        status = run_tests(options.cases, records)
        summed = rows(json.loads(line) for line in records.read_text().splitlines())
    text = table(summed, f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}")
    print(text, end="")
    if options.write and status == 0:
        PAGE.write_text(PAGE.read_text("utf-8").partition(MARK)[0] + MARK + text, "utf-8")
    return int(status != 0 or any(row.differences for row in summed))


if __name__ == "__main__":
    sys.exit(main())
