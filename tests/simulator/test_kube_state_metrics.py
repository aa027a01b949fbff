"""The series of the simulated kube-state-metrics: allowlists, names, and requests of pods."""

from typing import Any

from mig_fleet.simulator.telemetry.exposition import Family, series
from mig_fleet.simulator.telemetry.kube_state_metrics import Allowlists, render

LABELS = "pods=[app],nodes=[nvidia.com/mig.config,nvidia.com/mig.config.state]"
ANNOTATIONS = "nodes=[mig-fleet.dev/wave]"
NODE: dict[str, Any] = {
    "metadata": {
        "name": "node-1",
        "labels": {"nvidia.com/mig.config": "dense-1", "kubernetes.io/arch": "amd64"},
        "annotations": {"mig-fleet.dev/wave": "pool-canary", "other": "x"},
    },
    "spec": {"unschedulable": True, "taints": [{"key": "mig-fleet.dev/reconfiguring", "effect": "NoSchedule"}]},
    "status": {
        "allocatable": {"nvidia.com/mig-1g.10gb.me": "2", "cpu": "224", "memory": "2Ki"},
        "conditions": [{"type": "Ready", "status": "True"}],
        "nodeInfo": {"kubeletVersion": "v1.37.2"},
    },
}


def pod(name: str, phase: str, node: str | None = None, scheduled: bool = True) -> dict[str, Any]:
    container = {"name": "main", "resources": {"requests": {"nvidia.com/mig-1g.10gb": "2"}}}
    conditions = [] if scheduled else [{"type": "PodScheduled", "status": "False"}]
    return {
        "metadata": {"name": name, "namespace": "ml", "uid": f"uid-{name}"},
        "spec": {"containers": [container], **({"nodeName": node} if node else {})},
        "status": {"phase": phase, "conditions": conditions},
    }


def found(*pods: dict[str, Any], allowlists: Allowlists | None = None) -> dict[str, dict[str, float]]:
    """Family → series → value."""
    families: tuple[Family, ...] = render([NODE], pods, allowlists or Allowlists.parse(LABELS, ANNOTATIONS))
    return {
        family.name: {series(family.name, each.labels): each.value for each in family.samples} for family in families
    }


def test_only_labels_and_annotations_on_the_allowlist_are_exported() -> None:
    assert found()["kube_node_labels"] == {
        'kube_node_labels{node="node-1",label_nvidia_com_mig_config="dense-1"}': 1,
    }
    assert found()["kube_node_annotations"] == {
        'kube_node_annotations{node="node-1",annotation_mig_fleet_dev_wave="pool-canary"}': 1,
    }


def test_without_an_allowlist_the_families_do_not_exist() -> None:
    assert not {"kube_node_labels", "kube_node_annotations"} & found(allowlists=Allowlists()).keys()
    everything = found(allowlists=Allowlists.parse("nodes=[*]", ""))["kube_node_labels"]
    assert 'label_kubernetes_io_arch="amd64"' in next(iter(everything))


def test_resources_have_sanitized_names_and_base_units() -> None:
    assert found()["kube_node_status_allocatable"] == {
        'kube_node_status_allocatable{node="node-1",resource="nvidia_com_mig_1g_10gb_me",unit="integer"}': 2,
        'kube_node_status_allocatable{node="node-1",resource="cpu",unit="core"}': 224,
        'kube_node_status_allocatable{node="node-1",resource="memory",unit="byte"}': 2048,
    }


def test_an_isolated_node_has_its_taint_and_is_unschedulable() -> None:
    assert found()["kube_node_spec_unschedulable"] == {'kube_node_spec_unschedulable{node="node-1"}': 1}
    assert found()["kube_node_spec_taint"] == {
        'kube_node_spec_taint{node="node-1",key="mig-fleet.dev/reconfiguring",effect="NoSchedule"}': 1
    }


def test_a_pod_keeps_its_requests_when_it_is_over_and_has_no_node_while_it_is_pending() -> None:
    requests = found(pod("done", "Succeeded", "node-1"), pod("waits", "Pending", scheduled=False))[
        "kube_pod_container_resource_requests"
    ]
    of = 'kube_pod_container_resource_requests{{namespace="ml",pod="{0}",uid="uid-{0}",container="main",{1}'
    slices = 'resource="nvidia_com_mig_1g_10gb",unit="integer"}'
    assert requests == {of.format("done", 'node="node-1",') + slices: 2, of.format("waits", "") + slices: 2}


def test_a_pod_is_in_one_phase_and_an_unschedulable_one_is_reported() -> None:
    families = found(pod("done", "Succeeded", "node-1"), pod("waits", "Pending", scheduled=False))
    assert sum(families["kube_pod_status_phase"].values()) == 2 and len(families["kube_pod_status_phase"]) == 10
    assert list(families["kube_pod_status_unschedulable"]) == [
        'kube_pod_status_unschedulable{namespace="ml",pod="waits",uid="uid-waits"}'
    ]
