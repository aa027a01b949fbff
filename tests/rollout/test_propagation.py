"""The label is written only after MIG Manager's own copy of the layout file has the config.

If the copy cannot be read, the label is written after a fixed time.
"""

import pytest

from mig_fleet.cluster.errors import ClusterError, Forbidden
from mig_fleet.model import labels, parted
from mig_fleet.rollout.assign import AssignmentFailed
from mig_fleet.rollout.propagation import UNREADABLE_S, WITHIN_S
from tests.memory.fleet import DENSE, MANAGER, OPERATOR, WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, a_wave


def patched_managers(fleet: Fleet) -> list[str]:
    """The nodes whose MIG Manager pods were patched, in order."""
    return [line.split("/")[-1].split("--")[1] for line in fleet.writes() if f"/pods/{MANAGER}" in line]


def refuse_patches_of_managers(fleet: Fleet) -> None:
    fleet.fail_requests("PATCH", f"/pods/{MANAGER}", ClusterError("forbidden"), times=99)


def test_a_copy_that_has_the_config_already_costs_no_time_and_no_write(fleet: Fleet) -> None:
    ASSIGNMENT.create(a_wave("n1", "n2"))
    assert fleet.clock.slept == 0
    assert patched_managers(fleet) == []


def test_an_old_copy_is_updated_by_an_annotation_on_its_pod(fleet: Fleet) -> None:
    fleet.synced_after_s["n1"] = 100.0
    ASSIGNMENT.create(a_wave("n1", "n2"))
    assert patched_managers(fleet) == ["n1"], "once, and only where the copy is old"
    assert fleet.clock.slept <= 2
    assert fleet.pods[fleet.operand("n1", MANAGER)]["metadata"]["annotations"].keys() == {"mig-fleet.dev/sync"}


def test_without_the_right_to_annotate_pods_the_kubelets_own_sync_is_awaited(fleet: Fleet) -> None:
    fleet.synced_after_s["n1"] = 100.0
    refuse_patches_of_managers(fleet)
    ASSIGNMENT.create(a_wave("n1"))
    assert 100 <= fleet.clock.slept <= 102


def test_a_config_that_never_arrives_is_an_error_and_no_label_is_written(fleet: Fleet) -> None:
    fleet.write_layout_file(WIDE)
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.create(a_wave("n1", "n2"))
    assert str(failed.value) == (
        f"no node was relabelled: MIG Manager on n1, n2 does not see config '{DENSE.config_name}' in its layout file "
        "after 181 s; does ConfigMap mig-fleet-layouts hold it, and does the operator mount it?\n"
        "scheduling restored: n1, n2"
    )
    assert fleet.written_configs() == []
    assert fleet.isolated() == []


def test_the_config_map_that_a_pod_mounts_instead_is_named(fleet: Fleet) -> None:
    """Our own operator's release names our ConfigMap; another operator may have undone that."""
    fleet.config_map(OPERATOR, "theirs", {labels.LAYOUTS_KEY: parted.dump([WIDE])})
    fleet.mount("theirs")
    with pytest.raises(AssignmentFailed, match="its pod on n1 mounts ConfigMap theirs, not mig-fleet-layouts"):
        ASSIGNMENT.create(a_wave("n1", "n2"))
    assert fleet.isolated() == []


def test_copies_that_cannot_be_read_get_the_time_that_a_kubelet_may_need(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.exec_refused |= {"n1", "n2"}
    ASSIGNMENT.create(a_wave("n1", "n2"))
    assert fleet.clock.slept == pytest.approx(UNREADABLE_S, abs=2)
    assert fleet.configs() == {"n1": DENSE.config_name, "n2": DENSE.config_name}
    assert "could not read MIG Manager's layout file on 2 node(s), continues: n1: " in capsys.readouterr().out


def test_without_the_right_to_read_a_copy_nothing_is_awaited_and_the_right_is_named(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = Forbidden('the cluster refuses GET …/exec: User "ci" cannot create resource "pods/exec"')

    def refuse(*_: object) -> tuple[int, str]:
        raise refusal

    monkeypatch.setattr(fleet, "execute", refuse)
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.create(a_wave("n1", "n2"))
    assert str(failed.value) == (
        "no node was relabelled: MIG Manager's copy of the layout file may not be read, which needs get and create of "
        f"pods/exec in namespace gpu-operator: {refusal}; `mig-fleet rights` prints roles that allow it\n"
        "scheduling restored: n1, n2"
    )
    assert fleet.clock.slept == 0
    assert fleet.written_configs() == []
    assert fleet.isolated() == []


def test_a_copy_without_the_config_stops_the_wave_even_if_another_copy_cannot_be_read(fleet: Fleet) -> None:
    fleet.exec_refused.add("n1")
    fleet.synced_after_s["n2"] = 1000.0
    refuse_patches_of_managers(fleet)
    with pytest.raises(AssignmentFailed, match=r"MIG Manager on n2 does not see config"):
        ASSIGNMENT.create(a_wave("n1", "n2"))
    assert fleet.written_configs() == []
    assert fleet.clock.slept == pytest.approx(WITHIN_S, abs=2)


def test_a_manager_that_restarts_during_the_wait_is_read_under_its_new_name(fleet: Fleet) -> None:
    fleet.synced_after_s["n1"] = 100.0

    def restart() -> None:
        del fleet.pods[fleet.operand("n1", MANAGER)]
        fleet.clock.after(20, lambda: fleet.start_operand("n1", MANAGER))
        fleet.clock.after(20, fleet.synced_after_s.clear)

    fleet.before_request("PATCH", f"/pods/{MANAGER}--n1", restart)
    ASSIGNMENT.create(a_wave("n1"))
    assert 20 <= fleet.clock.slept <= 22


def test_the_path_of_the_file_is_taken_from_the_managers_environment(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []
    execute = fleet.execute

    def record(namespace: str, pod: str, command: list[str]) -> tuple[int, str]:
        commands.append(command)
        return execute(namespace, pod, command)

    monkeypatch.setattr(fleet, "execute", record)
    pod = fleet.pods[fleet.operand("n1", MANAGER)]
    pod["spec"]["containers"][0]["env"] = [{"name": "CONFIG_FILE", "value": "/elsewhere/config.yaml"}]
    ASSIGNMENT.create(a_wave("n1"))
    assert commands == [
        ["nvidia-mig-parted", "assert", "--valid-config", "-f", "/elsewhere/config.yaml", "-c", DENSE.config_name]
    ]


@pytest.mark.parametrize("status", [2, 127])
def test_a_pod_without_the_program_counts_as_a_copy_that_cannot_be_read(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(fleet, "execute", lambda *_: (status, "no such file"))
    ASSIGNMENT.create(a_wave("n1"))
    assert fleet.clock.slept == pytest.approx(UNREADABLE_S, abs=2)


@pytest.mark.parametrize("listed", [True, False], ids=["its pod is still listed", "its pod is gone too"])
def test_a_node_that_leaves_the_cluster_ends_the_wait_at_once_and_is_named(fleet: Fleet, listed: bool) -> None:
    fleet.synced_after_s |= {"n1": 1000.0, "n2": 1000.0}
    refuse_patches_of_managers(fleet)

    def leave() -> None:
        pods = dict(fleet.pods)
        fleet.remove("n2")
        if listed:
            fleet.pods = pods

    fleet.clock.after(10, leave)
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.create(a_wave("n1", "n2"))
    assert str(failed.value) == (
        "no node was relabelled: node 'n2' is not in the cluster; check the pool's nodes, or `kubectl get nodes`\n"
        "scheduling restored: n1; no longer in the cluster: n2"
    )
    assert fleet.clock.slept <= 12
    assert fleet.isolated() == []
