"""MIG Manager may finish a change, or fail, and leave the operands paused: the node then offers no GPU until they are
restored, which touches no GPU and restarts nothing.
"""

import pytest

from mig_fleet.cluster.errors import ClusterError
from mig_fleet.model import labels
from mig_fleet.observed.snapshot import invalidate, observe
from mig_fleet.rollout.paused_operands import restore_operands
from mig_fleet.rollout.verify import VerificationFailed
from tests.memory.api import MemoryCluster
from tests.memory.fleet import DENSE, FAILS, PAUSED_OPERANDS, PROBES, SUCCEEDS, WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, outputs, roll_out

PAUSED = "MIG Manager's state is {!r}, and device-plugin, gpu-feature-discovery are still paused"


def verified(wave: Props) -> list[str]:
    """Verify a wave that is assigned; returns the remedies that were used."""
    used: list[str] = outputs(VERIFICATION.update("pool-wave-0", wave, wave))["remedies"]
    return used


def deploy_labels(fleet: Fleet, node: str) -> set[str]:
    found = fleet.nodes[node]["metadata"]["labels"]
    return {found[labels.DEPLOY_PREFIX + operand] for operand in PAUSED_OPERANDS}


def test_a_preview_shows_paused_operands_and_the_update_restores_them_without_a_restart(fleet: Fleet) -> None:
    wave = a_wave("n1", "n2")
    roll_out(wave)
    fleet.pod("web", "n1")
    for node in ("n1", "n2"):
        fleet.pause_operands(node)
    fleet.clear_requests()
    invalidate()
    drift = VERIFICATION.check(wave, wave).inputs["drift"]
    assert drift == [f"operands paused: {node}: {PAUSED.format('success')}" for node in ("n1", "n2")]
    assert verified(wave) == [f"{node}: restored the paused operands (operands paused)" for node in ("n1", "n2")]
    assert deploy_labels(fleet, "n1") == deploy_labels(fleet, "n2") == {"true"}
    assert fleet.restarted_pods() == [], "users' pods keep running"
    assert not any("taints" in body.get("spec", {}) for _, _, body in fleet.requests), "no node was isolated"
    invalidate()
    assert "drift" not in VERIFICATION.check(wave, wave).inputs


def test_an_operand_that_is_switched_off_stays_off(fleet: Fleet) -> None:
    wave = a_wave("n1")
    roll_out(wave)
    fleet.label("n1", f"{labels.DEPLOY_PREFIX}dcgm", "false")
    fleet.pause_operands("n1")
    verified(wave)
    assert fleet.nodes["n1"]["metadata"]["labels"][f"{labels.DEPLOY_PREFIX}dcgm"] == "false"


def test_after_a_failure_the_operands_are_restored_and_mig_manager_is_restarted(fleet: Fleet) -> None:
    fleet.manager_outcomes["n1"] = [FAILS, SUCCEEDS]
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    fleet.pause_operands("n1")
    assert verified(wave) == [
        "n1: restarted MIG Manager (MIG Manager failed)",
        "n1: restored the paused operands (operands paused)",
    ]


def test_the_operands_of_a_failed_node_are_restored_although_pods_prevent_a_restart_of_mig_manager(
    fleet: Fleet,
) -> None:
    fleet.manager_outcomes["n1"] = [FAILS]
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    fleet.pod("web", "n1")
    fleet.pause_operands("n1")
    with pytest.raises(VerificationFailed, match="nothing was restarted, because team/web"):
        VERIFICATION.create(wave)
    assert deploy_labels(fleet, "n1") == {"true"}


def test_without_recovery_paused_operands_are_restored_on_every_node_and_nothing_is_restarted(fleet: Fleet) -> None:
    fleet.manager_outcomes |= {"n1": [FAILS], "n2": [FAILS]}
    wave = a_wave("n1", "n2", recovery=False)
    ASSIGNMENT.create(wave)
    for node in ("n1", "n2"):
        fleet.pause_operands(node)
    with pytest.raises(VerificationFailed) as failed:
        VERIFICATION.create(wave)
    assert "operands paused" not in str(failed.value)
    assert deploy_labels(fleet, "n1") == deploy_labels(fleet, "n2") == {"true"}
    assert fleet.restarted_pods() == []


def test_a_rollback_that_finds_the_old_slices_with_paused_operands_restores_them(fleet: Fleet) -> None:
    """The old config is still applied, so MIG Manager reports success at once, and restores nothing."""
    roll_out(a_wave("n1"))
    fleet.manager_outcomes["n1"] = [FAILS, SUCCEEDS]
    wave = a_wave("n1", layout=WIDE, recovery=False, on_failure="rollback")
    ASSIGNMENT.create(wave)
    fleet.before_request("PATCH", "nodes/n1$", lambda: fleet.pause_operands("n1"))
    with pytest.raises(VerificationFailed, match=f"rolled back to '{DENSE.config_name}' and verified"):
        VERIFICATION.create(wave)
    assert deploy_labels(fleet, "n1") == {"true"}


def test_operands_of_a_node_that_was_only_adopted_stay_and_the_error_has_the_command(fleet: Fleet) -> None:
    fleet.add("n3", WIDE.config_name)
    fleet.partition("n3", [{"1g.10gb": 7}, {"1g.10gb": 7}])
    wave = a_wave("n3", config_name="keep")
    fleet.pause_operands("n3")
    with pytest.raises(VerificationFailed) as failed:
        VERIFICATION.create(wave)
    assert (
        "  n3: nothing was restarted, because mig-fleet has not changed this node yet; restore its paused operands: "
        "`kubectl label nodes n3 --overwrite nvidia.com/gpu.deploy.device-plugin=true "
        "nvidia.com/gpu.deploy.gpu-feature-discovery=true`\n"
    ) in str(failed.value)
    assert deploy_labels(fleet, "n3") == {labels.PAUSED}


@pytest.mark.parametrize("overtaken", ["GET", "PATCH"], ids=["before it is read", "between reading and writing"])
def test_nothing_is_restored_once_mig_manager_is_at_work_again(fleet: Fleet, overtaken: str) -> None:
    roll_out(a_wave("n1"))
    fleet.pause_operands("n1")
    seen = observe({}, PROBES, fresh=True).nodes["n1"]
    fleet.before_request(overtaken, "nodes/n1$", lambda: fleet.label("n1", labels.STATE, "pending"))
    assert not restore_operands(MemoryCluster(fleet), seen)
    assert deploy_labels(fleet, "n1") == {labels.PAUSED}


def test_a_restore_whose_request_fails_is_tried_again(fleet: Fleet) -> None:
    wave = a_wave("n1")
    roll_out(wave)
    fleet.pause_operands("n1")
    fleet.fail_requests("PATCH", "nodes/n1$", ClusterError("the API server is unavailable"))
    assert verified(wave) == ["n1: restored the paused operands (operands paused)"]
    assert fleet.restarted_pods() == []


def test_a_node_that_leaves_is_given_back_with_its_operands_restored(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    wave = a_wave("n1", "n2", on_delete="retain")
    roll_out(wave)
    fleet.pause_operands("n1")
    fleet.label("n2", labels.STATE, "pending")
    fleet.label("n2", f"{labels.DEPLOY_PREFIX}device-plugin", labels.PAUSED)
    ASSIGNMENT.delete("pool-wave-0", wave)
    assert deploy_labels(fleet, "n1") == {"true"}
    assert f"n1: released with config '{DENSE.config_name}' and state 'success', its operands restored" in (
        capsys.readouterr().out
    )
    plugin = fleet.nodes["n2"]["metadata"]["labels"][f"{labels.DEPLOY_PREFIX}device-plugin"]
    assert plugin == labels.PAUSED, "MIG Manager is at work there"
