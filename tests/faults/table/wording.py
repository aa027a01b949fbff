"""Lines that many faults share, whole as a user reads them."""

OPEN_AGAIN = "open again: node-1, node-2"
WAITED = "waited N s of at most N s"
KEPT = "The nodes keep config notebooks-255390f5; once the cause is gone, run `pulumi up` again."
MANAGER_STARTED_OVER = "node-1: MIG Manager was started over"

POD = "default/notebook-7d4b9c6f5-x2x7k"
HOLDS = f"{POD} (Deployment notebook) holds 1x mig-1g.10gb"
NAKED = "default/notebook (no owner) holds 1x mig-1g.10gb"


def log(whose: str, namespace: str, pods: str) -> str:
    """Where to look for more about node-1."""
    kubectl = f"kubectl -n {namespace}"
    names = f"{kubectl} get pods -o name -l {pods} --field-selector spec.nodeName=node-1"
    return f"Look at {whose} log: {kubectl} logs $({names})"


MANAGERS_LOG = log("MIG Manager's", "gpu-operator", "app=nvidia-mig-manager")
PLUGINS_LOG = log("the device plugin's", "gpu-operator", "app=nvidia-device-plugin-daemonset")
GFDS_LOG = log("GPU Feature Discovery's", "gpu-operator", "app=gpu-feature-discovery")
PROBES_LOG = log("the probe's", "mig-fleet", "app.kubernetes.io/name=mig-probe")
CONDITIONS = "Look at the node's conditions and events: kubectl describe node node-1"
WRITERS = "Look at who wrote the label: kubectl get node node-1 --show-managed-fields -o yaml"
WHO_IS_THERE = "Look at the nodes that there are: kubectl get nodes"


def still_closed(nodes: str = "node-1, node-2", config: str = "training-ea45f71e") -> str:
    by_hand = f"`kubectl taint nodes {nodes.replace(',', '')} mig-fleet.dev/reconfiguring-`"
    return (
        f"Still closed to new pods, with config {config}: {nodes}. Once the cause is gone, run `pulumi up` again; to "
        f"open them as they are: {by_hand}"
    )


def differs(*found: str, see: tuple[str, ...] = (MANAGERS_LOG,), then: str | None = None) -> tuple[str, ...]:
    """The error of the first wave, one of whose nodes did not come to be as the stack says."""
    return (*unlike(1, *found, see=see), then or still_closed())


def unlike(nodes: int, *found: str, see: tuple[str, ...] = (MANAGERS_LOG,)) -> tuple[str, ...]:
    return (f"{nodes} of 2 nodes of train-wave-00 are not as the stack says:", *found, WAITED, *see)


def unchanged(*reasons: str) -> tuple[str, ...]:
    """The error of a preflight."""
    return ("nothing was changed:", *reasons)
