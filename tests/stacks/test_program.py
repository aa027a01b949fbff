"""What the program registers for the local stack, by type and name; the engine is replaced by a recorder."""

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from mig_fleet.cluster.client import FIELD_MANAGER, Cluster
from mig_fleet.cluster.objects import APPLY_PATCH
from mig_fleet.components.probe import zipapp
from mig_fleet.components.supporting_objects import APPLY_ANNOTATIONS
from mig_fleet.model import labels
from mig_fleet.observed.rights.grant import Right
from mig_fleet.observed.rights.needed import needed_grants
from mig_fleet.observed.supporting_objects import is_content_declared, object_differences, parse_manifests, path_of
from mig_fleet.simulator import Fleet
from mig_fleet.stack_file import fleet
from mig_fleet.stack_file.uses import uses
from mig_fleet.stacks import program


class RecordingEngine(pulumi.runtime.Mocks):
    """Records registrations; returns inputs as outputs."""

    def __init__(self) -> None:
        self.created: dict[str, tuple[str, dict[str, Any]]] = {}
        self.outputs: dict[str, Any] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[Any, Any]]:
        self.created[args.name] = (args.typ, args.inputs)
        return f"{args.name}-id", dict(args.inputs)

    def call(self, _args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        return {}, None


@pytest.fixture(scope="module")
def engine() -> Iterator[RecordingEngine]:
    """The recorder after the whole program ran: before that, a missing resource proves nothing."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)  # the mocks need one; other tests may have closed theirs
    recording = RecordingEngine()
    pulumi.runtime.set_mocks(recording, preview=False)
    declared = fleet.from_file(Path("stacks/Pulumi.local.yaml"))
    pulumi.runtime.test(lambda: recording.outputs.update(program.deploy(declared)))()  # type: ignore[no-untyped-call]  # not annotated in the SDK
    yield recording
    asyncio.set_event_loop(None)
    loop.close()


def test_names_and_types_are_contract(engine: RecordingEngine) -> None:
    assert {name: typ for name, (typ, _) in engine.created.items()} == {
        "cluster": "pulumi:providers:kubernetes",
        "operator-namespace": "kubernetes:core/v1:Namespace",
        "layouts": "mig-fleet:index:MigLayouts",
        "layouts-file": "pulumi-python:dynamic/mig:LayoutFile",
        "monitoring": "mig-fleet:index:Monitoring",
        "monitoring-metrics": "kubernetes:core/v1:ConfigMap",
        "monitoring-dashboard-fleet": "kubernetes:core/v1:ConfigMap",
        "monitoring-dashboard-node": "kubernetes:core/v1:ConfigMap",
        "monitoring-dashboard-pool": "kubernetes:core/v1:ConfigMap",
        "monitoring-rules": "kubernetes:core/v1:ConfigMap",
        "gpu-operator": "mig-fleet:index:GpuOperator",
        "gpu-operator-release": "kubernetes:helm.sh/v3:Release",
        "probe": "mig-fleet:index:MigProbe",
        "probe-namespace": "kubernetes:core/v1:Namespace",
        "probe-program": "kubernetes:core/v1:ConfigMap",
        "probe-account": "kubernetes:core/v1:ServiceAccount",
        "probe-reports-role": "kubernetes:rbac.authorization.k8s.io/v1:Role",
        "probe-reports-binding": "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding",
        "probe-nodes-role": "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole",
        "probe-nodes-binding": "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding",
        "probe-own-report": "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy",
        "probe-own-report-binding": "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding",
        "probe-daemons": "kubernetes:apps/v1:DaemonSet",
        "supporting-objects": "pulumi-python:dynamic/mig:SupportingObjects",
        "cluster-owner": "pulumi-python:dynamic/mig:ClusterOwner",
        "destroy-guard": "pulumi-python:dynamic/mig:DestroyGuard",
        **{
            f"{pool}{suffix}": typ
            for pool in ("inference", "mixed", "whole", "training")
            for suffix, typ in (
                ("", "mig-fleet:index:Pool"),
                ("-wave-0-assigned", "pulumi-python:dynamic/mig:Assignment"),
                ("-wave-0-verified", "pulumi-python:dynamic/mig:Verification"),
            )
        },
    }, "a renamed resource is destroyed and created again in every stack: add an alias, then change this list"


def test_the_names_of_the_stack_outputs_are_contract(engine: RecordingEngine) -> None:
    assert engine.outputs.keys() == {"strategy", "configs", "capacity", "cost", "slices"}


def test_mig_manager_reads_the_layout_file_that_we_write(engine: RecordingEngine) -> None:
    values = engine.created["gpu-operator-release"][1]["values"]
    assert values["migManager"]["config"]["name"] == labels.LAYOUTS_CONFIG_MAP


def test_every_config_that_is_assigned_is_in_the_layout_file(engine: RecordingEngine) -> None:
    text = engine.created["layouts-file"][1]["file"]
    configs = {
        inputs["expected"]["config"] for typ, inputs in engine.created.values() if typ.endswith("mig:Assignment")
    }
    assert len(configs) == 4
    assert configs <= yaml.safe_load(text)["mig-configs"].keys()


def test_the_probe_has_a_read_only_root_one_capability_and_seccomp(engine: RecordingEngine) -> None:
    (container,) = engine.created["probe-daemons"][1]["spec"]["template"]["spec"]["containers"]
    assert container["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def test_the_probe_sees_every_mig_device_of_every_gpu_node_whatever_taints_it_has(engine: RecordingEngine) -> None:
    pod = engine.created["probe-daemons"][1]["spec"]["template"]["spec"]
    assert pod["runtimeClassName"] == "nvidia"
    assert pod["nodeSelector"] == {"nvidia.com/mig.capable": "true"}
    assert pod["tolerations"] == [{"operator": "Exists"}]
    (container,) = pod["containers"]
    assert {each["name"]: each["value"] for each in container["env"] if "value" in each} == {
        "NVIDIA_VISIBLE_DEVICES": "all",
        "NVIDIA_DRIVER_CAPABILITIES": "utility",
        "NVIDIA_MIG_MONITOR_DEVICES": "all",
    }
    assert all(mount["readOnly"] for mount in container["volumeMounts"])


def test_the_probe_sees_one_folder_of_the_node_and_asks_the_kubelet_there(engine: RecordingEngine) -> None:
    pod = engine.created["probe-daemons"][1]["spec"]["template"]["spec"]
    (host_path,) = (volume["hostPath"] for volume in pod["volumes"] if "hostPath" in volume)
    assert host_path == {"path": "/var/lib/kubelet/pod-resources", "type": "DirectoryOrCreate"}
    assert pod["containers"][0]["command"][-2:] == ["--pod-resources", host_path["path"]]


def test_the_probe_may_read_nodes_and_write_config_maps_of_one_namespace_and_nothing_else(
    engine: RecordingEngine,
) -> None:
    rules = {
        name: inputs["rules"] for name, (typ, inputs) in engine.created.items() if typ.endswith(("Role", "ClusterRole"))
    }
    assert rules == {
        "probe-nodes-role": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "watch"]}],
        "probe-reports-role": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "patch"]}],
    }


def test_every_object_that_is_installed_is_watched_except_the_content_of_the_program(engine: RecordingEngine) -> None:
    watched = [json.loads(text) for text in engine.created["supporting-objects"][1]["objects"]]
    installed = [
        inputs for typ, inputs in engine.created.values() if typ.startswith("kubernetes:") and "Release" not in typ
    ]
    names = [(it["kind"], it["metadata"]["name"]) for it in watched]
    assert sorted(names) == sorted((it["kind"], it["metadata"]["name"]) for it in installed)
    assert len(watched) == 16
    assert [it["metadata"]["name"] for it in watched if it["kind"] == "ConfigMap" and "data" not in it] == [
        engine.created["probe-program"][1]["metadata"]["name"]
    ]
    assert not any("binaryData" in it for it in watched)
    assert all(it["metadata"]["annotations"].items() >= APPLY_ANNOTATIONS.items() for it in [*watched, *installed])


def granted() -> set[Right]:
    """The rights that are listed for this stack."""
    declared = fleet.from_file(Path("stacks/Pulumi.local.yaml"))
    grants = needed_grants("gpu-operator", "mig-fleet", uses(declared))
    return {right for grant in grants for right in grant.rights()}


def test_the_rights_of_a_user_cover_every_object_that_is_installed(engine: RecordingEngine) -> None:
    listed = granted()
    for typ, inputs in engine.created.values():
        if not typ.startswith("kubernetes:") or "Release" in typ:
            continue
        metadata, (group, _, _) = inputs["metadata"], inputs["apiVersion"].rpartition("/")
        plural = path_of(inputs).split("/")[-2] + (f".{group}" if group else "")
        for verb in ("get", "list", "watch", "create", "patch", "update", "delete"):
            names = ("",) if verb in ("list", "watch", "create") else (metadata["name"], "")
            found = [Right(verb, plural, metadata.get("namespace", ""), name) for name in names]
            assert listed & {*found}, f"mig_fleet/observed/rights/needed.py lacks: {found[0]}"


def test_a_user_has_each_right_that_the_stack_gives_to_the_probe(engine: RecordingEngine) -> None:
    """The API server refuses to create a role with a right that its author lacks, such as one that has no name."""
    for typ, inputs in engine.created.values():
        if typ.endswith(("Role", "ClusterRole")):
            namespace = inputs["metadata"].get("namespace", "")
            for rule in inputs["rules"]:
                needed = {Right(verb, each, namespace) for verb in rule["verbs"] for each in rule["resources"]}
                assert needed <= granted()


def test_the_cluster_owner_checks_the_rights_for_what_the_stack_does(engine: RecordingEngine) -> None:
    assert engine.created["cluster-owner"][1]["uses"] == ["operator.managed: true", "recovery: true"]


def test_the_fields_of_the_cluster_policy_that_our_chart_values_determine_are_watched(engine: RecordingEngine) -> None:
    policy, _ = (json.loads(text) for text in engine.created["supporting-objects"][1]["chartObjects"])
    values = engine.created["gpu-operator-release"][1]["values"]
    assert policy["spec"] == {
        "mig": values["mig"],
        "migManager": {"config": {"name": labels.LAYOUTS_CONFIG_MAP, "default": labels.ALL_DISABLED}},
        "dcgmExporter": {
            "config": {"name": values["dcgmExporter"]["config"]["name"]},
            "serviceMonitor": {"honorLabels": False},
        },
    }


def test_a_missing_operator_is_noticed(engine: RecordingEngine) -> None:
    _, deployment = (json.loads(text) for text in engine.created["supporting-objects"][1]["chartObjects"])
    assert (deployment["kind"], deployment["metadata"]["namespace"]) == ("Deployment", "gpu-operator")


@pytest.mark.engine
def test_no_object_differs_from_its_manifest_after_the_api_server_added_its_defaults(
    engine: RecordingEngine, fleet: Fleet
) -> None:
    """A dry run answers with the object as it would be stored, and needs a namespace that exists."""
    cluster = Cluster({"kubeconfig": str(fleet.kubeconfig)})
    program = base64.b64encode(zipapp.build()).decode()
    manifests = parse_manifests(engine.created["supporting-objects"][1]["objects"])
    assert {"DaemonSet", "Namespace", "ConfigMap", "ServiceAccount"} <= {each["kind"] for each in manifests}
    for manifest in manifests:
        if "namespace" in manifest["metadata"]:
            manifest["metadata"]["namespace"] = "default"
        data = {} if is_content_declared(manifest) else {"binaryData": {labels.PROBE_PROGRAM: program}}
        query = {"fieldManager": FIELD_MANAGER, "force": "true", "dryRun": "All"}
        found = cluster.call("PATCH", path_of(manifest), query, manifest | data, APPLY_PATCH)
        assert object_differences(manifest, found) == [], found


def test_no_credential_is_an_input_of_anything(engine: RecordingEngine) -> None:
    assert "client-key" not in str(engine.created) and "BEGIN" not in str(engine.created)
