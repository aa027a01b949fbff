"""The gate: how long it waits for what, and what it says when it gives up."""

from dataclasses import replace

import pytest

from mig_fleet.cluster.errors import ClusterUnreachable, Forbidden
from mig_fleet.model import labels
from mig_fleet.model.report import Instance
from mig_fleet.rollout.convergence import CONVERGENCE_S
from mig_fleet.rollout.verify import VerificationFailed
from tests.memory.fleet import DENSE, FAILS, STAYS_PENDING, Fleet, a_gpu
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, roll_out

AWAY = ClusterUnreachable("the cluster at https://fleet does not answer: connection refused")


def failure(wave: Props) -> list[str]:
    with pytest.raises(VerificationFailed) as failed:
        VERIFICATION.create(wave)
    return str(failed.value).splitlines()


def test_it_waits_for_mig_manager_and_tells_how_far_it_is_only_when_that_changes(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.stale_plugin.add("n2")
    fleet.clock.after(12, lambda: fleet.register("n2"))
    roll_out(a_wave("n1", "n2"))
    assert capsys.readouterr().out.splitlines() == [
        "pool-wave-0: 0 of 2 nodes verified; n1: MIG Manager's state is not set (and 1 more)",
        "pool-wave-0: 0 of 2 nodes verified; n1: MIG Manager's state is 'pending' (and 1 more)",
        "pool-wave-0: 1 of 2 nodes verified; n2: nvidia.com/mig-1g.10gb: expected 14, the kubelet offers 0",
    ]


def test_it_gives_up_at_the_deadline_and_says_what_is_still_closed(fleet: Fleet) -> None:
    fleet.manager["n1"] = [STAYS_PENDING]
    wave = a_wave("n1", "n2", wedged_s=3600.0)
    ASSIGNMENT.create(wave)
    assert failure(wave) == [
        "1 of 2 nodes of pool-wave-0 are not as the stack says:",
        "  not settled: n1: MIG Manager's state is 'pending'",
        "  waited 601 s of at most 600 s",
        "Look at MIG Manager's log: kubectl -n gpu-operator logs $(kubectl -n gpu-operator get pods -o name -l "
        "app=nvidia-mig-manager --field-selector spec.nodeName=n1)",
        f"Still closed to new pods, with config {DENSE.config_name}: n1, n2. Once the cause is gone, run `pulumi up` "
        "again; to open them as they are: `kubectl taint nodes n1 n2 mig-fleet.dev/reconfiguring-`",
    ]
    assert fleet.closed() == ["n1", "n2"]


def test_a_failed_node_ends_the_wait_only_once_the_others_are_settled(fleet: Fleet) -> None:
    fleet.manager["n1"] = [FAILS]
    fleet.manager["n2"] = [STAYS_PENDING]
    wave = a_wave("n1", "n2", recovery=False)
    ASSIGNMENT.create(wave)
    fleet.clock.after(100, lambda: (fleet.label("n2", labels.STATE, "failed"), fleet.report("n2")))
    lines = failure(wave)
    assert lines[0] == "2 of 2 nodes of pool-wave-0 are not as the stack says:"
    assert 100 <= fleet.clock.slept < 110


@pytest.mark.parametrize("what", ["allocatable", "labels", "report"])
def test_what_follows_nvml_by_itself_gets_two_minutes_and_no_more(fleet: Fleet, what: str) -> None:
    wave = a_wave("n1", recovery=False)
    roll_out(wave)
    started = fleet.clock.now
    if what == "allocatable":
        fleet.nodes["n1"]["status"]["allocatable"] = {}
    elif what == "labels":
        fleet.label("n1", "nvidia.com/mig-1g.10gb.count", "13")
    else:
        fleet.config_maps.pop(("mig-fleet", "mig-report-n1"))
    assert failure(wave)[0] == "1 of 1 nodes of pool-wave-0 are not as the stack says:"
    assert fleet.clock.now - started == pytest.approx(CONVERGENCE_S, abs=2)


def test_a_driver_that_recovers_within_two_minutes_is_no_failure(fleet: Fleet) -> None:
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    fleet.clock.sleep(10)
    fleet.report("n1", gpus=(), errors=("nvmlInit: Driver Not Loaded",))
    fleet.clock.after(60, lambda: fleet.report("n1"))
    assert VERIFICATION.create(wave).outs["counted"] == {"n1": "GPU 0-1: 7x 1g.10gb"}


def test_a_node_that_left_ends_the_wait_at_once(fleet: Fleet) -> None:
    fleet.remove("n1")
    assert failure(a_wave("n1"))[1] == "  node gone: n1: is not in the cluster"
    assert fleet.clock.slept == 0


def test_a_node_that_somebody_else_labels_ends_the_wait_at_once(fleet: Fleet) -> None:
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    fleet.clock.after(3, lambda: fleet.label("n1", labels.CONFIG, "their-own"))
    lines = failure(wave)
    assert lines[1] == f"  label changed: n1: carries config 'their-own', expected '{DENSE.config_name}'"
    assert fleet.clock.slept <= 5


def test_of_a_node_that_left_no_log_is_left_to_look_at(fleet: Fleet) -> None:
    fleet.remove("n1")
    (look,) = (line for line in failure(a_wave("n1")) if line.startswith("Look at"))
    assert look == "Look at the nodes that there are: kubectl get nodes"


def test_who_took_the_label_away_is_found_in_the_objects_history(fleet: Fleet) -> None:
    fleet.label("n1", labels.CONFIG, "all-balanced")
    assert "Look at who wrote the label: kubectl get node n1 --show-managed-fields -o yaml" in failure(a_wave("n1"))


def test_each_who_should_have_done_better_is_named_once(fleet: Fleet) -> None:
    wave = a_wave("n1", "n2", recovery=False)
    roll_out(wave)
    fleet.label("n1", labels.STATE, "failed")
    fleet.cut("n2", [{}, {}])
    fleet.nodes["n2"]["status"]["conditions"] = [{"type": "Ready", "status": "Unknown"}]
    looks = [line for line in failure(wave) if line.startswith("Look at")]
    assert looks == [
        "Look at MIG Manager's log: kubectl -n gpu-operator logs $(kubectl -n gpu-operator get pods -o name -l "
        "app=nvidia-mig-manager --field-selector spec.nodeName=n1)",
        "Look at the node's conditions and events: kubectl describe node n2",
    ]


def test_a_node_that_comes_back_soon_is_waited_for(fleet: Fleet) -> None:
    wave = a_wave("n1")
    roll_out(wave)
    ready = fleet.nodes["n1"]["status"]["conditions"]
    fleet.nodes["n1"]["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    fleet.clock.after(CONVERGENCE_S - 5, lambda: fleet.nodes["n1"]["status"].update(conditions=ready))
    assert VERIFICATION.create(wave).outs["recovered"] == []


def test_where_only_the_report_is_missing_the_probes_log_is_the_place_to_look(fleet: Fleet) -> None:
    wave = a_wave("n1")
    roll_out(wave)
    fleet.config_maps.pop(("mig-fleet", "mig-report-n1"))
    assert (
        "Look at the probe's log: kubectl -n mig-fleet logs $(kubectl -n mig-fleet get pods -o name -l "
        "app.kubernetes.io/name=mig-probe --field-selector spec.nodeName=n1)"
    ) in failure(wave)


def test_an_api_server_that_is_away_for_a_while_is_waited_for(fleet: Fleet) -> None:
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    fleet.answer("GET", "/nodes$", AWAY, times=100)
    assert VERIFICATION.create(wave).outs["counted"] == {"n1": "GPU 0-1: 7x 1g.10gb"}
    assert fleet.clock.slept == pytest.approx(100, abs=2)


def test_an_api_server_that_stays_away_is_the_reason_and_what_is_closed_is_not_known(fleet: Fleet) -> None:
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    fleet.answer("GET", "/nodes$", AWAY, times=10_000)
    assert failure(wave) == [
        str(AWAY),
        "n1 may still be closed; run the update again once the cluster answers.",
    ]


def test_a_success_without_slices_is_none(fleet: Fleet) -> None:
    wave = a_wave("n1", recovery=False)
    roll_out(wave)
    fleet.cut("n1", [{}, {}])
    assert failure(wave)[1:3] == [
        "  layout lost: n1: GPU 0: expected 7x 1g.10gb, found no slices",
        "  layout lost: n1: GPU 1: expected 7x 1g.10gb, found no slices",
    ]


def test_a_mode_that_waits_for_a_reboot_is_not_done_and_nothing_is_started_over(fleet: Fleet) -> None:
    wave = a_wave("n1")
    roll_out(wave)
    waiting = (a_gpu(0, {"1g.10gb": 7}), a_gpu(1, {"1g.10gb": 7}, mig_mode_pending=False))
    fleet.report("n1", gpus=waiting)
    text = "a change of the MIG mode waits for a GPU reset; drain and reboot the node"
    assert failure(wave)[1] == f"  GPU reset pending: n1: GPU 1: {text}"
    assert fleet.started_over() == []
    assert fleet.closed() == []


def test_a_failure_waits_for_what_nvml_says_of_it(fleet: Fleet) -> None:
    wave = a_wave("n1", recovery=False)
    roll_out(wave)
    lost = "GPU 1: nvmlDeviceGetMigMode: GPU is lost"
    fleet.label("n1", labels.STATE, "failed")
    fleet.clock.after(20, lambda: fleet.report("n1", errors=(lost,)))
    assert failure(wave)[1] == f"  MIG Manager failed: n1: could not apply '{DENSE.config_name}'; NVML says: {lost}"


def test_what_a_hand_mended_is_told_with_the_next_report(fleet: Fleet) -> None:
    wave = a_wave("n1")
    roll_out(wave)
    fleet.report("n1", gpus=(a_gpu(0, {"1g.10gb": 7}),))
    fleet.clock.after(15, lambda: fleet.report("n1"))
    assert VERIFICATION.create(wave).outs["recovered"] == []


def test_a_gpu_instance_that_only_a_hand_can_destroy_is_left_to_it(fleet: Fleet) -> None:
    wave = a_wave("n1")
    roll_out(wave)
    gpu = a_gpu(0, {"1g.10gb": 7})
    left = replace(gpu, instances=(*gpu.instances, Instance(9, "1g.10gb", 7, 1, ())))
    fleet.report("n1", gpus=(left, a_gpu(1, {"1g.10gb": 7})))
    lines = failure(wave)
    assert lines[1].endswith("destroy it there: `nvidia-smi mig -i 0 -dgi -gi 9`")
    assert not any(line.startswith("Look at") for line in lines)
    assert fleet.started_over() == [], "MIG Manager would find nothing to do"


def test_a_failure_of_nodes_that_are_open_says_what_they_carry(fleet: Fleet) -> None:
    wave = a_wave("n1", recovery=False)
    roll_out(wave)
    fleet.cut("n1", [{}, {}])
    assert failure(wave)[-2:] == [
        f"The nodes keep config {DENSE.config_name}; once the cause is gone, run `pulumi up` again.",
        "Recovery is off, so start MIG Manager over first: `kubectl -n gpu-operator delete pods "
        "-l app=nvidia-mig-manager --field-selector spec.nodeName=n1`",
    ]


def test_a_refresh_records_what_the_nodes_have_now(fleet: Fleet) -> None:
    wave = a_wave("n1", "n2")
    outs = roll_out(wave)
    fleet.cut("n1", [{}, {"1g.10gb": 7}])
    fleet.remove("n2")
    read = VERIFICATION.read("pool-wave-0", {**outs, "__provider": "kept"}).outs
    assert read == {**outs, "__provider": "kept", "counted": {"n1": "GPU 0: no slices; GPU 1: 7x 1g.10gb"}}


def test_a_refresh_records_no_count_that_is_not_of_now_and_whole(fleet: Fleet) -> None:
    outs = roll_out(a_wave("n1", "n2"))
    fleet.report("n1", errors=("GPU 1: nvmlDeviceGetMigMode: GPU is lost",), gpus=(a_gpu(0, {"1g.10gb": 7}),))
    fleet.report("n2", attempt="0")
    read = VERIFICATION.read("pool-wave-0", outs).outs
    assert read["counted"] == {"n1": "no report", "n2": "no report"}


def test_a_node_behind_one_that_only_lags_is_given_up_with_it(fleet: Fleet) -> None:
    """Nodes are helped one at a time, and the first is not right yet."""
    wave = a_wave("n1", "n2")
    roll_out(wave)
    fleet.label("n1", labels.STATE, "failed")
    fleet.report("n1")
    fleet.clock.after(3, lambda: fleet.silent_probe.add("n1"))
    fleet.clock.after(3, lambda: fleet.config_maps.pop(("mig-fleet", "mig-report-n1"), None))
    fleet.clock.after(4, lambda: (fleet.label("n2", labels.STATE, "failed"), fleet.report("n2")))
    lines = failure(wave)
    assert [line.split(":")[0].strip() for line in lines[1:3]] == ["MIG Manager failed", "report missing"]
    assert fleet.clock.slept < CONVERGENCE_S + 60, "and not at the deadline"


def test_who_has_no_right_is_told_at_once(fleet: Fleet) -> None:
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    fleet.answer("GET", "/nodes$", Forbidden("the cluster refuses GET /api/v1/nodes: no right"), times=10_000)
    assert failure(wave)[0] == "the cluster refuses GET /api/v1/nodes: no right"
    assert fleet.clock.slept == 0


def test_a_refresh_without_a_cluster_is_one_sentence(fleet: Fleet) -> None:
    outs = roll_out(a_wave("n1"))
    fleet.answer("GET", "/nodes$", AWAY)
    with pytest.raises(VerificationFailed, match="does not answer"):
        VERIFICATION.read("pool-wave-0", outs)
