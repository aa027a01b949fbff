"""A running fleet is adopted by the steps of docs/how-to/adopt.md: no GPU changes, no node is tainted, no pod
restarts, and no object changes its owner.

The fleet was set up by another program: the operator as its Helm release, NVIDIA's stock configs, users' pods on every
kind of slice.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mig_fleet.model import labels
from mig_fleet.simulator import Fleet
from mig_fleet.simulator.faulty_api import FaultyApi
from mig_fleet.simulator.polling import wait_until
from tests.cli.test_adopt_page import BLOCKS
from tests.engine.deployment import ROOT, TIMEOUT_S, Deployment, Outcome, copy_project
from tests.engine.foreign_operator import NAMESPACE, STOCK, ForeignOperator

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

PODS = {
    "gpu-node-1": [{"nvidia.com/mig-1g.10gb": 1}] * 3,
    "gpu-node-2": [{"nvidia.com/mig-1g.10gb": 1}, {"nvidia.com/mig-3g.40gb": 1}],
    "gpu-node-3": [{"nvidia.com/gpu": 2}],
    "gpu-node-4": [{"nvidia.com/mig-3g.40gb": 2}],
}
"""Node → what each of the users' pods there requests."""


SINGLE = {
    "gpu-node-1": ("56", "56"),
    "gpu-node-2": ("56", "56"),
    "gpu-node-3": ("8", "8"),
    "gpu-node-4": ("8", "8"),
}
"""Node → what its kubelet offers, and GPU Feature Discovery counts, under strategy single."""


@pytest.fixture(scope="module")
def others(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignOperator]:
    """The fleet as it was before mig-fleet."""
    fleet = Fleet(tmp_path_factory.mktemp("adopted-fleet"))
    fleet.up(binaries, attached=True)
    operator = ForeignOperator.create(tmp_path_factory.mktemp("others"), fleet)
    operator.install()
    operator.apply_stock_configs()
    for node, requests in PODS.items():
        for number, request in enumerate(requests):
            fleet.run_pod(node, request, name=f"{node}-{number}", owner="Deployment")
    yield operator
    fleet.down()


@pytest.fixture(scope="module")
def api(others: ForeignOperator) -> Iterator[FaultyApi]:
    """What mig-fleet uses instead of the API server; it records each request."""
    with others.fleet.faulty_api() as proxy:
        yield proxy


@pytest.fixture(scope="module")
def adopted(others: ForeignOperator, api: FaultyApi, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A project with the stack file that the import wrote, by the commands of the page; not yet deployed."""
    deployment = copy_project(tmp_path_factory.mktemp("adopted"), others.fleet, "adopted")
    deployment.environment |= {
        "KUBECONFIG": str(api.kubeconfig),
        "PATH": f"{ROOT / '.venv' / 'bin'}:{deployment.pulumi.parent}:/usr/bin:/bin",
        "PULUMI_SKIP_CONFIRMATIONS": "true",
    }
    for step in ("import", "check"):
        run_step(deployment, step)
    stack_file = yaml.safe_load((deployment.folder / "stacks" / "Pulumi.adopted.yaml").read_text())
    deployment.config = {key.removeprefix("mig-fleet:"): value for key, value in stack_file["config"].items()}
    return deployment


def run_step(adopted: Deployment, step: str) -> Outcome:
    """Run the commands of one step of docs/how-to/adopt.md in the project's folder."""
    done = subprocess.run(
        ["bash", "-ec", BLOCKS[step]],
        cwd=adopted.folder,
        env=adopted.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return Outcome(done.returncode, done.stdout)


def running_pods(fleet: Fleet, *namespaces: str) -> dict[str, tuple[str, str, int]]:
    """Every pod of some namespaces: UID, start time, restarts."""
    return {
        f"{pod['metadata']['namespace']}/{pod['metadata']['name']}": (
            pod["metadata"]["uid"],
            pod["status"]["startTime"],
            sum(each["restartCount"] for each in pod["status"].get("containerStatuses", [])),
        )
        for pod in fleet.call("get", "/api/v1/pods")["items"]
        if pod["metadata"]["namespace"] in namespaces
    }


def instances(fleet: Fleet) -> dict[str, list[list[object]]]:
    """Node → the GPU instances of each GPU, with their numbers and places."""
    return {
        node: [[(it.id, it.profile, it.start) for it in gpu.instances] for gpu in fleet.driver(node).gpus]
        for node in fleet.node_names()
    }


def objects_of_others(fleet: Fleet) -> dict[str, tuple[str, str]]:
    """The operator's objects: UID and resource version of all that no controller keeps writing to."""
    paths = (
        f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets",
        f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments",
        f"/api/v1/namespaces/{NAMESPACE}/configmaps",
        f"/api/v1/namespaces/{NAMESPACE}/secrets",
        "/apis/nvidia.com/v1/clusterpolicies",
    )
    return {
        f"{path}/{item['metadata']['name']}": (
            item["metadata"]["uid"],
            str(item["metadata"].get("generation", item["metadata"]["resourceVersion"])),
        )
        for path in paths
        for item in fleet.call("get", path)["items"]
        if not item["metadata"]["name"].startswith("mig-fleet")
    }


def offered_as_gpus(fleet: Fleet) -> dict[str, tuple[str, str]]:
    """Node → the GPUs that the kubelet offers, and GFD's count under strategy single."""
    found = [(node["metadata"], node["status"]["allocatable"]) for node in fleet.nodes()]
    return {
        it["name"]: (offered.get(labels.GPU_RESOURCE, ""), it["labels"].get(labels.COUNT, ""))
        for it, offered in found
        if (it["labels"].get(labels.STRATEGY), it["labels"].get(labels.STATE)) == ("single", "success")
    }


def our_namespace(fleet: Fleet) -> tuple[str, bool]:
    """Its UID, and whether it is being deleted."""
    metadata = fleet.call("get", "/api/v1/namespaces/mig-fleet")["metadata"]
    return metadata["uid"], "deletionTimestamp" in metadata


def everything(adopted: Deployment, fleet: Fleet) -> tuple[object, ...]:
    """What an adoption must not change."""
    pods = running_pods(fleet, "default", NAMESPACE)
    return pods, instances(fleet), objects_of_others(fleet), adopted.config_and_state()


def test_an_import_writes_a_stack_that_leaves_the_operator_to_its_owner(adopted: Deployment) -> None:
    operator = adopted.config["operator"]
    assert (operator["managed"], operator.get("namespace", NAMESPACE)) == (False, NAMESPACE)
    assert {node: pool["configName"] for pool in adopted.pools.values() for node in pool["nodes"]} == dict.fromkeys(
        STOCK, "keep"
    )


def test_an_adoption_touches_no_gpu_no_pod_no_taint_and_no_object_of_others(
    adopted: Deployment, others: ForeignOperator, api: FaultyApi
) -> None:
    fleet = others.fleet
    before = everything(adopted, fleet)
    preview = run_step(adopted, "preview")
    for node, config in STOCK.items():
        assert f"{node}: adopted with config '{config}'; no GPU is touched" in preview, preview.text
    for word in ("podsLosingSlices", "podsUnschedulable", "gpuResets", "capacityChanges"):
        assert word not in preview, preview.text
    run_step(adopted, "up")
    run_step(adopted, "again")
    assert everything(adopted, fleet) == before
    nodes = [call for call in api.calls("PATCH", "/api/v1/nodes/") if "spec" in call.body]
    assert nodes == [], "a node's taints or its cordon were written"
    assert api.calls("POST", "/eviction") == []
    assert {name: node["metadata"]["labels"][labels.CONFIG] for name, node in adopted.nodes().items()} == STOCK
    assert {*STOCK.values()} <= adopted.known_configs(), "alerts compare a node with the config that it keeps"


def test_a_preview_at_another_address_of_the_same_cluster_replaces_no_object(
    adopted: Deployment, others: ForeignOperator
) -> None:
    """Objects of one name would be created again and then deleted."""
    adopted.environment["KUBECONFIG"] = str(others.fleet.kubeconfig)
    preview = adopted.preview("--diff")
    assert (preview.status, "replace" in preview) == (0, False), preview.text


def test_the_first_change_waits_until_mig_manager_reads_our_file_and_then_affects_one_gpu(
    adopted: Deployment, others: ForeignOperator
) -> None:
    """At another address than the update before, which replaces nothing."""
    adopted.environment["KUBECONFIG"] = str(others.fleet.kubeconfig)
    fleet, before, namespace = others.fleet, running_pods(others.fleet, "default"), our_namespace(others.fleet)
    (pool,) = [pool for pool in adopted.pools.values() if "gpu-node-1" in pool["nodes"]]
    dense = {"devices": [0, 1, 2, 3, 4, 5, 6], "profiles": {"1g.10gb": 7}}
    adopted.layouts["two-large"] = {
        "gpu": "H100-80GB",
        "gpus": [dense, {"devices": [7], "profiles": {"3g.40gb": 2}}],
    }
    pool["layout"] = "two-large"
    refused = adopted.preview()
    assert refused.status != 0
    for text in ("reads ConfigMap default-mig-parted-config", "--set migManager.config.name=mig-fleet-layouts"):
        assert text in refused.diagnostics, refused.text
    others.install({"migManager": {"config": {"create": False, "name": labels.LAYOUTS_CONFIG_MAP}}})
    others.wait_until_all_succeed()
    assert instances(fleet)["gpu-node-2"] != [[]] * 8, "MIG Manager restarted with our file and kept every slice"
    preview = adopted.wait_for_preview("plannedChanges", "--diff")
    assert "gpu-node-1: GPU 7: 7x 1g.10gb → 2x 3g.40gb; GPU 0-6 keep their slices" in preview, preview.text
    up = adopted.up()
    assert up.status == 0, up.text
    assert adopted.reported_slices("gpu-node-1") == {"0-6": "7x 1g.10gb", "7": "2x 3g.40gb"}
    assert (running_pods(fleet, "default"), our_namespace(fleet)) == (before, namespace)
    run_step(adopted, "again")
    carried = {name: config for name, (config, _) in adopted.config_and_state().items()}
    assert carried == {**STOCK, "gpu-node-1": adopted.outputs()["configs"]["all-1g.10gb"]}


def test_a_destroyed_stack_leaves_the_fleet_as_it_was_adopted(adopted: Deployment, others: ForeignOperator) -> None:
    fleet = others.fleet
    before = running_pods(fleet, "default"), instances(fleet), objects_of_others(fleet)
    left = run_step(adopted, "leave")
    assert "ConfigMap gpu-operator/mig-fleet-layouts was not deleted, because MIG Manager reads it" in left, left.text
    assert adopted.cluster.config_map(NAMESPACE, labels.LAYOUTS_CONFIG_MAP) is not None
    assert (running_pods(fleet, "default"), instances(fleet), objects_of_others(fleet)) == before
    ours = [
        f"{name}: {key}"
        for name, node in adopted.nodes().items()
        for key in (*node["metadata"]["annotations"], *node["metadata"]["labels"])
        if key.startswith("mig-fleet.dev/")
    ]
    assert ours == []


def test_a_fleet_under_strategy_single_is_adopted_with_it(adopted: Deployment, others: ForeignOperator) -> None:
    """After the stack above has left it, the other program runs it under NVIDIA's default strategy. No node may have
    slices of two profiles by then: its device plugin would end, and Helm would wait for it.
    """
    fleet = others.fleet
    fleet.user_pods.clear()
    left = adopted.cluster.config_map(NAMESPACE, labels.LAYOUTS_CONFIG_MAP) or {}
    configs = yaml.safe_load(left["data"][labels.LAYOUTS_KEY])["mig-configs"]
    dense = next(name for name in configs if name.startswith("all-1g.10gb"))
    changed = ("gpu-node-1", "gpu-node-2")
    for node in changed:
        fleet.call("patch", f"/api/v1/nodes/{node}", {"metadata": {"labels": {labels.CONFIG: dense}}})
    wait_until(lambda: {len(gpu) for node in changed for gpu in instances(fleet)[node]} == {7}, "seven slices each")
    reads_ours = {"config": {"create": False, "name": labels.LAYOUTS_CONFIG_MAP}}
    others.install({"mig": {"strategy": "single"}, "migManager": reads_ours})
    wait_until(lambda: offered_as_gpus(fleet) == SINGLE, "each node offers its slices as GPUs, and GFD counts them")
    for step in ("import", "check"):
        run_step(adopted, step)
    stack_file = yaml.safe_load((adopted.folder / "stacks" / "Pulumi.adopted.yaml").read_text())
    adopted.config = {key.removeprefix("mig-fleet:"): value for key, value in stack_file["config"].items()}
    assert adopted.config["operator"] == {"managed": False, "namespace": NAMESPACE, "strategy": "single"}
    run_step(adopted, "up")
    run_step(adopted, "again")
    assert (adopted.outputs()["capacity"], offered_as_gpus(fleet)) == ({"nvidia.com/gpu": 128}, SINGLE)
    adopted.config["operator"]["strategy"] = "mixed"
    refused = adopted.preview()
    assert refused.status != 0
    assert "under strategy single, the stack has mixed, and this stack does not install the operator" in refused.text
