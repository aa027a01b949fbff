"""Two layouts of the pool `inference`: a test changes the one that it finds to the other one, so that no test has to
return to the first one.
"""

from typing import Any

from tests.engine.deployment import Deployment

PROFILES = ("1g.10gb", 7), ("2g.20gb", 3)
NAME = "inference-dense"


def keep_layouts(project: Deployment, config: dict[str, Any], *nodes: str) -> None:
    """Keep the layouts of the project in another configuration, if all GPUs of these nodes have the pool's."""
    left = project.layouts.get(NAME, {}).get("all")
    gpus = [gpu for node in nodes for gpu in project.fleet.driver(node).gpus]
    if left in [dict([each]) for each in PROFILES] and all(gpu.counts() == left for gpu in gpus):
        config["layouts"] = project.layouts


def change_layout(deployment: Deployment, **rollout: Any) -> tuple[str, str]:
    """Declare the other layout and how it is rolled out; returns the slices of a GPU before and after."""
    layout = deployment.layouts[NAME]
    before, after = sorted(PROFILES, key=lambda profile: profile[0] not in layout["all"])
    layout["all"] = dict([after])
    deployment.pools["inference"]["rollout"] = rollout
    return f"{before[1]}x {before[0]}", f"{after[1]}x {after[0]}"
