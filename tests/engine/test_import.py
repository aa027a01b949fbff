"""An import from the cluster has the layouts and pools of the stack that was deployed."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from mig_fleet.cli.__main__ import main
from mig_fleet.stack_file import fleet
from tests.engine.deployment import Deployment

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]


def test_an_import_from_the_cluster_has_the_pools_and_layouts_of_the_deployed_stack(
    deployed: Deployment, tmp_path: Path
) -> None:
    environment = {"KUBECONFIG": str(deployed.fleet.kubeconfig)}
    result = CliRunner().invoke(main, ["import", "--cluster"], env=environment)
    assert result.exit_code == 0, result.output
    path = tmp_path / "Pulumi.imported.yaml"
    path.write_text(result.stdout)
    imported = fleet.from_file(path)
    declared = fleet.parse(deployed.config, "the stack")
    assert {(pool.nodes, pool.layout.config_name, pool.settings.gpus_per_node) for pool in imported.pools} == {
        (pool.nodes, pool.layout.config_name, pool.settings.gpus_per_node) for pool in declared.pools
    }
    assert imported.layouts["inference-dense"] == declared.layouts["inference-dense"]
