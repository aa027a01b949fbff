"""What a preview shows of a planned change: nodes, pods that lose their slices, GPU resets, capacity."""

import pulumi
import pytest

from mig_fleet.model import labels
from mig_fleet.model.layouts import Layout
from mig_fleet.observed.snapshot import invalidate
from mig_fleet.rollout.assign import AssignmentFailed
from mig_fleet.rollout.impact import MAX_LINES
from mig_fleet.rollout.stranding.check import WAYS_OUT
from mig_fleet.rollout.verify import VerificationFailed
from mig_fleet.rollout.wave import stored
from tests.memory.fleet import A100, DENSE, FAILS, SUCCEEDS, WIDE, Fleet, a_gpu
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, outputs, roll_out

IMPACT = ("plannedChanges", "podsLosingSlices", "podsUnschedulable", "gpuResets", "capacityChanges")


def impact(wave: Props, before: Props | None = None) -> dict[str, list[str]]:
    """What the next preview shows of a wave that is new, or that had the properties ``before``."""
    invalidate()
    found = ASSIGNMENT.check(before or {}, wave)
    assert found.failures == []
    return {key: found.inputs[key] for key in IMPACT if key in found.inputs}


def test_a_first_layout_shows_the_changes_the_resets_and_the_new_capacity(fleet: Fleet) -> None:
    assert impact(a_wave("n1", "n2")) == {
        "plannedChanges": ["n1, n2: GPU 0-1: MIG off → 7x 1g.10gb"],
        "gpuResets": [f"{node}: MIG mode of GPU 0-1 changes; needs no GPU reset" for node in ("n1", "n2")],
        "capacityChanges": ["nvidia.com/gpu: 4 → 0", "nvidia.com/mig-1g.10gb: 0 → 28"],
    }


def test_a_new_layout_names_pods_that_lose_their_slices_and_pods_that_become_unschedulable(fleet: Fleet) -> None:
    roll_out(a_wave("n1", "n2"))
    fleet.pod("web", "n1")
    fleet.pod("queue")
    fleet.pod("other", "n3")
    assert impact(a_wave("n1", "n2", layout=WIDE), a_wave("n1", "n2")) == {
        "plannedChanges": ["n1, n2: GPU 0-1: 7x 1g.10gb → 2x 3g.40gb"],
        "podsLosingSlices": ["n1: team/web (Deployment web) holds 1x mig-1g.10gb"],
        "podsUnschedulable": [
            "team/queue (Deployment queue) is not scheduled and requests mig-1g.10gb",
            "team/web (Deployment web) runs on n1 and requests mig-1g.10gb",
            "0/2 nodes fit: 2 without mig-1g.10gb",
        ],
        "capacityChanges": ["nvidia.com/mig-1g.10gb: 28 → 0", "nvidia.com/mig-3g.40gb: 0 → 8"],
    }


def test_policies_get_the_same_as_plain_data_with_every_node_and_pod(fleet: Fleet) -> None:
    """The lines end after some dozens of pods; the numbers do not."""
    roll_out(a_wave("n1", "n2"))
    for number in range(MAX_LINES + 2):
        fleet.pod(f"web-{number:02}", "n1" if number % 2 else "n2")
    invalidate()
    inputs = ASSIGNMENT.check(a_wave("n1", "n2"), a_wave("n1", "n2", layout=WIDE, on_user_pods="evict")).inputs
    assert len(inputs["podsLosingSlices"]) == MAX_LINES + 1
    assert inputs["impact"] == {
        "nodes": ["n1", "n2"],
        "podsLosingSlices": MAX_LINES + 2,
        "podsUnschedulable": MAX_LINES + 2,
    }


def test_a_node_that_is_only_renamed_is_no_impact(fleet: Fleet) -> None:
    roll_out(a_wave("n1"))
    invalidate()
    same = Layout.parse("renamed", {"gpu": "H100-80GB", "all": {"1g.10gb": 7}})
    found = ASSIGNMENT.check(a_wave("n1"), a_wave("n1", layout=same)).inputs["impact"]
    assert found == {"nodes": [], "podsLosingSlices": 0, "podsUnschedulable": 0}


def test_a_pod_with_slices_that_the_new_layout_offers_too_stays_schedulable(fleet: Fleet) -> None:
    roll_out(a_wave("n1"))
    fleet.pod("web", "n1")
    both = Layout.parse("both", {"gpu": "H100-80GB", "all": {"3g.40gb": 1, "1g.10gb": 4}})
    found = impact(a_wave("n1", layout=both), a_wave("n1"))
    assert found["podsLosingSlices"] == ["n1: team/web (Deployment web) holds 1x mig-1g.10gb"]
    assert "podsUnschedulable" not in found


def test_the_earlier_nodes_are_not_stored_and_their_change_is_no_diff(fleet: Fleet) -> None:
    old = a_wave("n1", "n2")
    roll_out(old)
    invalidate()
    found = ASSIGNMENT.check(old, {**old, "earlierNodes": "n3"}).inputs
    assert found == stored(old), "otherwise a later preview would show a difference"
    assert ASSIGNMENT.diff("id", old, found).changes is False


def test_nodes_with_the_config_already_are_no_part_of_the_change(fleet: Fleet) -> None:
    fleet.add("n1", DENSE.config_name)
    fleet.pod("web", "n1")
    found = impact(a_wave("n1", "n2"))
    assert found["plannedChanges"] == ["n2: GPU 0-1: MIG off → 7x 1g.10gb", adopted("n1")]
    assert "podsLosingSlices" not in found


def adopted(*nodes: str) -> str:
    return f"{', '.join(nodes)}: adopted with config {DENSE.config_name!r}; no GPU is touched"


def test_a_new_wave_names_the_nodes_that_it_adopts_and_lists_no_pods(fleet: Fleet) -> None:
    for name in ("n1", "n2"):
        fleet.add(name, DENSE.config_name)
    assert impact(a_wave("n1", "n2")) == {"plannedChanges": [adopted("n1", "n2")]}
    assert not [path for _, path, _ in fleet.requests if path.endswith("/pods")]


def test_nodes_that_change_differently_have_a_line_each(fleet: Fleet) -> None:
    fleet.add("n2", WIDE.config_name)
    assert impact(a_wave("n1", "n2"))["plannedChanges"] == [
        "n1: GPU 0-1: MIG off → 7x 1g.10gb",
        "n2: GPU 0-1: 2x 3g.40gb → 7x 1g.10gb",
    ]


def test_gpus_with_different_slices_are_listed_separately(fleet: Fleet) -> None:
    fleet.partition("n1", [{"1g.10gb": 7}, {}])
    assert impact(a_wave("n1", layout=WIDE))["plannedChanges"] == [
        "n1: GPU 0: 7x 1g.10gb → 2x 3g.40gb; GPU 1: no slices → 2x 3g.40gb"
    ]


def test_a_node_without_a_report_is_listed_with_its_config(fleet: Fleet) -> None:
    fleet.remove_report("n1")
    found = impact(a_wave("n1"))
    assert found["plannedChanges"] == [
        "n1: config 'all-disabled' → GPU 0-1: 7x 1g.10gb; the whole node counts: its probe has not reported"
    ]
    assert "gpuResets" not in found, "the MIG mode of its GPUs is not known"


MISSING = ["n9: is not in the cluster", "pool-wave-0 will be refused until they are, or are removed from the pool"]


def test_a_node_that_is_not_in_the_cluster_is_named_and_the_refusal_too(fleet: Fleet) -> None:
    assert impact(a_wave("n1", "n9"))["plannedChanges"] == ["n1: GPU 0-1: MIG off → 7x 1g.10gb", *MISSING]


@pytest.mark.parametrize("changes", [{"layout": WIDE}, {"on_user_pods": "evict"}, {}])
def test_an_update_is_refused_for_the_missing_node_that_its_preview_names(fleet: Fleet, changes: Props) -> None:
    fleet.add("n9")
    before, wave = a_wave("n1", "n9"), a_wave("n1", "n9", **changes)
    roll_out(before)
    fleet.remove("n9")
    assert impact(wave, before)["plannedChanges"][-2:] == MISSING
    with pytest.raises(AssignmentFailed, match="node 'n9' is not in the cluster"):
        ASSIGNMENT.update("pool-wave-0", before, wave)


# Drift that the next update repairs with another config


def listed_pods(fleet: Fleet) -> bool:
    return any(method == "GET" and path.endswith("/pods") for method, path, _ in fleet.requests)


def disable(fleet: Fleet, node: str) -> None:
    """Another client relabels a node, and MIG Manager applies that config."""
    fleet.label(node, labels.CONFIG, labels.ALL_DISABLED)
    fleet.partition(node, [None, None])


def test_a_node_that_another_client_relabelled_is_drift_and_shows_what_its_return_takes(fleet: Fleet) -> None:
    wave = a_wave("n1", "n2", on_user_pods="evict")
    roll_out(wave)
    disable(fleet, "n1")
    fleet.pod("training", "n1", resource="nvidia.com/gpu")
    invalidate()
    found = ASSIGNMENT.check(wave, wave).inputs
    carried = f"carries config 'all-disabled', expected {DENSE.config_name!r}"
    assert found["drift"] == [f"config changed: n1: {carried}"]
    assert {key: found[key] for key in IMPACT if key in found} == {
        "plannedChanges": ["n1: GPU 0-1: MIG off → 7x 1g.10gb"],
        "podsLosingSlices": ["n1: team/training (Deployment training) holds 1x gpu"],
        "podsUnschedulable": [
            "team/training (Deployment training) runs on n1 and requests gpu",
            "0/2 nodes fit: 2 without gpu",
            "pool-wave-0 will be refused (onStrandedPods: refuse)",
            WAYS_OUT,
        ],
        "gpuResets": ["n1: MIG mode of GPU 0-1 changes; needs no GPU reset"],
        "capacityChanges": ["nvidia.com/gpu: 2 → 0", "nvidia.com/mig-1g.10gb: 0 → 14"],
    }


def test_after_a_rollback_the_preview_shows_the_pods_that_the_next_attempt_moves(fleet: Fleet) -> None:
    before = a_wave("n1")
    wave = a_wave("n1", layout=WIDE, on_failure="rollback", recovery=False)
    roll_out(before)
    fleet.manager_outcomes["n1"] = [FAILS, SUCCEEDS]
    ASSIGNMENT.update("pool-wave-0", before, wave)
    with pytest.raises(VerificationFailed, match="rolled back"):
        VERIFICATION.update("pool-wave-0", before, wave)
    fleet.pod("web", "n1")
    found = impact(wave, wave)
    assert found["plannedChanges"] == ["n1: GPU 0-1: 7x 1g.10gb → 2x 3g.40gb"]
    assert found["podsLosingSlices"] == ["n1: team/web (Deployment web) holds 1x mig-1g.10gb"]


def test_a_policy_that_changes_in_the_same_preview_hides_no_drift(fleet: Fleet) -> None:
    roll_out(a_wave("n1"))
    disable(fleet, "n1")
    invalidate()
    found = ASSIGNMENT.check(a_wave("n1"), a_wave("n1", on_user_pods="evict")).inputs
    assert len(found["drift"]) == len(found["plannedChanges"]) == 1


def test_a_layout_that_changes_is_no_drift(fleet: Fleet) -> None:
    roll_out(a_wave("n1"))
    invalidate()
    for provider in (ASSIGNMENT, VERIFICATION):
        assert "drift" not in provider.check(a_wave("n1"), a_wave("n1", layout=WIDE)).inputs


@pytest.mark.parametrize("case", ["as declared", "taken over", "a lost slice", "missing"])
def test_a_preview_lists_pods_only_if_a_node_gets_another_config_or_is_repaired(fleet: Fleet, case: str) -> None:
    wave = a_wave("n1", "n2")
    roll_out(wave)
    if case == "taken over":
        fleet.nodes["n1"]["metadata"]["annotations"][labels.WAVE] = "another-wave-0"
    if case == "a lost slice":
        fleet.partition("n1", [{"1g.10gb": 6}, {"1g.10gb": 7}])
    if case == "missing":
        fleet.remove("n1")
    fleet.clear_requests()
    found = impact(wave, wave)
    assert found.keys() == ({"plannedChanges"} if case == "missing" else set())
    VERIFICATION.check(wave, wave)
    assert listed_pods(fleet) == (case == "a lost slice")
    fleet.clear_requests()
    disable(fleet, "n2")
    impact(wave, wave)
    assert listed_pods(fleet)


def test_a_node_that_left_the_pool_shows_what_its_delete_policy_takes(fleet: Fleet) -> None:
    before, wave = a_wave("n1", "n2", on_delete="disable"), a_wave("n2", on_delete="disable")
    fleet.write_layout_file(DENSE, WIDE)
    roll_out(before)
    fleet.pod("web", "n1")
    assert impact(wave, before) == {}, "another pool may still take it over in that update"
    ASSIGNMENT.update("pool-wave-0", before, wave)
    assert impact(wave, wave) == {
        "plannedChanges": ["n1: GPU 0-1: 7x 1g.10gb → MIG off"],
        "podsLosingSlices": ["n1: team/web (Deployment web) holds 1x mig-1g.10gb"],
        "gpuResets": ["n1: MIG mode of GPU 0-1 changes; needs no GPU reset"],
        "capacityChanges": ["nvidia.com/gpu: 0 → 2", "nvidia.com/mig-1g.10gb: 14 → 0"],
    }


def test_a_target_whose_slices_are_not_known_is_named_and_the_whole_node_counts(fleet: Fleet) -> None:
    before, wave = a_wave("n1", "n2", on_delete="restore"), a_wave("n2", on_delete="restore")
    fleet.add("n1", "their-own")
    roll_out(before)
    ASSIGNMENT.update("pool-wave-0", before, wave)
    assert impact(wave, wave) == {
        "plannedChanges": [
            f"n1: config {DENSE.config_name!r} → 'their-own'; the whole node counts: the slices of its new config are "
            "not known"
        ]
    }


def test_on_ampere_a_change_of_the_mode_needs_a_reset(fleet: Fleet) -> None:
    layout = Layout.parse("small", {"gpu": "A100-80GB", "all": {"1g.10gb": 7}})
    fleet.report("n1", gpus=(a_gpu(0, None, pci_id=A100), a_gpu(1, {}, pci_id=A100)))
    assert impact(a_wave("n1", layout=layout))["gpuResets"] == [
        "n1: MIG mode of GPU 0 changes; needs a reset of all GPUs of the node, or a reboot where the platform forbids "
        "it"
    ]


def test_the_same_fleet_gives_the_same_lines(fleet: Fleet) -> None:
    for name in ("b", "a", "c"):
        fleet.pod(name, "n1")
    first = impact(a_wave("n1", "n2"))
    fleet.pods = dict(reversed(fleet.pods.items()))
    fleet.nodes = dict(reversed(fleet.nodes.items()))
    assert impact(a_wave("n2", "n1")) == first
    assert first["podsLosingSlices"] == sorted(first["podsLosingSlices"])


def test_many_lines_are_counted_after_the_first_twenty(fleet: Fleet) -> None:
    for number in range(MAX_LINES + 5):
        fleet.pod(f"web-{number:02}", "n1")
    found = impact(a_wave("n1"))["podsLosingSlices"]
    assert len(found) == MAX_LINES + 1
    assert found[-1] == "and 5 more"


def test_nothing_is_added_while_an_input_is_unknown(fleet: Fleet) -> None:
    unknown = pulumi.output.Unknown()  # type: ignore[no-untyped-call]  # not annotated in the SDK
    assert impact({**a_wave("n1"), "namespace": unknown}) == {}


def test_the_impact_is_an_input_and_never_an_output(fleet: Fleet) -> None:
    invalidate()
    inputs = ASSIGNMENT.check({}, a_wave("n1")).inputs
    assert set(IMPACT) & outputs(ASSIGNMENT.create(inputs)).keys() == set()
    assert ASSIGNMENT.diff("id", a_wave("n1"), inputs).changes is False


def test_only_the_assignment_shows_the_impact(fleet: Fleet) -> None:
    found = VERIFICATION.check({}, a_wave("n1")).inputs
    assert set(IMPACT) & found.keys() == set()


def test_a_changed_policy_alone_is_no_change_of_nodes(fleet: Fleet) -> None:
    roll_out(a_wave("n1"))
    assert impact(a_wave("n1", on_user_pods="evict"), a_wave("n1")) == {}


def test_an_isolated_node_is_listed_like_any_other(fleet: Fleet) -> None:
    fleet.taint("n1", labels.TAINT)
    assert impact(a_wave("n1"))["plannedChanges"] == ["n1: GPU 0-1: MIG off → 7x 1g.10gb"]
