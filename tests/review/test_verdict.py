"""The first line of a review: what will happen, known before it happens."""

from typing import Any

import pytest

from mig_fleet.review.pods import disturbed_pods
from mig_fleet.review.preview import read_events, read_previews
from mig_fleet.review.reader import review_all
from mig_fleet.review.review import Outcome, Review
from tests.review.previews_by_hand import CHANGE, a_preview, a_violation, a_wave, an_error, an_event_log, urn
from tests.review.recordings import recorded

CHAT = [f"node-1: team/chat-{n} (StatefulSet chat) holds 1x mig-1g.10gb on GPU 3" for n in range(4)]
STRANDED = [
    "team/chat-0 (StatefulSet chat) runs on node-1 and requests mig-1g.10gb",
    "0/4 nodes fit: 4 without mig-1g.10gb",
]


def reviewed(*steps: dict[str, Any], events: str = "", **keys: Any) -> Review:
    logs = [read_events("events", events)] if events else []
    (review,) = review_all(read_previews("preview", a_preview(*steps, **keys)), logs)
    return review


def changed(**inputs: Any) -> Review:
    return reviewed(*a_wave(plannedChanges=CHANGE, **inputs))


def test_pods_in_use_refuse_the_update() -> None:
    review = changed(podsLosingSlices=CHAT, podsUnschedulable=STRANDED)
    assert review.outcome is Outcome.REFUSED
    assert review.verdict == "will be refused: node node-1 is in use by chat (4 pods)"


@pytest.mark.parametrize(
    ("policy", "verdict"),
    [
        ("evict", "changes 1 node in 1 wave, evicts 4 pods, strands none"),
        ("wait", "changes 1 node in 1 wave, waits for 4 pods, strands none"),
    ],
)
def test_pods_that_may_be_moved_are_counted(policy: str, verdict: str) -> None:
    assert changed(podsLosingSlices=CHAT, onUserPods=policy).verdict == verdict


def test_pods_that_the_preview_only_counts_are_counted_too() -> None:
    review = changed(podsLosingSlices=[*CHAT, "and 80 more"], onUserPods="evict")
    assert "evicts 84 pods" in review.verdict


def test_a_stranded_pod_refuses_the_update_unless_the_stack_only_warns() -> None:
    inputs = {"podsLosingSlices": CHAT[:1], "podsUnschedulable": STRANDED, "onUserPods": "evict"}
    refused = changed(**inputs, onStrandedPods="refuse")
    assert refused.verdict == "will be refused: 1 pod of web-wave-0 would find no slice: chat (1 pod)"
    assert refused.waves[0].stranded[0].reason == STRANDED[1]
    assert changed(**inputs, onStrandedPods="warn").verdict.endswith("evicts 1 pod, strands 1 pod")


@pytest.mark.parametrize("owner", ["DaemonSet agent", "Node node-1", "no owner"])
def test_a_pod_that_no_eviction_moves_refuses_the_update(owner: str) -> None:
    lines = [f"node-1: team/it ({owner}) holds 1x mig-1g.10gb"]
    assert "which no eviction moves" in changed(podsLosingSlices=lines, onUserPods="evict").verdict
    waits = changed(podsLosingSlices=lines, onUserPods="wait").outcome
    assert (waits is Outcome.REFUSED) == (owner != "no owner"), "a pod without a controller may end by itself"


def test_a_missing_node_refuses_the_update() -> None:
    lines = ["node-1: is not in the cluster", "web-wave-0 will be refused until they are, or are removed from the pool"]
    review = reviewed(*a_wave(plannedChanges=lines))
    assert review.verdict == "will be refused: node node-1 of web-wave-0 is not in the cluster"


def test_an_error_of_the_preview_is_the_verdict_without_pulumis_words() -> None:
    message = "error: pulumi-python:dynamic/mig:Assignment resource 'a' has a problem: no MIG Manager on node-1\n"
    review = reviewed(diagnostics=[an_error(message)])
    assert review.verdict == "will be refused: the preview fails: no MIG Manager on node-1"


def test_a_mandatory_policy_refuses_the_update_and_an_advisory_one_does_not() -> None:
    steps = [*a_wave(plannedChanges=CHANGE), *a_wave("web-wave-1", plannedChanges=CHANGE, podsLosingSlices=CHAT)]
    denied = reviewed(*steps, events=an_event_log(a_violation()))
    assert denied.verdict.startswith("will be refused: policy mig-budget-kept denies it: The stack must cost")
    assert "before that" not in denied.verdict, "an update with a denied preview changes nothing"
    assert [it.resource for it in denied.denials] == ["web-wave-0-assigned"]
    warned = reviewed(*steps[:2], events=an_event_log(a_violation("advisory")))
    assert warned.outcome is Outcome.CHANGES and len(warned.policies) == 1


def test_an_event_log_of_another_stack_does_not_count() -> None:
    log = an_event_log(a_violation()).replace("urn:pulumi:prod", "urn:pulumi:staging")
    review = reviewed(*a_wave(plannedChanges=CHANGE), events=log)
    assert not review.policies_known and review.outcome is Outcome.CHANGES


def test_waves_before_the_refused_one_are_named_as_changed_and_those_after_it_as_not_reached() -> None:
    waves = [
        *a_wave("web-wave-0", plannedChanges=["node-0: GPU 0-7: 7x 1g.10gb → 2x 3g.40gb"], nodes=["node-0"]),
        *a_wave("web-wave-1", plannedChanges=CHANGE, podsLosingSlices=CHAT),
        *a_wave("web-wave-2", plannedChanges=["node-2: GPU 0-7: 7x 1g.10gb → 2x 3g.40gb"], nodes=["node-2"]),
    ]
    review = reviewed(*waves)
    assert review.verdict.endswith("is in use by chat (4 pods); 1 node may be changed before that")
    assert [step.partition(": ")[2][:11] for step in review.steps] == ["isolates 1 ", "refused bef", "not reached"]


def test_a_wave_that_waits_is_no_reason_for_refusal() -> None:
    review = changed(podsLosingSlices=CHAT, held=True)
    assert review.outcome is not Outcome.REFUSED


def test_the_new_name_of_the_same_slices_touches_no_gpu() -> None:
    line = "node-1: config 'a-1' → 'b-1': renamed; no GPU is touched"
    assert reviewed(*a_wave(plannedChanges=[line])).verdict == "renames the config of 1 node, touches no GPU"


@pytest.mark.parametrize(
    ("policy", "what"),
    [
        ("retain", "releases 1 node with the config as it is"),
        ("disable", "releases 1 node and disables MIG there"),
        ("restore", "releases 1 node with the config from before the stack"),
    ],
)
def test_a_removed_wave_says_what_becomes_of_its_nodes(policy: str, what: str) -> None:
    assert reviewed(*a_wave(op="delete", onDelete=policy)).verdict == what


def test_drift_alone_is_a_repair() -> None:
    lines = ["slice missing: node-1: GPU 2: expected 7x 1g.10gb, found 6x 1g.10gb"]
    review = reviewed(*a_wave(drift=lines))
    assert (review.outcome, review.verdict) == (Outcome.REPAIRS, "repairs drift on 1 node")


def test_drift_that_pods_keep_from_being_repaired_is_a_refusal() -> None:
    held = "team/web (Deployment web) holds 1x mig-1g.10gb on GPU 1"
    line = f"slice missing: n1: GPU 1: expected 7x, found 6x; an update is refused while {held}; move them away first"
    review = reviewed(*a_wave(drift=[line]))
    assert (review.outcome, review.verdict) == (Outcome.REFUSED, f"will be refused: {line}")


def test_drift_of_another_object_is_a_repair_too() -> None:
    step = {
        "op": "update",
        "urn": urn("mig-fleet:index:MigLayouts$pulumi-python:dynamic/mig:LayoutFile", "layouts-file"),
        "newState": {"inputs": {"drift": ["ConfigMap edited: mig-fleet-layouts"]}},
    }
    assert reviewed(step).verdict == "repairs 1 other object"


def test_objects_that_are_no_waves_are_one_line() -> None:
    kind = "mig-fleet:index:Monitoring$kubernetes:core/v1:ConfigMap"
    steps = [{"op": "update", "urn": urn(kind, name)} for name in ("rules", "dashboard")]
    assert reviewed(*steps).verdict == "changes no GPU, only monitoring (2 updated)"


def test_no_change_is_that() -> None:
    assert (reviewed().outcome, reviewed().verdict) == (Outcome.NOTHING, "changes nothing")


@pytest.mark.parametrize(
    ("name", "outcome", "text"),
    [
        ("fresh", Outcome.CHANGES, "partitions 4 nodes in 4 waves"),
        ("no-change", Outcome.NOTHING, "changes nothing"),
        ("same-slices", Outcome.CHANGES, "touches no GPU"),
        ("pods-in-use", Outcome.REFUSED, "is in use by train-a (1 pod)"),
        ("pods-stranded", Outcome.REFUSED, "would find no slice"),
        ("pods-evicted", Outcome.CHANGES, "changes 3 nodes in 3 waves, evicts 2 pods, strands 2 pods"),
        ("drift", Outcome.REPAIRS, "repairs drift on 1 node"),
        ("failed-policy", Outcome.REFUSED, "policy mig-gpu-models-approved denies it"),
        ("destroyed-pool", Outcome.CHANGES, "releases 1 node"),
        ("unreachable", Outcome.REFUSED, "does not answer"),
        ("many-nodes", Outcome.CHANGES, "changes 200 nodes in 6 waves, evicts 30 pods"),
    ],
)
def test_the_verdict_of_a_real_preview(name: str, outcome: Outcome, text: str) -> None:
    review = recorded(name)
    assert review.outcome is outcome and text in review.verdict


def test_a_change_without_a_look_at_the_cluster_does_not_claim_to_touch_nothing() -> None:
    line = "web-wave-0: drift was not checked: the cluster does not answer"
    warning = {**an_error(line), "severity": "warning"}
    for review in (reviewed(*a_wave(), diagnostics=[warning]), reviewed(*a_wave(notObserved=line))):
        assert review.verdict == "changes 1 wave with 1 node without knowing how: the cluster was not read"


def test_counts_and_nodes_beyond_the_listed_lines_are_counted() -> None:
    impact = {"nodes": ["node-1", "node-2", "node-3"], "podsLosingSlices": 84, "podsUnschedulable": 7}
    review = changed(impact=impact, podsLosingSlices=CHAT, onUserPods="evict", onStrandedPods="warn")
    assert review.verdict == "changes 3 nodes in 1 wave, evicts 84 pods, strands 7 pods"
    assert review.waves[0].more_touched == ("node-2", "node-3")


def test_a_pod_of_a_wave_that_is_not_reached_is_not_shown_as_evicted() -> None:
    stranded: dict[str, Any] = {"podsLosingSlices": CHAT[:1], "podsUnschedulable": STRANDED, "onStrandedPods": "refuse"}
    waves = [
        *a_wave("web-wave-0", plannedChanges=CHANGE, onUserPods="evict", **stranded),
        *a_wave("web-wave-1", plannedChanges=CHANGE, onUserPods="evict", podsLosingSlices=CHAT[1:2]),
    ]
    assert {pod.what for pod in disturbed_pods(reviewed(*waves))} == {
        "would lose its slices, would find no slice",
        "would lose its slices",
    }


def test_a_pod_that_finds_no_slice_only_after_a_later_wave_is_named_once() -> None:
    free: dict[str, Any] = {"onUserPods": "evict", "onStrandedPods": "warn", "plannedChanges": CHANGE}
    waves = [
        *a_wave("web-wave-0", podsLosingSlices=CHAT[:1], **free),
        *a_wave("web-wave-1", podsUnschedulable=STRANDED, **free),
    ]
    (pod,) = disturbed_pods(reviewed(*waves))
    assert (pod.name, pod.what) == ("team/chat-0", "is evicted, finds no slice")
