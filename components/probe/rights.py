"""The rights of a probe: read nodes, and write one ConfigMap, the report of the node it runs on.

RBAC cannot limit a probe to its own node: it knows service accounts, and all probes share one. But the token that the
kubelet gives to a pod has the node's name (``authentication.kubernetes.io/node-name``, on by default since Kubernetes
1.30), and an admission policy compares it with the report's name. So an attacker on one node cannot publish the reports
of other nodes.
"""

from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from mig_fleet.cluster.client import FIELD_MANAGER
from mig_fleet.model import labels

MANAGED = {"app.kubernetes.io/name": labels.PROBE, "app.kubernetes.io/managed-by": FIELD_MANAGER}
API = "rbac.authorization.k8s.io"
NODE_IN_TOKEN = "authentication.kubernetes.io/node-name"


def rights(name: str, namespace: str, child: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """The service account, its roles, and the admission policy that narrows them."""
    subject = [{"kind": "ServiceAccount", "name": labels.PROBE, "namespace": namespace}]
    metadata: dict[str, Any] = {"name": labels.PROBE, "namespace": namespace, "labels": MANAGED}
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
            role_ref={"apiGroup": API, "kind": "Role", "name": labels.PROBE},
            subjects=subject,
            opts=child,
        ),
        k8s.rbac.v1.ClusterRole(
            f"{name}-nodes-role",
            metadata={"name": labels.PROBE, "labels": MANAGED},
            rules=[{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "watch"]}],
            opts=child,
        ),
        k8s.rbac.v1.ClusterRoleBinding(
            f"{name}-nodes-binding",
            metadata={"name": labels.PROBE, "labels": MANAGED},
            role_ref={"apiGroup": API, "kind": "ClusterRole", "name": labels.PROBE},
            subjects=subject,
            opts=child,
        ),
        *_own_report(name, namespace, child),
    ]


def _own_report(name: str, namespace: str, child: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    metadata = {"name": labels.OWN_REPORT_POLICY, "labels": MANAGED}
    policy = k8s.admissionregistration.v1.ValidatingAdmissionPolicy(
        f"{name}-own-report",
        metadata=metadata,
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
        opts=child,
    )
    binding = k8s.admissionregistration.v1.ValidatingAdmissionPolicyBinding(
        f"{name}-own-report-binding",
        metadata=metadata,
        spec={"policyName": labels.OWN_REPORT_POLICY, "validationActions": ["Deny"]},
        opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[policy])),
    )
    return [policy, binding]
