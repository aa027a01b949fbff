"""A change of a running fleet on the real engine: wave after wave, with users on the nodes and bad days among them."""

from typing import Any

import pytest

from mig import labels
from simulator import Fault
from tests.engine.deployment import Deployment

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

SEVEN, THREE = {"1g.10gb": 7}, {"2g.20gb": 3}
CANARY, SECOND, THIRD = "gpu-node-1", "gpu-node-2", "gpu-node-3"


@pytest.fixture
def one_by_one(deployed: Deployment) -> Deployment:
    """Three nodes in one pool, changed one at a time; all cut in seven."""
    for name in ("mixed", "whole"):
        del deployed.pools[name]
    deployed.pools["inference"] |= {"nodes": [CANARY, SECOND, THIRD], "rollout": rollout()}
    outcome = deployed.up()
    assert outcome.status == 0, outcome.text
    return deployed


def rollout(**changes: Any) -> dict[str, Any]:
    return {"canary": 1, "maxUnavailable": 1, "timeout": "60s", **changes}


def cut_anew(deployment: Deployment, **changes: Any) -> None:
    deployment.layouts["inference-dense"] = {"gpu": "H100-80GB", "all": THREE}
    deployment.pools["inference"]["rollout"] = rollout(**changes)


def closed(deployment: Deployment) -> list[str]:
    """The nodes that carry our taint."""
    return sorted(
        name
        for name, node in deployment.nodes().items()
        if any(taint["key"] == labels.TAINT for taint in node["spec"].get("taints") or [])
    )


def test_a_canary_that_fails_stops_its_pool_and_not_the_others(one_by_one: Deployment) -> None:
    before = one_by_one.carried()
    cut_anew(one_by_one)
    one_by_one.layouts["training-and-inference"]["gpus"][0]["profiles"] = {"7g.80gb": 1}
    one_by_one.fleet.inject(CANARY, Fault.MANAGER_FAILS)
    failed = one_by_one.run("up", "--yes", "--skip-preview", "--continue-on-error")
    assert failed.status != 0
    after = one_by_one.carried()
    assert {name: after[name] for name in (SECOND, THIRD)} == {name: before[name] for name in (SECOND, THIRD)}
    assert one_by_one.realized_on("gpu-node-4") == {"0-1": "7g.80gb", "2-3": "7x 1g.10gb"}
    assert closed(one_by_one) == [CANARY]
    assert f"kubectl taint nodes {CANARY} {labels.TAINT}-" in failed.diagnostics, failed.text
    assert "Traceback" not in failed, failed.text
    one_by_one.fleet.heal(CANARY)
    healed = one_by_one.up()
    assert healed.status == 0, healed.text
    assert closed(one_by_one) == []
    assert {one_by_one.realized_on(name)["0-7"] for name in (CANARY, SECOND, THIRD)} == {"3x 2g.20gb"}
