"""Whether a node has the slices that the stack declares, whatever its config is called, and what differs. Pure.

NVML's counts decide, GPU by GPU. Before the probe has reported, as in the preview of a first update, the resources
decide that the kubelet offers, with the counts of GPU Feature Discovery (GFD) where they exist: either of the two may
be of an earlier time (k8s-device-plugin #214). Both are counted over all GPUs of the node.
"""

from collections.abc import Iterable, Mapping

from mig_fleet.model import gfd, labels
from mig_fleet.model.allocated_by import AllocatedBy
from mig_fleet.model.formatting import format_profiles
from mig_fleet.model.numbers import parse_natural
from mig_fleet.model.report import Report, pending_reset
from mig_fleet.model.strategy import Strategy
from mig_fleet.observed.expected import Expected
from mig_fleet.observed.offers import offers_of
from mig_fleet.observed.snapshot import Node


def has_declared_slices(expected: Expected, node: Node) -> bool:
    """Whether MIG Manager's state is `success` and the node's slices are as declared."""
    return not undeclared_slices(expected, node)


def undeclared_slices(expected: Expected, node: Node) -> list[str]:
    """What is not as declared, each with what is expected and what was found; empty if nothing is."""
    if node.state != "success":
        return [f"MIG Manager's state is {repr(node.state) if node.state else 'not set'}"]
    if (report := _current_report(node)) is not None:
        return [*_by_nvml(expected, report), *filter(None, [pending_reset(report)])]
    offered = {name: n for name, n in offers_of(node).items() if labels.is_gpu_resource(name)}
    counts = _gfd_counts(node, expected.strategy)
    is_dra = expected.allocation is AllocatedBy.DRA
    by_offers = _compared(expected.allocatable, offered, "the DRA driver publishes" if is_dra else "the kubelet offers")
    return [
        *([] if is_dra and node.published is None else by_offers),
        *(_compared(_gfd_counts_of(expected), counts, "GPU Feature Discovery counts") if counts is not None else []),
    ]


def _current_report(node: Node) -> Report | None:
    report = node.report
    is_current = report is not None and not report.errors and node.has_current_report and report.config == node.config
    return report if is_current else None


def _by_nvml(expected: Expected, report: Report) -> list[str]:
    found = [profiles and {name: n for name, n in profiles.items() if n} for profiles in report.counts()]
    if len(found) != len(expected.gpus):
        return [f"expected {len(expected.gpus)} GPUs, NVML reports {len(found)}"]
    return [
        f"GPU {index}: expected {format_profiles(want)}, found {format_profiles(have)}"
        for index, (want, have) in enumerate(zip(expected.gpus, found, strict=True))
        if want != have
    ]


def _gfd_counts(node: Node, strategy: Strategy) -> Mapping[str, int] | None:
    """Resource → GFD's count of its slices; ``None`` if it counts none that could be compared."""
    if strategy is Strategy.SINGLE:
        count = parse_natural(node.labels.get(f"{labels.GPU_RESOURCE}.count", ""))
        is_slices = gfd.is_slice_product(node.labels.get(labels.PRODUCT, ""))
        return {labels.GPU_RESOURCE: count} if is_slices and count is not None else None
    counts = gfd.slice_counts(node.labels)
    is_mixed = node.labels.get(labels.STRATEGY) == Strategy.MIXED
    return _resources(counts) if strategy is Strategy.MIXED and (counts or is_mixed) else None


def _gfd_counts_of(expected: Expected) -> Mapping[str, int]:
    if expected.strategy is Strategy.SINGLE:
        return {labels.GPU_RESOURCE: int(expected.labels.get(f"{labels.GPU_RESOURCE}.count", "0"))}
    return _resources(gfd.slice_counts(expected.labels))


def _resources(counts: Mapping[str, int]) -> dict[str, int]:
    return {f"{labels.RESOURCE_PREFIX}{profile}": n for profile, n in counts.items()}


def _compared(want: Mapping[str, int], found: Mapping[str, int], source: str) -> Iterable[str]:
    return [
        f"{name}: expected {want.get(name, 0)}, {source} {found.get(name, 0)}"
        for name in sorted(want.keys() | found.keys())
        if want.get(name, 0) != found.get(name, 0)
    ]
