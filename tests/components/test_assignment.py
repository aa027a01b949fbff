"""Who a node belongs to: a wave that goes touches only nodes still its own, and leaves them as its policy says."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from components import assignment
from components.assignment import AssignmentFailed, AssignmentProvider
from components.look import Look, Node
from mig import labels


class Nodes:
    """A cluster whose MIG Manager succeeds at once; remembers the labels that were written."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.written: list[tuple[str, str]] = []
        self.outcome = "success"

    def add(self, name: str, config: str) -> None:
        found = {labels.CAPABLE: "true", labels.CONFIG: config, labels.STATE: "success"}
        self.nodes[name] = Node(name, found, {}, {}, None)

    def look(self, *_: object, **__: object) -> Look:
        return Look(dict(self.nodes))

    def patch_node(self, name: str, new: Mapping[str, str | None], notes: Mapping[str, str | None]) -> None:
        node = self.nodes[name]
        self.nodes[name] = replace(node, labels=merged(node.labels, new), annotations=merged(node.annotations, notes))

    def start_attempt(
        self, name: str, _after: object, new: Mapping[str, str], notes: Mapping[str, str | None] | None = None
    ) -> None:
        self.written.append((name, new[labels.CONFIG]))
        self.patch_node(name, {**new, labels.STATE: self.outcome}, notes or {})

    def configs(self) -> dict[str, str]:
        return {name: node.config for name, node in self.nodes.items()}

    def marks(self, name: str) -> dict[str, str]:
        return {k: v for k, v in self.nodes[name].annotations.items() if k.startswith("mig-fleet.dev/")}


def merged(old: Mapping[str, str], new: Mapping[str, str | None]) -> dict[str, str]:
    return {k: v for k, v in {**old, **new}.items() if v is not None}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Nodes:
    nodes = Nodes()
    nodes.add("n1", "by-hand")
    nodes.add("n2", "all-disabled")
    monkeypatch.setattr(assignment, "Cluster", lambda _args: nodes)
    monkeypatch.setattr(assignment, "look", nodes.look)
    monkeypatch.setattr(assignment.time, "sleep", lambda _s: None)
    return nodes


def a_wave(**changes: Any) -> dict[str, Any]:
    wave = {"cluster": {}, "namespace": "gpu-operator", "wave": "a-wave-0", "config": "dense-1c0ffee2"}
    return {**wave, "nodes": ["n1", "n2"], "on_delete": "retain", "timeout_s": 60.0, **changes}


PROVIDER = AssignmentProvider()


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        ("retain", {"n1": "dense-1c0ffee2", "n2": "dense-1c0ffee2"}),
        ("disable", {"n1": "all-disabled", "n2": "all-disabled"}),
        ("restore", {"n1": "by-hand", "n2": "all-disabled"}),
    ],
)
def test_a_wave_that_goes_leaves_its_nodes_as_its_policy_says(
    cluster: Nodes, policy: str, left: dict[str, str]
) -> None:
    outs = PROVIDER.create(a_wave(on_delete=policy)).outs
    PROVIDER.delete("a-wave-0", outs)
    assert cluster.configs() == left
    assert cluster.marks("n1") == cluster.marks("n2") == {}


def test_a_renamed_pool_takes_its_nodes_over_before_the_old_name_goes(cluster: Nodes) -> None:
    old = PROVIDER.create(a_wave(on_delete="disable")).outs
    cluster.written.clear()
    PROVIDER.create(a_wave(wave="b-wave-0", on_delete="disable"))
    PROVIDER.delete("a-wave-0", old)
    assert cluster.written == [], "nothing about the nodes changed but the pool's name"
    assert cluster.marks("n1")[labels.WAVE] == "b-wave-0"
    assert cluster.marks("n1")[labels.PREVIOUS_CONFIG] == "by-hand", "what it carried before any of us"


def test_a_node_taken_out_of_a_pool_is_released_as_the_policy_says(cluster: Nodes) -> None:
    old = PROVIDER.create(a_wave(on_delete="restore")).outs
    PROVIDER.update("a-wave-0", old, a_wave(nodes=["n2"], on_delete="restore"))
    assert cluster.configs() == {"n1": "by-hand", "n2": "dense-1c0ffee2"}
    assert cluster.marks("n1") == {}


def test_a_label_that_somebody_changed_is_not_ours_to_undo(cluster: Nodes) -> None:
    outs = PROVIDER.create(a_wave(on_delete="disable")).outs
    cluster.patch_node("n1", {labels.CONFIG: "their-own"}, {})
    PROVIDER.delete("a-wave-0", outs)
    assert cluster.configs()["n1"] == "their-own"


def test_a_release_that_failed_is_waited_for_again_and_not_forgotten(cluster: Nodes) -> None:
    outs = PROVIDER.create(a_wave(on_delete="disable")).outs
    cluster.outcome = "failed"
    for _ in range(2):
        with pytest.raises(AssignmentFailed, match="MIG Manager did not bring n1, n2 to 'all-disabled'"):
            PROVIDER.delete("a-wave-0", outs)
    assert cluster.marks("n1")[labels.PREVIOUS_CONFIG] == "by-hand"


def test_nothing_is_written_when_one_node_is_not_ready(cluster: Nodes) -> None:
    cluster.patch_node("n2", {labels.CAPABLE: None}, {})
    with pytest.raises(AssignmentFailed, match=r"nothing was changed:\n  node 'n2' is not MIG-capable"):
        PROVIDER.create(a_wave())
    assert cluster.written == []


def test_a_node_that_is_right_already_is_marked_and_left_alone(cluster: Nodes) -> None:
    cluster.patch_node("n1", {labels.CONFIG: "dense-1c0ffee2"}, {})
    PROVIDER.create(a_wave())
    assert cluster.written == [("n2", "dense-1c0ffee2")]
    assert cluster.marks("n1")[labels.WAVE] == "a-wave-0"
