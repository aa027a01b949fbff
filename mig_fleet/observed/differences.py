"""What a node should have against what it has: NVML, the kubelet's allocatable, GFD's labels.

Pure: a function from wish and look to differences, shared by drift (`check`) and by the gate (`update`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict

from mig_fleet.model.report import SILENT_AFTER_S, Report
from mig_fleet.model.wording import in_words
from mig_fleet.observed.snapshot import Node

SLICE_COUNT = re.compile(r"nvidia\.com/mig-.+\.count")
"""Labels of GPU Feature Discovery under strategy mixed: how many slices of one profile a node has."""

WAITS_FOR_RESET = "a change of the MIG mode waits for a GPU reset; drain and reboot the node"


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


class Kind(StrEnum):
    """What sort of difference; the order is the order in which a change spreads through a node."""

    GONE = "node gone"
    REPLACED = "node replaced"
    TAKEN = "node taken over"
    RELABELLED = "label changed"
    UNSETTLED = "not settled"
    FAILED = "MIG Manager failed"
    UNREADY = "node not Ready"
    UNREPORTED = "report missing"
    SILENT = "report stale"
    UNREADABLE = "driver error"
    GPUS = "other GPUs"
    RESET = "GPU reset pending"
    LOST = "layout lost"
    DESTROYED = "slice destroyed"
    FOREIGN = "foreign slice"
    BARE = "bare GPU instance"
    ALLOCATABLE = "allocatable stale"
    FEATURES = "GFD labels stale"
    CLOSED = "left closed"
    UNNOTED = "not noted"
    LEFT = "node left"


@dataclass(frozen=True)
class Difference:
    """One sentence about one node."""

    kind: Kind
    node: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.node}: {self.text}"


def differences(expected: Expected, name: str, node: Node | None) -> list[Difference]:
    """Everything that is not as it should be on one node; what spreads later is looked at once the earlier agrees."""

    def one(kind: Kind, text: str) -> list[Difference]:
        return [Difference(kind, name, text)]

    if node is None:
        return [gone(name)]
    if node.config != expected["config"]:
        return [relabelled(node, expected["config"])]
    if node.state == "failed":
        return one(Kind.FAILED, f"could not apply {expected['config']!r}{_seen_by_nvml(node)}")
    if node.state != "success":
        return one(Kind.UNSETTLED, f"MIG Manager's state is {_or_not_set(node.state)}{_asleep(node)}")
    if not node.ready:
        return one(Kind.UNREADY, "its kubelet is silent or unwell, so what it had may be gone")
    report = node.report
    if report is None:
        return one(Kind.UNREPORTED, "its probe has not reported; is the pod of DaemonSet mig-probe running there?")
    if node.silent_s is not None and node.silent_s > SILENT_AFTER_S:
        return one(Kind.SILENT, f"its probe has been silent for more than {SILENT_AFTER_S / 60:.0f} minutes")
    if report.errors:
        return one(Kind.UNREADABLE, "; ".join(report.errors))
    if report.attempt != node.attempt:
        return one(Kind.UNREPORTED, "its probe has not reported since the last change")
    if (report.config, report.state) != (node.config, node.state):
        return one(Kind.UNREPORTED, f"its probe last saw config {report.config or 'none'!r}, state {report.state!r}")
    if waiting := _waiting(report):
        return one(Kind.RESET, waiting)
    wrong = _slices(name, expected["gpus"], report.counts()) or _bare(name, report)
    if wrong:
        return wrong
    return [
        *(Difference(Kind.ALLOCATABLE, name, text) for text in _allocatable(expected["allocatable"], node)),
        *(Difference(Kind.FEATURES, name, text) for text in _labels(expected["labels"], node)),
    ]


def gone(name: str) -> Difference:
    return Difference(Kind.GONE, name, "is not in the cluster")


def relabelled(node: Node, config: str) -> Difference:
    carried = f"carries config {node.config!r}" if node.config else "carries no config"
    return Difference(Kind.RELABELLED, node.name, f"{carried}, expected {config!r}")


def _or_not_set(state: str) -> str:
    return repr(state) if state else "not set"


def _asleep(node: Node) -> str:
    """Why nothing may come of waiting."""
    return "" if node.ready else "; the node is not Ready"


def _seen_by_nvml(node: Node) -> str:
    """What the probe found after a failure, which may be its cause."""
    report = node.report
    if report is None or not node.is_heard:
        return ""
    found = [*report.errors, *filter(None, [_waiting(report)])]
    return f"; NVML says: {'; '.join(found)}" if found else ""


def _waiting(report: Report) -> str:
    """Which GPUs have another MIG mode after their next reset; until then they have no slices, or their old ones."""
    pending = [str(gpu.index) for gpu in report.gpus if gpu.mig_mode_current != gpu.mig_mode_pending]
    return f"GPU {', '.join(pending)}: {WAITS_FOR_RESET}" if pending else ""


def _bare(node: str, report: Report) -> list[Difference]:
    """GPU instances that hold memory and offer nothing, as `nvidia-smi mig -cgi` without `-C` leaves them.

    mig-parted counts compute instances, so for MIG Manager such a GPU is as it should be.
    """
    return [
        Difference(
            Kind.BARE,
            node,
            f"GPU {gpu.index}: GPU instance {it.gpu_instance_id} ({it.profile}) has no compute instance, and MIG "
            f"Manager passes over it; destroy it there: `nvidia-smi mig -i {gpu.index} -dgi -gi {it.gpu_instance_id}`",
        )
        for gpu in report.gpus
        for it in gpu.instances
        if not it.compute_instances
    ]


def _slices(
    node: str, expected: Sequence[Mapping[str, int] | None], found: Sequence[Mapping[str, int] | None]
) -> list[Difference]:
    """NVML's counts per GPU. What no GPU of the node has any more was lost at once, as a reboot does it."""
    if len(expected) != len(found):
        return [Difference(Kind.GPUS, node, f"expected {_gpus(len(expected))}, NVML has {len(found)}")]
    pairs = [(_plain(want), _plain(have)) for want, have in zip(expected, found, strict=True)]
    all_lost = all(not have for want, have in pairs if want) and any(want for want, _ in pairs)
    return [
        Difference(
            Kind.LOST if all_lost and want else _kind(want, have),
            node,
            f"GPU {index}: expected {in_words(want)}, found {in_words(have)}",
        )
        for index, (want, have) in enumerate(pairs)
        if want != have
    ]


def _gpus(count: int) -> str:
    return "1 GPU" if count == 1 else f"{count} GPUs"


def _kind(want: Mapping[str, int] | None, have: Mapping[str, int] | None) -> Kind:
    """Something is there that nobody asked for, or something asked for is missing."""
    extra = any(n > (want or {}).get(name, 0) for name, n in (have or {}).items())
    return Kind.FOREIGN if extra or want is None else Kind.DESTROYED


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
    """Those that should be there, and counts of slices that should not: of a GFD that stopped looking."""
    left = {key for key in node.labels if SLICE_COUNT.fullmatch(key)} - expected.keys()
    return [
        f"{key}: expected {expected.get(key, 'none')!r}, found {node.labels.get(key, 'none')!r}"
        for key in sorted(expected.keys() | left)
        if node.labels.get(key) != expected.get(key)
    ]
