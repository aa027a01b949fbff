"""A user with exactly the rights that `mig-fleet rights` prints can do everything, and each of them is necessary.

The operator is installed by others, as by an administrator: what NVIDIA's chart needs is not ours to know.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from mig_fleet.cli.__main__ import main
from mig_fleet.cluster.client import Cluster
from mig_fleet.model import labels
from mig_fleet.model.allocated_by import DRA_NAMESPACE
from mig_fleet.observed.rights.grant import Right, Step, Use
from mig_fleet.observed.rights.missing import MissingRights, missing_rights
from mig_fleet.observed.rights.needed import needed_grants
from mig_fleet.simulator import Fleet
from tests.engine.deployment import Deployment, create_project
from tests.restricted_user import RestrictedUser
from tests.simulator.site import NAMESPACE, Site

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

REPORTS, NODE, SLICE = "mig-fleet", "node-1", "nvidia.com/mig-1g.10gb"
FLEET = f"""
nodes:
  - {{name: {NODE}, gpu: H100-80GB, gpus: 2}}
timing: {{configMapPropagation: 0.2, gfdInterval: 0.3, apply: 0.3, restartBackoff: 0.3, operandTimeout: 20}}
"""
GRANTS = needed_grants(NAMESPACE, REPORTS, list(Use))
RIGHTS = {right: grant.step for grant in GRANTS for right in grant.rights()}
CONFIG: dict[str, Any] = {
    "operator": {"managed": False, "namespace": NAMESPACE},
    "probe": {"interval": "2s", "runtimeClass": None},
    "layouts": {
        "dense": {"gpu": "H100-80GB", "all": {"1g.10gb": 7}},
        "wide": {"gpu": "H100-80GB", "all": {"2g.20gb": 3}},
    },
    "pools": {
        "inference": {
            "gpu": "H100-80GB",
            "gpusPerNode": 2,
            "nodes": [NODE],
            "layout": "dense",
            "rollout": {"onUserPods": "evict", "onStrandedPods": "warn", "timeout": "5m"},
        }
    },
}


@pytest.fixture(scope="module")
def fleet(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One node, with the operator of others, whose MIG Manager reads our layout file."""
    folder = tmp_path_factory.mktemp("rights-fleet")
    (folder / "fleet-file.yaml").write_text(FLEET)
    fleet = Fleet(folder / "fleet")
    fleet.up(binaries, folder / "fleet-file.yaml", attached=True)
    Site(fleet).install()
    ours = {"metadata": {"labels": {"app.kubernetes.io/managed-by": "mig-fleet"}}}
    fleet.call("patch", f"/api/v1/namespaces/{NAMESPACE}/configmaps/{labels.LAYOUTS_CONFIG_MAP}", ours)
    yield fleet
    fleet.down()


@pytest.fixture
def user(fleet: Fleet, tmp_path: Path, request: pytest.FixtureRequest) -> RestrictedUser:
    return RestrictedUser(fleet, request.function.__name__.replace("_", "-")[:60].strip("-"), tmp_path)


def eventually_missing(user: RestrictedUser, lacking: list[Right]) -> None:
    """The API server uses a changed role after a moment."""
    cluster, deadline = Cluster({"kubeconfig": str(user.kubeconfig)}), time.monotonic() + 10
    reads, writes, optional = (tuple(right for right in lacking if RIGHTS[right] is step) for step in Step)
    expected = MissingRights((*reads, *writes), optional=optional)
    while (found := missing_rights(cluster, GRANTS)) != expected:
        assert time.monotonic() < deadline, found


def test_each_right_that_a_user_lacks_is_reported_and_no_other(user: RestrictedUser, fleet: Fleet) -> None:
    """In each round half of the rights is missing, and no two rights are missing in the same rounds."""
    for name in (REPORTS, DRA_NAMESPACE):
        metadata = {"name": name, "labels": {"app.kubernetes.io/managed-by": "mig-fleet"}}
        fleet.call("create", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    rights = list(RIGHTS)
    for bit in range(len(rights).bit_length()):
        for value in (0, 1):
            lacking = [right for number, right in enumerate(rights) if number >> bit & 1 == value]
            user.give_only(right for right in rights if right not in lacking)
            eventually_missing(user, lacking)


def roles(deployment: Deployment, *options: str) -> list[Any]:
    """What the command prints for the stack."""
    path = deployment.folder / "a-stack.yaml"
    path.write_text(yaml.safe_dump({"config": {f"mig-fleet:{key}": value for key, value in deployment.config.items()}}))
    printed = CliRunner().invoke(main, ["rights", "--file", str(path), *options], prog_name="mig-fleet")
    assert printed.exit_code == 0, printed.output
    return list(yaml.safe_load_all(printed.stdout))


def test_a_stack_is_deployed_changed_repaired_and_destroyed_with_exactly_the_printed_rights(
    user: RestrictedUser, fleet: Fleet, tmp_path: Path
) -> None:
    config = {**CONFIG, "cluster": {"kubeconfig": str(user.kubeconfig)}}
    project = create_project(tmp_path, fleet, config)

    user.give(roles(project, "--preview"))
    shown = project.preview()
    assert shown.status == 0, shown.text
    assert "can preview this stack, and not update it: it may write nothing" in shown, shown.text

    needed = needed_grants(NAMESPACE, REPORTS, [Use.EVICTION, Use.RECOVERY])
    without = [right for grant in needed for right in grant.rights() if right.resource != "pods/exec"]
    user.give_only(without)
    refused = project.preview()
    assert refused.status != 0
    line = f"may not get, create pods/exec in namespace {NAMESPACE}; `mig-fleet rights --stack {project.stack}` prints"
    assert refused.diagnostics.count(line) == 1, refused.text

    user.give(roles(project))
    deployed = project.up()
    assert deployed.status == 0, deployed.text
    assert "forbidden" not in deployed.text and "may not" not in deployed.text, deployed.text
    assert project.slices()[NODE] == {"0-1": "7x 1g.10gb"}

    fleet.run_pod(NODE, {SLICE: 1}, name="web", owner="Deployment")
    project.pools["inference"]["layout"] = "wide"
    changed = project.up()
    assert changed.status == 0, changed.text
    assert "evicted default/web" in changed, changed.text
    assert project.slices()[NODE] == {"0-1": "3x 2g.20gb"}

    fleet.destroy_slice(NODE, gpu=0, start=2)
    project.wait_for_report(NODE, {"0": "2x 2g.20gb", "1": "3x 2g.20gb"})
    fleet.call("delete", f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{labels.PROBE}")
    repaired = project.up()
    assert repaired.status == 0, repaired.text
    assert f"restored ClusterRole {labels.PROBE}" in repaired, repaired.text
    assert project.slices()[NODE] == {"0-1": "3x 2g.20gb"}

    destroyed = project.destroy()
    assert destroyed.status == 0, destroyed.text
    assert "forbidden" not in destroyed.text, destroyed.text
