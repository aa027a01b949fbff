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


def another_name_of_a_profile(fleet: Fleet) -> None:
    names = ("1g.11gb", "1g.22gb", "7g.80gb")
    fleet.report("n1", gpus=(a_gpu(0, None, profile_names=names), a_gpu(1, None, profile_names=names)))


def another_board_with_the_same_device_id(fleet: Fleet) -> None:
    board = {"pci_id": "0x2BB310DE", "product": "NVIDIA RTX PRO 5000 72GB Blackwell"}
    fleet.report("n1", gpus=(a_gpu(0, None, **board), a_gpu(1, None)))


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
        (
            another_board_with_the_same_device_id,
            "node 'n1' has NVIDIA RTX PRO 5000 72GB Blackwell GPUs, its pool is for H100-80GB",
        ),
        (
            another_name_of_a_profile,
            "node 'n1': GPU 0, 1 has no profile 1g.10gb: NVML lists 1g.11gb, 1g.22gb, 7g.80gb; MIG Manager would "
            "destroy the slices there and create none; write the layout with these names, in a pool of its own if "
            "other nodes have others",
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


@pytest.mark.parametrize(
    ("managed", "values"),
    [
        (True, "a Node Feature Discovery of your own must tolerate it: add {} to its worker.tolerations"),
        (
            False,
            "its owner adds {} to the chart values daemonsets.tolerations and "
            "node-feature-discovery.worker.tolerations, beside what these lists have",
        ),
    ],
    ids=["our operator", "an operator of others"],
)
def test_a_new_node_that_its_startup_taint_keeps_without_labels_is_refused_with_the_chart_values(
    fleet: Fleet, managed: bool, values: str
) -> None:
    fleet.label("n1", labels.CAPABLE, None)
    fleet.taint("n1", labels.STARTUP_TAINT)
    reason = reasons(fleet, a_wave("n1", operator_managed=managed))[0]
    assert reason.startswith("node 'n1' is not MIG-capable: ")
    assert values.format("{key: mig-fleet.dev/startup, operator: Exists, effect: NoSchedule}") in reason


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


@pytest.mark.parametrize("names", [None, ("1g.10gb", "1g.10gb+me")], ids=["not listed", "listed"])
def test_a_board_whose_driver_lists_the_name_or_no_names_is_changed(
    fleet: Fleet, names: tuple[str, ...] | None
) -> None:
    fleet.report("n1", gpus=(a_gpu(0, None, profile_names=names), a_gpu(1, None, profile_names=names)))
    ASSIGNMENT.create(a_wave("n1"))
    assert fleet.written_configs() == [("n1", DENSE.config_name)]


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


def test_a_node_with_another_kind_of_gpu_beside_the_pools_own_is_refused(fleet: Fleet) -> None:
    modes = {"mig_mode_current": None, "mig_mode_pending": None}
    display = a_gpu(1, None, pci_id="0x1FB010DE", product="NVIDIA DGX Display", **modes)
    fleet.report("n1", gpus=(a_gpu(0, None, model="H100-80GB"), display))
    assert reasons(fleet, a_wave("n1")) == [
        "node 'n1' has several kinds of GPU, H100-80GB, NVIDIA DGX Display; a pool is for nodes with one kind"
    ]


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ("devicePlugin", "no slice is offered to the kubelet, and an update waits for that"),
        ("gfd", "no node gets the labels that MIG Manager starts by, and an update waits for its counts of slices"),
    ],
)
def test_an_operand_that_an_operator_of_others_does_not_run_is_named_before_a_node_changes(
    fleet: Fleet, section: str, reason: str
) -> None:
    fleet.cluster_policies = [{"metadata": {"name": "cluster-policy"}, "spec": {section: {"enabled": False}}}]
    assert reasons(fleet, a_wave("n1", operator_managed=False)) == [
        f"the ClusterPolicy has {section}.enabled: false, so {reason}; set the chart value {section}.enabled to true, "
        "or leave these nodes out of the stack"
    ]


def test_operands_that_run_are_no_reason(fleet: Fleet) -> None:
    fleet.cluster_policies = [{"metadata": {"name": "cluster-policy"}, "spec": {"gfd": {"enabled": True}, "mig": None}}]
    ASSIGNMENT.create(a_wave("n1", operator_managed=False))
    assert fleet.written_configs() == [("n1", DENSE.config_name)]


# The same in a preview


def test_a_preview_of_a_change_fails_for_a_board_with_another_name(fleet: Fleet) -> None:
    another_name_of_a_profile(fleet)
    wave = a_wave("n1")
    (failure,) = ASSIGNMENT.check({}, wave).failures
    assert failure.reason.startswith("pool-wave-0: node 'n1': GPU 0, 1 has no profile 1g.10gb: NVML lists 1g.11gb, ")


def test_a_preview_of_an_adoption_fails_for_an_operand_that_is_off(fleet: Fleet) -> None:
    """No label changes, but the verification would wait for slices that nothing offers."""
    fleet.cluster_policies = [{"metadata": {"name": "it"}, "spec": {"devicePlugin": {"enabled": False}}}]
    fleet.add("n1", DENSE.config_name)
    (failure,) = ASSIGNMENT.check({}, a_wave("n1", operator_managed=False, config_name="keep")).failures
    assert failure.reason.startswith("pool-wave-0: the ClusterPolicy has devicePlugin.enabled: false, so no slice is ")


def test_an_operand_that_is_off_is_a_warning_where_only_drift_is_repaired(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    wave, warnings = a_wave("n1", operator_managed=False), list[str]()
    monkeypatch.setattr("pulumi.log.warn", warnings.append)
    fleet.cluster_policies = [{"metadata": {"name": "it"}, "spec": {"gfd": {"enabled": False}}}]
    assert ASSIGNMENT.check(wave, wave).failures == []
    (warning,) = warnings
    assert warning.startswith(
        "pool-wave-0: an update that repairs the drift of n1 is refused: the ClusterPolicy has gfd."
    )


def test_a_preview_of_a_change_fails_for_an_operand_that_is_off(fleet: Fleet) -> None:
    fleet.cluster_policies = [{"metadata": {"name": "it"}, "spec": {"devicePlugin": {"enabled": False}}}]
    wave = a_wave("n1", operator_managed=False)
    (failure,) = ASSIGNMENT.check({}, wave).failures
    assert failure.reason.startswith("pool-wave-0: the ClusterPolicy has devicePlugin.enabled: false, so no slice is ")
