"""A change disturbs only what it must: a renamed node is only labelled, and only pods on affected GPUs must leave."""

from collections.abc import Callable
from typing import Any

import pytest

from mig_fleet.model import labels
from mig_fleet.model.layouts import Layout
from mig_fleet.model.report import HEARTBEAT_S
from mig_fleet.model.reported_slices import by_node
from mig_fleet.observed.snapshot import invalidate
from mig_fleet.rollout.assign import AssignmentFailed, release
from mig_fleet.rollout.drain import REPORT_WAIT_S
from mig_fleet.rollout.verify import VerificationFailed
from mig_fleet.rollout.wave import Wave
from tests.memory.fleet import DENSE, FAILS, MANAGER, SUCCEEDS, WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, a_wave, outputs, roll_out

RENAMED = Layout.parse("other-name", {"gpu": "H100-80GB", "all": {"1g.10gb": 7}})
HALF = Layout.parse(
    "half",
    {
        "gpu": "H100-80GB",
        "gpus": [{"devices": [0], "profiles": {"1g.10gb": 7}}, {"devices": [1], "profiles": {"3g.40gb": 2}}],
    },
)
"""GPU 0 as in :data:`DENSE`, GPU 1 as in :data:`WIDE`."""
ONE_OFF = Layout.parse(
    "one-off",
    {"gpu": "H100-80GB", "gpus": [{"devices": [0], "profiles": {"1g.10gb": 7}}, {"devices": [1], "disabled": True}]},
)
WEB = "team/web (Deployment web) holds 1x mig-1g.10gb"


@pytest.fixture
def dense(fleet: Fleet) -> Fleet:
    """Both nodes have :data:`DENSE`, verified; the probes report which pod has which GPU."""
    fleet.write_layout_file(DENSE, WIDE, RENAMED, HALF, ONE_OFF)
    roll_out(a_wave("n1", "n2"))
    fleet.reports_allocations = True
    fleet.clear_requests()
    return fleet


def place(fleet: Fleet, name: str, gpu: int, node: str = "n1", **changes: Any) -> None:
    """A pod with one slice of this GPU, which the probe has reported since."""
    fleet.pod(name, node, **changes)
    fleet.placed[name] = gpu
    fleet.clock.sleep(2)
    fleet.report(node)


def refusal(wave: dict[str, Any]) -> str:
    with pytest.raises(AssignmentFailed) as refused:
        ASSIGNMENT.create(wave)
    return str(refused.value)


def evictions(fleet: Fleet) -> list[str]:
    return [line.split("/")[-2] for line in fleet.writes() if line.endswith("/eviction")]


def watch_isolation(fleet: Fleet) -> list[list[str]]:
    """The isolated nodes before each write to a node."""
    seen: list[list[str]] = []
    fleet.before_request("PATCH", "/nodes/", lambda: seen.append(fleet.isolated()), times=1000)
    return seen


# A change of the name


@pytest.mark.parametrize("policy", ["refuse", "wait", "evict"])
@pytest.mark.parametrize("known", [True, False], ids=["allocations", "no allocations"])
def test_the_same_slices_under_another_name_disturb_no_pod_and_taint_no_node(
    dense: Fleet, policy: str, known: bool
) -> None:
    dense.reports_allocations = known
    for name, node in (("web", "n1"), ("api", "n2")):
        place(dense, name, 0, node)
    place(dense, "agent", 1, owner="DaemonSet")
    place(dense, "by-hand", 1, owner="")
    isolated = watch_isolation(dense)
    wave = a_wave("n1", "n2", layout=RENAMED, on_user_pods=policy)
    outs = roll_out(wave)
    assert dense.configs() == dict.fromkeys(("n1", "n2"), RENAMED.config_name)
    assert not any(isolated), "no node was isolated at any write"
    assert evictions(dense) == []
    assert dense.ownership_annotations("n1")["verified-config"] == RENAMED.config_name
    assert by_node(outs) == {"n1": "GPU 0-1: 7x 1g.10gb", "n2": "GPU 0-1: 7x 1g.10gb"}


def test_a_rename_counts_as_an_attempt_and_waits_for_mig_manager_and_for_propagation(dense: Fleet) -> None:
    before = int(dense.ownership_annotations("n1")["attempt"])
    dense.synced_after_s["n1"] = dense.clock.slept + 30
    ASSIGNMENT.create(a_wave("n1", layout=RENAMED))
    assert int(dense.ownership_annotations("n1")["attempt"]) == before + 1
    assert any("/pods/" in line and line.startswith("PATCH") for line in dense.writes()), (
        "MIG Manager's copy was awaited"
    )


def test_in_one_wave_some_nodes_are_renamed_and_others_change(dense: Fleet) -> None:
    dense.add("n2", WIDE.config_name)
    place(dense, "web", 0, "n1")
    ASSIGNMENT.create(a_wave("n1", "n2", layout=RENAMED))
    assert dense.isolated() == ["n2"]
    assert dense.configs() == dict.fromkeys(("n1", "n2"), RENAMED.config_name)
    VERIFICATION.create(a_wave("n1", "n2", layout=RENAMED))
    assert dense.isolated() == []


def lose_slice_before_label(dense: Fleet) -> None:
    """GPU 1 loses a slice after the node is the wave's own and its pods were listed, right before the last look."""

    def lose() -> None:
        dense.partition("n1", [{"1g.10gb": 7}, {"1g.10gb": 6}])

    dense.before_request("PATCH", "/nodes/n1$", lambda: dense.before_request("GET", "/nodes$", lose, skip=1))


def test_a_gpu_that_changes_before_the_label_is_written_makes_the_node_isolated_and_drained(dense: Fleet) -> None:
    place(dense, "web", 0)
    place(dense, "api", 1)
    lose_slice_before_label(dense)
    ASSIGNMENT.create(a_wave("n1", layout=RENAMED, on_user_pods="evict"))
    assert evictions(dense) == ["api"], "GPU 0 is still right"
    assert dense.isolated() == ["n1"]


def test_a_gpu_that_changes_before_the_label_is_written_is_refused_under_refuse(dense: Fleet) -> None:
    place(dense, "api", 1)
    lose_slice_before_label(dense)
    text = refusal(a_wave("n1", layout=RENAMED))
    assert "node 'n1' is in use: team/api (Deployment api) holds 1x mig-1g.10gb on GPU 1; move" in text
    assert text.endswith("\nscheduling restored: n1")
    assert dense.configs()["n1"] == DENSE.config_name


def test_a_rename_that_fails_before_the_label_restores_nothing_because_nothing_was_isolated(dense: Fleet) -> None:
    absent = Layout.parse("absent", {"gpu": "H100-80GB", "all": {"1g.10gb": 7}})
    text = refusal(a_wave("n1", layout=absent))
    assert text.startswith("no node was relabelled: MIG Manager on n1 does not see config")
    assert "scheduling" not in text
    assert not any(path.endswith("/nodes/n1") and "spec" in body for _, path, body in dense.requests)


def test_a_rename_waits_for_the_first_report_of_a_probe_that_has_just_started(dense: Fleet) -> None:
    place(dense, "web", 0)
    dense.remove_report("n1")
    dense.clock.after(30, lambda: dense.report("n1"))
    roll_out(a_wave("n1", layout=RENAMED))
    assert evictions(dense) == []
    assert dense.configs()["n1"] == RENAMED.config_name


def test_without_a_report_the_whole_node_counts_and_the_refusal_says_so(dense: Fleet) -> None:
    place(dense, "web", 0)
    dense.remove_report("n1")
    text = refusal(a_wave("n1", layout=RENAMED))
    assert f"node 'n1' is in use: {WEB}; the whole node counts: its probe has not reported; move" in text
    assert dense.written_configs() == []


# One GPU of a node


def test_a_pod_on_a_gpu_that_keeps_its_slices_does_not_block_the_change_of_another_gpu(dense: Fleet) -> None:
    place(dense, "web", 0)
    outs = roll_out(a_wave("n1", layout=HALF))
    assert by_node(outs) == {"n1": "GPU 0: 7x 1g.10gb; GPU 1: 2x 3g.40gb"}
    assert ("team", "web") in dense.pods


def test_a_pod_on_the_affected_gpu_is_refused_and_its_gpu_is_named(dense: Fleet) -> None:
    place(dense, "api", 0)
    place(dense, "web", 1)
    text = refusal(a_wave("n1", layout=HALF))
    assert text == (
        f"nothing was changed:\n  node 'n1' is in use: {WEB} on GPU 1; move them away, or choose onUserPods: wait or "
        "evict"
    )


def test_only_pods_on_the_affected_gpu_are_evicted(dense: Fleet) -> None:
    place(dense, "api", 0)
    place(dense, "web", 1)
    roll_out(a_wave("n1", layout=HALF, on_user_pods="evict"))
    assert evictions(dense) == ["web"]
    assert ("team", "api") in dense.pods


def test_only_pods_on_the_affected_gpu_are_waited_for(dense: Fleet) -> None:
    place(dense, "api", 0)
    place(dense, "web", 1)
    started = dense.clock.slept
    dense.clock.after(100, lambda: dense.pods.pop(("team", "web")))
    ASSIGNMENT.create(a_wave("n1", layout=HALF, on_user_pods="wait"))
    assert 100 <= dense.clock.slept - started < 110


def test_a_daemon_sets_pod_on_another_gpu_blocks_nothing(dense: Fleet) -> None:
    place(dense, "agent", 0, owner="DaemonSet")
    place(dense, "by-hand", 0, owner="")
    roll_out(a_wave("n1", layout=HALF, on_user_pods="evict"))
    assert evictions(dense) == []


def test_the_node_is_isolated_while_one_of_its_gpus_changes(dense: Fleet) -> None:
    place(dense, "web", 0)
    ASSIGNMENT.create(a_wave("n1", layout=HALF))
    assert dense.isolated() == ["n1"], "device plugin and GPU Feature Discovery are away meanwhile"


def test_without_allocations_every_pod_of_the_node_counts_and_the_text_says_so(dense: Fleet) -> None:
    dense.reports_allocations = False
    place(dense, "web", 0)
    assert (
        f"node 'n1' is in use: {WEB} (GPU not known: the probe does not report which pod has which GPU); move"
        in refusal(a_wave("n1", layout=HALF))
    )


def test_a_mode_change_of_one_gpu_affects_the_pods_of_every_gpu_with_mig_on(dense: Fleet) -> None:
    place(dense, "web", 0)
    assert f"node 'n1' is in use: {WEB}; move" in refusal(a_wave("n1", layout=ONE_OFF))


# Pods that are newer than the report


def test_a_pod_that_starts_after_the_report_is_evicted_only_if_the_next_report_shows_it_on_an_affected_gpu(
    dense: Fleet,
) -> None:
    place(dense, "old", 1)
    for name, gpu in (("here", 1), ("there", 0)):
        dense.pod(name, "n1")
        dense.placed[name] = gpu
    dense.clock.after(60, lambda: dense.report("n1"))
    requested: dict[str, float] = {}
    started = dense.clock.slept
    for name in ("old", "here", "there"):
        note = lambda name=name: requested.setdefault(name, dense.clock.slept - started)  # noqa: E731
        dense.before_request("POST", f"/{name}/eviction", note, times=1000)
    roll_out(a_wave("n1", layout=HALF, on_user_pods="evict"))
    assert sorted(evictions(dense)) == ["here", "old"]
    assert requested["old"] < 5, "a pod that is known is not delayed"
    assert requested["here"] >= 60, "before the report it may have been on another GPU"


def test_a_pod_that_the_kubelet_never_reports_counts_as_affected_in_the_end(dense: Fleet) -> None:
    place(dense, "old", 0)
    dense.pod("silent", "n1")
    started = dense.clock.slept
    ASSIGNMENT.create(a_wave("n1", layout=HALF, on_user_pods="evict"))
    assert evictions(dense) == ["silent"]
    assert REPORT_WAIT_S <= dense.clock.slept - started < REPORT_WAIT_S + 20
    assert REPORT_WAIT_S > HEARTBEAT_S, "every running probe has written once more by then"


def test_while_a_pod_is_not_reported_the_progress_line_says_what_is_waited_for(
    dense: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    dense.report("n1")
    dense.pod("web", "n1")
    dense.placed["web"] = 0
    dense.clock.after(10, lambda: dense.report("n1"))
    ASSIGNMENT.create(a_wave("n1", layout=HALF, on_user_pods="evict"))
    printed = capsys.readouterr().out.splitlines()
    assert f"pool-wave-0: waits for the probe on n1 to report which GPU this pod uses: {WEB}" in printed
    assert "pool-wave-0: no pod is left on the affected GPUs" in printed, "and not that the pod has left: it stays"
    assert evictions(dense) == []


# A report that is lost during the drain


def test_a_report_that_is_lost_while_pods_are_waited_for_does_not_evict_the_whole_node(dense: Fleet) -> None:
    place(dense, "web", 0)
    place(dense, "api", 1)
    dense.refused_evictions["api"] = 1000
    dense.clock.after(20, lambda: dense.report("n1", errors=("NVML failed",)))
    text = refusal(a_wave("n1", layout=HALF, on_user_pods="evict", timeout_seconds=3600.0))
    assert "it is not known any more which GPUs of node 'n1' change: NVML failed" in text
    assert "web" not in evictions(dense)
    assert text.endswith("scheduling restored: n1")


# Release, rollback, recovery


def test_a_release_to_the_same_slices_disturbs_no_pod(dense: Fleet) -> None:
    wave = a_wave("n1", "n2", layout=RENAMED, on_delete="restore")
    for name in ("n1", "n2"):
        dense.patch(name, {"metadata": {"annotations": {labels.PREVIOUS_CONFIG: DENSE.config_name}}})
    place(dense, "web", 0)
    roll_out(wave)
    isolated = watch_isolation(dense)
    release(Wave.from_properties(wave))
    assert dense.configs()["n1"] == DENSE.config_name
    assert not any(isolated)
    assert dense.ownership_annotations("n1") == {}


def test_a_release_that_switches_mig_off_is_refused_for_pods_on_any_gpu(dense: Fleet) -> None:
    place(dense, "web", 0)
    with pytest.raises(AssignmentFailed, match=r"node 'n1' is in use: team/web"):
        release(Wave.from_properties(a_wave("n1", on_delete="disable")))


def test_a_rollback_waits_only_for_pods_on_gpus_that_differ(dense: Fleet) -> None:
    place(dense, "web", 0)
    wave = a_wave("n1", layout=HALF, on_failure="rollback", recovery=False)
    dense.manager_outcomes["n1"] = [FAILS, SUCCEEDS]
    ASSIGNMENT.create(wave)
    dense.clock.sleep(10)
    dense.partition("n1", [{"1g.10gb": 7}, {}])
    with pytest.raises(VerificationFailed, match="rolled back to"):
        VERIFICATION.create(wave)
    assert dense.configs()["n1"] == DENSE.config_name
    assert ("team", "web") in dense.pods


def test_recovery_restarts_mig_manager_beside_pods_on_gpus_that_are_right(dense: Fleet) -> None:
    place(dense, "web", 0)
    dense.partition("n1", [{"1g.10gb": 7}, {"1g.10gb": 6}])
    wave = a_wave("n1")
    assert outputs(VERIFICATION.update("id", wave, wave))["remedies"] == ["n1: restarted MIG Manager (slice missing)"]
    assert dense.restarted_pods() == [f"{MANAGER} on n1"]


def test_the_device_plugin_is_restarted_beside_pods_because_that_touches_no_gpu(dense: Fleet) -> None:
    place(dense, "web", 0)
    dense.nodes["n1"]["status"]["allocatable"] = {}
    wave = a_wave("n1")
    assert outputs(VERIFICATION.update("id", wave, wave))["remedies"] == [
        "n1: restarted the device plugin (allocatable stale)"
    ]
    assert ("team", "web") in dense.pods


def test_recovery_is_refused_for_a_pod_on_a_gpu_that_is_wrong(dense: Fleet) -> None:
    place(dense, "web", 1)
    dense.partition("n1", [{"1g.10gb": 7}, {"1g.10gb": 6}])
    wave = a_wave("n1")
    with pytest.raises(VerificationFailed, match=r"nothing was restarted, because .* on GPU 1; move them away"):
        VERIFICATION.update("id", wave, wave)
    assert dense.restarted_pods() == []


def test_a_preview_names_the_pods_that_keep_drift_from_being_repaired(dense: Fleet) -> None:
    """Those on the GPU that is wrong, also with `evict`: a recovery evicts nothing."""
    place(dense, "web", 1)
    place(dense, "db", 0)
    dense.partition("n1", [{"1g.10gb": 7}, {"1g.10gb": 6}])
    wave = a_wave("n1", on_user_pods="evict")
    invalidate()
    (drift,) = VERIFICATION.check(wave, wave).inputs["drift"]
    assert drift == (
        "slice missing: n1: GPU 1: expected 7x 1g.10gb, found 6x 1g.10gb; an update is refused while team/web "
        "(Deployment web) holds 1x mig-1g.10gb on GPU 1; move them away first"
    )


@pytest.mark.parametrize("case", ["the pod is on another GPU", "recovery is off", "MIG Manager is at work"])
def test_no_pod_is_named_that_does_not_prevent_the_repair(dense: Fleet, case: str) -> None:
    place(dense, "web", 0 if case == "the pod is on another GPU" else 1)
    dense.partition("n1", [{"1g.10gb": 7}, {"1g.10gb": 6}])
    if case == "MIG Manager is at work":
        dense.label("n1", labels.STATE, "pending")
    wave = a_wave("n1", recovery=case != "recovery is off")
    invalidate()
    assert "refused" not in str(VERIFICATION.check(wave, wave).inputs["drift"])


def test_recovery_waits_for_the_report_of_a_failure_before_it_counts_the_whole_node(dense: Fleet) -> None:
    place(dense, "web", 0)
    dense.partition("n1", [{"1g.10gb": 7}, {"1g.10gb": 6}])
    dense.label("n1", labels.STATE, "failed")
    dense.clock.after(15, lambda: dense.report("n1"))
    wave = a_wave("n1")
    assert outputs(VERIFICATION.update("id", wave, wave))["remedies"] == [
        "n1: restarted MIG Manager (MIG Manager failed)"
    ]


# Preview


def preview(wave: dict[str, Any]) -> dict[str, list[str]]:
    invalidate()
    keys = ("plannedChanges", "podsLosingSlices", "gpuResets", "capacityChanges")
    found = ASSIGNMENT.check({}, wave).inputs
    return {key: found[key] for key in keys if key in found}


def test_a_preview_of_a_rename_says_so_and_shows_no_change_of_capacity(dense: Fleet) -> None:
    place(dense, "web", 0)
    assert preview(a_wave("n1", "n2", layout=RENAMED)) == {
        "plannedChanges": [
            f"n1, n2: config '{DENSE.config_name}' → '{RENAMED.config_name}': renamed; no GPU is touched"
        ]
    }


def test_a_preview_names_the_gpus_that_change_and_those_that_keep_their_slices(dense: Fleet) -> None:
    place(dense, "api", 0)
    place(dense, "web", 1)
    assert preview(a_wave("n1", layout=HALF)) == {
        "plannedChanges": ["n1: GPU 1: 7x 1g.10gb → 2x 3g.40gb; GPU 0 keeps its slices"],
        "podsLosingSlices": [f"n1: {WEB} on GPU 1"],
        "capacityChanges": ["nvidia.com/mig-1g.10gb: 14 → 7", "nvidia.com/mig-3g.40gb: 0 → 2"],
    }


def test_a_preview_says_which_gpus_a_mode_change_clears(dense: Fleet) -> None:
    dense.partition("n1", [{"1g.10gb": 7}, None])
    place(dense, "web", 0)
    found = preview(a_wave("n1", layout=RENAMED))
    assert found["plannedChanges"] == [
        "n1: GPU 0: 7x 1g.10gb, destroyed and created again; GPU 1: MIG off → 7x 1g.10gb"
    ]
    assert found["podsLosingSlices"] == [f"n1: {WEB}"]
    assert found["gpuResets"] == [
        "n1: MIG mode of GPU 1 changes; needs no GPU reset; MIG Manager first clears every GPU with MIG on: GPU 0"
    ]


@pytest.mark.parametrize(
    ("break_it", "line"),
    [
        (
            lambda fleet: fleet.remove_report("n1"),
            f"n1: {WEB} (the whole node counts: its probe has not reported)",
        ),
        (
            lambda fleet: fleet.report("n1", allocations=None),
            f"n1: {WEB} (GPU not known: the probe does not report which pod has which GPU)",
        ),
    ],
    ids=["report", "allocations"],
)
def test_a_preview_says_why_the_whole_node_counts(dense: Fleet, break_it: Callable[[Fleet], object], line: str) -> None:
    place(dense, "web", 0)
    break_it(dense)
    assert preview(a_wave("n1", layout=HALF))["podsLosingSlices"] == [line]


def test_a_kubelet_that_falls_silent_during_the_drain_moves_no_pod_that_was_proven_to_be_elsewhere(
    dense: Fleet,
) -> None:
    """A disruption budget protects the pod on the GPU that changes for a while."""

    def fall_silent() -> None:
        dense.reports_allocations = False
        dense.report("n1")

    place(dense, "elsewhere", 0)
    place(dense, "here", 1)
    dense.refused_evictions["here"] = 3
    dense.before_request("POST", "/here/eviction$", fall_silent)
    ASSIGNMENT.create(a_wave("n1", layout=HALF, on_user_pods="evict"))
    assert ("team", "elsewhere") in dense.pods
    assert set(evictions(dense)) == {"here"}
