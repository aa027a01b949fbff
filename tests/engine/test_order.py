"""What describes the fleet changes after the fleet: a refused wave leaves alert rules and dashboard as they were."""

import pytest

from tests.engine.deployment import Deployment

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

NODE, SLICE = "gpu-node-1", "nvidia.com/mig-1g.10gb"
BEFORE, AFTER = "!= 56", "!= 24"
"""What the alert of pool inference compares the slices of a node with."""


def described(deployment: Deployment) -> tuple[str, str]:
    """The rules and the dashboard in the cluster."""
    found = [deployment.cluster.config_map("gpu-operator", f"mig-fleet-{name}") for name in ("rules", "dashboard")]
    rules, dashboard = ("".join((each or {})["data"].values()) for each in found)
    return rules, dashboard


def test_rules_and_dashboard_change_after_the_waves_and_not_if_one_is_refused(deployed: Deployment) -> None:
    before = described(deployed)
    assert BEFORE in before[0]
    deployed.fleet.run_pod(NODE, {SLICE: 1}, name="web", owner="Deployment")
    try:
        deployed.layouts["inference-dense"] = {"gpu": "H100-80GB", "all": {"2g.20gb": 3}}
        for flags in ((), ("--continue-on-error",)):
            refused = deployed.run("up", "--yes", "--skip-preview", *flags)
            assert refused.status != 0 and "nothing was changed:" in refused, refused.text
            assert "Traceback" not in refused, refused.text
            assert described(deployed) == before, "the fleet is still the one that they describe"
            assert "deleted" not in refused, "what is not registered after a failure must not be deleted"
    finally:
        deployed.fleet.user_pods.clear()
    changed = deployed.up()
    assert changed.status == 0, changed.text
    rules, dashboard = described(deployed)
    assert AFTER in rules and BEFORE not in rules
    assert dashboard != before[1], "it shows how many slices the stack declares"
