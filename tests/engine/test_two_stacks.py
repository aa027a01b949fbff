"""A second stack on a fleet that another stack owns: refused until it takes the fleet over on purpose."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mig_fleet.model import labels
from tests.engine.deployment import TIMEOUT_S, Deployment, baseline, create_project, deploy

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

FIRST, SECOND = "organization/mig-fleet/test", "organization/mig-fleet/second"
OPERATOR = "gpu-operator"
OBJECTS = (
    f"/api/v1/namespaces/{OPERATOR}/configmaps",
    "/api/v1/namespaces",
    "/apis/apps/v1/namespaces/mig-fleet/daemonsets",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/rbac.authorization.k8s.io/v1/namespaces/mig-fleet/roles",
)


@pytest.fixture(scope="module")
def second(project: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Another stack with its own backend and the same pools; it leaves the operator to the first one."""
    config = baseline(project.fleet)
    config["operator"] |= {"managed": False}
    return create_project(tmp_path_factory.mktemp("second"), project.fleet, config, "second")


@pytest.fixture
def first(project: Deployment) -> Iterator[Deployment]:
    """The first stack, without anything to do; it owns the cluster again at the end."""
    deploy(project, baseline(project.fleet)).prune()
    yield project
    if recorded(project).partition(" ")[2] != FIRST:
        project.config["cluster"]["takeOver"] = recorded(project)
        assert project.up().status == 0


def specified(deployment: Deployment) -> dict[str, Any]:
    """What stacks write: objects by their generation or resource version, nodes without their status."""
    found: dict[str, Any] = {}
    for path in OBJECTS:
        for item in deployment.cluster.get(path)["items"]:
            metadata = item["metadata"]
            found[f"{path}/{metadata['name']}"] = metadata.get("generation", metadata["resourceVersion"])
    for name, node in deployment.nodes().items():
        found[name] = node["metadata"]["labels"], node["metadata"]["annotations"], node["spec"]
    return found


def recorded(deployment: Deployment) -> str:
    """The owner that the layout file records, as ``takeOver`` names it."""
    file = deployment.cluster.config_map(OPERATOR, labels.LAYOUTS_CONFIG_MAP)
    assert file is not None
    return str(file["metadata"]["annotations"][labels.OWNER])


def owners(deployment: Deployment) -> set[str]:
    """The stacks that the layout file and the nodes record."""
    file = deployment.cluster.config_map(OPERATOR, labels.LAYOUTS_CONFIG_MAP)
    assert file is not None
    objects = [file, *deployment.nodes().values()]
    return {each["metadata"]["annotations"][labels.OWNER].partition(" ")[2] for each in objects}


def test_another_stack_is_refused_with_the_owners_name_before_any_write(first: Deployment, second: Deployment) -> None:
    before = specified(first)
    for refused in (second.preview(), second.up()):
        assert refused.status != 0
        assert re.search(rf"the cluster is owned by stack {FIRST} \([0-9a-f]{{12}}\)", refused.text), refused.text
        assert f"pulumi config set --path mig-fleet:cluster.takeOver '{recorded(first)}'" in refused
        assert "Traceback" not in refused, refused.text
    assert specified(first) == before
    assert first.preview("--expect-no-changes").status == 0


def test_a_take_over_on_purpose_changes_no_gpu_and_the_other_stack_is_refused_until_its_state_is_forgotten(
    first: Deployment, second: Deployment
) -> None:
    attempts, slices = first.attempts(), first.slices()
    second.config["cluster"]["takeOver"] = recorded(first)
    taken = second.up()
    assert taken.status == 0, taken.text
    assert owners(second) == {SECOND}
    assert (second.attempts(), second.slices()) == (attempts, slices), "no node was reconfigured"
    assert second.preview("--expect-no-changes").status == 0, "the setting may stay"

    before = specified(second)
    refused = first.preview()
    assert refused.status != 0 and f"the cluster is owned by stack {SECOND}" in refused, refused.text
    wave = ("--target", "**inference-wave-0-assigned")
    with_dependents = (*wave, "--target-dependents")
    for arguments in (("destroy",), ("destroy", "--continue-on-error"), ("destroy", *with_dependents), ("up", *wave)):
        refused = first.run(*arguments, "--yes", "--skip-preview")
        assert refused.status != 0 and f"the cluster is owned by stack {SECOND}" in refused, refused.text
        assert "Traceback" not in refused, refused.text
    assert specified(second) == before
    left = second.config["cluster"].pop("takeOver")
    assert second.preview("--expect-no-changes").status == 0, "nor need it stay"

    second.config["cluster"]["takeOver"] = left
    first.config["cluster"]["takeOver"] = recorded(second)
    assert first.up().status == 0
    refused = second.preview()
    assert refused.status != 0 and "which is not the id of this owner" in refused, "takeOver was left on both sides"
    before, refused = specified(first), second.destroy()
    (command,) = set(re.findall(r"`pulumi (stack rm [^`]+)`", refused.text))
    done = subprocess.run(
        [second.pulumi, *shlex.split(command), "--yes", "--non-interactive"],
        cwd=second.folder,
        env=second.environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert Path(second.folder, "stacks", "Pulumi.second.yaml").exists()
    assert specified(first) == before, "only the second stack's state is gone"
