"""The rules change before the nodes: they know the config of a node that waits, and the one that it will get."""

import pytest

from tests.engine.deployment import Deployment

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

NODE, SLICE = "gpu-node-1", "nvidia.com/mig-1g.10gb"


def config_of(deployment: Deployment) -> str:
    """The config that was verified last on the node."""
    annotations: dict[str, str] = deployment.nodes()[NODE]["metadata"]["annotations"]
    return annotations["mig-fleet.dev/verified-config"]


def test_the_rules_know_both_configs_until_the_update_after_the_last_node_changed(deployed: Deployment) -> None:
    before = config_of(deployed)
    # Another name: the stack declares the old config no more, and only nodes carry it.
    del deployed.layouts["inference-dense"]
    deployed.layouts["inference-wide"] = {"gpu": "H100-80GB", "all": {"2g.20gb": 2}}
    deployed.pools["inference"]["layout"] = "inference-wide"
    planned = deployed.preview("--diff")
    assert "ConfigMap gpu-operator/mig-fleet-rules is declared otherwise" in planned, planned.text
    deployed.fleet.run_pod(NODE, {SLICE: 1}, name="web", owner="Deployment")
    try:
        for flags in ((), ("--continue-on-error",)):
            refused = deployed.run("up", "--yes", "--skip-preview", *flags)
            assert refused.status != 0 and "nothing was changed:" in refused, refused.text
            assert "Traceback" not in refused, refused.text
            assert "deleted" not in refused, "what is not registered after a failure must not be deleted"
            assert config_of(deployed) == before, "the node waits"
            assert before in deployed.known_configs()
            assert any(config.startswith("inference-wide-") for config in deployed.known_configs())
    finally:
        deployed.fleet.user_pods.clear()
    changed = deployed.up()
    assert changed.status == 0, changed.text
    after = config_of(deployed)
    assert after.startswith("inference-wide-")
    assert {before, after} <= deployed.known_configs()
    pruned = deployed.up()
    assert pruned.status == 0, pruned.text
    assert before not in deployed.known_configs() and after in deployed.known_configs()
    unchanged = deployed.preview("--expect-no-changes")
    assert unchanged.status == 0, unchanged.text
