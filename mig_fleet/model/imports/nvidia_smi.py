"""Reads what ``nvidia-smi -L`` and ``nvidia-smi mig -lgi`` print on one node.

Formats: NVIDIA MIG user guide, Creating GPU Instances; NVIDIA/DCGM issue 138.
"""

import re
from collections import Counter
from dataclasses import dataclass

from mig_fleet.model.numbers import parse_natural
from mig_fleet.model.parted import Entry

LONGEST_LINE = 200
"""Characters; nvidia-smi prints no longer line, and a pattern would take long on one."""

_GPU = re.compile(r"GPU (\d{1,9}): (.+?) \(UUID: [^)]*\)\s*")
_DEVICE = re.compile(r"\s+MIG (\S+)\s+Device\s+\d+: \(UUID: [^)]*\)\s*")
_INSTANCE = re.compile(r"\|\s+(\d{1,9})\s+MIG (\S+)\s+\d+\s+\d+\s+\d+:\d+\s+\|\s*")


@dataclass(frozen=True, slots=True)
class SmiOutput:
    """``products`` has the product of each GPU by index. It is empty for ``mig -lgi`` alone, which prints no product,
    and no GPU without instances. ``slices`` has the profiles of each GPU that has any.
    """

    products: dict[int, str]
    slices: dict[int, dict[str, int]]

    @property
    def command(self) -> str:
        return "nvidia-smi -L" if self.products else "nvidia-smi mig -lgi"

    def counts(self) -> dict[str, int]:
        """The slices of all GPUs by profile in the spelling of labels."""
        total: Counter[str] = Counter()
        for profiles in self.slices.values():
            total.update(profiles)
        return {name.replace("+", "."): count for name, count in total.items()}

    def entries(self) -> tuple[Entry, ...]:
        """A config of a mig-parted file that makes these slices."""
        off = Entry((), None, mig_enabled=False, mig_devices={})
        if not self.slices:
            return (off,)
        first = next(iter(self.slices.values()))
        if self.slices.keys() == self.products.keys() and all(each == first for each in self.slices.values()):
            return (Entry((), None, mig_enabled=True, mig_devices=first),)
        some = tuple(Entry((), (index,), True, profiles) for index, profiles in self.slices.items())
        rest = tuple(index for index in self.products if index not in self.slices)
        if not self.products:
            return (off, *some)
        return (*some, Entry((), rest, mig_enabled=False, mig_devices={})) if rest else some


def read_nvidia_smi(text: str) -> SmiOutput | None:
    """None for any other text. Raises ValueError for the output of more than one node."""
    products: dict[int, str] = {}
    devices: dict[int, Counter[str]] = {}
    instances: dict[int, Counter[str]] = {}
    for line in text.splitlines():
        if len(line) > LONGEST_LINE:
            continue
        if gpu := _GPU.fullmatch(line):
            index = parse_natural(gpu[1]) or 0
            if index in products:
                raise ValueError(f"has GPU {index} twice; save the output of each node in a file of its own")
            products[index] = gpu[2]
        elif (device := _DEVICE.fullmatch(line)) and products:
            devices.setdefault([*products][-1], Counter())[device[1]] += 1
        elif instance := _INSTANCE.fullmatch(line):
            instances.setdefault(parse_natural(instance[1]) or 0, Counter())[instance[2]] += 1
    if not products and not instances:
        return None
    found = devices if products else instances
    return SmiOutput(products, {index: dict(profiles) for index, profiles in sorted(found.items())})
