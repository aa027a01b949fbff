"""`mig-fleet import --cluster` on a cluster with config names that are not ours and no device filters."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from mig_fleet.cli.__main__ import main
from mig_fleet.stack_file import fleet
from tests.simulator.site import Site

pytestmark = pytest.mark.engine


def test_the_stack_file_has_the_nodes_and_partitionings_of_the_cluster(site: Site, tmp_path: Path) -> None:
    site.assign("hopper-1", "dense")
    site.assign("ampere-1", "halves")
    for node, config in {"hopper-1": "dense", "ampere-1": "halves"}.items():
        site.wait_for_success(node, config)

    environment = {"KUBECONFIG": str(site.fleet.kubeconfig)}
    result = CliRunner().invoke(main, ["import", "--cluster"], env=environment)
    assert result.exit_code == 0, result.output
    assert "impossible: has no device filter" not in result.stderr, "a config that no node has is not imported"

    path = tmp_path / "Pulumi.imported.yaml"
    path.write_text(result.stdout)
    imported = fleet.from_file(path)
    assert {
        pool.nodes: (pool.layout.gpu, pool.settings.gpus_per_node, pool.layout.groups[0].profiles)
        for pool in imported.pools
    } == {
        ("hopper-1",): ("H100-80GB", 2, {"1g.10gb": 7}),
        ("hopper-2",): ("H100-80GB", 2, None),
        ("ampere-1",): ("A100-80GB", 2, {"3g.40gb": 2}),
    }


@pytest.mark.parametrize(
    ("section", "changed", "message"),
    [
        ("clusters", {"cluster": {"server": "https://127.0.0.1:1"}}, "at https://127.0.0.1:1 does not answer"),
        ("users", {"user": {}}, "the cluster refuses GET /api/v1/nodes: "),
    ],
    ids=["no server", "no rights"],
)
def test_a_cluster_that_cannot_be_read_is_reported_as_one_error(
    site: Site, tmp_path: Path, section: str, changed: dict[str, object], message: str
) -> None:
    config = yaml.safe_load(site.fleet.kubeconfig.read_text())
    config[section][0] |= changed
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    result = CliRunner().invoke(main, ["import", "--cluster"], env={"KUBECONFIG": str(path)})
    assert result.exit_code == 1, result.output
    assert message in result.output
    assert isinstance(result.exception, SystemExit), "no traceback"
