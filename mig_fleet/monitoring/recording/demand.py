"""What the kubelets offer, and what pods request."""

from mig_fleet.model.gfd import SLICE_PRODUCT
from mig_fleet.model.labels import GPU_RESOURCE, PRODUCT, RESOURCE_PREFIX
from mig_fleet.model.strategy import Strategy
from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.monitoring.kube_state_metrics import spelled
from mig_fleet.monitoring.rules import Record
from mig_fleet.monitoring.series import ALLOCATABLE, OF_POD, PENDING, REQUESTED, REQUESTED_BY_NAMESPACE

SCHEDULED, UNSCHEDULED = 'node!=""', 'node=""'


def demand_records(fleet: MonitoredFleet) -> tuple[Record, ...]:
    """None under strategy ``none``, which offers no slices."""
    if fleet.strategy is Strategy.NONE:
        return ()
    single = fleet.strategy is Strategy.SINGLE
    offered = f"max by (node, resource) (kube_node_status_allocatable{{{_slices(single)}}}){_with_mig(single)}"
    scheduled = f"{_requests(single, SCHEDULED)}{_with_mig(single)} and on (namespace, pod) {_phase('Pending|Running')}"
    unscheduled = f"{_requests(single, UNSCHEDULED)} and on (namespace, pod) {_phase('Pending')}"
    return (
        Record(ALLOCATABLE, offered),
        Record(REQUESTED, f"sum by (node, resource) ({scheduled})"),
        # A row of the left has a node, one of the right has none: both are counted.
        Record(REQUESTED_BY_NAMESPACE, f"sum by (namespace, resource) ({scheduled} or {unscheduled})"),
        Record(PENDING, f"sum by (namespace, pod, resource) ({unscheduled})"),
    )


def _slices(single: bool) -> str:
    if single:
        return f'resource="{spelled(GPU_RESOURCE)}"'
    return f'resource=~"{spelled(RESOURCE_PREFIX)}.+",resource!~".+_shared"'


def _requests(single: bool, where: str) -> str:
    """Once for each container, whatever the number of replicas of kube-state-metrics."""
    rows = _of_pods(f"kube_pod_container_resource_requests{{{_slices(single)},{where}}}", *OF_POD)
    return f"max by (namespace, pod, container, node, resource) ({rows})"


def _phase(phases: str) -> str:
    """Pods that have not ended: those that have keep their requests."""
    rows = f'kube_pod_status_phase{{phase=~"{phases}"}} == 1'
    return _of_pods(rows, "namespace", "pod")


def _of_pods(rows: str, *labels: str) -> str:
    """Without ``honorLabels`` the namespace and pod of a row are those of kube-state-metrics itself."""
    for label in labels:
        rows = f'label_replace({rows}, "{label}", "$1", "exported_{label}", "(.+)")'
    return rows


def _with_mig(single: bool) -> str:
    """Under strategy single, whole GPUs have the same resource; the product shows which nodes have slices."""
    product = f"label_{spelled(PRODUCT)}"
    return f' and on (node) kube_node_labels{{{product}=~".*{SLICE_PRODUCT}.*"}}' if single else ""
