"""NVIDIA's DRA driver in the cluster: its DaemonSet and DeviceClasses, as its chart installs them for GPUs.

dra-driver-nvidia-gpu v0.4.1, deployments/helm. The user's own values add only tolerations: without them a pod that is
restarted while mig-fleet changes its node would wait until the change has ended.
"""

from typing import Any, Final

from mig_fleet.model import labels
from mig_fleet.model.dra import DRIVER
from mig_fleet.simulator.api import Api
from mig_fleet.simulator.errors import ApiError
from mig_fleet.simulator.operands.operator import NFD_LABELS, PRESENT

NAMESPACE: Final = "dra-driver-nvidia-gpu"
NAME: Final = "dra-driver-nvidia-gpu-kubelet-plugin"
COMPONENT: Final = {"dra-driver-nvidia-gpu-component": "kubelet-plugin"}
"""Label of the pods on its nodes."""
NODES: Final = (*NFD_LABELS, PRESENT)
"""The plugin runs on a node on which one of these labels is `true`."""
DEVICE_CLASSES: Final = {DRIVER: "gpu", "mig.nvidia.com": "mig", f"vfio.{DRIVER}": "vfio"}
"""DeviceClass → the type of its devices."""
EXISTS: Final = 409


async def install(api: Api) -> None:
    """Create what does not exist yet."""
    account = {"metadata": {"name": "default"}}
    for path, body in (
        ("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}}),
        # Admission refuses pods in a namespace without this account, and the controller may create it late.
        (f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", account),
        (f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets", daemon_set()),
        *(("/apis/resource.k8s.io/v1/deviceclasses", device_class(name)) for name in DEVICE_CLASSES),
    ):
        try:
            await api.create(path, body)
        except ApiError as exc:
            if exc.status != EXISTS:
                raise


def daemon_set() -> dict[str, Any]:
    terms = [{"matchExpressions": [{"key": key, "operator": "In", "values": ["true"]}]} for key in NODES]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    tolerations = [
        {"key": key, "operator": "Exists", "effect": "NoSchedule"} for key in ("nvidia.com/gpu", *labels.OUR_TAINTS)
    ]
    container = {"name": "gpus", "image": "simulated", "command": ["gpu-kubelet-plugin"]}
    return {
        "metadata": {"name": NAME, "labels": {"app.kubernetes.io/name": "dra-driver-nvidia-gpu"}},
        "spec": {
            "selector": {"matchLabels": COMPONENT},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}},
            "template": {
                "metadata": {"labels": {"app.kubernetes.io/name": "dra-driver-nvidia-gpu", **COMPONENT}},
                "spec": {
                    "affinity": {"nodeAffinity": required},
                    "tolerations": tolerations,
                    "containers": [container],
                },
            },
        },
    }


def device_class(name: str) -> dict[str, Any]:
    kind = DEVICE_CLASSES[name]
    expression = f"device.driver == '{DRIVER}' && device.attributes['{DRIVER}'].type == '{kind}'"
    extended = {"extendedResourceName": labels.GPU_RESOURCE} if kind == "gpu" else {}
    return {"metadata": {"name": name}, "spec": {"selectors": [{"cel": {"expression": expression}}], **extended}}
