"""NVIDIA's MIG Manager and the simulator's, with the same fleet and story: the labels that each sets, in order."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from mig_fleet.model import labels
from tests.conformance.followed import Followed, Step, following
from tests.conformance.records import MIG_MANAGER, count_case
from tests.conformance.situations import describe
from tests.own_fleet import own_fleet_in
from tests.simulator.site import Site, template

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(1800), pytest.mark.xdist_group("MIG Manager")]

NODE: Final = "hopper-1"
FLEET: Final = f"""
nodes:
  - {{name: {NODE}, gpu: H100-80GB, gpus: 2}}
timing: {{configMapPropagation: 0.2, gfdInterval: 0.3, restartBackoff: 0.3}}
"""
PLUGIN: Final = f"{labels.DEPLOY_PREFIX}device-plugin"


def assign(config: str) -> Callable[[Site], None]:
    return lambda site: site.assign(NODE, config)


def restart(site: Site) -> None:
    """A new process finds the config applied, an operand paused and no state."""
    site.patch_labels(NODE, {labels.STATE: None, PLUGIN: labels.PAUSED})
    site.delete_pods(NODE, "nvidia-mig-manager")


def restart_after_a_loss(site: Site) -> None:
    """A new process finds a slice missing."""
    site.fleet.destroy_slice(NODE, gpu=1, start=4)
    site.patch_labels(NODE, {labels.STATE: None})
    site.delete_pods(NODE, "nvidia-mig-manager")


def use_a_slice(site: Site) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", **template("training")}
    pod["metadata"]["name"] = "training"
    pod["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/mig-1g.10gb": 1}}
    site.eventually(lambda: site.offered(NODE) == {"nvidia.com/mig-1g.10gb": 14}, "slices are offered")
    site.create("/api/v1/namespaces/default/pods", pod)
    site.eventually(lambda: site.phases("training") == ["Running"], "the pod runs")
    site.assign(NODE, "halves")


def end_the_use(site: Site) -> None:
    site.fleet.call("delete", "/api/v1/namespaces/default/pods/training")
    site.eventually(lambda: not site.pods("training", namespace="default"), "the pod is deleted")
    site.assign(NODE, "dense")


STORY: Final[dict[str, tuple[Callable[[Site], None], str]]] = {
    "a first layout, which switches MIG on": (assign("dense"), "success"),
    "another layout": (assign("halves"), "success"),
    "a name that the file does not have": (assign("unknown"), "failed"),
    "the old layout again, which is still applied": (assign("halves"), "success"),
    "a layout that no GPU can take, after a success": (assign("impossible"), "failed"),
    "a layout that it can take": (assign("dense"), "success"),
    "a new process that has nothing to change": (restart, "success"),
    "a slice in use, before a success of this process": (use_a_slice, "failed"),
    "the layout that is in part still there": (end_the_use, "success"),
    "MIG off": (assign("all-disabled"), "success"),
    "MIG on again": (assign("halves"), "success"),
    "a new process after the loss of a slice": (restart_after_a_loss, "success"),
}
"""What happens → the action, and the state in which it ends."""


@dataclass(frozen=True)
class Chapter:
    """The steps of the labels during one part of the story, the GPUs at its end, and how long it took."""

    steps: list[Step]
    gpus: list[str]
    seconds: float


def played(site: Site) -> dict[str, Chapter]:
    with following(site.fleet, NODE) as followed:
        return {name: chapter(site, followed, *part) for name, part in STORY.items()}


def chapter(site: Site, followed: Followed, action: Callable[[Site], None], state: str) -> Chapter:
    begin, start = len(followed.steps), time.monotonic()
    action(site)

    def has_ended() -> bool:
        new = followed.steps[begin:]
        return any("state=" in step for step in new) and f"state={state}" in new[-1]

    site.eventually(has_ended, f"the state is {state}")
    time.sleep(0.5)  # for labels that should not change any more
    seconds = time.monotonic() - start
    # The clients of the simulated driver are pods, and start in their own time.
    gpus = [line.partition(", in use")[0] for line in describe(site.fleet.driver(NODE))]
    return Chapter(followed.steps[begin:], gpus, seconds)


@pytest.fixture(scope="module")
def stories(
    namespaces: None, programs: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Chapter], dict[str, Chapter]]:
    """NVIDIA's story, then the simulator's."""
    found = []
    for genuine in (True, False):
        with own_fleet_in(tmp_path_factory.mktemp("fleet"), programs, FLEET, genuine=genuine) as fleet:
            site = Site(fleet)
            site.install()
            found.append(played(site))
    return found[0], found[1]


@pytest.mark.parametrize("name", STORY)
def test_the_simulators_mig_manager_sets_the_labels_of_nvidias_in_the_same_order(
    stories: tuple[dict[str, Chapter], dict[str, Chapter]], name: str
) -> None:
    genuine, simulated = (story[name] for story in stories)
    agrees = (genuine.steps, genuine.gpus) == (simulated.steps, simulated.gpus)
    count_case(MIG_MANAGER, agrees=agrees, seconds=genuine.seconds + simulated.seconds)
    assert simulated.steps == genuine.steps
    assert simulated.gpus == genuine.gpus
