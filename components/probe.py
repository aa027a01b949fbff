"""The probe on every MIG-capable node: a DaemonSet, the rights it needs and the program it runs."""

import base64
from typing import Any, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as k8s

from components import zipapp
from mig import labels

NAME = "mig-probe"
LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/managed-by": "mig-fleet"}
PROGRAM = "mig-probe.pyz"
FOLDER = "/opt/mig-fleet"


class MigProbeArgs(TypedDict):
    """Where and how the probe runs."""

    namespace: pulumi.Input[str]
    image: str
    """A stock Python image, 3.11 or newer."""
    runtime_class: NotRequired[str | None]
    """The runtime class that gives a container NVML; the operator calls it ``nvidia``."""
    interval_s: float
    """Seconds between two readings."""
    timeout_s: NotRequired[int]
    """Seconds until the pods must run on every node."""


class MigProbe(pulumi.ComponentResource):
    """Writes one report per node; sees its node's labels and NVML, and can write ConfigMaps of its namespace only."""

    daemon_set: k8s.apps.v1.DaemonSet

    def __init__(self, name: str, args: MigProbeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mig-fleet:index:MigProbe", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        program = zipapp.build()
        config_map = k8s.core.v1.ConfigMap(
            f"{name}-program",
            metadata={"name": f"{NAME}-{zipapp.digest(program)}", "namespace": args["namespace"], "labels": LABELS},
            binary_data=sealed(program),
            immutable=True,
            opts=child,
        )
        rights = _rights(name, args["namespace"], child)
        self.daemon_set = k8s.apps.v1.DaemonSet(
            f"{name}-daemons",
            metadata={"name": NAME, "namespace": args["namespace"], "labels": LABELS},
            spec={
                "selector": {"matchLabels": {"app.kubernetes.io/name": NAME}},
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}},
                "template": {"metadata": {"labels": LABELS}, "spec": _pod(args, config_map.metadata["name"])},
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=rights, custom_timeouts=_timeouts(args)),
        )
        self.register_outputs({"daemon_set": self.daemon_set.metadata["name"]})


def sealed(program: bytes) -> pulumi.Output[dict[str, str]]:
    """The ConfigMap's binary data, marked secret.

    There is no secret in it, but what is secret is neither printed nor compared letter by letter: the engine's text
    diff of two such blobs takes ten minutes (pulumi v3.259.0, pkg/backend/display/object_diff.go, printTextDiff).
    """
    return pulumi.Output.secret({PROGRAM: base64.b64encode(program).decode()})


def _timeouts(args: MigProbeArgs) -> pulumi.CustomTimeouts:
    limit = f"{args.get('timeout_s', 600)}s"
    return pulumi.CustomTimeouts(create=limit, update=limit)


def _pod(args: MigProbeArgs, program: pulumi.Input[str]) -> dict[str, Any]:
    return {
        "serviceAccountName": NAME,
        "runtimeClassName": args.get("runtime_class"),
        "priorityClassName": "system-node-critical",
        "nodeSelector": {labels.CAPABLE: "true"},
        # A report is wanted most where nothing else may run.
        "tolerations": [{"operator": "Exists"}],
        "terminationGracePeriodSeconds": 5,
        "volumes": [{"name": "program", "configMap": {"name": program}}],
        "containers": [
            {
                "name": "probe",
                "image": args["image"],
                "command": ["python", "-I", f"{FOLDER}/{PROGRAM}", "watch", "--interval", f"{args['interval_s']:g}"],
                "env": [
                    {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                    {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"},
                    {"name": "NVIDIA_DRIVER_CAPABILITIES", "value": "utility"},
                    # Without it the container sees no MIG device; NVIDIA's toolkit asks for CAP_SYS_ADMIN in return.
                    {"name": "NVIDIA_MIG_MONITOR_DEVICES", "value": "all"},
                ],
                "securityContext": {
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]},
                },
                "resources": {
                    "requests": {"cpu": "10m", "memory": "48Mi"},
                    "limits": {"memory": "128Mi"},
                },
                "volumeMounts": [{"name": "program", "mountPath": FOLDER, "readOnly": True}],
            }
        ],
    }


def _rights(name: str, namespace: pulumi.Input[str], child: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """Read nodes (for the two MIG labels), write ConfigMaps in one namespace (for the reports)."""
    subject = [{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}]
    metadata: dict[str, Any] = {"name": NAME, "namespace": namespace, "labels": LABELS}
    api = "rbac.authorization.k8s.io"
    return [
        k8s.core.v1.ServiceAccount(f"{name}-account", metadata=metadata, opts=child),
        k8s.rbac.v1.Role(
            f"{name}-reports-role",
            metadata=metadata,
            rules=[{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "patch"]}],
            opts=child,
        ),
        k8s.rbac.v1.RoleBinding(
            f"{name}-reports-binding",
            metadata=metadata,
            role_ref={"apiGroup": api, "kind": "Role", "name": NAME},
            subjects=subject,
            opts=child,
        ),
        k8s.rbac.v1.ClusterRole(
            f"{name}-nodes-role",
            metadata={"name": NAME, "labels": LABELS},
            rules=[{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}],
            opts=child,
        ),
        k8s.rbac.v1.ClusterRoleBinding(
            f"{name}-nodes-binding",
            metadata={"name": NAME, "labels": LABELS},
            role_ref={"apiGroup": api, "kind": "ClusterRole", "name": NAME},
            subjects=subject,
            opts=child,
        ),
    ]
