"""Every reason against a change, of all nodes, is reported before anything is written."""

from collections.abc import Callable

import pytest

from mig_fleet.model import labels
from mig_fleet.model.labels import DEPLOY_PREFIX
from mig_fleet.rollout.assign import AssignmentFailed
from tests.memory.fleet import A100, DENSE, MANAGER, OPERATOR, Fleet, a_gpu
from tests.memory.wave import ASSIGNMENT, Props, a_wave


def reasons(fleet: Fleet, wave: Props) -> list[str]:
    """The reasons of a refusal, one per line; nothing may have been written."""
    with pytest.raises(AssignmentFailed) as refused:
        ASSIGNMENT.create(wave)
    first, *lines = str(refused.value).splitlines()
    assert first == "nothing was changed:"
    assert fleet.writes() == []
    assert fleet.clock.slept == 0
    return [line.strip() for line in lines]


# What can be wrong with node n1


def not_in_the_cluster(fleet: Fleet) -> None:
    fleet.remove("n1")


def not_ready(fleet: Fleet) -> None:
    fleet.patch("n1", {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}})


def not_mig_capable(fleet: Fleet) -> None:
    fleet.label("n1", labels.CAPABLE, "false")


def without_the_capable_label(fleet: Fleet) -> None:
    fleet.label("n1", labels.CAPABLE, None)


def rebooting(fleet: Fleet) -> None:
    fleet.label("n1", labels.STATE, "rebooting")


def another_model(fleet: Fleet) -> None:
    fleet.report("n1", gpus=(a_gpu(0, None, pci_id=A100), a_gpu(1, None)))


def another_model_by_label_and_without_a_report(fleet: Fleet) -> None:
    fleet.remove_report("n1")
    fleet.label("n1", labels.PRODUCT, "NVIDIA-A100-SXM4-80GB-MIG-1g.10gb")


def a_missing_gpu(fleet: Fleet) -> None:
    fleet.report("n1", gpus=(a_gpu(0, None),))


def a_pending_mig_mode(fleet: Fleet) -> None:
    fleet.report("n1", gpus=(a_gpu(0, None), a_gpu(1, None, mig_mode_pending=True)))


def without_manager(fleet: Fleet) -> None:
    del fleet.pods[fleet.operand("n1", MANAGER)]


def manager_turned_off(fleet: Fleet) -> None:
    without_manager(fleet)
    fleet.label("n1", f"{DEPLOY_PREFIX}mig-manager", "false")


def manager_terminating(fleet: Fleet) -> None:
    manager = fleet.pods[fleet.operand("n1", MANAGER)]
    manager["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"


def in_use(fleet: Fleet) -> None:
    fleet.pod("web", "n1")


NO_MANAGER = "node 'n1' has no MIG Manager pod; see `kubectl -n gpu-operator get daemonset nvidia-mig-manager`"


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (not_in_the_cluster, "node 'n1' is not in the cluster; check the pool's nodes, or `kubectl get nodes`"),
        (not_ready, "node 'n1' is not Ready; no pod can be started or stopped there"),
        (
            not_mig_capable,
            "node 'n1' is not MIG-capable: label nvidia.com/mig.capable is 'false'; is GPU Feature Discovery running "
            "there?",
        ),
        (
            without_the_capable_label,
            "node 'n1' is not MIG-capable: label nvidia.com/mig.capable is not set; is GPU Feature Discovery running "
            "there?",
        ),
        (rebooting, "node 'n1' is rebooting for a change of its MIG mode; run the update again when it is back"),
        (another_model, "node 'n1' has A100-80GB GPUs, its pool is for H100-80GB"),
        (
            another_model_by_label_and_without_a_report,
            "node 'n1' has A100-80GB GPUs, its pool is for H100-80GB",
        ),
        (a_missing_gpu, "node 'n1' has 1 GPU, its pool has gpusPerNode: 2"),
        (
            a_pending_mig_mode,
            "node 'n1': GPU 1: a change of the MIG mode waits for a GPU reset; drain and reboot the node, then run the "
            "update again",
        ),
        (without_manager, NO_MANAGER),
        (manager_terminating, NO_MANAGER),
        (
            manager_turned_off,
            "node 'n1' has no MIG Manager pod (label nvidia.com/gpu.deploy.mig-manager is 'false', not 'true'); see "
            "`kubectl -n gpu-operator get daemonset nvidia-mig-manager`",
        ),
        (
            in_use,
            "node 'n1' is in use: team/web (Deployment web) holds 1x mig-1g.10gb; move them away, or choose "
            "onUserPods: wait or evict",
        ),
    ],
)
def test_each_reason_is_one_sentence(fleet: Fleet, broken: Callable[[Fleet], None], reason: str) -> None:
    broken(fleet)
    assert reasons(fleet, a_wave("n1", "n2")) == [reason]


def test_all_reasons_of_all_nodes_are_reported_together(fleet: Fleet) -> None:
    another_model(fleet)
    without_manager(fleet)
    in_use(fleet)
    fleet.label("n2", labels.CAPABLE, None)
    found = reasons(fleet, a_wave("n1", "n2", "n3"))
    assert [reason.partition(" is ")[0].partition(" has ")[0] for reason in found] == [
        "node 'n1'",
        "node 'n1'",
        "node 'n1'",
        "node 'n2'",
        "node 'n3'",
    ]


def test_more_than_five_pods_are_counted(fleet: Fleet) -> None:
    for number in range(7):
        fleet.pod(f"web-{number}", "n1")
    (reason,) = reasons(fleet, a_wave("n1"))
    assert "team/web-4" in reason and "team/web-5" not in reason
    assert "; and 2 more; move them away" in reason


# What does not block a change


def test_a_product_that_is_not_in_the_catalog_is_no_reason(fleet: Fleet) -> None:
    fleet.config_maps.clear()
    fleet.write_layout_file()
    fleet.label("n1", labels.PRODUCT, "NVIDIA-H900-from-the-future")
    with pytest.raises(AssignmentFailed, match="does not see config"):
        ASSIGNMENT.create(a_wave("n1"))


def test_a_node_that_has_its_config_already_is_not_checked(fleet: Fleet) -> None:
    fleet.add("n1", DENSE.config_name)
    in_use(fleet)
    without_manager(fleet)
    ASSIGNMENT.create(a_wave("n1"))
    assert fleet.written_configs() == []


VALIDATOR: Props = {
    "namespace": OPERATOR,
    "labels": {"app": "nvidia-device-plugin-validator"},
    "ownerReferences": [{"kind": "ClusterPolicy", "name": "cluster-policy", "controller": True}],
}


def test_a_users_pod_in_the_operators_namespace_blocks_as_any_other(fleet: Fleet) -> None:
    fleet.pod("web", "n1")
    fleet.pods["team", "web"]["metadata"]["namespace"] = OPERATOR
    with pytest.raises(AssignmentFailed, match=r"gpu-operator/web \(Deployment web\) holds 1x mig-1g.10gb"):
        ASSIGNMENT.create(a_wave("n1"))
    assert fleet.written_configs() == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda pod: pod["status"].update(phase="Succeeded"), "it has ended"),
        (lambda pod: pod["spec"]["containers"][0].update(resources={}), "it requests no GPU resource"),
        (
            lambda pod: pod["spec"]["containers"][0]["resources"]["limits"].update({"nvidia.com/mig-1g.10gb": "0"}),
            "it requests 0 slices",
        ),
        (lambda pod: pod["metadata"].update(VALIDATOR), "it is one of the operator's validators"),
        (lambda pod: pod["spec"].update(nodeName="n2"), "it runs on another node"),
    ],
)
def test_a_pod_that_holds_no_slice_of_the_node_does_not_block(
    fleet: Fleet, change: Callable[[Props], None], why: str
) -> None:
    in_use(fleet)
    change(fleet.pods["team", "web"])
    ASSIGNMENT.create(a_wave("n1"))
    assert fleet.configs()["n1"] == DENSE.config_name, why
