"""No label before MIG Manager's own copy of the layout file holds the config; a copy nobody may ask about gets time."""

import pytest

from mig_fleet.cluster.errors import ClusterError
from mig_fleet.rollout.assign import AssignmentFailed
from mig_fleet.rollout.propagation import BLIND_S, WITHIN_S
from tests.memory.fleet import DENSE, MANAGER, OPERATOR, WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, a_wave


def nudges(fleet: Fleet) -> list[str]:
    return [line.split("/")[-1].split("--")[1] for line in fleet.written() if f"/pods/{MANAGER}" in line]


def test_a_copy_that_is_there_already_costs_nothing(fleet: Fleet) -> None:
    ASSIGNMENT.create(a_wave("n1", "n2"))
    assert fleet.clock.slept == 0
    assert nudges(fleet) == []


def test_a_late_copy_is_fetched_by_a_touch_of_the_pod_that_holds_it(fleet: Fleet) -> None:
    fleet.sees_after_s["n1"] = 100.0
    ASSIGNMENT.create(a_wave("n1", "n2"))
    assert nudges(fleet) == ["n1"], "once, and only where it is late"
    assert fleet.clock.slept <= 2
    pod = next(p for (where, name), p in fleet.pods.items() if where == OPERATOR and name.startswith(f"{MANAGER}--n1"))
    assert pod["metadata"]["annotations"].keys() == {"mig-fleet.dev/nudge"}


def test_where_pods_may_not_be_touched_the_copy_is_waited_for(fleet: Fleet) -> None:
    fleet.sees_after_s["n1"] = 100.0
    fleet.answer("PATCH", f"/pods/{MANAGER}", ClusterError("may not"), times=99)
    ASSIGNMENT.create(a_wave("n1"))
    assert 100 <= fleet.clock.slept <= 102


def test_a_copy_that_never_comes_is_a_reason_not_to_label(fleet: Fleet) -> None:
    fleet.serve(WIDE)
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.create(a_wave("n1", "n2"))
    assert str(failed.value) == (
        f"no node was relabelled: MIG Manager on n1, n2 does not see config '{DENSE.config_name}' in its layout file "
        "after 181 s; does ConfigMap mig-fleet-layouts hold it, and does the operator mount it?\nopen again: n1, n2"
    )
    assert fleet.labelled() == []
    assert fleet.closed() == []


def test_where_nobody_may_ask_the_label_waits_as_long_as_a_kubelet_may_need(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.exec_refused |= {"n1", "n2"}
    ASSIGNMENT.create(a_wave("n1", "n2"))
    assert fleet.clock.slept == pytest.approx(BLIND_S, abs=2)
    assert fleet.configs() == {"n1": DENSE.config_name, "n2": DENSE.config_name}
    assert "goes on without knowing what 2 node(s) see of the layout file: n1: " in capsys.readouterr().out


def test_a_node_that_says_no_is_not_let_through_with_one_that_may_not_be_asked(fleet: Fleet) -> None:
    fleet.exec_refused.add("n1")
    fleet.sees_after_s["n2"] = 1000.0
    fleet.answer("PATCH", f"/pods/{MANAGER}", ClusterError("may not"), times=99)
    with pytest.raises(AssignmentFailed, match=r"MIG Manager on n2 does not see config"):
        ASSIGNMENT.create(a_wave("n1", "n2"))
    assert fleet.labelled() == []
    assert fleet.clock.slept == pytest.approx(WITHIN_S, abs=2)


def test_a_manager_that_is_started_over_meanwhile_is_asked_under_its_new_name(fleet: Fleet) -> None:
    fleet.sees_after_s["n1"] = 100.0

    def started_over() -> None:
        name = next(name for _, name in fleet.pods if name.startswith(f"{MANAGER}--n1"))
        del fleet.pods[OPERATOR, name]
        fleet.clock.after(20, lambda: fleet.start("n1", MANAGER))
        fleet.clock.after(20, fleet.sees_after_s.clear)

    fleet.meanwhile("PATCH", f"/pods/{MANAGER}--n1", started_over)
    ASSIGNMENT.create(a_wave("n1"))
    assert 20 <= fleet.clock.slept <= 22


def test_the_file_is_looked_for_where_the_managers_environment_says(fleet: Fleet) -> None:
    asked: list[list[str]] = []
    pod = next(p for (_, name), p in fleet.pods.items() if name.startswith(f"{MANAGER}--n1"))
    pod["spec"]["containers"][0]["env"] = [{"name": "CONFIG_FILE", "value": "/elsewhere/config.yaml"}]
    answer = fleet.execute
    fleet.execute = lambda *call: (asked.append(call[2]), answer(*call))[1]  # type: ignore[method-assign]
    ASSIGNMENT.create(a_wave("n1"))
    assert asked == [
        ["nvidia-mig-parted", "assert", "--valid-config", "-f", "/elsewhere/config.yaml", "-c", DENSE.config_name]
    ]


@pytest.mark.parametrize("status", [2, 127])
def test_a_program_that_is_not_there_is_no_answer(fleet: Fleet, status: int) -> None:
    fleet.execute = lambda *_: (status, "no such file")  # type: ignore[method-assign]
    ASSIGNMENT.create(a_wave("n1"))
    assert fleet.clock.slept == pytest.approx(BLIND_S, abs=2)


@pytest.mark.parametrize("listed", [True, False], ids=["its pod still listed", "its pod gone, too"])
def test_a_node_that_leaves_the_cluster_ends_the_wait_at_once_and_is_named(fleet: Fleet, listed: bool) -> None:
    fleet.sees_after_s |= {"n1": 1000.0, "n2": 1000.0}
    fleet.answer("PATCH", f"/pods/{MANAGER}", ClusterError("may not"), times=99)

    def leaves() -> None:
        pods = dict(fleet.pods)
        fleet.remove("n2")
        if listed:
            fleet.pods = pods

    fleet.clock.after(10, leaves)
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.create(a_wave("n1", "n2"))
    assert str(failed.value) == (
        "no node was relabelled: node 'n2' is not in the cluster; check the pool's nodes, or `kubectl get nodes`\n"
        "open again: n1; not in the cluster any more: n2"
    )
    assert fleet.clock.slept <= 12
    assert fleet.closed() == []
