"""What is expected of a node against what was observed of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mig_fleet.model import labels
from mig_fleet.model.report import STALE_AFTER_S, ComputeInstance, Gpu, Instance
from mig_fleet.observed.differences import node_differences
from mig_fleet.observed.drift import DriftClass
from mig_fleet.observed.expected import Expected
from mig_fleet.observed.snapshot import Node

ANode = Callable[..., Node]
RESET = "a change of the MIG mode waits for a GPU reset; drain and reboot the node"


def classes(expected: Expected, node: Node | None) -> list[DriftClass]:
    return [difference.drift for difference in node_differences(expected, "n1", node)]


def texts(expected: Expected, node: Node | None) -> list[str]:
    return [str(difference) for difference in node_differences(expected, "n1", node)]


def gpus(node: Node) -> tuple[Gpu, ...]:
    assert node.report is not None
    return node.report.gpus


def with_report(node: Node, **changes: Any) -> Node:
    """The node with a changed report; ``changes`` are fields of the report."""
    assert node.report is not None
    return replace(node, report=replace(node.report, **changes))


def test_a_node_that_is_as_declared_has_no_differences(expected: Expected, a_node: ANode) -> None:
    assert texts(expected, a_node()) == []


def test_a_node_that_left_the_cluster_is_named(expected: Expected) -> None:
    assert texts(expected, None) == ["node missing: n1: is not in the cluster"]


def test_a_label_changed_by_hand_names_both_configs(expected: Expected, a_node: ANode) -> None:
    assert texts(expected, a_node(config="all-disabled")) == [
        "config changed: n1: carries config 'all-disabled', expected 'inference-dense-1c0ffee2'"
    ]


def test_a_state_that_is_pending_or_not_set_is_not_reconciled(expected: Expected, a_node: ANode) -> None:
    assert classes(expected, a_node(state="pending")) == [DriftClass.NOT_RECONCILED]
    assert classes(expected, a_node(state="")) == [DriftClass.NOT_RECONCILED]


def test_a_report_of_an_earlier_attempt_proves_nothing(expected: Expected, a_node: ANode) -> None:
    assert classes(expected, a_node(attempt="2")) == [DriftClass.REPORT_MISSING], (
        "config and state are the same, only the report is old"
    )


def test_a_report_of_a_probe_that_stopped_writing_proves_nothing(expected: Expected, a_node: ANode) -> None:
    assert classes(expected, a_node(report_age_s=STALE_AFTER_S)) == []
    assert texts(expected, a_node(report_age_s=STALE_AFTER_S + 0.5)) == [
        "report stale: n1: its probe has not reported for 5 minutes"
    ]


def test_a_report_of_unknown_age_is_not_stale(expected: Expected, a_node: ANode) -> None:
    assert classes(expected, a_node(report_age_s=None)) == []


def test_a_missing_slice_is_reported_for_its_gpu(expected: Expected, a_node: ANode) -> None:
    first, second = gpus(a_node())
    short = replace(second, instances=second.instances[:6])
    assert texts(expected, with_report(a_node(), gpus=(first, short))) == [
        "slice missing: n1: GPU 1: expected 7x 1g.10gb, found 6x 1g.10gb"
    ]


def test_a_slice_that_is_not_declared_is_unexpected(expected: Expected, a_node: ANode) -> None:
    first, second = gpus(a_node())
    other = replace(second, instances=(Instance(2, "3g.40gb", 4, 4, (ComputeInstance(0, "3g.40gb", 3),)),))
    assert texts(expected, with_report(a_node(), gpus=(first, other))) == [
        "unexpected slice: n1: GPU 1: expected 7x 1g.10gb, found 3g.40gb"
    ]


def test_a_node_without_any_slice_lost_its_layout_as_by_a_reboot(expected: Expected, a_node: ANode) -> None:
    off = [replace(gpu, instances=(), mig_mode_current=False, mig_mode_pending=False) for gpu in gpus(a_node())]
    assert texts(expected, with_report(a_node(), gpus=tuple(off))) == [
        "layout lost: n1: GPU 0: expected 7x 1g.10gb, found MIG off",
        "layout lost: n1: GPU 1: expected 7x 1g.10gb, found MIG off",
    ]


def test_a_missing_gpu_is_reported(expected: Expected, a_node: ANode) -> None:
    assert texts(expected, with_report(a_node(), gpus=gpus(a_node())[:1])) == [
        "GPU count differs: n1: expected 2 GPUs, NVML reports 1"
    ]


def test_an_undeclared_slice_is_unexpected_even_if_all_declared_ones_are_lost(
    expected: Expected, a_node: ANode
) -> None:
    first, second = gpus(a_node())
    without_second = replace(expected, gpus=({"1g.10gb": 7}, {}))
    node = with_report(a_node(), gpus=(replace(first, instances=()), second))
    assert classes(without_second, node) == [DriftClass.LAYOUT_LOST, DriftClass.SLICE_UNEXPECTED]


def test_allocatable_is_compared_once_nvml_is_as_expected(expected: Expected, a_node: ANode) -> None:
    node = a_node(allocatable={"nvidia.com/mig-1g.10gb": 13, "nvidia.com/mig-3g.40gb": 1})
    assert [difference.text for difference in node_differences(expected, "n1", node)] == [
        "nvidia.com/mig-1g.10gb: expected 14, the kubelet offers 13",
        "nvidia.com/mig-3g.40gb: expected 0, the kubelet offers 1",
    ]
    first, second = gpus(node)
    short = with_report(node, gpus=(first, replace(second, instances=second.instances[:6])))
    assert classes(expected, short) == [DriftClass.SLICE_MISSING]


def test_an_nvml_error_is_reported_unchanged(expected: Expected, a_node: ANode) -> None:
    broken = with_report(a_node(), gpus=(), errors=("nvmlInit: Driver Not Loaded",))
    assert texts(expected, broken) == ["driver error: n1: nvmlInit: Driver Not Loaded"]


def test_a_failure_is_reported_with_what_nvml_showed_after_it(expected: Expected, a_node: ANode) -> None:
    node = a_node(state="failed")
    lost = {"state": "failed", "errors": ("GPU 1: nvmlDeviceGetMigMode: GPU is lost",)}
    pending = {"state": "failed", "gpus": (replace(gpus(node)[0], mig_mode_pending=False),)}
    failed = f"MIG Manager failed: n1: could not apply {expected.config!r}"
    assert texts(expected, node) == [failed]
    assert texts(expected, with_report(node, **lost)) == [
        f"{failed}; NVML reports: GPU 1: nvmlDeviceGetMigMode: GPU is lost"
    ]
    assert texts(expected, with_report(node, **pending)) == [f"{failed}; NVML reports: GPU 0: {RESET}"]
    earlier = with_report(node, **lost, attempt="0")
    assert texts(expected, earlier) == [failed], "a report of an earlier attempt proves nothing"


def test_a_node_that_is_not_ready_proves_nothing(expected: Expected, a_node: ANode) -> None:
    assert texts(expected, a_node(ready=False)) == ["node not Ready: n1: kubelet is not Ready; its slices may be gone"]
    assert texts(expected, a_node(ready=False, state="pending")) == [
        "not reconciled: n1: MIG Manager's state is 'pending'; the node is not Ready"
    ]


def test_a_gpu_instance_without_a_compute_instance_is_a_difference(expected: Expected, a_node: ANode) -> None:
    first, second = gpus(a_node())
    bare = replace(first, instances=(*first.instances, Instance(9, "1g.10gb", 7, 1, ())))
    assert texts(expected, with_report(a_node(), gpus=(bare, second))) == [
        "bare GPU instance: n1: GPU 0: GPU instance 9 (1g.10gb) has no compute instance, and MIG Manager ignores it; "
        "destroy it there: `nvidia-smi mig -i 0 -dgi -gi 9`"
    ]


def test_a_pending_mig_mode_explains_missing_slices(expected: Expected, a_node: ANode) -> None:
    off = [replace(gpu, instances=(), mig_mode_current=False, mig_mode_pending=True) for gpu in gpus(a_node())]
    assert texts(expected, with_report(a_node(), gpus=tuple(off))) == [f"GPU reset pending: n1: GPU 0, 1: {RESET}"]


def test_a_pending_mig_mode_is_a_difference_although_the_slices_are_as_expected(
    expected: Expected, a_node: ANode
) -> None:
    pending = [replace(gpu, mig_mode_pending=False) for gpu in gpus(a_node())]
    assert classes(expected, with_report(a_node(), gpus=tuple(pending))) == [DriftClass.RESET_PENDING]


def test_a_gfd_label_of_an_undeclared_slice_is_stale(expected: Expected, a_node: ANode) -> None:
    node = a_node()
    left = {"nvidia.com/mig-3g.40gb.count": "2", "nvidia.com/mig-3g.40gb.product": "NVIDIA-H100-80GB-HBM3-MIG-3g.40gb"}
    assert texts(expected, replace(node, labels={**node.labels, **left})) == [
        "GFD labels stale: n1: nvidia.com/mig-3g.40gb.count: expected 'none', found '2'"
    ]


@pytest.mark.parametrize("state", ["success", "failed"])
def test_operands_that_a_finished_mig_manager_left_paused_are_a_difference_of_their_own(
    expected: Expected, a_node: ANode, state: str
) -> None:
    node = a_node(state=state, allocatable={})
    deploy = {f"{labels.DEPLOY_PREFIX}{name}": labels.PAUSED for name in ("device-plugin", "dcgm")}
    off = {f"{labels.DEPLOY_PREFIX}nvsm": "false"}
    found = texts(expected, replace(node, labels={**node.labels, **deploy, **off}))
    assert (
        found[-1] == f"operands paused: n1: MIG Manager's state is '{state}', and dcgm, device-plugin are still paused"
    )
    assert len(found) == (2 if state == "failed" else 1), "what the kubelet offers follows from it"


def test_slices_are_compared_although_operands_are_paused(expected: Expected, a_node: ANode) -> None:
    node = a_node()
    first, second = gpus(node)
    paused = {f"{labels.DEPLOY_PREFIX}device-plugin": labels.PAUSED}
    short = with_report(node, gpus=(first, replace(second, instances=second.instances[:6])))
    assert classes(expected, replace(short, labels={**node.labels, **paused})) == [
        DriftClass.SLICE_MISSING,
        DriftClass.OPERANDS_PAUSED,
    ]


@pytest.mark.parametrize("state", ["pending", "rebooting", ""])
def test_operands_that_are_paused_while_mig_manager_works_are_no_difference(
    expected: Expected, a_node: ANode, state: str
) -> None:
    node = a_node(state=state)
    paused = {f"{labels.DEPLOY_PREFIX}device-plugin": labels.PAUSED}
    assert classes(expected, replace(node, labels={**node.labels, **paused})) == [DriftClass.NOT_RECONCILED]
