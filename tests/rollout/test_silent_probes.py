"""A wait for probes that cannot report ends soon, and states the reason and the command."""

import pytest

from mig_fleet.model import labels
from mig_fleet.model.reported_slices import by_node
from mig_fleet.observed.snapshot import invalidate
from mig_fleet.rollout.convergence import CONVERGENCE_S
from mig_fleet.rollout.silent_probes import GRACE_S, PAUSE_S
from mig_fleet.rollout.verify import VerificationFailed
from tests.memory.fleet import PROBE_DAEMON_SET, PROBES, WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, a_wave, outputs, roll_out

SOON_S = GRACE_S + 2 * PAUSE_S


def change_without_reports(fleet: Fleet) -> None:
    """A change whose last reports are those from before it."""
    roll_out(a_wave("n1", "n2"))
    fleet.stopped_probes |= {"n1", "n2"}
    ASSIGNMENT.update("id", a_wave("n1", "n2"), a_wave("n1", "n2", layout=WIDE))
    fleet.clock.sleep(30)


def verify(fleet: Fleet) -> tuple[str, float]:
    """The error, and the seconds until it."""
    started = fleet.clock.slept
    with pytest.raises(VerificationFailed) as raised:
        VERIFICATION.update("id", a_wave("n1", "n2"), a_wave("n1", "n2", layout=WIDE))
    return str(raised.value), fleet.clock.slept - started


def test_probes_without_rights_end_the_wait_soon_with_the_command_that_restores_them(fleet: Fleet) -> None:
    change_without_reports(fleet)
    fleet.refused_rights.add("patch configmaps")
    error, waited_s = verify(fleet)
    assert waited_s < SOON_S
    for name in ("n1", "n2"):
        assert (
            f"report missing: {name}: its probe has not reported since the last change; ServiceAccount "
            "mig-fleet/mig-probe may not patch configmaps: a role or its binding is missing; run `pulumi up`, which "
            "restores it"
        ) in error


def test_a_missing_daemon_set_ends_the_wait_soon(fleet: Fleet) -> None:
    change_without_reports(fleet)
    del fleet.objects[PROBE_DAEMON_SET]
    error, waited_s = verify(fleet)
    assert waited_s < SOON_S
    assert "DaemonSet mig-fleet/mig-probe is missing; run `pulumi up`" in error


def test_a_daemon_set_that_another_user_keeps_off_the_nodes_ends_the_wait_soon(fleet: Fleet) -> None:
    change_without_reports(fleet)
    fleet.objects[PROBE_DAEMON_SET]["spec"]["template"]["spec"] = {"nodeSelector": {"disk": "ssd"}}
    error, waited_s = verify(fleet)
    assert waited_s < SOON_S
    assert "n2: its probe has not reported since the last change; the node has no label disk=ssd" in error


def test_a_probe_that_may_still_report_gets_its_full_time_and_the_error_states_what_its_pod_does(fleet: Fleet) -> None:
    change_without_reports(fleet)
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff"}}}
    fleet.probe_pod("n1", phase="Pending", containerStatuses=[waiting])
    error, waited_s = verify(fleet)
    assert waited_s > CONVERGENCE_S
    assert "since the last change; its pod mig-fleet/mig-probe-n1 waits: ImagePullBackOff" in error
    assert "n2: its probe has not reported since the last change; DaemonSet mig-fleet/mig-probe has no pod" in error


def test_rights_that_are_restored_during_the_wait_let_it_succeed(fleet: Fleet) -> None:
    change_without_reports(fleet)
    fleet.refused_rights.add("patch configmaps")

    def restore() -> None:
        fleet.refused_rights.clear()
        fleet.clock.after(30, report)

    def report() -> None:
        fleet.stopped_probes.clear()
        for name in ("n1", "n2"):
            fleet.report(name)

    fleet.clock.after(GRACE_S / 2, restore)
    found = outputs(VERIFICATION.update("id", a_wave("n1", "n2"), a_wave("n1", "n2", layout=WIDE)))
    assert set(by_node(found)) == {"n1", "n2"}


def test_a_report_that_no_probe_can_write_ends_the_wait_at_once_with_the_command_that_deletes_it(fleet: Fleet) -> None:
    change_without_reports(fleet)
    for name in ("n1", "n2"):
        config_map = fleet.config_maps[PROBES, f"{labels.REPORT_PREFIX}{name}"]
        config_map["binaryData"] = {labels.REPORT_KEY: "e30="}
        del config_map["data"]
    error, waited_s = verify(fleet)
    assert waited_s < PAUSE_S
    assert (
        "report missing: n2: its report cannot be read: ConfigMap mig-fleet/mig-report-n2 has report.json in "
        "binaryData, so no probe can write it; delete it, its probe creates it again: "
        "kubectl -n mig-fleet delete configmap mig-report-n2\n"
    ) in error


def test_a_node_that_mig_manager_works_on_is_waited_for(fleet: Fleet) -> None:
    change_without_reports(fleet)
    fleet.refused_rights.add("patch configmaps")
    fleet.label("n2", "nvidia.com/mig.config.state", "pending")
    fleet.clock.after(60, lambda: fleet.label("n2", "nvidia.com/mig.config.state", "success"))
    _, waited_s = verify(fleet)
    assert 60 <= waited_s < CONVERGENCE_S


def test_a_preview_and_a_healthy_rollout_ask_only_if_a_report_is_missing(fleet: Fleet) -> None:
    roll_out(a_wave("n1", "n2"))
    invalidate()
    VERIFICATION.check(a_wave("n1", "n2"), a_wave("n1", "n2"))
    assert not any("subjectaccessreviews" in path for _, path, _ in fleet.requests)
