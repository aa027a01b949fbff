"""What a node has against what it should have."""

from collections.abc import Callable
from dataclasses import replace

from mig_fleet.model.report import SILENT_AFTER_S, ComputeInstance, Instance
from mig_fleet.model.wording import in_words
from mig_fleet.observed.differences import Expected, Kind, differences
from mig_fleet.observed.snapshot import Node


def kinds(expected: Expected, node: Node | None) -> list[Kind]:
    return [d.kind for d in differences(expected, "n1", node)]


def test_a_node_that_is_as_declared_has_no_differences(expected: Expected, a_node: Callable[..., Node]) -> None:
    assert differences(expected, "n1", a_node()) == []


def test_counts_that_come_back_from_pulumi_as_floats_still_agree(
    expected: Expected, a_node: Callable[..., Node]
) -> None:
    expected["gpus"] = [{"1g.10gb": 7.0}, {"1g.10gb": 7.0}]  # type: ignore[dict-item]
    expected["allocatable"] = {"nvidia.com/mig-1g.10gb": 14.0}  # type: ignore[dict-item]
    assert differences(expected, "n1", a_node()) == []


def test_a_node_that_left_is_named(expected: Expected) -> None:
    assert [str(d) for d in differences(expected, "n1", None)] == ["node gone: n1: is not in the cluster"]


def test_a_label_changed_by_hand_names_both_configs(expected: Expected, a_node: Callable[..., Node]) -> None:
    (found,) = differences(expected, "n1", a_node(config="all-disabled"))
    assert str(found) == ("label changed: n1: carries config 'all-disabled', expected 'inference-dense-1c0ffee2'")


def test_pending_is_not_a_verdict(expected: Expected, a_node: Callable[..., Node]) -> None:
    assert kinds(expected, a_node(state="pending")) == [Kind.UNSETTLED]
    assert kinds(expected, a_node(state="")) == [Kind.UNSETTLED]


def test_a_success_whose_report_is_of_an_earlier_attempt_proves_nothing(
    expected: Expected, a_node: Callable[..., Node]
) -> None:
    assert kinds(expected, a_node(attempt="2")) == [Kind.UNREPORTED], (
        "config and state read the same, the report is old"
    )


def test_a_probe_that_fell_silent_proves_nothing_about_now(expected: Expected, a_node: Callable[..., Node]) -> None:
    assert kinds(expected, a_node(silent_s=SILENT_AFTER_S)) == []
    (found,) = differences(expected, "n1", a_node(silent_s=SILENT_AFTER_S + 0.5))
    assert str(found) == "report stale: n1: its probe has been silent for more than 5 minutes"


def test_a_server_that_tells_no_time_makes_no_report_stale(expected: Expected, a_node: Callable[..., Node]) -> None:
    assert kinds(expected, a_node(silent_s=None)) == []


def test_a_lost_slice_is_told_per_gpu(expected: Expected, a_node: Callable[..., Node]) -> None:
    node = a_node()
    assert node.report is not None
    first, second = node.report.gpus
    short = replace(second, instances=second.instances[:6])
    found = differences(expected, "n1", replace(node, report=replace(node.report, gpus=(first, short))))
    assert [str(d) for d in found] == ["slice destroyed: n1: GPU 1: expected 7x 1g.10gb, found 6x 1g.10gb"]


def test_slices_that_nobody_declared_are_called_foreign(expected: Expected, a_node: Callable[..., Node]) -> None:
    node = a_node()
    assert node.report is not None
    first, second = node.report.gpus
    other = replace(second, instances=(Instance(2, "3g.40gb", 4, 4, (ComputeInstance(0, "3g.40gb", 3),)),))
    found = differences(expected, "n1", replace(node, report=replace(node.report, gpus=(first, other))))
    assert [str(d) for d in found] == ["foreign slice: n1: GPU 1: expected 7x 1g.10gb, found 3g.40gb"]


def test_a_node_without_any_slice_lost_its_layout_as_after_a_reboot(
    expected: Expected, a_node: Callable[..., Node]
) -> None:
    node = a_node()
    assert node.report is not None
    off = tuple(replace(gpu, instances=(), mig_mode_current=False, mig_mode_pending=False) for gpu in node.report.gpus)
    found = differences(expected, "n1", replace(node, report=replace(node.report, gpus=off)))
    assert [str(d) for d in found] == [
        "layout lost: n1: GPU 0: expected 7x 1g.10gb, found MIG off",
        "layout lost: n1: GPU 1: expected 7x 1g.10gb, found MIG off",
    ]


def test_a_missing_gpu_is_told(expected: Expected, a_node: Callable[..., Node]) -> None:
    node = a_node()
    assert node.report is not None
    found = differences(expected, "n1", replace(node, report=replace(node.report, gpus=node.report.gpus[:1])))
    assert [str(d) for d in found] == ["other GPUs: n1: expected 2 GPUs, NVML has 1"]


def test_a_slice_that_nobody_declared_is_foreign_even_where_all_others_are_lost(
    expected: Expected, a_node: Callable[..., Node]
) -> None:
    node = a_node()
    assert node.report is not None
    lost, other = replace(node.report.gpus[0], instances=()), node.report.gpus[1]
    wish = Expected(**{**expected, "gpus": [{"1g.10gb": 7}, {}]})
    found = differences(wish, "n1", replace(node, report=replace(node.report, gpus=(lost, other))))
    assert [d.kind for d in found] == [Kind.LOST, Kind.FOREIGN]


def test_the_kubelet_and_gfd_are_asked_only_once_nvml_agrees(expected: Expected, a_node: Callable[..., Node]) -> None:
    node = a_node(allocatable={"nvidia.com/mig-1g.10gb": 13, "nvidia.com/mig-3g.40gb": 1})
    assert [d.text for d in differences(expected, "n1", node)] == [
        "nvidia.com/mig-1g.10gb: expected 14, the kubelet offers 13",
        "nvidia.com/mig-3g.40gb: expected 0, the kubelet offers 1",
    ]


def test_an_nvml_error_is_passed_on_in_its_own_words(expected: Expected, a_node: Callable[..., Node]) -> None:
    node = a_node()
    assert node.report is not None
    broken = replace(node.report, gpus=(), errors=("nvmlInit: Driver Not Loaded",))
    assert [str(d) for d in differences(expected, "n1", replace(node, report=broken))] == [
        "driver error: n1: nvmlInit: Driver Not Loaded"
    ]


def test_a_failure_is_told_with_what_nvml_said_after_it(expected: Expected, a_node: Callable[..., Node]) -> None:
    node = a_node(state="failed")
    assert node.report is not None
    lost = replace(node.report, state="failed", errors=("GPU 1: nvmlDeviceGetMigMode: GPU is lost",))
    waiting = replace(lost, errors=(), gpus=tuple(replace(gpu, mig_mode_pending=False) for gpu in lost.gpus[:1]))
    failed = f"MIG Manager failed: n1: could not apply {expected['config']!r}"

    def told(node: Node) -> list[str]:
        return [str(d) for d in differences(expected, "n1", node)]

    assert told(node) == [failed]
    assert told(replace(node, report=lost)) == [f"{failed}; NVML says: GPU 1: nvmlDeviceGetMigMode: GPU is lost"]
    assert told(replace(node, report=waiting)) == [
        f"{failed}; NVML says: GPU 0: a change of the MIG mode waits for a GPU reset; drain and reboot the node"
    ]
    assert told(replace(node, report=replace(lost, attempt="0"))) == [failed], "a reading from before proves nothing"


def test_a_node_that_is_not_ready_proves_nothing_about_now(expected: Expected, a_node: Callable[..., Node]) -> None:
    (found,) = differences(expected, "n1", a_node(ready=False))
    assert str(found) == "node not Ready: n1: its kubelet is silent or unwell, so what it had may be gone"


def test_a_gpu_instance_without_a_compute_instance_is_no_agreement(
    expected: Expected, a_node: Callable[..., Node]
) -> None:
    node = a_node()
    assert node.report is not None
    first, second = node.report.gpus
    left = replace(first, instances=(*first.instances, Instance(9, "1g.10gb", 7, 1, ())))
    (found,) = differences(expected, "n1", replace(node, report=replace(node.report, gpus=(left, second))))
    assert str(found) == (
        "bare GPU instance: n1: GPU 0: GPU instance 9 (1g.10gb) has no compute instance, and MIG Manager passes over "
        "it; destroy it there: `nvidia-smi mig -i 0 -dgi -gi 9`"
    )


def test_a_mode_that_is_still_to_come_explains_the_slices_that_are_not_there(
    expected: Expected, a_node: Callable[..., Node]
) -> None:
    node = a_node()
    assert node.report is not None
    off = tuple(replace(gpu, instances=(), mig_mode_current=False, mig_mode_pending=True) for gpu in node.report.gpus)
    (found,) = differences(expected, "n1", replace(node, report=replace(node.report, gpus=off)))
    assert (
        str(found)
        == "GPU reset pending: n1: GPU 0, 1: a change of the MIG mode waits for a GPU reset; drain and reboot the node"
    )


def test_a_mig_mode_that_waits_for_a_reset_is_not_done(expected: Expected, a_node: Callable[..., Node]) -> None:
    node = a_node()
    assert node.report is not None
    waiting = tuple(replace(gpu, mig_mode_pending=False) for gpu in node.report.gpus)
    found = differences(expected, "n1", replace(node, report=replace(node.report, gpus=waiting)))
    assert [d.kind for d in found] == [Kind.RESET]


def test_a_gpu_is_put_into_words() -> None:
    assert in_words({"1g.10gb": 2, "3g.40gb": 1}) == "3g.40gb + 2x 1g.10gb"
    assert in_words({}) == "no slices"
    assert in_words(None) == "MIG off"


def test_slices_that_feature_discovery_still_shows_and_nobody_declared_are_stale_labels(
    expected: Expected, a_node: Callable[..., Node]
) -> None:
    left = {"nvidia.com/mig-3g.40gb.count": "2", "nvidia.com/mig-3g.40gb.product": "NVIDIA-H100-80GB-HBM3-MIG-3g.40gb"}
    node = a_node()
    (found,) = differences(expected, "n1", replace(node, labels={**node.labels, **left}))
    assert str(found) == "GFD labels stale: n1: nvidia.com/mig-3g.40gb.count: expected 'none', found '2'"
