"""Resources as a policy gets them: numbers are floats, and access to an unknown value is an error."""

from types import SimpleNamespace
from typing import Any

from pulumi_policy import deserialize
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from mig_fleet.model.resource_types import dynamic_type, served_type
from mig_fleet.policy.pulumi_policies import every_pulumi_policy

ASSIGNMENT, VERIFICATION = map(dynamic_type, ("Assignment", "Verification"))
SERVED_ASSIGNMENT, SERVED_VERIFICATION = map(served_type, ("Assignment", "Verification"))
"""The types of a wave in a program of another language, which takes it from the plugin."""

UNKNOWN = UNKNOWN_STRING_VALUE
"""Stands for a value that is not known in a preview."""
POLICIES: dict[str, Any] = {policy.name: policy for policy in every_pulumi_policy()}


def secret(value: Any) -> dict[str, Any]:
    """A secret as the engine sends it."""
    return {deserialize.SPECIAL_SIG_KEY: deserialize.SPECIAL_SECRET_SIG, "value": value}


def a_wave(**changes: Any) -> dict[str, Any]:
    """The properties of a wave that keeps every rule. ``changes`` are in ``expected``, or replace a property of it."""
    properties = {
        "wave": "inference-wave-0",
        "nodeNames": "n1\nn2\n",
        "onUserPods": "refuse",
        "timeoutSeconds": 600.0,
        "costPerHourUsd": 10.0,
        "owner": UNKNOWN,
        "blocked": UNKNOWN,
    }
    expected = {
        "config": "dense-1c0ffee2",
        "gpu": "H100-80GB",
        "gpus": [{"1g.10gb": 7.0}] * 2,
        "allocatable": {"nvidia.com/mig-1g.10gb": 14.0},
        "labels": {"nvidia.com/mig-1g.10gb.count": "14"},
        "strategy": "mixed",
    }
    outside = {key: value for key, value in changes.items() if key not in expected}
    inside = {key: value for key, value in changes.items() if key in expected}
    return {**properties, "expected": {**expected, **inside}, **outside}


def a_resource(kind: str, name: str = "x", after: Any = (), **props: Any) -> Any:
    """A resource of a stack; ``after`` are resources that it depends on."""
    return SimpleNamespace(
        resource_type=kind,
        name=name,
        urn=f"urn:pulumi:prod::mig-fleet::{kind}::{name}",
        props=unknown_checking_proxy(deserialize.deserialize_properties(props)),
        dependencies=[*after],
        property_dependencies={},
    )


def both_of_a_wave(name: str = "inference-wave-0", **changes: Any) -> list[Any]:
    """A wave's assignment, and the verification after it."""
    props = a_wave(wave=name, **changes)
    assigned = a_resource(ASSIGNMENT, f"{name}-assigned", **props)
    return [assigned, a_resource(VERIFICATION, f"{name}-verified", [assigned], **props)]


def violations(name: str, *resources: Any, **config: Any) -> list[str]:
    """The messages of one policy about each of the resources, or about all of them as a stack."""
    found: list[str] = []

    def report(message: str, _urn: str | None) -> None:
        found.append(message)

    if "Stack" in type(POLICIES[name]).__name__:
        POLICIES[name].validate(SimpleNamespace(resources=resources, get_config=lambda: config), report)
    else:
        for each in resources:
            POLICIES[name].validate(SimpleNamespace(**vars(each), get_config=lambda: config), report)
    return found
