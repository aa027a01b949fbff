"""Settings of the device plugin: another strategy, and shared resources, in previews and updates."""

from typing import Any

import pytest

from mig_fleet.model import labels
from mig_fleet.model.layouts import Layout
from mig_fleet.model.reported_slices import by_node
from mig_fleet.model.strategy import Strategy
from mig_fleet.observed.expected import Expected
from mig_fleet.observed.snapshot import invalidate, observe
from mig_fleet.rollout.stranding.strategy_change import under_strategy
from mig_fleet.rollout.verify import VerificationFailed
from tests.memory.fleet import DENSE, GPUS_PER_NODE, PROBES, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, roll_out

SPLIT = Layout.parse("split", {"gpu": "H100-80GB", "all": {"3g.40gb": 2}})


def under(strategy: Strategy, *nodes: str, **changes: Any) -> Props:
    return a_wave(*nodes, expected=Expected.of_layout(DENSE, GPUS_PER_NODE, strategy), **changes)


def preview(before: Props, after: Props) -> Props:
    invalidate()
    found = ASSIGNMENT.check(before, after)
    assert found.failures == []
    inputs: Props = found.inputs
    return inputs


@pytest.fixture
def mixed(fleet: Fleet) -> Fleet:
    """n1 and n2 offer 14 slices 1g.10gb each under strategy mixed, and were verified."""
    roll_out(a_wave("n1", "n2"))
    return fleet


def test_another_strategy_is_planned_and_no_drift_and_touches_no_gpu(mixed: Fleet) -> None:
    before, after = a_wave("n1", "n2"), under(Strategy.SINGLE, "n1", "n2")
    found = preview(before, after)
    assert found["plannedChanges"] == ["n1, n2: strategy mixed → single; no GPU is touched"]
    assert found["capacityChanges"] == ["nvidia.com/gpu: 0 → 28", "nvidia.com/mig-1g.10gb: 28 → 0"]
    assert found["impact"] == {"nodes": [], "podsLosingSlices": 0, "podsUnschedulable": 0}
    assert not {"drift", "podsUnschedulable", "podsLosingSlices"} & found.keys()
    for provider in (ASSIGNMENT, VERIFICATION):
        checked = provider.check(before, after).inputs
        assert not {"drift", "unfinishedNodes"} & checked.keys()
        assert provider.diff("id", before, checked).changes


def test_pods_whose_requests_find_nothing_under_the_new_strategy_are_listed(mixed: Fleet) -> None:
    mixed.pod("web", "n1")
    mixed.pod("queue")
    mixed.pod("asks-as-later", "n2", resource="nvidia.com/gpu")
    found = preview(a_wave("n1", "n2"), under(Strategy.SINGLE, "n1", "n2"))
    assert found["podsUnschedulable"] == [
        "team/queue (Deployment queue) is not scheduled and requests mig-1g.10gb",
        "team/web (Deployment web) runs on n1 and requests mig-1g.10gb",
        "0/2 nodes fit: 2 without mig-1g.10gb",
    ]
    assert found["impact"]["podsUnschedulable"] == 2


def test_back_to_mixed_the_pods_that_request_gpus_are_listed(fleet: Fleet) -> None:
    fleet.change_strategy(Strategy.SINGLE)
    single = under(Strategy.SINGLE, "n1", "n2")
    roll_out(single)
    fleet.pod("web", "n1", resource="nvidia.com/gpu")
    found = preview(single, a_wave("n1", "n2"))
    assert found["podsUnschedulable"] == [
        "team/web (Deployment web) runs on n1 and requests gpu",
        "0/2 nodes fit: 2 without gpu",
    ]


def test_a_pod_that_finds_its_resource_on_a_whole_gpu_is_not_listed(fleet: Fleet) -> None:
    fleet.change_strategy(Strategy.SINGLE)
    roll_out(under(Strategy.SINGLE, "n1"))
    fleet.pod("web", "n1", resource="nvidia.com/gpu")
    assert "podsUnschedulable" not in preview(under(Strategy.SINGLE, "n1"), a_wave("n1")), "n2 has whole GPUs"


def test_a_pod_on_a_node_that_takes_no_new_pods_is_listed_only_if_its_resource_goes_away(mixed: Fleet) -> None:
    mixed.pod("web", "n1")
    mixed.pod("asks-as-later", "n1", resource="nvidia.com/gpu")
    mixed.cordon("n1")
    mixed.cordon("n2")
    found = preview(a_wave("n1", "n2"), under(Strategy.SINGLE, "n1", "n2"))
    assert [line.partition(" ")[0] for line in found["podsUnschedulable"] if "requests" in line] == ["team/web"]


def test_each_wave_lists_the_pods_of_its_own_nodes_and_one_lists_those_that_wait(fleet: Fleet) -> None:
    roll_out(a_wave("n1"))
    roll_out(a_wave("n2", wave="pool-wave-1"))
    for name, node in (("first", "n1"), ("second", "n2"), ("queue", "")):
        fleet.pod(name, node)
    waves = (("n1", "pool-wave-0"), ("n2", "pool-wave-1"))
    listed = [
        [line.partition(" ")[0] for line in found["podsUnschedulable"] if "requests" in line]
        for node, wave in waves
        for found in [preview(a_wave(node, wave=wave), under(Strategy.SINGLE, node, wave=wave))]
    ]
    assert listed == [["team/queue", "team/first"], ["team/second"]]


def test_a_pod_that_loses_its_slice_and_its_resource_is_counted_once(mixed: Fleet) -> None:
    mixed.pod("web", "n1")
    single = Expected.of_layout(SPLIT, GPUS_PER_NODE, Strategy.SINGLE)
    found = preview(a_wave("n1", "n2"), a_wave("n1", "n2", expected=single, on_user_pods="evict"))
    assert found["podsUnschedulable"][0] == "team/web (Deployment web) runs on n1 and requests mig-1g.10gb"
    assert sum("requests" in line for line in found["podsUnschedulable"]) == 1
    assert "pool-wave-0 will be refused (onStrandedPods: refuse)" in found["podsUnschedulable"]
    assert found["impact"]["podsUnschedulable"] == 1


def select_product(fleet: Fleet, pod: str, end: str) -> None:
    fleet.pods["team", pod]["spec"]["nodeSelector"] = {labels.PRODUCT: f"NVIDIA-H100-80GB-HBM3{end}"}


def test_under_single_a_pod_that_selects_its_profile_finds_none_on_a_node_that_gets_another(fleet: Fleet) -> None:
    fleet.change_strategy(Strategy.SINGLE)
    roll_out(under(Strategy.SINGLE, "n1"))
    fleet.pod("web", "n1", resource="nvidia.com/gpu")
    fleet.pod("any", "n1", resource="nvidia.com/gpu")
    select_product(fleet, "web", "-MIG-1g.10gb")
    split = Expected.of_layout(SPLIT, GPUS_PER_NODE, Strategy.SINGLE)
    found = preview(under(Strategy.SINGLE, "n1"), a_wave("n1", expected=split, on_user_pods="evict"))
    assert [line.partition(" ")[0] for line in found["podsUnschedulable"] if "requests" in line] == ["team/web"]


@pytest.mark.parametrize("reported", [True, False], ids=["with a report", "without one"])
def test_another_strategy_changes_the_product_label_too(mixed: Fleet, reported: bool) -> None:
    if not reported:
        del mixed.config_maps[PROBES, f"{labels.REPORT_PREFIX}n1"]
    later = under_strategy(observe({}, PROBES, fresh=True), Strategy.SINGLE)
    assert later.nodes["n1"].labels[labels.PRODUCT] == "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb"
    assert under_strategy(later, Strategy.MIXED).nodes["n1"].labels[labels.PRODUCT] == "NVIDIA-H100-80GB-HBM3"


def test_a_strategy_that_others_changed_is_drift_and_no_planned_change(mixed: Fleet) -> None:
    wave = a_wave("n1", "n2")
    mixed.change_strategy(Strategy.SINGLE)
    mixed.nodes["n1"]["metadata"]["labels"][labels.CONFIG] = "other"
    found = preview(wave, wave)
    assert "drift" in found
    assert "strategy" not in str(found["plannedChanges"])


def test_a_node_under_strategy_single_is_verified_by_whole_gpus(fleet: Fleet) -> None:
    fleet.change_strategy(Strategy.SINGLE)
    assert by_node(roll_out(under(Strategy.SINGLE, "n1"))) == {"n1": "GPU 0-1: 7x 1g.10gb"}
    assert fleet.nodes["n1"]["status"]["allocatable"] == {"nvidia.com/gpu": "14"}


def test_an_update_of_the_strategy_alone_relabels_and_isolates_no_node(mixed: Fleet) -> None:
    mixed.change_strategy(Strategy.SINGLE)
    invalidate()
    config, before = mixed.nodes["n1"]["metadata"]["labels"]["nvidia.com/mig.config"], mixed.clock.slept
    after = under(Strategy.SINGLE, "n1", "n2")
    ASSIGNMENT.update("id", a_wave("n1", "n2"), after)
    VERIFICATION.update("id", a_wave("n1", "n2"), after)
    assert mixed.nodes["n1"]["metadata"]["labels"]["nvidia.com/mig.config"] == config
    assert mixed.nodes["n1"]["metadata"]["annotations"]["mig-fleet.dev/attempt"] == "1"
    assert mixed.clock.slept == before


def failures(before: Props, after: Props) -> list[str]:
    invalidate()
    return [failure.reason for failure in ASSIGNMENT.check(before, after).failures]


def test_another_strategy_of_an_operator_of_others_is_refused_with_both_ways_out(fleet: Fleet) -> None:
    fleet.add("n1", DENSE.config_name)
    fleet.change_strategy(Strategy.SINGLE)
    (reason,) = failures({}, a_wave("n1", operator_managed=False, config_name="keep"))
    assert reason == (
        "pool-wave-0: the operator runs n1 under strategy single, the stack has mixed, and this stack does not install "
        "the operator; set operator.strategy: single, or set the operator's chart value mig.strategy to mixed, wait a "
        "minute for GPU Feature Discovery, and preview again"
    )
    assert failures({}, under(Strategy.SINGLE, "n1", operator_managed=False, config_name="keep")) == []
    assert failures({}, a_wave("n1")) == [], "this stack's operator will change it"


# Sharing


def share(fleet: Fleet, node: str, replicas: int = 2, name: str = "nvidia.com/mig-1g.10gb", end: str = "") -> None:
    """The device plugin of a node shares a resource, and GFD has noticed it."""
    fleet.nodes[node]["metadata"]["labels"][f"{name}.replicas"] = str(replicas)
    offered = fleet.nodes[node]["status"]["allocatable"]
    offered[f"{name}{end}"] = str(int(offered.pop(name)) * replicas)


@pytest.mark.parametrize("end", ["", ".shared"], ids=["the same name", "renamed"])
def test_nodes_that_share_slices_are_refused_in_the_preview(fleet: Fleet, end: str) -> None:
    fleet.add("n1", DENSE.config_name)
    share(fleet, "n1", end=end)
    (reason,) = failures({}, a_wave("n1", config_name="keep"))
    assert reason.startswith(
        f"pool-wave-0: on node 'n1' the kubelet offers 28 nvidia.com/mig-1g.10gb{end}, as the device plugin shares "
        "each 2 times, and mig-fleet counts each slice and GPU once, for one pod; remove nvidia.com/mig-1g.10gb from "
        "`sharing` in the device plugin's config"
    )


def test_labels_that_gfd_has_not_yet_updated_are_no_proof_of_sharing(fleet: Fleet) -> None:
    fleet.add("n1", DENSE.config_name)
    fleet.nodes["n1"]["metadata"]["labels"]["nvidia.com/mig-1g.10gb.replicas"] = "3"
    assert failures({}, a_wave("n1", config_name="keep")) == [], "14 is no multiple of 3"


def test_sharing_that_appears_later_is_drift_that_no_update_waits_for(mixed: Fleet) -> None:
    share(mixed, "n2")
    before, wave = mixed.clock.slept, a_wave("n1", "n2")
    invalidate()
    (drift,) = VERIFICATION.check(wave, wave).inputs["drift"]
    text = "nvidia.com/mig-1g.10gb: expected 14, the kubelet offers 28 nvidia.com/mig-1g.10gb, as the device plugin"
    assert drift == f"resource shared: n2: {text} shares each 2 times"
    assert failures(wave, wave) == []
    with pytest.raises(VerificationFailed) as failed:
        VERIFICATION.update("id", wave, wave)
    assert drift in str(failed.value)
    assert "Look at the device plugin's config, which must not share it" in str(failed.value)
    assert mixed.clock.slept - before < 5, "the number that is expected cannot come"


def test_shared_gpus_that_are_not_expected_are_ignored(mixed: Fleet) -> None:
    mixed.nodes["n1"]["metadata"]["labels"]["nvidia.com/gpu.replicas"] = "4"
    wave = a_wave("n1", "n2")
    assert "drift" not in VERIFICATION.check(wave, wave).inputs


def test_under_single_the_profile_in_the_product_label_must_be_the_declared_one(fleet: Fleet) -> None:
    """Counts alone would not show that GFD has stopped: two layouts may have equally many slices."""
    fleet.change_strategy(Strategy.SINGLE)
    wave = under(Strategy.SINGLE, "n1")
    roll_out(wave)
    product = "NVIDIA-H100-80GB-HBM3-MIG-2g.20gb"
    fleet.nodes["n1"]["metadata"]["labels"]["nvidia.com/gpu.product"] = product
    invalidate()
    (drift,) = VERIFICATION.check(wave, wave).inputs["drift"]
    assert drift == f"GFD labels stale: n1: nvidia.com/gpu.product: expected slices 1g.10gb, found '{product}'"
