"""Objects and the release are registered exactly as Pulumi's SDK for Kubernetes registers them, without its classes."""

import importlib.metadata
import re
from collections.abc import Callable
from functools import partial
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
RULE, RBAC, ADMISSION = "monitoring.coreos.com/v1", "rbac.authorization.k8s.io/v1", "admissionregistration.k8s.io/v1"
POLICY = {"policyName": "a", "validationActions": ["Deny"]}
Register = Callable[[pulumi.ResourceOptions], pulumi.CustomResource]

KINDS: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "Namespace": ("v1", k8s.core.v1.Namespace, {}),
    "ServiceAccount": ("v1", k8s.core.v1.ServiceAccount, {}),
    "ConfigMap": ("v1", k8s.core.v1.ConfigMap, {"binaryData": {"a": "Yg=="}, "immutable": True}),
    "DaemonSet": ("apps/v1", k8s.apps.v1.DaemonSet, {"spec": SPEC}),
    "Role": (RBAC, k8s.rbac.v1.Role, {"rules": RULES}),
    "ClusterRole": (RBAC, k8s.rbac.v1.ClusterRole, {"rules": RULES}),
    "RoleBinding": (RBAC, k8s.rbac.v1.RoleBinding, {"roleRef": ROLE}),
    "ClusterRoleBinding": (RBAC, k8s.rbac.v1.ClusterRoleBinding, {"roleRef": ROLE}),
    "ValidatingAdmissionPolicy": (
        ADMISSION,
        k8s.admissionregistration.v1.ValidatingAdmissionPolicy,
        {"spec": SPEC},
    ),
    "ValidatingAdmissionPolicyBinding": (
        ADMISSION,
        k8s.admissionregistration.v1.ValidatingAdmissionPolicyBinding,
        {"spec": POLICY},
    ),
    "PrometheusRule": (
        RULE,
        partial(k8s.apiextensions.CustomResource, api_version=RULE, kind="PrometheusRule"),
        {"spec": SPEC},
    ),
}
"""Kind → API version, the SDK's class, and fields beside the metadata."""


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


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_is_registered_as_the_sdk_registers_it(kind: str) -> None:
    api_version, of_sdk, fields = KINDS[kind]
    names = {name: re.sub("[A-Z]", lambda upper: f"_{upper[0].lower()}", name) for name in fields}
    with event_loop():
        ours = registered(lambda opts: KubernetesObject("x", api_version, kind, METADATA, opts, **fields))
        theirs = registered(
            lambda opts: of_sdk("x", metadata=METADATA, opts=opts, **{names[name]: it for name, it in fields.items()})
        )
    assert ours["version"], "without a provider of its own, a program gets the plugin of this version"
    assert ours == theirs


def test_a_release_is_registered_as_the_sdk_registers_it() -> None:
    given: dict[str, Any] = {"name": "a", "chart": "b", "values": SPEC, "version": None}
    repository = {"repo": "c"}
    with event_loop():
        ours = registered(lambda opts: Release("x", opts, repositoryOpts=repository, **given))
        theirs = registered(lambda opts: k8s.helm.v3.Release("x", repository_opts=repository, opts=opts, **given))
    assert ours == theirs


@pytest.mark.parametrize(("installed", "asked"), [("4.25.0", "4.25.0"), ("4.26.0a1", None), ("4.26.0.dev3", None)])
def test_the_plugin_has_the_version_of_the_sdk_if_that_is_a_release(
    installed: str, asked: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _name: installed)
    assert provider_version.__wrapped__() == asked
