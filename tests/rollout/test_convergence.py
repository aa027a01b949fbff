"""How long the wait for convergence takes for each class of difference, and what its error reports."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from mig_fleet.cluster.errors import ClusterUnreachable, Forbidden
from mig_fleet.model import labels
from mig_fleet.model.report import Instance
from mig_fleet.model.reported_slices import by_node
from mig_fleet.observed import snapshot
from mig_fleet.observed.followed_fleet import FULL_EVERY_S
from mig_fleet.rollout.convergence import CONVERGENCE_S
from mig_fleet.rollout.verify import VerificationFailed
from tests.memory.fleet import DENSE, FAILS, STAYS_PENDING, Fleet, a_gpu
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, outputs, roll_out

UNREACHABLE = ClusterUnreachable("the cluster at https://fleet does not answer: connection refused")
VERIFIED = {"n1": "GPU 0-1: 7x 1g.10gb"}


def failure(wave: Props) -> list[str]:
    """The lines of the error of a verification."""
    with pytest.raises(VerificationFailed) as failed:
        VERIFICATION.create(wave)
    return str(failed.value).splitlines()


def fail_node(fleet: Fleet, name: str) -> None:
    """MIG Manager reports `failed`, and the probe has seen it."""
    fleet.label(name, labels.STATE, "failed")
    fleet.report(name)


# Progress and timeout


def test_progress_is_printed_only_when_it_changes(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    fleet.stale_plugins.add("n2")
    fleet.clock.after(12, lambda: fleet.register("n2"))
    roll_out(a_wave("n1", "n2"))
    assert capsys.readouterr().out.splitlines() == [
        "pool-wave-0: isolated n1, n2; to restore scheduling by hand: `kubectl taint nodes n1 n2 "
        "mig-fleet.dev/reconfiguring-`",
        "pool-wave-0: 0 of 2 nodes verified; n1: MIG Manager's state is not set (and 1 more)",
        "pool-wave-0: 0 of 2 nodes verified; n1: MIG Manager's state is 'pending' (and 1 more)",
        "pool-wave-0: 1 of 2 nodes verified; n2: nvidia.com/mig-1g.10gb: expected 14, the kubelet offers 0",
        "pool-wave-0: 2 of 2 nodes verified",
        "pool-wave-0: scheduling restored: n1, n2",
    ]


def test_a_timeout_reports_the_differences_and_the_nodes_that_are_still_isolated(fleet: Fleet) -> None:
    fleet.manager_outcomes["n1"] = [STAYS_PENDING]
    wave = a_wave("n1", "n2", stuck_after_seconds=3600.0)
    ASSIGNMENT.create(wave)
    assert failure(wave) == [
        "1 of 2 nodes of pool-wave-0 are not as the stack declares:",
        "  not reconciled: n1: MIG Manager's state is 'pending'",
        "  waited 601 s of at most 600 s",
        "Look at MIG Manager's log: kubectl -n gpu-operator logs $(kubectl -n gpu-operator get pods -o name -l "
        "app=nvidia-mig-manager --field-selector spec.nodeName=n1)",
        f"Still isolated: n1 (labelled {DENSE.config_name}; NVML last showed GPU 0-1: MIG off), n2 (labelled "
        f"{DENSE.config_name}; NVML shows GPU 0-1: 7x 1g.10gb). Once the cause is fixed, run `pulumi up` again; to "
        "restore scheduling without another update: `kubectl taint nodes n1 n2 mig-fleet.dev/reconfiguring-`",
    ]
    assert fleet.isolated() == ["n1", "n2"]


# What the wait costs, and how soon it ends


def test_a_wait_lists_the_fleet_only_now_and_then(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    full: list[float] = []
    read = snapshot._read

    def record(*arguments: Any) -> snapshot.Snapshot:
        full.append(fleet.clock.now)
        return read(*arguments)

    wave = a_wave("n1", "n2")
    ASSIGNMENT.create(wave)
    fleet.stopped_probes |= {"n1", "n2"}
    fleet.clock.after(90, fleet.stopped_probes.clear)
    for name in ("n1", "n2"):
        fleet.clock.after(90.5, partial(fleet.report, name))
    monkeypatch.setattr(snapshot, "_read", record)
    began = fleet.clock.now
    VERIFICATION.create(wave)
    during = [at for at in full if at < began + 90]
    assert len(during) <= 2 + 90 / FULL_EVERY_S


@pytest.mark.parametrize("after_s", [20.2, 37.7, 61.0])
def test_scheduling_is_restored_within_a_second_of_the_last_report(fleet: Fleet, after_s: float) -> None:
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    fleet.stopped_probes.add("n1")
    fleet.clock.after(after_s, fleet.stopped_probes.clear)
    fleet.clock.after(after_s, lambda: fleet.report("n1"))
    reported = fleet.clock.now + after_s
    VERIFICATION.create(wave)
    assert fleet.isolated() == []
    assert fleet.clock.now - reported <= 1


# Differences that end the wait


def test_a_failed_node_ends_the_wait_only_after_mig_manager_has_finished_on_the_others(fleet: Fleet) -> None:
    fleet.manager_outcomes["n1"] = [FAILS]
    fleet.manager_outcomes["n2"] = [STAYS_PENDING]
    wave = a_wave("n1", "n2", recovery=False)
    ASSIGNMENT.create(wave)
    fleet.clock.after(100, lambda: fail_node(fleet, "n2"))
    assert failure(wave)[0] == "2 of 2 nodes of pool-wave-0 are not as the stack declares:"
    assert 100 <= fleet.clock.slept < 110


def test_a_node_that_left_the_cluster_ends_the_wait_at_once(fleet: Fleet) -> None:
    fleet.remove("n1")
    assert failure(a_wave("n1"))[1] == "  node missing: n1: is not in the cluster"
    assert fleet.clock.slept == 0


def test_a_config_label_that_another_client_writes_ends_the_wait_at_once(fleet: Fleet) -> None:
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    fleet.clock.after(3, lambda: fleet.label("n1", labels.CONFIG, "their-own"))
    lines = failure(wave)
    assert lines[1] == f"  config changed: n1: carries config 'their-own', expected '{DENSE.config_name}'"
    assert fleet.clock.slept <= 5


def test_a_success_without_slices_is_a_failure(fleet: Fleet) -> None:
    wave = a_wave("n1", recovery=False)
    roll_out(wave)
    fleet.partition("n1", [{}, {}])
    assert failure(wave)[1:3] == [
        "  layout lost: n1: GPU 0: expected 7x 1g.10gb, found no slices",
        "  layout lost: n1: GPU 1: expected 7x 1g.10gb, found no slices",
    ]


def test_a_pending_change_of_the_mig_mode_is_a_failure_and_restarts_nothing(fleet: Fleet) -> None:
    wave = a_wave("n1")
    roll_out(wave)
    fleet.report("n1", gpus=(a_gpu(0, {"1g.10gb": 7}), a_gpu(1, {"1g.10gb": 7}, mig_mode_pending=False)))
    text = "a change of the MIG mode waits for a GPU reset; drain and reboot the node"
    assert failure(wave)[1] == f"  GPU reset pending: n1: GPU 1: {text}"
    assert fleet.restarted_pods() == []
    assert fleet.isolated() == []


def test_a_bare_gpu_instance_is_left_to_the_user_and_the_error_has_the_command(fleet: Fleet) -> None:
    wave = a_wave("n1")
    roll_out(wave)
    gpu = a_gpu(0, {"1g.10gb": 7})
    with_bare_instance = replace(gpu, instances=(*gpu.instances, Instance(9, "1g.10gb", 7, 1, ())))
    fleet.report("n1", gpus=(with_bare_instance, a_gpu(1, {"1g.10gb": 7})))
    lines = failure(wave)
    assert lines[1].endswith("destroy it there: `nvidia-smi mig -i 0 -dgi -gi 9`")
    assert not any(line.startswith("Look at") for line in lines), "the difference names its fix"
    assert fleet.restarted_pods() == [], "MIG Manager ignores the instance"


# Differences that get time


@pytest.mark.parametrize("what", ["allocatable", "labels", "report"])
def test_what_follows_the_slices_by_itself_gets_two_minutes_and_no_more(fleet: Fleet, what: str) -> None:
    wave = a_wave("n1", recovery=False)
    roll_out(wave)
    started = fleet.clock.now
    if what == "allocatable":
        fleet.nodes["n1"]["status"]["allocatable"] = {}
    elif what == "labels":
        fleet.label("n1", "nvidia.com/mig-1g.10gb.count", "13")
    else:
        fleet.remove_report("n1")
    assert failure(wave)[0] == "1 of 1 nodes of pool-wave-0 are not as the stack declares:"
    assert fleet.clock.now - started == pytest.approx(CONVERGENCE_S, abs=2)


def test_a_driver_that_recovers_within_two_minutes_is_not_a_failure(fleet: Fleet) -> None:
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    fleet.clock.sleep(10)
    fleet.report("n1", gpus=(), errors=("nvmlInit: Driver Not Loaded",))
    fleet.clock.after(60, lambda: fleet.report("n1"))
    assert by_node(outputs(VERIFICATION.create(wave))) == VERIFIED


def test_a_node_that_is_ready_again_within_two_minutes_is_not_a_failure(fleet: Fleet) -> None:
    wave = a_wave("n1")
    roll_out(wave)
    ready = fleet.nodes["n1"]["status"]["conditions"]
    fleet.nodes["n1"]["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    fleet.clock.after(CONVERGENCE_S - 5, lambda: fleet.nodes["n1"]["status"].update(conditions=ready))
    assert outputs(VERIFICATION.create(wave))["remedies"] == []


def test_a_gpu_that_comes_back_within_two_minutes_is_not_a_failure(fleet: Fleet) -> None:
    wave = a_wave("n1")
    roll_out(wave)
    fleet.report("n1", gpus=(a_gpu(0, {"1g.10gb": 7}),))
    fleet.clock.after(15, lambda: fleet.report("n1"))
    assert outputs(VERIFICATION.create(wave))["remedies"] == []


def test_after_a_failure_the_probes_report_is_awaited_and_its_errors_are_part_of_the_message(fleet: Fleet) -> None:
    wave = a_wave("n1", recovery=False)
    roll_out(wave)
    lost = "GPU 1: nvmlDeviceGetMigMode: GPU is lost"
    fleet.label("n1", labels.STATE, "failed")
    fleet.clock.after(20, lambda: fleet.report("n1", errors=(lost,)))
    assert failure(wave)[1] == (
        f"  MIG Manager failed: n1: could not apply '{DENSE.config_name}'; NVML reports: {lost}"
    )


def test_a_failed_node_that_waits_for_its_remedy_is_given_up_with_the_lagging_node_before_it(fleet: Fleet) -> None:
    """One node is recovered at a time: n2 waits for n1, whose report never arrives."""
    wave = a_wave("n1", "n2")
    roll_out(wave)
    fail_node(fleet, "n1")
    fleet.clock.after(1, lambda: fleet.stopped_probes.add("n1"))
    fleet.clock.after(1, lambda: fleet.remove_report("n1"))
    fleet.clock.after(1.5, lambda: fail_node(fleet, "n2"))
    lines = failure(wave)
    assert [line.split(":")[0].strip() for line in lines[1:3]] == ["MIG Manager failed", "report missing"]
    assert fleet.clock.slept < CONVERGENCE_S + 60, "long before the timeout of the wave"


# The API server


def test_an_api_server_that_is_unreachable_for_a_while_is_waited_for(fleet: Fleet) -> None:
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    fleet.fail_requests("GET", "/nodes$", UNREACHABLE, times=100)
    assert by_node(outputs(VERIFICATION.create(wave))) == VERIFIED
    assert fleet.clock.slept == pytest.approx(100, abs=2)


def test_an_api_server_that_stays_unreachable_is_the_error_and_nodes_may_still_be_isolated(fleet: Fleet) -> None:
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    fleet.fail_requests("GET", "/nodes$", UNREACHABLE, times=10_000)
    assert failure(wave) == [
        str(UNREACHABLE),
        "n1 may still be isolated; run the update again once the cluster answers.",
    ]


def test_missing_rights_are_reported_without_a_retry(fleet: Fleet) -> None:
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    fleet.fail_requests("GET", "/nodes$", Forbidden("the cluster refuses GET /api/v1/nodes: no right"), times=10_000)
    assert failure(wave)[0] == "the cluster refuses GET /api/v1/nodes: no right"
    assert fleet.clock.slept == 0


# Where to look


def test_for_a_missing_node_the_error_names_a_command_and_no_log(fleet: Fleet) -> None:
    fleet.remove("n1")
    (look,) = (line for line in failure(a_wave("n1")) if line.startswith("Look at"))
    assert look == "Look at the nodes of the cluster: kubectl get nodes"


def test_for_a_changed_label_the_error_names_the_command_that_shows_who_wrote_it(fleet: Fleet) -> None:
    fleet.label("n1", labels.CONFIG, "all-balanced")
    look = "Look at the writers of the label: kubectl get node n1 --show-managed-fields -o yaml"
    assert look in failure(a_wave("n1"))


def test_for_a_missing_report_the_error_names_the_probes_log(fleet: Fleet) -> None:
    wave = a_wave("n1")
    roll_out(wave)
    fleet.remove_report("n1")
    assert (
        "Look at the probe's log: kubectl -n mig-fleet logs $(kubectl -n mig-fleet get pods -o name -l "
        "app.kubernetes.io/name=mig-probe --field-selector spec.nodeName=n1)"
    ) in failure(wave)


@pytest.mark.parametrize("state", ["success", "failed"])
def test_a_gpu_off_the_bus_points_to_the_kernel_log_and_a_reboot_and_not_to_mig_managers_log(
    fleet: Fleet, state: str
) -> None:
    wave = a_wave("n1", recovery=False)
    roll_out(wave)
    fleet.label("n1", labels.STATE, state)
    fleet.report("n1", errors=("GPU 1: nvmlDeviceGetMigMode: GPU is lost",), gpus=(a_gpu(0, {"1g.10gb": 7}),))
    assert [line for line in failure(wave) if line.startswith("Look at")] == [
        "Look at the kernel log of n1 for XID 79, then reboot n1: a GPU that fell off the bus comes back no other way: "
        "dmesg -T | grep -i xid"
    ]


def test_each_responsible_component_is_named_once(fleet: Fleet) -> None:
    wave = a_wave("n1", "n2", recovery=False)
    roll_out(wave)
    fleet.label("n1", labels.STATE, "failed")
    fleet.partition("n2", [{}, {}])
    fleet.nodes["n2"]["status"]["conditions"] = [{"type": "Ready", "status": "Unknown"}]
    looks = [line for line in failure(wave) if line.startswith("Look at")]
    assert looks == [
        "Look at MIG Manager's log: kubectl -n gpu-operator logs $(kubectl -n gpu-operator get pods -o name -l "
        "app=nvidia-mig-manager --field-selector spec.nodeName=n1)",
        "Look at the node's conditions and events: kubectl describe node n2",
    ]


def test_with_recovery_off_the_error_names_the_config_that_the_nodes_keep_and_the_restart_command(fleet: Fleet) -> None:
    wave = a_wave("n1", recovery=False)
    roll_out(wave)
    fleet.partition("n1", [{}, {}])
    assert failure(wave)[-2:] == [
        f"The nodes keep config {DENSE.config_name}; once the cause is fixed, run `pulumi up` again.",
        "Recovery is off, so restart MIG Manager first: `kubectl -n gpu-operator delete pods "
        "-l app=nvidia-mig-manager --field-selector spec.nodeName=n1`",
    ]
