"""Which GPUs of a node MIG Manager touches for a layout, by the node's report. Pure.

==============================  =============================  =====================================================
GPUs, now and in the layout     affected                       source (mig-parted v0.15.0)
==============================  =============================  =====================================================
modes and counts are equal      none                           pkg/mig/reconfigure/reconfigure.go,
                                                               `isConfigAlreadyApplied`: `success`, no operand paused
counts differ                   those GPUs                     cmd/nvidia-mig-parted/apply/config.go: "Skipping --
                                                               already set to desired value"
the MIG mode of a GPU differs   that GPU, and every GPU of     cmd/nvidia-mig-parted/apply/mode.go clears each GPU
                                the node that has MIG on       that an entry matches, before it sets its mode
the same, on Ampere             the whole node                 the same file resets all GPUs if one mode is pending;
                                                               a reset includes NVLink peers (MIG User Guide)
==============================  =============================  =====================================================

Counts are compared as they are written: mig-parted never finds a count of zero equal to a missing profile.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mig_fleet.failures import describe
from mig_fleet.model import gpus
from mig_fleet.model.errors import MigError
from mig_fleet.model.report import STALE_AFTER_S, Gpu, Report, pending_reset
from mig_fleet.model.strategy import PerGpu
from mig_fleet.observed.snapshot import Node


@dataclass(frozen=True, slots=True)
class AffectedGpus:
    """The GPUs of one node that lose their slices in a change."""

    indexes: frozenset[int] = frozenset()
    """NVML indexes; every GPU of the report if the whole node counts, and none if there is no such report."""
    whole_node: str = ""
    """Why the whole node counts, as a part of a sentence; empty if it does not."""
    every_gpu: bool = False
    """Whether all GPUs of the node are affected."""

    @property
    def nothing(self) -> bool:
        """Whether MIG Manager only reports `success`: the node has these slices already."""
        return not self.indexes and not self.whole_node


def affected_gpus(node: Node | None, target: PerGpu | None) -> AffectedGpus:
    """The GPUs that a change to these profiles per GPU touches; ``None`` is a layout that is not known.

    A report that is missing, old or incomplete proves nothing, so the whole node counts. So does one that cannot be
    compared: one node must not hide the others.
    """
    try:
        return _affected(node, target)
    except Exception as exc:
        return _whole(f"its GPUs could not be compared: {describe(exc)}")


def _affected(node: Node | None, target: PerGpu | None) -> AffectedGpus:
    if node is None:
        return _whole("it is not in the cluster")
    if target is None:
        return _whole("the slices of its new config are not known")
    if reason := unproven_report(node):
        return _whole(reason)
    assert node.report is not None, "unproven_report checks it"
    found = sorted(node.report.gpus, key=lambda gpu: gpu.index)
    if len(found) != len(target):
        return _whole(f"NVML reports {_number(len(found))} where the layout has {_number(len(target))}", found)
    if pending := pending_reset(node.report):
        return _whole(pending, found)
    pairs = [(gpu, gpu.counts(), desired) for gpu, desired in zip(found, target, strict=True)]
    differing = {gpu.index for gpu, have, desired in pairs if not _equal(have, desired)}
    switched = [gpu for gpu, have, desired in pairs if (have is None) != (desired is None)]
    if not switched:
        return AffectedGpus(frozenset(differing), every_gpu=bool(found) and len(differing) == len(found))
    if any(map(resets_on_mode_change, switched)):
        text = ", ".join(str(gpu.index) for gpu in switched)
        return _whole(f"the MIG mode of GPU {text} changes, and that resets all GPUs of the node", found)
    cleared = {gpu.index for gpu in found if gpu.mig_mode_current}
    return AffectedGpus(frozenset(differing | cleared), every_gpu=len(differing | cleared) == len(found))


def switched_gpus(report: Report, target: PerGpu) -> list[int]:
    """The indexes of the GPUs whose MIG mode differs from the layout's."""
    found = sorted(report.gpus, key=lambda gpu: gpu.index)
    return [gpu.index for gpu, it in zip(found, target, strict=False) if bool(gpu.mig_mode_current) != (it is not None)]


def unproven_report(node: Node) -> str:
    """Why the node's report does not prove what its GPUs have now; empty if it does."""
    report = node.report
    if report is None:
        reason = f"its report cannot be read: {node.unreadable_report}"
        return reason if node.unreadable_report else "its probe has not reported"
    if node.report_age_s is not None and node.report_age_s > STALE_AFTER_S:
        return f"its probe has not reported for {STALE_AFTER_S / 60:.0f} minutes"
    if report.errors:
        return "; ".join(report.errors)
    if not node.has_current_report or (report.config or "") != node.config:
        return "its probe has not reported since the last change"
    return ""


def resets_on_mode_change(gpu: Gpu) -> bool:
    """Whether a change of its MIG mode needs a reset: on Ampere, and not on Hopper and newer (MIG User Guide,
    Deployment Considerations). A GPU that is not in the catalog counts as one that does.
    """
    try:
        return gpus.find(gpu.model or gpu.pci_id).architecture.startswith("Ampere")
    except MigError:
        return True


def _whole(reason: str, found: Iterable[Gpu] = ()) -> AffectedGpus:
    return AffectedGpus(frozenset(gpu.index for gpu in found), reason, every_gpu=True)


def _equal(have: Mapping[str, int] | None, desired: Mapping[str, int] | None) -> bool:
    return (have is None) == (desired is None) and dict(have or {}) == dict(desired or {})


def _number(count: int) -> str:
    return "1 GPU" if count == 1 else f"{count} GPUs"
