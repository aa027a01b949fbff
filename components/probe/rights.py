"""The rights of a probe: read nodes, and write one ConfigMap, the report of the node it runs on.

RBAC cannot limit a probe to its own node: it knows service accounts, and all probes share one. But the token that the
kubelet gives to a pod has the node's name (``authentication.kubernetes.io/node-name``, on by default since Kubernetes
1.30), and an admission policy compares it with the report's name. So an attacker on one node cannot publish the reports
of other nodes.
"""

from typing import Any

import pulumi

from mig_fleet.cluster.client import FIELD_MANAGER
from mig_fleet.components.kubernetes_object import KubernetesObject
from mig_fleet.model import labels

MANAGED = {"app.kubernetes.io/name": labels.PROBE, "app.kubernetes.io/managed-by": FIELD_MANAGER}
GROUP = "rbac.authorization.k8s.io"
API = f"{GROUP}/v1"
ADMISSION_API = "admissionregistration.k8s.io/v1"
NODE_IN_TOKEN = "authentication.kubernetes.io/node-name"


def rights(name: str, namespace: str, child: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """The service account, its roles, and the admission policy that narrows them."""
    subject = [{"kind": "ServiceAccount", "name": labels.PROBE, "namespace": namespace}]
    of_cluster = {"name": labels.PROBE, "labels": MANAGED}
    metadata: dict[str, Any] = {**of_cluster, "namespace": namespace}
    return [
        KubernetesObject(f"{name}-account", "v1", "ServiceAccount", metadata, child),
        KubernetesObject(
            f"{name}-reports-role",
            API,
            "Role",
            metadata,
            child,
            rules=[{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "patch"]}],
        ),
        KubernetesObject(
            f"{name}-reports-binding",
            API,
            "RoleBinding",
            metadata,
            child,
            roleRef={"apiGroup": GROUP, "kind": "Role", "name": labels.PROBE},
            subjects=subject,
        ),
        KubernetesObject(
            f"{name}-nodes-role",
            API,
            "ClusterRole",
            of_cluster,
            child,
            rules=[{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "watch"]}],
        ),
        KubernetesObject(
            f"{name}-nodes-binding",
            API,
            "ClusterRoleBinding",
            of_cluster,
            child,
            roleRef={"apiGroup": GROUP, "kind": "ClusterRole", "name": labels.PROBE},
            subjects=subject,
        ),
        *_own_report(name, namespace, child),
    ]


def _own_report(name: str, namespace: str, child: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    metadata = {"name": labels.OWN_REPORT_POLICY, "labels": MANAGED}
    policy = KubernetesObject(
        f"{name}-own-report",
        ADMISSION_API,
        "ValidatingAdmissionPolicy",
        metadata,
        child,
        spec={
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": ["configmaps"],
                    }
                ]
            },
            "matchConditions": [
                {
                    "name": "a-probe-asks",
                    "expression": f"request.userInfo.username == 'system:serviceaccount:{namespace}:{labels.PROBE}'",
                }
            ],
            "variables": [
                {"name": "node", "expression": f"request.userInfo.extra[?'{NODE_IN_TOKEN}'][?0].orValue('')"}
            ],
            "validations": [
                {
                    "expression": "variables.node != '' "
                    f"&& object.metadata.name == '{labels.REPORT_PREFIX}' + variables.node",
                    "message": "a probe may write the report of its own node and nothing else",
                    "reason": "Forbidden",
                }
            ],
        },
    )
    binding = KubernetesObject(
        f"{name}-own-report-binding",
        ADMISSION_API,
        "ValidatingAdmissionPolicyBinding",
        metadata,
        pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[policy])),
        spec={"policyName": labels.OWN_REPORT_POLICY, "validationActions": ["Deny"]},
    )
    return [policy, binding]
