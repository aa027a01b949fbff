"""How long `--help` of each command takes, as a multiple of `python -c pass`.

    make benchmark

A shell waits as long at each completion. Where an empty program takes 20 ms, the bound is 100 ms; on a machine three
times as slow, help still takes less than 300 ms. Each number is the least of several runs of processor time, so other
work on the machine counts little. Exits 1 above the bound.
"""

import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mig_fleet.cli.__main__ import COMMANDS

MOST = 5.0
"""Times an empty program."""
RUNS = 5
PROGRAM = str(Path(sys.executable).with_name("mig-fleet"))


def seconds(command: Sequence[str]) -> float:
    """Processor time of a program that ends by itself."""
    taken = []
    for _ in range(RUNS):
        before = _of_children()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        taken.append(_of_children() - before)
    return min(taken)


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    empty = seconds([sys.executable, "-c", "pass"])
    print(f"an empty program: {1000 * empty:.0f} ms")
    slow = False
    for name in ("", *COMMANDS):
        command = [PROGRAM, *name.split(), "--help"]
        taken = seconds(command)
        slow |= taken > MOST * empty
        print(f"mig-fleet {name:<10} --help: {1000 * taken:4.0f} ms, {taken / empty:4.1f} times as long")
    if slow:
        print(f"bound: {MOST:g} times; `python -X importtime -m mig_fleet.cli.__main__ COMMAND --help` shows why")
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
