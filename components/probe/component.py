"""The probe's objects in the cluster."""

import base64
import re
from typing import Any, NotRequired, TypedDict

import pulumi

from mig_fleet.components.checked_args import check_args
from mig_fleet.components.kubernetes_object import KubernetesObject
from mig_fleet.components.probe import zipapp
from mig_fleet.components.probe.rights import MANAGED, rights
from mig_fleet.model import labels
from mig_fleet.model.allocation import POD_RESOURCES
from mig_fleet.stack_file.settings import Probe

PROGRAM = labels.PROBE_PROGRAM
MOUNT_PATH = "/opt/mig-fleet"
DEFAULTS = Probe()
"""Of a program that leaves these arguments out."""
_PINNED = re.compile(r".+@sha256:[0-9a-f]{64}")


class MigProbeArgs(TypedDict):
    """Where and how the probe runs."""

    namespace: NotRequired[str]
    """A namespace of the probe's own: it may write ConfigMaps there, so none of them may configure another program
    (default: ``mig-fleet``). It is created."""
    image: NotRequired[str]
    """A stock Python image, 3.11 or newer, preferably by digest, as the default is."""
    runtime_class: NotRequired[str | None]
    """The runtime class that mounts NVML into a container (default: ``nvidia``, the GPU Operator's name for it); None
    if every container has NVML."""
    interval_seconds: NotRequired[float]
    """Seconds between two readings (default: 15)."""
    timeout_seconds: NotRequired[int]
    """Seconds in which the pods must start on every node (default: 600)."""
    pod_resources: NotRequired[bool]
    """Whether the probe asks the kubelet which pod has which slice. By default it does."""
    mig_uuids: NotRequired[bool]
    """Whether the probe reports the UUID of each slice, which is needed if NVIDIA's DRA driver publishes the slices. By
    default it does not, because reports become longer by it."""


class MigProbe(pulumi.ComponentResource):
    """Publishes one report per node. Reads the nodes' labels, NVML and the kubelet's allocations; a pod can write only
    its own node's report.
    """

    namespace: KubernetesObject
    daemon_set: KubernetesObject

    def __init__(self, name: str, args: MigProbeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check_args(f"MigProbe '{name}'", args, MigProbeArgs)
        super().__init__("mig-fleet:index:MigProbe", name, {}, opts)
        image, namespace = args.get("image", DEFAULTS.image), args.get("namespace", DEFAULTS.namespace)
        if not is_pinned(image):
            pulumi.log.warn(tag_warning(image), self)
        child = pulumi.ResourceOptions(parent=self)
        # The container adds a capability, which Kubernetes' other pod security levels forbid.
        security = {"pod-security.kubernetes.io/enforce": "privileged"}
        metadata = {"name": namespace, "labels": {**MANAGED, **security}}
        self.namespace = KubernetesObject(f"{name}-namespace", "v1", "Namespace", metadata, child)
        inside = pulumi.ResourceOptions(parent=self, depends_on=[self.namespace])
        program = zipapp.build()
        config_map = KubernetesObject(
            f"{name}-program",
            "v1",
            "ConfigMap",
            {"name": f"{labels.PROBE}-{zipapp.digest(program)}", "namespace": namespace, "labels": MANAGED},
            inside,
            binaryData=secret_data(program),
            immutable=True,
        )
        self.daemon_set = KubernetesObject(
            f"{name}-daemons",
            "apps/v1",
            "DaemonSet",
            {"name": labels.PROBE, "namespace": namespace, "labels": MANAGED},
            pulumi.ResourceOptions(
                parent=self, depends_on=rights(name, namespace, inside), custom_timeouts=_timeouts(args)
            ),
            spec={
                "selector": {"matchLabels": {"app.kubernetes.io/name": labels.PROBE}},
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}},
                "template": {"metadata": {"labels": MANAGED}, "spec": _pod(args, config_map.metadata["name"])},
            },
        )
        self.register_outputs({"namespace": self.namespace.metadata["name"], "daemon_set": labels.PROBE})


def is_pinned(image: str) -> bool:
    """Whether the image is named by digest, so that every node always runs the same one."""
    return _PINNED.fullmatch(image) is not None


def tag_warning(image: str) -> str:
    """What to do about an image that is not pinned."""
    return (
        f"probe.image {image} is not named by digest, so the image on your GPU nodes can change without a review; "
        f"`docker buildx imagetools inspect {image.partition('@')[0]}` prints the digest to add as @sha256:..."
    )


def secret_data(program: bytes) -> pulumi.Output[dict[str, str]]:
    """The ConfigMap's binary data, marked secret.

    It contains no secret. But the engine neither prints a secret nor compares it character by character: its text diff
    of two such programs takes ten minutes (pulumi v3.259.0, pkg/backend/display/object_diff.go, printTextDiff).
    """
    return pulumi.Output.secret({PROGRAM: base64.b64encode(program).decode()})


def _timeouts(args: MigProbeArgs) -> pulumi.CustomTimeouts:
    limit = f"{args.get('timeout_seconds', 600)}s"
    return pulumi.CustomTimeouts(create=limit, update=limit)


def _pod(args: MigProbeArgs, program: pulumi.Input[str]) -> dict[str, Any]:
    mounts = {"program": MOUNT_PATH, **({"pod-resources": POD_RESOURCES} if args.get("pod_resources", True) else {})}
    sources: dict[str, dict[str, Any]] = {
        "program": {"configMap": {"name": program}},
        # Its folder, because a restarted kubelet makes a new socket. Created where the kubelet has another root
        # folder: without a socket there, the probe reports why it knows no allocations.
        "pod-resources": {"hostPath": {"path": POD_RESOURCES, "type": "DirectoryOrCreate"}},
    }
    return {
        "serviceAccountName": labels.PROBE,
        "runtimeClassName": args.get("runtime_class", DEFAULTS.runtime_class),
        "priorityClassName": "system-node-critical",
        "nodeSelector": {labels.CAPABLE: "true"},
        # The report of a node is needed most while taints keep other pods off the node.
        "tolerations": [{"operator": "Exists"}],
        "terminationGracePeriodSeconds": 5,
        "volumes": [{"name": name, **sources[name]} for name in mounts],
        "containers": [
            {
                "name": "probe",
                "image": args.get("image", DEFAULTS.image),
                "command": [
                    "python",
                    "-I",
                    f"{MOUNT_PATH}/{PROGRAM}",
                    "watch",
                    "--interval",
                    f"{args.get('interval_seconds', DEFAULTS.interval):g}",
                    *(["--pod-resources", POD_RESOURCES] if "pod-resources" in mounts else []),
                    *(["--mig-uuids"] if args.get("mig_uuids") else []),
                ],
                "env": [
                    {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                    {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"},
                    {"name": "NVIDIA_DRIVER_CAPABILITIES", "value": "utility"},
                    # Without it the container has no MIG device. NVIDIA's toolkit requires CAP_SYS_ADMIN for it.
                    {"name": "NVIDIA_MIG_MONITOR_DEVICES", "value": "all"},
                ],
                "securityContext": {
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]},
                    # nvidia-smi, another program on NVML, runs under Docker's default profile: docs/reference/probe.md.
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "resources": {
                    "requests": {"cpu": "10m", "memory": "64Mi"},
                    "limits": {"memory": "128Mi"},
                },
                "volumeMounts": [{"name": name, "mountPath": path, "readOnly": True} for name, path in mounts.items()],
            }
        ],
    }
