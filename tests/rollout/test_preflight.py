"""Before anything is touched: every reason of every node at once, and nothing is written."""

from collections.abc import Callable

import pytest

from mig_fleet.model import labels
from mig_fleet.model.labels import DEPLOY_PREFIX
from mig_fleet.rollout.assign import AssignmentFailed
from tests.memory.fleet import A100, MANAGER, OPERATOR, Fleet, a_gpu
from tests.memory.wave import ASSIGNMENT, Props, a_wave


def refusal(fleet: Fleet, wave: Props) -> list[str]:
    """The reasons, one a line; that nothing was written goes without saying."""
    with pytest.raises(AssignmentFailed) as refused:
        ASSIGNMENT.create(wave)
    first, *reasons = str(refused.value).splitlines()
    assert first == "nothing was changed:"
    assert fleet.written() == []
    assert fleet.clock.slept == 0
    return [reason.strip() for reason in reasons]


def not_ready(fleet: Fleet) -> None:
    fleet.patch("n1", {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}})


def without_manager(fleet: Fleet) -> None:
    fleet.pods = {key: pod for key, pod in fleet.pods.items() if not key[1].startswith(f"{MANAGER}--n1")}


def manager_switched_off(fleet: Fleet) -> None:
    without_manager(fleet)
    fleet.label("n1", f"{DEPLOY_PREFIX}mig-manager", "false")


def manager_on_its_way_out(fleet: Fleet) -> None:
    for (namespace, name), pod in fleet.pods.items():
        if namespace == OPERATOR and name.startswith(f"{MANAGER}--n1"):
            pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"


def another_model(fleet: Fleet) -> None:
    fleet.report("n1", gpus=(a_gpu(0, None, pci_id=A100), a_gpu(1, None)))


def another_model_by_its_label_alone(fleet: Fleet) -> None:
    fleet.config_maps.pop(("mig-fleet", "mig-report-n1"))
    fleet.label("n1", labels.PRODUCT, "NVIDIA-A100-SXM4-80GB-MIG-1g.10gb")


def a_gpu_fell_off(fleet: Fleet) -> None:
    fleet.report("n1", gpus=(a_gpu(0, None),))


def mode_waits_for_a_reboot(fleet: Fleet) -> None:
    fleet.report("n1", gpus=(a_gpu(0, None), a_gpu(1, None, mig_mode_pending=True)))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (
            lambda fleet: fleet.remove("n1"),
            "node 'n1' is not in the cluster; check the pool's nodes, or `kubectl get nodes`",
        ),
        (not_ready, "node 'n1' is not Ready; nothing can be started or ended there"),
        (
            lambda fleet: fleet.label("n1", labels.CAPABLE, "false"),
            "node 'n1' is not MIG-capable: label nvidia.com/mig.capable is 'false'; is GPU Feature Discovery running "
            "there?",
        ),
        (
            lambda fleet: fleet.label("n1", labels.CAPABLE, None),
            "node 'n1' is not MIG-capable: label nvidia.com/mig.capable is not set; is GPU Feature Discovery running "
            "there?",
        ),
        (
            lambda fleet: fleet.label("n1", labels.STATE, "rebooting"),
            "node 'n1' is rebooting for a change of its MIG mode; run the update again when it is back",
        ),
        (another_model, "node 'n1' has A100-80GB GPUs, its pool is for H100-80GB"),
        (another_model_by_its_label_alone, "node 'n1' has A100-80GB GPUs, its pool is for H100-80GB"),
        (a_gpu_fell_off, "node 'n1' has 1 GPU, its pool says gpusPerNode 2"),
        (
            mode_waits_for_a_reboot,
            "node 'n1' waits for a GPU reset or a reboot: the MIG mode of GPU 1 is still to change; drain and reboot "
            "it, then run the update again",
        ),
        (
            without_manager,
            "node 'n1' has no MIG Manager pod; see `kubectl -n gpu-operator get daemonset nvidia-mig-manager`",
        ),
        (
            manager_on_its_way_out,
            "node 'n1' has no MIG Manager pod; see `kubectl -n gpu-operator get daemonset nvidia-mig-manager`",
        ),
        (
            manager_switched_off,
            "node 'n1' has no MIG Manager pod (label nvidia.com/gpu.deploy.mig-manager is 'false', not 'true'); see "
            "`kubectl -n gpu-operator get daemonset nvidia-mig-manager`",
        ),
        (
            lambda fleet: fleet.pod("web", "n1"),
            "node 'n1' is in use: team/web (Deployment web) holds 1x mig-1g.10gb; move them away, or choose "
            "onUserPods: wait or evict",
        ),
    ],
    ids=[
        "gone",
        "not ready",
        "not capable",
        "not known to be capable",
        "rebooting",
        "another model",
        "another model by its label",
        "a GPU is missing",
        "a mode is pending",
        "no manager",
        "a manager that ends",
        "a manager that is switched off",
        "in use",
    ],
)
def test_each_thing_in_the_way_is_one_sentence(fleet: Fleet, broken: Callable[[Fleet], None], reason: str) -> None:
    broken(fleet)
    assert refusal(fleet, a_wave("n1", "n2")) == [reason]


def test_all_reasons_of_all_nodes_come_at_once(fleet: Fleet) -> None:
    another_model(fleet)
    without_manager(fleet)
    fleet.pod("web", "n1")
    fleet.label("n2", labels.CAPABLE, None)
    found = refusal(fleet, a_wave("n1", "n2", "n3"))
    assert [reason.partition(" is ")[0].partition(" has ")[0] for reason in found] == [
        "node 'n1'",
        "node 'n1'",
        "node 'n1'",
        "node 'n2'",
        "node 'n3'",
    ]


def test_a_product_that_no_catalog_has_proves_nothing(fleet: Fleet) -> None:
    fleet.config_maps.clear()
    fleet.serve()
    fleet.label("n1", labels.PRODUCT, "NVIDIA-H900-from-the-future")
    with pytest.raises(AssignmentFailed, match="does not see config"):
        ASSIGNMENT.create(a_wave("n1"))


def test_a_node_that_is_right_is_asked_nothing(fleet: Fleet) -> None:
    fleet.add("n1", a_wave("n1")["config"])
    fleet.pod("web", "n1")
    without_manager(fleet)
    ASSIGNMENT.create(a_wave("n1"))
    assert fleet.labelled() == []


def test_many_pods_are_counted_after_the_first_five(fleet: Fleet) -> None:
    for number in range(7):
        fleet.pod(f"web-{number}", "n1")
    (reason,) = refusal(fleet, a_wave("n1"))
    assert "team/web-4" in reason and "team/web-5" not in reason
    assert "; and 2 more; move them away" in reason


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda pod: pod["status"].update(phase="Succeeded"), "it has ended"),
        (lambda pod: pod["spec"]["containers"][0].update(resources={}), "it asks for no slice"),
        (
            lambda pod: pod["spec"]["containers"][0]["resources"]["limits"].update({"nvidia.com/mig-1g.10gb": "0"}),
            "it asks for none",
        ),
        (lambda pod: pod["metadata"].update(namespace=OPERATOR), "it is one of the operator's own validators"),
        (lambda pod: pod["spec"].update(nodeName="n2"), "it runs elsewhere"),
    ],
)
def test_a_pod_that_holds_no_slice_of_the_node_is_in_nobodys_way(
    fleet: Fleet, change: Callable[[Props], None], why: str
) -> None:
    fleet.pod("web", "n1")
    change(fleet.pods["team", "web"])
    ASSIGNMENT.create(a_wave("n1"))
    assert fleet.configs()["n1"] != "all-disabled", why
