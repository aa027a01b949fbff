"""A change disturbs only what it must, on the real engine: users' pods on other GPUs keep running through a rollout."""

from collections.abc import Iterator
from typing import Any

import pytest

from mig_fleet.observed.gpus.pod_gpus import NO_ALLOCATIONS, PodGpus, gpus_of
from mig_fleet.observed.gpus.pods import gpu_pods
from mig_fleet.observed.snapshot import observe
from mig_fleet.simulator.polling import wait_until
from tests.engine.deployment import Deployment, baseline, deploy
from tests.engine.observed_cluster import REPORTS

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

NODE, SLICE = "gpu-node-1", "nvidia.com/mig-1g.10gb"
DENSE = {"gpu": "H100-80GB", "all": {"1g.10gb": 7}}
OTHERS = [0, 1, 2, 4, 5, 6, 7]
ONE_GPU_DIFFERS = {
    "gpu": "H100-80GB",
    "gpus": [
        {"devices": OTHERS, "profiles": {"1g.10gb": 7}},
        {"devices": [3], "profiles": {"3g.40gb": 1, "1g.10gb": 4}},
    ],
}


@pytest.fixture(scope="module")
def pods(project: Deployment) -> Iterator[dict[str, int]]:
    """A node with 8 GPUs of seven slices, and a pod on each of the first four: its name → its GPU."""
    config = baseline(project.fleet)
    config["layouts"] |= {"renamed": DENSE, "one-gpu-differs": ONE_GPU_DIFFERS}
    deploy(project, config)
    fleet = project.fleet
    try:
        for number in range(3):
            fleet.run_pod(NODE, {SLICE: 7}, name=f"training-{number}")
        web = fleet.run_pod(NODE, {SLICE: 1}, name="web", owner="Deployment")
        found = reported(project)
        assert found == {"training-0": 0, "training-1": 1, "training-2": 2, web: 3}
        yield found
    finally:
        fleet.user_pods.clear()


def reported(deployment: Deployment) -> dict[str, int]:
    """The pods of the node and their GPUs, once the probe has reported all of them after they were created."""
    found: dict[str, int] = {}

    def is_complete() -> bool:
        gpus = gpus_of_pods(deployment)
        if any(each.unknown for each in gpus.values()):
            return False
        found.update({name: next(iter(each.indexes)) for name, each in gpus.items()})
        return True

    wait_until(is_complete, "the probe reports the GPU of every pod")
    return found


def gpus_of_pods(deployment: Deployment) -> dict[str, PodGpus]:
    """The pods of the node and what is known of their GPUs now."""
    node = observe({"kubeconfig": str(deployment.fleet.kubeconfig)}, REPORTS, fresh=True).nodes[NODE]
    there = [pod for pod in gpu_pods(deployment.cluster.pods(), "gpu-operator") if pod.node == NODE]
    return {pod.name: gpus_of(pod, node) for pod in there}


def starts(deployment: Deployment) -> dict[str, tuple[Any, ...]]:
    """Pod → what would differ if it had been restarted or created again."""
    return {
        pod["metadata"]["name"]: (
            pod["metadata"]["uid"],
            pod["status"].get("startTime"),
            [it.get("restartCount") for it in pod["status"].get("containerStatuses") or []],
        )
        for pod in deployment.cluster.pods_on(NODE)
        if pod["metadata"]["namespace"] == "default"
    }


def declare(deployment: Deployment, layout: str, **rollout: Any) -> None:
    deployment.pools["inference"] |= {"layout": layout, "rollout": {"timeout": "5m", **rollout}}


def test_the_same_slices_under_another_name_disturb_no_pod_and_isolate_no_node(
    project: Deployment, pods: dict[str, int]
) -> None:
    before = starts(project)
    declare(project, "renamed")
    seen = project.preview("--diff")
    assert seen.status == 0, seen.text
    assert "renamed; no GPU is touched" in seen, seen.text
    for absent in ("podsLosingSlices", "capacityChanges", "gpuResets", "podsUnschedulable"):
        assert absent not in seen, seen.text
    done = project.up()
    assert done.status == 0, done.text
    assert "isolated" not in done and "evicted" not in done, done.text
    assert str(project.config_and_state()[NODE][0]).startswith("renamed-")
    assert starts(project) == before
    assert project.preview("--expect-no-changes").status == 0


def test_pods_on_other_gpus_keep_running_through_a_change_of_one_gpu_of_eight(
    project: Deployment, pods: dict[str, int]
) -> None:
    before = starts(project)
    web = next(name for name, gpu in pods.items() if gpu == 3)
    declare(project, "one-gpu-differs")
    seen = project.preview("--diff")
    assert "GPU 3: 7x 1g.10gb → 3g.40gb + 4x 1g.10gb; GPU 0-2, 4-7 keep their slices" in seen, seen.text
    assert f"default/{web} (Deployment web) holds 1x mig-1g.10gb on GPU 3" in seen, seen.text
    assert "default/training-" not in seen, seen.text
    refused = project.up()
    assert refused.status != 0
    assert f"node '{NODE}' is in use: default/{web} (Deployment web) holds 1x mig-1g.10gb on GPU 3; move" in refused
    declare(project, "one-gpu-differs", onUserPods="evict")
    done = project.up()
    assert done.status == 0, done.text
    after = starts(project)
    assert web not in after
    assert {name: after.get(name) for name in before if name != web} == {
        name: start for name, start in before.items() if name != web
    }
    assert project.reported_slices(NODE)["3"] == "3g.40gb + 4x 1g.10gb"


def test_without_allocations_every_pod_of_the_node_counts_and_the_text_says_why(
    project: Deployment, pods: dict[str, int]
) -> None:
    project.config["probe"]["podResources"] = False
    changed = project.up()
    assert changed.status == 0, changed.text
    wait_until(
        lambda: all(it.unknown.startswith(NO_ALLOCATIONS) for it in gpus_of_pods(project).values()), "no reports"
    )
    declare(project, "renamed" if project.pools["inference"]["layout"] == "one-gpu-differs" else "one-gpu-differs")
    seen = project.preview("--diff")
    assert f"({NO_ALLOCATIONS}" in seen and "training-0" in seen, seen.text
    refused = project.up()
    assert refused.status != 0
    assert NO_ALLOCATIONS in refused, refused.text
