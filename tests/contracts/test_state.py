"""What Pulumi's state and users' clusters keep: a change of any of it orphans resources or nodes of existing stacks."""

import importlib
import inspect
import pkgutil

import pulumi
import pytest
from pulumi import Output
from pulumi.dynamic.dynamic import serialize_provider

from mig_fleet import components
from mig_fleet.cluster import client
from mig_fleet.components.assignment import CHECK_ONLY, Assignment, AssignmentProvider
from mig_fleet.components.destroy_guard import DestroyGuard, DestroyGuardProvider
from mig_fleet.components.layout_file import LayoutFile, LayoutFileProvider
from mig_fleet.components.owner import ClusterOwner, ClusterOwnerProvider
from mig_fleet.components.supporting_objects import SupportingObjects, SupportingObjectsProvider
from mig_fleet.components.verification import Verification, VerificationProvider
from mig_fleet.model import labels
from mig_fleet.rollout import propagation
from mig_fleet.rollout.wave import PREVIEW_ONLY, Wave
from tests.memory.wave import a_wave

TYPE_TOKENS = {
    "mig_fleet.components.device_classes.DeviceClasses": "mig-fleet:index:DeviceClasses",
    "mig_fleet.components.fleet.component.Fleet": "mig-fleet:index:Fleet",
    "mig_fleet.components.gpu_operator.component.GpuOperator": "mig-fleet:index:GpuOperator",
    "mig_fleet.components.layouts.MigLayouts": "mig-fleet:index:MigLayouts",
    "mig_fleet.components.monitoring.component.Monitoring": "mig-fleet:index:Monitoring",
    "mig_fleet.components.node_labels.NodeLabels": "mig-fleet:index:NodeLabels",
    "mig_fleet.components.pool.Pool": "mig-fleet:index:Pool",
    "mig_fleet.components.probe.component.MigProbe": "mig-fleet:index:MigProbe",
}
"""Component → type token. Add each new component; its token never changes."""

OUTPUTS: dict[type, dict[str, object]] = {
    Assignment: {},
    ClusterOwner: {"owner": Output[str], "uid": Output[str]},
    DestroyGuard: {},
    LayoutFile: {"carried": Output[str | None]},
    SupportingObjects: {},
    Verification: {
        "reported": Output[dict[str, str]],
        "slices": Output[dict[str, str]],
        "remedies": Output[list[str]],
    },
}
"""An output with a new shape breaks the program of every stack whose state has the old one: give it a new name."""

# The names of the properties are contract: states have them, policies read them, and people read them in previews. The
# table in docs/architecture.md documents each of them. A new property needs a default, and a line there.
WAVE_DEFAULTS = {
    "onUserPods": "refuse",
    "isolation": "taint",
    "onFailure": "halt",
    "onStrandedPods": "refuse",
    "onDelete": "retain",
    "configName": "generated",
    "operatorManaged": True,
    "owner": "",
    "uid": "",
    "recovery": True,
    "soakSeconds": 0.0,
    "stuckAfterSeconds": 1800.0,
    "timeoutSeconds": 3600.0,
    "costPerHourUsd": None,
    "held": False,
    "blocked": False,
    "joining": [],
    "ownedElsewhere": [],
}
"""A property that an older state lacks has its default; another default would be a change of every such wave."""
WAVE_REQUIRED = {"cluster", "namespace", "reportsNamespace", "wave", "nodeNames", "expected"}
EXPECTED = {"config", "gpu", "gpus", "allocatable", "labels", "strategy"}
"""The properties in ``expected``."""
ADDED_BY_CHECK = {
    "drift",
    "unfinishedNodes",
    "prunedConfigs",
    "plannedChanges",
    "podsLosingSlices",
    "podsUnschedulable",
    "gpuResets",
    "capacityChanges",
    "impact",
    "notObserved",
}
READ_BY_CHECK = {"earlierNodes", "declaredNodes"}

ON_THE_WIRE = {
    "ALERT_RULES": "mig-fleet-rules",
    "ATTEMPT": "mig-fleet.dev/attempt",
    "CONTENT": "mig-fleet.dev/content",
    "CORDONED": "mig-fleet.dev/cordoned",
    "HEARTBEAT": "mig-fleet.dev/heartbeat",
    "LAYOUTS_CONFIG_MAP": "mig-fleet-layouts",
    "LAYOUTS_KEY": "config.yaml",
    "MODEL": "mig-fleet.dev/gpu",
    "MODEL_RULE": "mig-fleet-gpu-models",
    "OWNER": "mig-fleet.dev/owner",
    "OWN_REPORT_POLICY": "mig-probe-writes-its-own-report",
    "PREVIOUS_CONFIG": "mig-fleet.dev/previous-config",
    "PROBE": "mig-probe",
    "PROBE_PROGRAM": "mig-probe.pyz",
    "REPORT_KEY": "report.json",
    "REPORT_LABEL": "mig-fleet.dev/report",
    "REPORT_PREFIX": "mig-report-",
    "STARTUP_TAINT": "mig-fleet.dev/startup",
    "TAINT": "mig-fleet.dev/reconfiguring",
    "VERIFIED_CONFIG": "mig-fleet.dev/verified-config",
    "WAVE": "mig-fleet.dev/wave",
}
"""Names that we write into clusters; nodes keep them from one release to the next."""


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
        (ClusterOwnerProvider, "mig_fleet.components.owner"),
        (DestroyGuardProvider, "mig_fleet.components.destroy_guard"),
        (LayoutFileProvider, "mig_fleet.components.layout_file"),
        (SupportingObjectsProvider, "mig_fleet.components.supporting_objects"),
        (VerificationProvider, "mig_fleet.components.verification"),
    ],
    ids=["assignment", "cluster owner", "destroy guard", "layout file", "supporting objects", "verification"],
)
def test_a_dynamic_provider_is_stored_by_the_path_of_its_class(provider: type, path: str) -> None:
    assert (provider.__module__, provider.__qualname__) == (path, provider.__name__)
    stored = serialize_provider(provider())
    assert isinstance(stored, str), "a secret would be unreadable in every diff"
    assert len(stored) < 200, "stored by value, every edit of the provider's code would change every wave"


@pytest.mark.parametrize(
    "provider",
    [
        AssignmentProvider,
        ClusterOwnerProvider,
        DestroyGuardProvider,
        LayoutFileProvider,
        SupportingObjectsProvider,
        VerificationProvider,
    ],
)
def test_a_dynamic_provider_has_no_attributes(provider: type) -> None:
    assert vars(provider()) == {}, "attributes would be pickled into the state"
    assert provider.serialize_as_secret_always is False  # type: ignore[attr-defined]


@pytest.mark.parametrize("resource", sorted(OUTPUTS, key=str), ids=lambda resource: resource.__name__)
def test_the_outputs_of_a_dynamic_resource_keep_their_shape(resource: type) -> None:
    # Types and not their texts: `str | None` is printed as `Optional[str]` if that was made first.
    assert inspect.get_annotations(resource) == OUTPUTS[resource]


def test_the_properties_of_a_wave_keep_their_names_and_defaults() -> None:
    longest = a_wave("n1", joining=("n2",), owned_elsewhere=("n3",))
    assert longest.keys() == WAVE_REQUIRED | WAVE_DEFAULTS.keys()
    assert longest["expected"].keys() == EXPECTED
    required = {key: longest[key] for key in WAVE_REQUIRED}
    assert Wave.from_properties(required) == Wave.from_properties({**required, **WAVE_DEFAULTS})


def test_the_properties_of_a_preview_keep_their_names() -> None:
    assert set(PREVIEW_ONLY) == ADDED_BY_CHECK
    assert set(CHECK_ONLY) == READ_BY_CHECK


def test_names_in_clusters_do_not_change() -> None:
    assert (client.FIELD_MANAGER, propagation.SYNC_ANNOTATION) == ("mig-fleet", "mig-fleet.dev/sync")
    names = {key: value for key, value in vars(labels).items() if key.isupper() and isinstance(value, str)}
    assert {key: value for key, value in names.items() if "nvidia" not in value} == ON_THE_WIRE | {
        "ALL_DISABLED": "all-disabled",
        "NODE_FEATURE_API": "nfd.k8s-sigs.io/v1alpha1",
        "NODE_FEATURE_RULE": "NodeFeatureRule",
        "PAUSED": "paused-for-mig-change",
        "OPERATOR_OWNED_CONFIG_MAP": "default-mig-parted-config",
    }, "with a renamed annotation every node would count as replaced: read the old name too, then change this list"
