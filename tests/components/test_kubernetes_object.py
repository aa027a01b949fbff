"""Objects and the release are registered exactly as Pulumi's SDK for Kubernetes registers them, without its classes."""

import importlib.metadata
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest
from google.protobuf.json_format import MessageToDict

from mig_fleet.components.gpu_operator.release import Release
from mig_fleet.components.kubernetes_object import KubernetesObject, provider_version
from tests.components.fleets import event_loop, run

METADATA = {"name": "a", "labels": {"team": "b"}}
SPEC = {"some": {"field": 1}}
RULES = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}]
ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "a"}
RBAC, ADMISSION = "rbac.authorization.k8s.io/v1", "admissionregistration.k8s.io/v1"
POLICY = {"policyName": "a", "validationActions": ["Deny"]}
Register = Callable[[pulumi.ResourceOptions], pulumi.CustomResource]

PAIRS: dict[str, tuple[Register, Register]] = {
    "Namespace": (
        lambda opts: KubernetesObject("x", "v1", "Namespace", METADATA, opts),
        lambda opts: k8s.core.v1.Namespace("x", metadata=METADATA, opts=opts),
    ),
    "ServiceAccount": (
        lambda opts: KubernetesObject("x", "v1", "ServiceAccount", METADATA, opts),
        lambda opts: k8s.core.v1.ServiceAccount("x", metadata=METADATA, opts=opts),
    ),
    "ConfigMap": (
        lambda opts: KubernetesObject("x", "v1", "ConfigMap", METADATA, opts, binaryData={"a": "Yg=="}, immutable=True),
        lambda opts: k8s.core.v1.ConfigMap(
            "x", metadata=METADATA, binary_data={"a": "Yg=="}, immutable=True, opts=opts
        ),
    ),
    "DaemonSet": (
        lambda opts: KubernetesObject("x", "apps/v1", "DaemonSet", METADATA, opts, spec=SPEC),
        lambda opts: k8s.apps.v1.DaemonSet("x", metadata=METADATA, spec=SPEC, opts=opts),
    ),
    "Role": (
        lambda opts: KubernetesObject("x", RBAC, "Role", METADATA, opts, rules=RULES),
        lambda opts: k8s.rbac.v1.Role("x", metadata=METADATA, rules=RULES, opts=opts),
    ),
    "ClusterRole": (
        lambda opts: KubernetesObject("x", RBAC, "ClusterRole", METADATA, opts, rules=RULES),
        lambda opts: k8s.rbac.v1.ClusterRole("x", metadata=METADATA, rules=RULES, opts=opts),
    ),
    "RoleBinding": (
        lambda opts: KubernetesObject("x", RBAC, "RoleBinding", METADATA, opts, roleRef=ROLE),
        lambda opts: k8s.rbac.v1.RoleBinding("x", metadata=METADATA, role_ref=ROLE, opts=opts),
    ),
    "ClusterRoleBinding": (
        lambda opts: KubernetesObject("x", RBAC, "ClusterRoleBinding", METADATA, opts, roleRef=ROLE),
        lambda opts: k8s.rbac.v1.ClusterRoleBinding("x", metadata=METADATA, role_ref=ROLE, opts=opts),
    ),
    "ValidatingAdmissionPolicy": (
        lambda opts: KubernetesObject("x", ADMISSION, "ValidatingAdmissionPolicy", METADATA, opts, spec=SPEC),
        lambda opts: k8s.admissionregistration.v1.ValidatingAdmissionPolicy(
            "x", metadata=METADATA, spec=SPEC, opts=opts
        ),
    ),
    "ValidatingAdmissionPolicyBinding": (
        lambda opts: KubernetesObject("x", ADMISSION, "ValidatingAdmissionPolicyBinding", METADATA, opts, spec=POLICY),
        lambda opts: k8s.admissionregistration.v1.ValidatingAdmissionPolicyBinding(
            "x", metadata=METADATA, spec=POLICY, opts=opts
        ),
    ),
    "a kind of a custom resource definition": (
        lambda opts: KubernetesObject("x", "monitoring.coreos.com/v1", "PrometheusRule", METADATA, opts, spec=SPEC),
        lambda opts: k8s.apiextensions.CustomResource(
            "x", "monitoring.coreos.com/v1", "PrometheusRule", spec=SPEC, metadata=METADATA, opts=opts
        ),
    ),
    "Release": (
        lambda opts: Release("x", opts, name="a", chart="b", repositoryOpts={"repo": "c"}, values=SPEC, version=None),
        lambda opts: k8s.helm.v3.Release(
            "x", name="a", chart="b", repository_opts={"repo": "c"}, values=SPEC, version=None, opts=opts
        ),
    ),
}


def registered(register: Register) -> dict[str, Any]:
    """What the engine is asked to register."""
    opts = pulumi.ResourceOptions(
        protect=True,
        custom_timeouts=pulumi.CustomTimeouts(create="5s"),
        hide_diffs=["spec"],
        additional_secret_outputs=["a"],
    )
    (request,) = run(lambda: register(opts)).requests.values()
    return {key: value for key, value in MessageToDict(request).items() if key not in NOT_COMPARED}


NOT_COMPARED = ("sourcePosition", "stackTrace", "aliases")
"""Where in a program the resource is; and earlier versions of its API, which no state of ours has."""


@pytest.mark.parametrize("kind", PAIRS)
def test_what_is_registered_is_what_the_sdk_registers(kind: str) -> None:
    with event_loop():
        ours, theirs = map(registered, PAIRS[kind])
    assert ours["version"], "without a provider of its own, a program gets the plugin of this version"
    assert ours == theirs


@pytest.mark.parametrize(("installed", "asked"), [("4.25.0", "4.25.0"), ("4.26.0a1", None), ("4.26.0.dev3", None)])
def test_the_plugin_has_the_version_of_the_sdk_if_that_is_a_release(
    installed: str, asked: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _name: installed)
    assert provider_version.__wrapped__() == asked
