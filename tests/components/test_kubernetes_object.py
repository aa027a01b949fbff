"""Objects and the release are registered exactly as Pulumi's SDK for Kubernetes registers them, without its classes."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.mocks import MockMonitor

from mig_fleet.components.gpu_operator.release import Release
from mig_fleet.components.kubernetes_object import KubernetesObject

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


class Recording(MockMonitor):
    """What the engine is asked to register."""

    def __init__(self) -> None:
        super().__init__(_Outputs())
        self.found: list[dict[str, Any]] = []

    def RegisterResource(self, request: Any) -> Any:
        if request.type != "pulumi:pulumi:Stack":
            self.found.append(MessageToDict(request))
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]  # not annotated in the SDK


class _Outputs(pulumi.runtime.Mocks):
    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[Any, Any]]:
        return f"{args.name}-id", args.inputs

    def call(self, _args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        return {}, None


@pytest.fixture
def loop() -> Iterator[None]:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


def registered(register: Register) -> dict[str, Any]:
    monitor = Recording()
    pulumi.runtime.set_mocks(monitor.mocks, preview=False, monitor=monitor)
    opts = pulumi.ResourceOptions(
        protect=True,
        custom_timeouts=pulumi.CustomTimeouts(create="5s"),
        hide_diffs=["spec"],
        additional_secret_outputs=["a"],
    )
    pulumi.runtime.test(lambda: register(opts) and None)()  # type: ignore[no-untyped-call]  # not annotated in the SDK
    (found,) = monitor.found
    return {key: value for key, value in found.items() if key not in NOT_COMPARED}


NOT_COMPARED = ("sourcePosition", "stackTrace", "aliases")
"""Where in a program the resource is; and earlier versions of its API, which no state of ours has."""


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("kind", PAIRS)
def test_what_is_registered_is_what_the_sdk_registers(kind: str) -> None:
    ours, theirs = map(registered, PAIRS[kind])
    assert ours["version"], "without a provider of its own, a program gets the plugin of this version"
    assert ours == theirs
