"""A stack never takes an object from its owner: the preview names it, and two ways out, before anything is written."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from mig_fleet import toolchain
from mig_fleet.cli.__main__ import main
from mig_fleet.simulator import Fleet
from mig_fleet.stack_file import fleet as stack_files
from tests.engine.deployment import ROOT, STACK, Deployment, baseline, create_project
from tests.engine.foreign_operator import NAMESPACE, ForeignOperator

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def others(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet whose operator is the release of another program."""
    fleet = Fleet(tmp_path_factory.mktemp("owned-fleet"))
    fleet.up(binaries, attached=True)
    workspace = toolchain.workspace(ROOT)
    folder = tmp_path_factory.mktemp("owner") / "project"
    ForeignOperator(folder, fleet, workspace.environment(), workspace.pulumi).install()
    yield fleet
    fleet.down()


@pytest.fixture(scope="module")
def project(others: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A stack that would install the operator itself, not deployed."""
    return create_project(tmp_path_factory.mktemp("taker"), others, baseline(others))


def config_maps(fleet: Fleet) -> list[str]:
    items = fleet.call("get", f"/api/v1/namespaces/{NAMESPACE}/configmaps")["items"]
    return sorted(item["metadata"]["name"] for item in items)


def test_a_preview_that_would_take_over_the_operator_names_both_ways_out(project: Deployment, others: Fleet) -> None:
    before = config_maps(others)
    preview = project.preview()
    assert preview.status != 0, preview.text
    for text in (
        f"Namespace {NAMESPACE} exists already",
        f"mig-fleet:operator: {{managed: false, namespace: {NAMESPACE}}}",
        "pulumi import --generate-code=false --protect=false --file",
    ):
        assert text in preview, preview.text
    assert config_maps(others) == before


def test_one_printed_command_takes_over_namespace_and_release(project: Deployment, others: Fleet) -> None:
    refused = project.preview()
    (command,) = re.findall(r"run in bash: pulumi (import .*)", refused.diagnostics)
    words = f"{shlex.quote(str(project.pulumi))} {command} --yes --stack {STACK} --non-interactive"
    done = subprocess.run(
        ["bash", "-c", words],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    preview = project.preview("--diff")
    assert preview.status == 0, preview.text
    assert "exists already" not in preview
    for name in ("operator-namespace", "gpu-operator-release"):
        (line,) = re.findall(rf"^ *(\S+) kubernetes:\S+: \((\w+)\)(?=[^(]*::{name}\])", preview.text, re.MULTILINE)
        assert line == ("~", "update"), preview.text


def test_an_import_finds_the_release_and_leaves_it_to_its_owner(others: Fleet, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["import", "--cluster"], env={"KUBECONFIG": str(others.kubeconfig)})
    assert result.exit_code == 0, result.output
    assert "managed by Helm release 'gpu-operator' in namespace 'gpu-operator'" in result.stdout
    document = yaml.safe_load(result.stdout)["config"]
    assert document["mig-fleet:operator"] == {"managed": False, "namespace": NAMESPACE}
    path = tmp_path / "Pulumi.imported.yaml"
    path.write_text(result.stdout)
    stack_files.from_file(path)
