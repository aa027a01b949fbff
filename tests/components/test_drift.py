"""Drift: what a reviewer reads in every preview when the fleet is not as the stack left it. Words never move."""

from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from pulumi.dynamic import ResourceProvider

from mig_fleet.cluster.errors import ClusterUnreachable
from mig_fleet.model import labels
from mig_fleet.observed.snapshot import forget
from tests.memory.fleet import DENSE, PROBES, WIDE, Fleet, a_gpu
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, roll_out

REPORT_OF_N1 = (PROBES, f"{labels.REPORT_PREFIX}n1")
EACH_PROVIDER = pytest.mark.parametrize("provider", [ASSIGNMENT, VERIFICATION], ids=["assignment", "verification"])
CUT = {"1g.10gb": 7}


@pytest.fixture
def wave(fleet: Fleet) -> Props:
    """A wave that was rolled out and is as declared."""
    wave = a_wave("n1", "n2")
    roll_out(wave)
    fleet.forget_requests()
    return wave


def drift(provider: ResourceProvider, wave: Props) -> list[str]:
    """What a preview some seconds later would show."""
    forget()
    found = provider.check(wave, wave)
    assert found.failures == []
    assert provider.diff("id", wave, found.inputs).changes is bool(found.inputs.get("drift"))
    return found.inputs.get("drift", [])  # type: ignore[no-any-return]


def joined_again(fleet: Fleet) -> None:
    fleet.remove("n1")
    fleet.add("n1")


@EACH_PROVIDER
def test_a_change_of_where_and_how_only_hides_no_drift(provider: ResourceProvider, fleet: Fleet, wave: Props) -> None:
    fleet.label("n1", labels.CONFIG, "their-own")
    forget()
    found = provider.check(wave, {**wave, "timeout_s": 3600.0})
    assert "label changed: n1: carries config 'their-own'" in found.inputs["drift"][0]


@pytest.mark.parametrize(
    ("broken", "verified", "assigned"),
    [
        (
            lambda fleet: fleet.remove("n1"),
            "node gone: n1: is not in the cluster",
            "node gone: n1: is not in the cluster",
        ),
        (
            joined_again,
            f"label changed: n1: carries config 'all-disabled', expected '{DENSE.config_name}'",
            "node replaced: n1: is another node of that name, without the marks of our last update",
        ),
        (
            lambda fleet: fleet.label("n1", labels.CONFIG, "their-own"),
            f"label changed: n1: carries config 'their-own', expected '{DENSE.config_name}'",
            f"label changed: n1: carries config 'their-own', expected '{DENSE.config_name}'",
        ),
        (
            lambda fleet: fleet.label("n1", labels.CONFIG, None),
            f"label changed: n1: carries no config, expected '{DENSE.config_name}'",
            f"label changed: n1: carries no config, expected '{DENSE.config_name}'",
        ),
        (
            lambda fleet: fleet.label("n1", labels.STATE, "pending"),
            "not settled: n1: MIG Manager's state is 'pending'",
            None,
        ),
        (
            lambda fleet: fleet.label("n1", labels.STATE, "failed"),
            f"MIG Manager failed: n1: could not apply '{DENSE.config_name}'",
            None,
        ),
        (
            lambda fleet: fleet.config_maps.pop(REPORT_OF_N1),
            "report missing: n1: its probe has not reported; is the pod of DaemonSet mig-probe running there?",
            None,
        ),
        (
            lambda fleet: fleet.report("n1", attempt="0"),
            "report missing: n1: its probe has not reported since the last change",
            None,
        ),
        (
            lambda fleet: fleet.report("n1", config="all-disabled"),
            "report missing: n1: its probe last saw config 'all-disabled', state 'success'",
            None,
        ),
        (
            lambda fleet: fleet.report("n1", gpus=(), errors=("nvmlInit: Driver Not Loaded",)),
            "driver error: n1: nvmlInit: Driver Not Loaded",
            None,
        ),
        (
            lambda fleet: fleet.cut("n1", [CUT, {"1g.10gb": 6}]),
            "slice destroyed: n1: GPU 1: expected 7x 1g.10gb, found 6x 1g.10gb",
            None,
        ),
        (
            lambda fleet: fleet.cut("n1", [CUT, {"3g.40gb": 1}]),
            "foreign slice: n1: GPU 1: expected 7x 1g.10gb, found 3g.40gb",
            None,
        ),
        (
            lambda fleet: fleet.report("n1", gpus=(a_gpu(0, CUT),)),
            "other GPUs: n1: expected 2 GPUs, NVML has 1",
            None,
        ),
        (
            lambda fleet: fleet.report("n1", gpus=(a_gpu(0, CUT), a_gpu(1, CUT, mig_mode_pending=False))),
            "GPU reset pending: n1: GPU 1: a change of the MIG mode waits for a GPU reset; drain and reboot the node",
            None,
        ),
        (
            lambda fleet: fleet.nodes["n1"]["status"]["allocatable"].update({"nvidia.com/mig-1g.10gb": "13"}),
            "allocatable stale: n1: nvidia.com/mig-1g.10gb: expected 14, the kubelet offers 13",
            None,
        ),
        (
            lambda fleet: fleet.label("n1", "nvidia.com/mig-1g.10gb.count", "13"),
            "GFD labels stale: n1: nvidia.com/mig-1g.10gb.count: expected '14', found '13'",
            None,
        ),
        (
            lambda fleet: fleet.taint("n1", labels.TAINT),
            "left closed: n1: is as declared, but still closed to new pods",
            None,
        ),
        (
            lambda fleet: fleet.patch("n1", {"metadata": {"annotations": {labels.VERIFIED_CONFIG: None}}}),
            "not noted: n1: is as declared, but not noted as verified",
            None,
        ),
    ],
)
def test_each_class_of_drift_has_its_words(
    fleet: Fleet, wave: Props, broken: Callable[[Fleet], Any], verified: str, assigned: str | None
) -> None:
    broken(fleet)
    assert drift(VERIFICATION, wave) == [verified]
    assert drift(ASSIGNMENT, wave) == ([assigned] if assigned else [])


def test_a_node_that_lost_the_note_of_its_verification_gets_it_again_and_nothing_else(
    fleet: Fleet, wave: Props
) -> None:
    """Without it a rollout that is bounded by updates would count its wave as open for ever."""
    fleet.patch("n1", {"metadata": {"annotations": {labels.VERIFIED_CONFIG: None}}})
    before = fleet.marks("n2")
    assert drift(VERIFICATION, wave) != []
    VERIFICATION.update("id", wave, wave)
    assert fleet.marks("n1")["verified-config"] == DENSE.config_name
    assert fleet.written() == ["PATCH /api/v1/nodes/n1"]
    assert fleet.marks("n2") == before
    assert drift(VERIFICATION, wave) == []


def test_a_reboot_takes_the_slices_of_every_gpu(fleet: Fleet, wave: Props) -> None:
    fleet.cut("n1", [None, None])
    assert drift(VERIFICATION, wave) == [
        "layout lost: n1: GPU 0: expected 7x 1g.10gb, found MIG off",
        "layout lost: n1: GPU 1: expected 7x 1g.10gb, found MIG off",
    ]


def test_a_node_that_is_wrong_and_closed_is_told_once(fleet: Fleet, wave: Props) -> None:
    fleet.label("n1", labels.STATE, "failed")
    fleet.taint("n1", labels.TAINT)
    assert len(drift(VERIFICATION, wave)) == 1


def test_a_node_whose_label_was_healed_is_verified_and_opened_in_the_same_update(fleet: Fleet, wave: Props) -> None:
    fleet.label("n1", labels.CONFIG, "their-own")
    fleet.clock.sleep(10)
    for provider in (ASSIGNMENT, VERIFICATION):
        forget()
        inputs = provider.check(wave, wave).inputs
        assert provider.diff("id", wave, inputs).changes is True, "Pulumi leaves out what has no diff"
        provider.update("id", wave, inputs)
    assert fleet.cuts["n1"] == fleet.declared(DENSE.config_name)
    assert fleet.closed() == []


def test_a_taint_of_somebody_else_is_no_drift(fleet: Fleet, wave: Props) -> None:
    fleet.taint("n1", "node.kubernetes.io/maintenance")
    fleet.patch("n1", {"spec": {"unschedulable": True}})
    assert drift(VERIFICATION, wave) == []


def test_a_node_left_closed_is_opened_by_the_next_update_and_nothing_else_happens_to_it(
    fleet: Fleet, wave: Props
) -> None:
    fleet.taint("n1", labels.TAINT)
    VERIFICATION.update("id", wave, wave)
    assert fleet.closed() == []
    assert fleet.written() == ["PATCH /api/v1/nodes/n1"]


@EACH_PROVIDER
def test_a_wave_that_is_as_declared_has_no_diff(fleet: Fleet, wave: Props, provider: ResourceProvider) -> None:
    assert drift(provider, wave) == []


@EACH_PROVIDER
def test_drift_is_an_input_and_never_an_output(fleet: Fleet, wave: Props, provider: ResourceProvider) -> None:
    fleet.remove("n2")
    fleet.add("n2")
    forget()
    seen = provider.check(wave, wave).inputs
    assert seen["drift"]
    ASSIGNMENT.update("id", wave, wave)
    assert "drift" not in provider.update("id", wave, seen).outs


@EACH_PROVIDER
def test_old_drift_is_forgotten_once_it_is_healed(fleet: Fleet, wave: Props, provider: ResourceProvider) -> None:
    checked = provider.check({**wave, "drift": ["of yesterday"]}, {**wave, "drift": ["of yesterday"]})
    assert "drift" not in checked.inputs


@EACH_PROVIDER
def test_a_planned_change_is_not_drift(fleet: Fleet, wave: Props, provider: ResourceProvider) -> None:
    fleet.label("n1", labels.CONFIG, "their-own")
    forget()
    planned = a_wave("n1", "n2", layout=WIDE)
    found = provider.check(wave, planned).inputs
    assert "drift" not in found
    assert provider.diff("id", wave, found).changes is True


@EACH_PROVIDER
def test_a_cluster_that_moved_is_an_update_that_writes_to_no_node(
    fleet: Fleet, wave: Props, provider: ResourceProvider
) -> None:
    moved = {**wave, "cluster": {"kubeconfig": "elsewhere"}}
    found = provider.check(wave, moved).inputs
    assert provider.diff("id", wave, found).changes is True
    assert provider.update("id", wave, found).outs["cluster"] == {"kubeconfig": "elsewhere"}
    assert fleet.written() == []


@EACH_PROVIDER
def test_nothing_is_looked_for_while_an_input_is_unknown(fleet: Fleet, wave: Props, provider: ResourceProvider) -> None:
    forget()
    found = provider.check(wave, {**wave, "namespace": pulumi.output.Unknown()})
    assert found.failures == []
    assert fleet.requests == []


@EACH_PROVIDER
def test_numbers_that_come_back_from_pulumi_as_floats_change_nothing(
    fleet: Fleet, wave: Props, provider: ResourceProvider
) -> None:
    stored = {
        **wave,
        "timeout_s": 600.0,
        "expected": {**wave["expected"], "gpus": [{"1g.10gb": 7.0}, {"1g.10gb": 7.0}]},
    }
    assert provider.diff("id", stored, provider.check(stored, wave).inputs).changes is False


@EACH_PROVIDER
def test_what_a_state_of_before_does_not_know_is_no_diff(fleet: Fleet, wave: Props, provider: ResourceProvider) -> None:
    stored = {key: value for key, value in wave.items() if key != "wedged_s"}
    found = provider.check(stored, {**wave, "declared": "n1 n2 n3"}).inputs
    assert "drift" not in found
    assert provider.diff("id", stored, found).changes is False


def test_all_waves_of_a_preview_share_one_look(fleet: Fleet, wave: Props) -> None:
    forget()
    for number in range(20):
        for provider in (ASSIGNMENT, VERIFICATION):
            provider.check(wave, {**wave, "wave": f"pool-wave-{number}"})
    lists = [path for _, path, _ in fleet.requests if path.endswith(("/nodes", "/configmaps"))]
    assert len(lists) == 2


@EACH_PROVIDER
def test_an_unreachable_cluster_fails_the_preview(fleet: Fleet, wave: Props, provider: ResourceProvider) -> None:
    forget()
    fleet.answer("GET", "/nodes$", ClusterUnreachable("the cluster does not answer"))
    found = provider.check(wave, wave)
    assert [failure.reason for failure in found.failures] == ["the cluster does not answer"]


@EACH_PROVIDER
def test_where_the_stack_says_so_an_unreachable_cluster_is_a_warning_and_no_drift(
    fleet: Fleet, wave: Props, provider: ResourceProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warned.append)
    forget()
    lenient = {**wave, "cluster": {"on_unreachable": "warn"}}
    fleet.answer("GET", "/nodes$", ClusterUnreachable("the cluster does not answer"))
    found = provider.check(lenient, lenient)
    assert (found.failures, "drift" in found.inputs) == ([], False)
    assert warned == ["pool-wave-0: nobody looked for drift: the cluster does not answer"]
