"""Lines that several faults share, complete as a user reads them."""

SCHEDULING_RESTORED = "scheduling restored: node-1, node-2"
WAITED = "waited N s of at most N s"
KEPT = "The nodes keep config notebooks-255390f5; once the cause is fixed, run `pulumi up` again."
MANAGER_RESTARTED = "node-1: restarted MIG Manager"
AGAIN = "Run the update again to continue"

POD = "default/notebook-7d4b9c6f5-x2x7k"
OWNED_POD = f"{POD} (Deployment notebook) holds 1x mig-1g.10gb"
POD_WITHOUT_OWNER = "default/notebook (no owner) holds 1x mig-1g.10gb"


def log(component: str, namespace: str, pods: str) -> str:
    """The log to look at for node-1."""
    kubectl = f"kubectl -n {namespace}"
    names = f"{kubectl} get pods -o name -l {pods} --field-selector spec.nodeName=node-1"
    return f"Look at {component}'s log: {kubectl} logs $({names})"


MANAGER_LOG = log("MIG Manager", "gpu-operator", "app=nvidia-mig-manager")
PLUGIN_LOG = log("the device plugin", "gpu-operator", "app=nvidia-device-plugin-daemonset")
GFD_LOG = log("GPU Feature Discovery", "gpu-operator", "app=gpu-feature-discovery")
PROBE_LOG = log("the probe", "mig-fleet", "app.kubernetes.io/name=mig-probe")
KERNEL_LOG = (
    "Look at the kernel log of node-1 for XID 79, then reboot node-1: a GPU that fell off the bus comes back no other "
    "way: dmesg -T | grep -i xid"
)
CONDITIONS = "Look at the node's conditions and events: kubectl describe node node-1"
LABEL_WRITERS = "Look at the writers of the label: kubectl get node node-1 --show-managed-fields -o yaml"
CLUSTER_NODES = "Look at the nodes of the cluster: kubectl get nodes"


def restore_command(nodes: str = "node-1, node-2") -> str:
    return f"`kubectl taint nodes {nodes.replace(',', '')} mig-fleet.dev/reconfiguring-`"


OLD_SLICES, NEW_SLICES = "GPU 0-1: 7x 1g.10gb", "GPU 0-1: 2x 3g.40gb"
STILL_OLD, NOW_NEW = f"NVML still shows {OLD_SLICES}", f"NVML shows {NEW_SLICES}"
LAST_OLD = f"NVML last showed {OLD_SLICES}"
"""The probe has not reported since the label was written."""


def still_isolated(node_1: str = STILL_OLD, node_2: str = NOW_NEW, config: str = "training-ea45f71e") -> str:
    """The last line of a verification that failed, with what NVML shows of each node; empty for one that is gone."""
    found = {name: f"labelled {config}; {nvml}" for name, nvml in (("node-1", node_1), ("node-2", node_2)) if nvml}
    if len(set(found.values())) == 1:
        states = f"{', '.join(found)} ({', '.join(set(found.values()))})"
    else:
        states = ", ".join(f"{name} ({text})" for name, text in found.items())
    return (
        f"Still isolated: {states}. Once the cause is fixed, run `pulumi up` again; to restore scheduling without "
        f"another update: {restore_command(', '.join(found))}"
    )


def differs(*found: str, see: tuple[str, ...] = (MANAGER_LOG,), then: str | None = None) -> tuple[str, ...]:
    """The error of the first wave if one of its nodes is not as the stack declares."""
    return (*nodes_differ(1, *found, see=see), then or still_isolated())


def nodes_differ(nodes: int, *found: str, see: tuple[str, ...] = (MANAGER_LOG,)) -> tuple[str, ...]:
    return (f"{nodes} of 2 nodes of train-wave-00 are not as the stack declares:", *found, WAITED, *see)


def refused(*reasons: str) -> tuple[str, ...]:
    """The error of a preflight."""
    return ("nothing was changed:", *reasons)
