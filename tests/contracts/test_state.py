"""What Pulumi keeps in its state: changing any of it orphans somebody's resources."""

import importlib
import inspect
import pkgutil

import pulumi
import pytest
from pulumi.dynamic.dynamic import serialize_provider

from mig_fleet import components
from mig_fleet.components.assignment import Assignment, AssignmentProvider
from mig_fleet.components.layout_file import LayoutFile, LayoutFileProvider
from mig_fleet.components.verification import Verification, VerificationProvider
from mig_fleet.model import labels

TYPE_TOKENS = {
    "mig_fleet.components.gpu_operator.component.GpuOperator": "mig-fleet:index:GpuOperator",
    "mig_fleet.components.node_labels.JoiningNodes": "mig-fleet:index:JoiningNodes",
    "mig_fleet.components.layouts.MigLayouts": "mig-fleet:index:MigLayouts",
    "mig_fleet.components.monitoring.component.Monitoring": "mig-fleet:index:Monitoring",
    "mig_fleet.components.pool.Pool": "mig-fleet:index:Pool",
    "mig_fleet.components.probe.component.MigProbe": "mig-fleet:index:MigProbe",
}
"""A new component belongs here, with a token that never changes."""

OUTPUTS = {
    Assignment: {"config": "Output[str]", "nodes": "Output[list[str]]"},
    LayoutFile: {},
    Verification: {"counted": "Output[dict[str, str]]", "recovered": "Output[list[str]]"},
}
"""An output whose shape changes stops the program of every stack that holds the old one: give it a new name."""

ON_THE_WIRE = {
    "ATTEMPT": "mig-fleet.dev/attempt",
    "CORDONED": "mig-fleet.dev/cordoned",
    "FIELD_MANAGER": "mig-fleet",
    "HEARTBEAT": "mig-fleet.dev/heartbeat",
    "LAYOUTS_CONFIG_MAP": "mig-fleet-layouts",
    "LAYOUTS_KEY": "config.yaml",
    "MODEL": "mig-fleet.dev/gpu",
    "PREVIOUS_CONFIG": "mig-fleet.dev/previous-config",
    "PROBE": "mig-probe",
    "REPORT_KEY": "report.json",
    "REPORT_LABEL": "mig-fleet.dev/report",
    "REPORT_PREFIX": "mig-report-",
    "STARTUP_TAINT": "mig-fleet.dev/startup",
    "TAINT": "mig-fleet.dev/reconfiguring",
    "VERIFIED_CONFIG": "mig-fleet.dev/verified-config",
    "WAVE": "mig-fleet.dev/wave",
}
"""What we write into clusters: nodes keep it from one release to the next."""


def every_component() -> dict[str, type[pulumi.ComponentResource]]:
    found = {}
    for module in pkgutil.walk_packages(components.__path__, "mig_fleet.components."):
        for _, member in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            ours = member.__module__ == module.name
            if ours and issubclass(member, pulumi.ComponentResource):
                found[f"{module.name}.{member.__name__}"] = member
    return found


def test_every_component_has_its_type_token_pinned() -> None:
    assert sorted(every_component()) == sorted(TYPE_TOKENS), "pin the token of each component in TYPE_TOKENS"


@pytest.mark.parametrize("name", sorted(TYPE_TOKENS))
def test_a_component_registers_under_its_pinned_token(name: str) -> None:
    source = inspect.getsource(every_component()[name].__init__)
    assert f'"{TYPE_TOKENS[name]}"' in source


@pytest.mark.parametrize(
    ("provider", "path"),
    [
        (AssignmentProvider, "mig_fleet.components.assignment"),
        (LayoutFileProvider, "mig_fleet.components.layout_file"),
        (VerificationProvider, "mig_fleet.components.verification"),
    ],
    ids=["assignment", "layout file", "verification"],
)
def test_a_dynamic_provider_is_stored_by_reference_and_never_moves(provider: type, path: str) -> None:
    assert (provider.__module__, provider.__qualname__) == (path, provider.__name__)
    stored = serialize_provider(provider())
    assert isinstance(stored, str), "a secret provider would be unreadable in every diff"
    assert len(stored) < 200, "by value, every edit of the provider's code would change every wave"


@pytest.mark.parametrize("provider", [AssignmentProvider, LayoutFileProvider, VerificationProvider])
def test_a_dynamic_provider_stores_nothing_of_its_own(provider: type) -> None:
    assert vars(provider()) == {}, "attributes are pickled into the state"
    assert provider.serialize_as_secret_always is False  # type: ignore[attr-defined]


@pytest.mark.parametrize("resource", sorted(OUTPUTS, key=str), ids=lambda resource: resource.__name__)
def test_the_outputs_of_a_dynamic_resource_keep_their_shape(resource: type) -> None:
    declared = inspect.get_annotations(resource)
    assert {name: str(shape).replace("pulumi.output.", "") for name, shape in declared.items()} == OUTPUTS[resource]


def test_what_stands_on_nodes_keeps_its_name() -> None:
    words = {key: value for key, value in vars(labels).items() if key.isupper() and isinstance(value, str)}
    assert {key: value for key, value in words.items() if "nvidia" not in value} == ON_THE_WIRE | {
        "ALL_DISABLED": "all-disabled",
        "NODE_FEATURE_API": "nfd.k8s-sigs.io/v1alpha1",
        "NODE_FEATURE_RULE": "NodeFeatureRule",
        "PAUSED": "paused-for-mig-change",
        "OPERATOR_OWNED_CONFIG_MAP": "default-mig-parted-config",
    }, "a renamed mark makes every node look replaced: read the old name, too, then change this list"
