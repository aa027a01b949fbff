"""Drift: what a preview shows if the fleet is not as the stack left it. The texts are stable."""

from collections.abc import Callable

import pulumi
import pytest
from pulumi.dynamic import ResourceProvider

from mig_fleet.cluster.errors import ClusterUnreachable, ExposedPassword
from mig_fleet.model import labels
from mig_fleet.observed.snapshot import invalidate
from tests.memory.fleet import DENSE, WIDE, Fleet, a_gpu
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, outputs, roll_out

EACH_PROVIDER = pytest.mark.parametrize("provider", [ASSIGNMENT, VERIFICATION], ids=["assignment", "verification"])
NO_POD = (
    "DaemonSet mig-fleet/mig-probe has no pod there; its events show why: "
    "kubectl -n mig-fleet describe daemonset mig-probe"
)
SEVEN = {"1g.10gb": 7}


@pytest.fixture
def wave(fleet: Fleet) -> Props:
    """A wave that was rolled out and is as declared; the record of requests is empty."""
    wave = a_wave("n1", "n2")
    roll_out(wave)
    fleet.clear_requests()
    return wave


def drift(provider: ResourceProvider, wave: Props) -> list[str]:
    """What a later preview shows; with drift there is a diff, and without drift there is none."""
    invalidate()
    found = provider.check(wave, wave)
    assert found.failures == []
    assert provider.diff("id", wave, found.inputs).changes is bool(found.inputs.get("drift"))
    lines: list[str] = found.inputs.get("drift", [])
    return lines


def replace_node(fleet: Fleet) -> None:
    fleet.remove("n1")
    fleet.add("n1")


@EACH_PROVIDER
def test_a_change_of_a_timeout_alone_does_not_hide_drift(provider: ResourceProvider, fleet: Fleet, wave: Props) -> None:
    fleet.label("n1", labels.CONFIG, "their-own")
    invalidate()
    found = provider.check(wave, {**wave, "timeoutSeconds": 3600.0})
    assert "config changed: n1: carries config 'their-own'" in found.inputs["drift"][0]


@pytest.mark.parametrize(
    ("change", "verification", "assignment"),
    [
        (
            lambda fleet: fleet.remove("n1"),
            "node missing: n1: is not in the cluster",
            "node missing: n1: is not in the cluster",
        ),
        (
            replace_node,
            f"config changed: n1: carries config 'all-disabled', expected '{DENSE.config_name}'",
            "node replaced: n1: is another node of that name, without our ownership annotations",
        ),
        (
            lambda fleet: fleet.label("n1", labels.CONFIG, "their-own"),
            f"config changed: n1: carries config 'their-own', expected '{DENSE.config_name}'",
            f"config changed: n1: carries config 'their-own', expected '{DENSE.config_name}'",
        ),
        (
            lambda fleet: fleet.label("n1", labels.CONFIG, None),
            f"config changed: n1: carries no config, expected '{DENSE.config_name}'",
            f"config changed: n1: carries no config, expected '{DENSE.config_name}'",
        ),
        (
            lambda fleet: fleet.label("n1", labels.STATE, "pending"),
            "not reconciled: n1: MIG Manager's state is 'pending'",
            None,
        ),
        (
            lambda fleet: fleet.label("n1", labels.STATE, "failed"),
            f"MIG Manager failed: n1: could not apply '{DENSE.config_name}'",
            None,
        ),
        (
            lambda fleet: fleet.remove_report("n1"),
            f"report missing: n1: its probe has not reported; {NO_POD}",
            None,
        ),
        (
            lambda fleet: fleet.report("n1", attempt="0"),
            f"report missing: n1: its probe has not reported since the last change; {NO_POD}",
            None,
        ),
        (
            lambda fleet: fleet.report("n1", config="all-disabled"),
            f"report missing: n1: its probe last saw config 'all-disabled', state 'success'; {NO_POD}",
            None,
        ),
        (
            lambda fleet: fleet.report("n1", gpus=(), errors=("nvmlInit: Driver Not Loaded",)),
            "driver error: n1: nvmlInit: Driver Not Loaded",
            None,
        ),
        (
            lambda fleet: fleet.partition("n1", [SEVEN, {"1g.10gb": 6}]),
            "slice missing: n1: GPU 1: expected 7x 1g.10gb, found 6x 1g.10gb",
            None,
        ),
        (
            lambda fleet: fleet.partition("n1", [SEVEN, {"3g.40gb": 1}]),
            "unexpected slice: n1: GPU 1: expected 7x 1g.10gb, found 3g.40gb",
            None,
        ),
        (
            lambda fleet: fleet.report("n1", gpus=(a_gpu(0, SEVEN),)),
            "GPU count differs: n1: expected 2 GPUs, NVML reports 1",
            None,
        ),
        (
            lambda fleet: fleet.report("n1", gpus=(a_gpu(0, SEVEN), a_gpu(1, SEVEN, mig_mode_pending=False))),
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
            "still isolated: n1: is as declared, but still isolated: new pods are kept off",
            None,
        ),
        (
            lambda fleet: fleet.patch("n1", {"metadata": {"annotations": {labels.VERIFIED_CONFIG: None}}}),
            "verification not recorded: n1: is as declared, but not recorded as verified",
            None,
        ),
    ],
)
def test_each_class_of_drift_has_its_text(
    fleet: Fleet, wave: Props, change: Callable[[Fleet], object], verification: str, assignment: str | None
) -> None:
    change(fleet)
    assert drift(VERIFICATION, wave) == [verification]
    assert drift(ASSIGNMENT, wave) == ([assignment] if assignment else [])


def test_a_node_without_the_record_of_its_verification_gets_it_again_and_nothing_else(
    fleet: Fleet, wave: Props
) -> None:
    """Without the record, a rollout with `maxWavesPerUpdate` would count its wave as unfinished for ever."""
    fleet.patch("n1", {"metadata": {"annotations": {labels.VERIFIED_CONFIG: None}}})
    before = fleet.ownership_annotations("n2")
    assert drift(VERIFICATION, wave) != []
    VERIFICATION.update("id", wave, wave)
    assert fleet.ownership_annotations("n1")["verified-config"] == DENSE.config_name
    assert fleet.writes() == ["PATCH /api/v1/nodes/n1"]
    assert fleet.ownership_annotations("n2") == before
    assert drift(VERIFICATION, wave) == []


def test_a_node_without_any_slice_lost_its_layout_as_by_a_reboot(fleet: Fleet, wave: Props) -> None:
    fleet.partition("n1", [None, None])
    assert drift(VERIFICATION, wave) == [
        "layout lost: n1: GPU 0: expected 7x 1g.10gb, found MIG off",
        "layout lost: n1: GPU 1: expected 7x 1g.10gb, found MIG off",
    ]


def test_a_node_that_is_wrong_and_isolated_is_reported_once(fleet: Fleet, wave: Props) -> None:
    fleet.label("n1", labels.STATE, "failed")
    fleet.taint("n1", labels.TAINT)
    assert len(drift(VERIFICATION, wave)) == 1


def test_a_node_with_a_repaired_label_is_verified_and_schedulable_after_the_same_update(
    fleet: Fleet, wave: Props
) -> None:
    fleet.label("n1", labels.CONFIG, "their-own")
    fleet.clock.sleep(10)
    for provider in (ASSIGNMENT, VERIFICATION):
        invalidate()
        inputs = provider.check(wave, wave).inputs
        assert provider.diff("id", wave, inputs).changes is True, "Pulumi skips a resource without a diff"
        provider.update("id", wave, inputs)
    assert fleet.per_gpu["n1"] == fleet.declared(DENSE.config_name)
    assert fleet.isolated() == []


def test_a_taint_and_a_cordon_of_another_user_are_no_drift(fleet: Fleet, wave: Props) -> None:
    fleet.taint("n1", "node.kubernetes.io/maintenance")
    fleet.cordon("n1")
    assert drift(VERIFICATION, wave) == []


def test_a_node_that_is_still_isolated_gets_its_scheduling_back_and_nothing_else(fleet: Fleet, wave: Props) -> None:
    fleet.taint("n1", labels.TAINT)
    VERIFICATION.update("id", wave, wave)
    assert fleet.isolated() == []
    assert fleet.writes() == ["PATCH /api/v1/nodes/n1"]


@EACH_PROVIDER
def test_a_wave_that_is_as_declared_has_no_diff(fleet: Fleet, wave: Props, provider: ResourceProvider) -> None:
    assert drift(provider, wave) == []


@EACH_PROVIDER
def test_drift_is_an_input_and_never_an_output(fleet: Fleet, wave: Props, provider: ResourceProvider) -> None:
    fleet.remove("n2")
    fleet.add("n2")
    invalidate()
    inputs = provider.check(wave, wave).inputs
    assert inputs["drift"]
    ASSIGNMENT.update("id", wave, wave)
    assert "drift" not in outputs(provider.update("id", wave, inputs))


@EACH_PROVIDER
def test_drift_that_was_repaired_is_removed_from_the_inputs(
    fleet: Fleet, wave: Props, provider: ResourceProvider
) -> None:
    checked = provider.check({**wave, "drift": ["an old line"]}, {**wave, "drift": ["an old line"]})
    assert "drift" not in checked.inputs


@EACH_PROVIDER
def test_a_planned_change_is_not_drift(fleet: Fleet, wave: Props, provider: ResourceProvider) -> None:
    fleet.label("n1", labels.CONFIG, "their-own")
    invalidate()
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
    assert outputs(provider.update("id", wave, found))["cluster"] == {"kubeconfig": "elsewhere"}
    assert fleet.writes() == []


@EACH_PROVIDER
def test_nothing_is_observed_while_an_input_is_unknown(fleet: Fleet, wave: Props, provider: ResourceProvider) -> None:
    invalidate()
    unknown = pulumi.output.Unknown()  # type: ignore[no-untyped-call]  # not annotated in the SDK
    found = provider.check(wave, {**wave, "namespace": unknown})
    assert found.failures == []
    assert fleet.requests == []


@EACH_PROVIDER
def test_numbers_that_come_back_from_pulumi_as_floats_change_nothing(
    fleet: Fleet, wave: Props, provider: ResourceProvider
) -> None:
    stored = {
        **wave,
        "timeoutSeconds": 600.0,
        "expected": {**wave["expected"], "gpus": [{"1g.10gb": 7.0}, {"1g.10gb": 7.0}]},
    }
    assert provider.diff("id", stored, provider.check(stored, wave).inputs).changes is False


@EACH_PROVIDER
def test_a_property_that_an_older_state_lacks_is_no_diff(fleet: Fleet, wave: Props, provider: ResourceProvider) -> None:
    stored = {key: value for key, value in wave.items() if key != "stuckAfterSeconds"}
    found = provider.check(stored, {**wave, "declaredNodes": "n1 n2 n3"}).inputs
    assert "drift" not in found
    assert provider.diff("id", stored, found).changes is False


def test_all_waves_of_a_preview_share_one_snapshot(fleet: Fleet, wave: Props) -> None:
    invalidate()
    for number in range(20):
        for provider in (ASSIGNMENT, VERIFICATION):
            provider.check(wave, {**wave, "wave": f"pool-wave-{number}"})
    lists = [path for _, path, _ in fleet.requests if path.endswith(("/nodes", "/configmaps"))]
    assert len(lists) == 2


@EACH_PROVIDER
def test_an_unreachable_cluster_fails_the_preview(fleet: Fleet, wave: Props, provider: ResourceProvider) -> None:
    invalidate()
    fleet.fail_requests("GET", "/nodes$", ClusterUnreachable("the cluster does not answer"))
    found = provider.check(wave, wave)
    assert [failure.reason for failure in found.failures] == [
        "the cluster does not answer; a stack with `cluster.onUnreachable: warn` is previewed without the check for "
        "drift"
    ]


@EACH_PROVIDER
def test_with_on_unreachable_warn_an_unreachable_cluster_is_a_warning_and_no_drift(
    fleet: Fleet, wave: Props, provider: ResourceProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warnings.append)
    invalidate()
    lenient = {**wave, "cluster": {"onUnreachable": "warn"}}
    fleet.fail_requests("GET", "/nodes$", ClusterUnreachable("the cluster does not answer"))
    found = provider.check(lenient, lenient)
    assert (found.failures, "drift" in found.inputs) == ([], False)
    assert found.inputs["notObserved"] == "the cluster does not answer"
    assert provider.diff("id", wave, {**wave, "notObserved": "the cluster does not answer"}).changes is False
    provider.check(lenient, lenient)
    assert warnings == ["pool-wave-0: drift was not checked: the cluster does not answer"], "once in a run"


@EACH_PROVIDER
def test_a_password_that_the_kubernetes_provider_would_print_fails_a_preview_even_with_on_unreachable_warn(
    fleet: Fleet, wave: Props, provider: ResourceProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulumi.log, "warn", lambda _: None)
    invalidate()
    lenient = {**wave, "cluster": {"onUnreachable": "warn"}}
    fleet.fail_requests("GET", "/nodes$", ExposedPassword("its proxy-url is not a URL"))
    (failure,) = provider.check(lenient, lenient).failures
    assert "its proxy-url is not a URL" in failure.reason
