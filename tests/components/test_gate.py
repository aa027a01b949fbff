"""The gate: how long it waits for what, what it tries once, and what it says when it gives up."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from components import verification
from components.comparison import Expected
from components.look import Look, Node
from components.verification import VerificationFailed, VerificationProvider, verify


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Script:
    """A fleet that shows one look after the other, the last one for ever, and notes who was started over."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.looks, self.restarted, self.refusal = clock, [Look({})], [], None

    looks: list[Look]
    restarted: list[str]
    refusal: str | None

    def shows(self, *nodes: Node | None) -> "Script":
        self.looks = [Look({} if node is None else {node.name: node}) for node in nodes]
        return self

    def look(self, *_args: object, **_options: object) -> Look:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def apply_again(self, _cluster: object, _namespace: str, node: Node) -> str | None:
        self.restarted.append(node.name)
        return self.refusal


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    clock = Clock()
    script = Script(clock)
    monkeypatch.setattr(verification, "time", clock)
    monkeypatch.setattr(verification, "look", script.look)
    monkeypatch.setattr(verification, "apply_again", script.apply_again)
    monkeypatch.setattr(verification, "Cluster", lambda _args: None)
    yield script


@pytest.fixture
def wave(expected: Expected) -> dict[str, Any]:
    return {
        "cluster": {},
        "namespace": "gpu-operator",
        "wave": "inference-wave-0",
        "nodes": ["n1"],
        "expected": expected,
        "timeout_s": 600.0,
    }


def wiped(node: Node) -> Node:
    """MIG Manager said success and left both GPUs without slices."""
    assert node.report is not None
    return replace(node, report=replace(node.report, gpus=tuple(replace(g, instances=()) for g in node.report.gpus)))


def test_it_waits_for_mig_manager_and_returns_what_nvml_counted(
    fleet: Script, wave: dict[str, Any], a_node: Callable[..., Node]
) -> None:
    fleet.shows(a_node(state=""), a_node(state="pending"), a_node())
    assert verify(wave)["realized"] == {"n1": {"0-1": "7x 1g.10gb"}}
    assert fleet.restarted == []


def test_a_long_wait_tells_how_far_it_is_and_only_when_that_changes(
    fleet: Script, wave: dict[str, Any], a_node: Callable[..., Node], capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.shows(a_node(state="pending"), a_node(state="pending"), a_node(allocatable={}), a_node())
    verify(wave)
    assert capsys.readouterr().out.splitlines() == [
        "inference-wave-0: 0 of 1 nodes verified; n1: MIG Manager's state is 'pending'",
        "inference-wave-0: 0 of 1 nodes verified; n1: nvidia.com/mig-1g.10gb: expected 14, the kubelet offers 0",
    ]


def test_it_gives_up_at_the_deadline_and_says_so(
    fleet: Script, wave: dict[str, Any], a_node: Callable[..., Node]
) -> None:
    fleet.shows(a_node(state="pending"))
    with pytest.raises(VerificationFailed) as failed:
        verify(wave)
    assert str(failed.value).splitlines()[:3] == [
        "1 of 1 nodes of inference-wave-0 are not as the stack says:",
        "  not settled: n1: MIG Manager's state is 'pending'",
        "  waited 601 s of at most 600 s",
    ]


def test_a_node_that_failed_is_started_over_once(
    fleet: Script, wave: dict[str, Any], a_node: Callable[..., Node]
) -> None:
    fleet.shows(a_node(state="failed"), a_node(state=""), a_node(state="pending"), a_node())
    verify(wave)
    assert fleet.restarted == ["n1"]


def test_a_node_that_fails_again_ends_the_update_with_the_way_out(
    fleet: Script, wave: dict[str, Any], a_node: Callable[..., Node]
) -> None:
    fleet.shows(a_node(state="failed"), a_node(state="pending"), a_node(state="failed"))
    with pytest.raises(VerificationFailed) as failed:
        verify(wave)
    assert fleet.restarted == ["n1"]
    assert str(failed.value) == (
        "1 of 1 nodes of inference-wave-0 are not as the stack says:\n"
        "  MIG Manager failed: n1: could not apply 'inference-dense-1c0ffee2'\n"
        "  n1: MIG Manager was started over once and ended the same way\n"
        "Look at MIG Manager's log: kubectl -n gpu-operator logs $(kubectl -n gpu-operator get pods -o name "
        "-l app=nvidia-mig-manager --field-selector spec.nodeName=n1)\n"
        "The nodes keep config inference-dense-1c0ffee2; once the cause is gone, run `pulumi up` again."
    )


def test_a_success_without_slices_is_a_failure(
    fleet: Script, wave: dict[str, Any], a_node: Callable[..., Node]
) -> None:
    fleet.shows(wiped(a_node()), a_node(state="pending"), wiped(a_node()))
    with pytest.raises(VerificationFailed, match=r"GPU 1: expected 7x 1g.10gb, found no slices"):
        verify(wave)


def test_a_node_whose_gpus_are_held_is_not_started_over_and_the_pods_are_named(
    fleet: Script, wave: dict[str, Any], a_node: Callable[..., Node]
) -> None:
    fleet.refusal = "1 pod(s) hold its GPUs (team-a/train); move them away, then run the update again"
    fleet.shows(a_node(state="failed"))
    with pytest.raises(VerificationFailed, match=r"n1: MIG Manager was not started over: 1 pod\(s\) hold its GPUs"):
        verify(wave)


def test_labels_that_lag_get_two_minutes_and_no_more(
    fleet: Script, wave: dict[str, Any], a_node: Callable[..., Node]
) -> None:
    fleet.shows(a_node(allocatable={}))
    with pytest.raises(VerificationFailed, match=r"expected 14, the kubelet offers 0"):
        verify(wave)
    assert fleet.clock.now - 1000 == pytest.approx(verification.CONVERGENCE_S, abs=2)


def test_a_node_that_left_ends_the_wait_at_once(fleet: Script, wave: dict[str, Any]) -> None:
    fleet.shows(None)
    with pytest.raises(VerificationFailed, match="node gone: n1"):
        verify(wave)
    assert fleet.clock.now == 1000


def test_drift_is_an_input_a_reviewer_sees_and_no_output(
    fleet: Script, wave: dict[str, Any], a_node: Callable[..., Node]
) -> None:
    provider = VerificationProvider()
    fleet.shows(wiped(a_node()))
    seen = provider.check(wave, wave)
    assert seen.inputs["drift"] == [
        "layout lost: n1: GPU 0: expected 7x 1g.10gb, found no slices",
        "layout lost: n1: GPU 1: expected 7x 1g.10gb, found no slices",
    ]
    assert provider.diff("n1", wave, seen.inputs).changes is True
    fleet.shows(a_node())
    assert "drift" not in provider.update("n1", wave, seen.inputs).outs


def test_a_healthy_wave_is_no_diff(fleet: Script, wave: dict[str, Any], a_node: Callable[..., Node]) -> None:
    provider = VerificationProvider()
    fleet.shows(a_node())
    checked = provider.check(wave, wave)
    assert checked.failures == []
    assert provider.diff("n1", {**wave, "realized": {}}, checked.inputs).changes is False


def test_a_planned_change_is_not_drift(fleet: Script, wave: dict[str, Any], a_node: Callable[..., Node]) -> None:
    fleet.shows(a_node(config="all-disabled"))
    planned = {**wave, "expected": {**wave["expected"], "config": "other-1c0ffee2"}}
    assert "drift" not in VerificationProvider().check(wave, planned).inputs


def test_a_refresh_records_what_the_nodes_have_now(
    fleet: Script, wave: dict[str, Any], a_node: Callable[..., Node]
) -> None:
    fleet.shows(wiped(a_node()))
    recorded = {**wave, "realized": {"n1": {"0-1": "7x 1g.10gb"}}, "__provider": "kept"}
    outs = VerificationProvider().read("n1", recorded).outs
    assert outs == {**recorded, "realized": {"n1": {"0-1": "no slices"}}}


def test_a_cluster_that_moved_is_an_update_without_drift(
    fleet: Script, wave: dict[str, Any], a_node: Callable[..., Node]
) -> None:
    provider = VerificationProvider()
    fleet.shows(a_node())
    moved = {**wave, "cluster": {"kubeconfig": "elsewhere"}}
    checked = provider.check(wave, moved)
    assert "drift" not in checked.inputs
    assert provider.diff("n1", wave, checked.inputs).changes is True
    assert provider.update("n1", wave, checked.inputs).outs["cluster"] == {"kubeconfig": "elsewhere"}
