"""What a node should have against what it has: NVML, the kubelet's allocatable, GFD's labels.

Pure: a function from wish and look to differences, shared by drift (`check`) and by the gate (`update`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict

from components.look import Node


class Expected(TypedDict):
    """What every node of a wave shall have; JSON values only, because it is an input and lives in the state."""

    config: str
    gpu: str
    """Catalog name of the GPU model, for the policies; not compared."""
    gpus: list[dict[str, int] | None]
    """By GPU index: profile → count; ``None`` is MIG off."""
    allocatable: dict[str, int]
    labels: dict[str, str]
    strategy: str


class Plane(StrEnum):
    """Where a difference was seen; the order is the order in which the truth spreads."""

    NODE = "node gone"
    LABEL = "label changed"
    STATE = "not settled"
    FAILED = "MIG Manager failed"
    REPORT = "report missing"
    DRIVER = "driver error"
    NVML = "slices differ"
    ALLOCATABLE = "allocatable differs"
    GFD = "GFD labels differ"


@dataclass(frozen=True)
class Difference:
    """One sentence about one node."""

    plane: Plane
    node: str
    text: str

    def __str__(self) -> str:
        return f"{self.plane}: {self.node}: {self.text}"


def differences(expected: Expected, name: str, node: Node | None) -> list[Difference]:
    """Everything that is not as it should be on one node; later planes are looked at once the earlier ones agree."""

    def one(plane: Plane, text: str) -> list[Difference]:
        return [Difference(plane, name, text)]

    if node is None:
        return one(Plane.NODE, "is not in the cluster")
    if node.config != expected["config"]:
        return one(Plane.LABEL, f"carries config {node.config or 'none'!r}, expected {expected['config']!r}")
    if node.state == "failed":
        return one(Plane.FAILED, f"could not apply {expected['config']!r}")
    if node.state != "success":
        return one(Plane.STATE, f"MIG Manager's state is {node.state or 'not set'!r}")
    report = node.report
    if report is None:
        return one(Plane.REPORT, "its probe has not reported; is the pod of DaemonSet mig-probe running there?")
    if report.errors:
        return one(Plane.DRIVER, "; ".join(report.errors))
    if (report.config, report.state, report.attempt) != (node.config, node.state, node.attempt):
        return one(Plane.REPORT, f"its probe last saw config {report.config or 'none'!r}, state {report.state!r}")
    wrong = _nvml(expected["gpus"], report.counts())
    if wrong:
        return [Difference(Plane.NVML, name, text) for text in wrong]
    pending = [gpu.index for gpu in report.gpus if gpu.mig_mode_current != gpu.mig_mode_pending]
    if pending:
        return one(Plane.STATE, f"GPU {_list(pending)}: a change of the MIG mode waits for a GPU reset or reboot")
    return [
        *(Difference(Plane.ALLOCATABLE, name, text) for text in _allocatable(expected["allocatable"], node)),
        *(Difference(Plane.GFD, name, text) for text in _labels(expected["labels"], node)),
    ]


def cut(profiles: Mapping[str, int] | None) -> str:
    """One GPU in words: ``3g.40gb + 2x 1g.10gb``, ``no slices``, ``MIG off``.

    >>> cut({"1g.10gb": 7})
    '7x 1g.10gb'
    """
    if profiles is None:
        return "MIG off"
    parts = [f"{int(n)}x {name}" if n != 1 else name for name, n in sorted(profiles.items(), reverse=True) if n]
    return " + ".join(parts) or "no slices"


def _nvml(expected: Sequence[Mapping[str, int] | None], found: Sequence[Mapping[str, int] | None]) -> list[str]:
    texts = []
    if len(expected) != len(found):
        texts.append(f"expected {len(expected)} GPUs, found {len(found)}")
    for index, (want, have) in enumerate(zip(expected, found, strict=False)):
        if _plain(want) != _plain(have):
            texts.append(f"GPU {index}: expected {cut(want)}, found {cut(have)}")
    return texts


def _plain(profiles: Mapping[str, int] | None) -> dict[str, int] | None:
    """Numbers come back from Pulumi as floats."""
    return None if profiles is None else {name: int(n) for name, n in profiles.items() if n}


def _allocatable(expected: Mapping[str, int], node: Node) -> list[str]:
    ours = {key: n for key, n in node.allocatable.items() if key == "nvidia.com/gpu" or "/mig-" in key}
    want = {key: int(n) for key, n in expected.items() if n}
    return [
        f"{key}: expected {want.get(key, 0)}, the kubelet offers {ours.get(key, 0)}"
        for key in sorted(want.keys() | ours.keys())
        if want.get(key, 0) != ours.get(key, 0)
    ]


def _labels(expected: Mapping[str, str], node: Node) -> list[str]:
    return [
        f"{key}: expected {value!r}, found {node.labels.get(key, 'none')!r}"
        for key, value in sorted(expected.items())
        if node.labels.get(key) != value
    ]


def _list(numbers: Iterable[int]) -> str:
    return ", ".join(str(n) for n in numbers)
