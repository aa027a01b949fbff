"""A stack never takes an object from its owner: the preview names it, and two ways out, before anything is written."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from mig_fleet.cli.__main__ import main
from mig_fleet.monitoring.exporter import FILE, generation_of, metrics_config_map_name, metrics_csv
from mig_fleet.simulator import Fleet
from mig_fleet.stack_file import fleet as stack_files
from tests.engine.deployment import STACK, Deployment, baseline, create_project
from tests.engine.foreign_operator import NAMESPACE, ForeignOperator

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def others(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet whose operator is the release of another program."""
    fleet = Fleet(tmp_path_factory.mktemp("owned-fleet"))
    fleet.up(binaries, attached=True)
    ForeignOperator.create(tmp_path_factory.mktemp("owner"), fleet).install()
    yield fleet
    fleet.down()


@pytest.fixture(scope="module")
def project(others: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A stack that would install the operator itself, not deployed."""
    return create_project(tmp_path_factory.mktemp("taker"), others, baseline(others))


def config_maps(fleet: Fleet) -> list[str]:
    items = fleet.call("get", f"/api/v1/namespaces/{NAMESPACE}/configmaps")["items"]
    return sorted(item["metadata"]["name"] for item in items)


def test_a_preview_that_would_take_over_the_operator_names_both_ways_out_and_the_printed_command_is_one(
    project: Deployment, others: Fleet
) -> None:
    before = config_maps(others)
    refused = project.preview()
    assert refused.status != 0, refused.text
    for text in (
        f"Namespace {NAMESPACE} exists already",
        f"mig-fleet:operator: {{managed: false, namespace: {NAMESPACE}}}",
        "pulumi import --generate-code=false --protect=false --file",
    ):
        assert text in refused, refused.text
    assert config_maps(others) == before
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


@pytest.fixture(scope="module")
def adopter(others: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A stack that leaves the operator to its owner, not deployed."""
    config = baseline(others)
    config["operator"] |= {"managed": False}
    return create_project(tmp_path_factory.mktemp("adopter"), others, config, "adopter")


@contextmanager
def foreign_config_map(fleet: Fleet, name: str, **fields: object) -> Iterator[str]:
    """A ConfigMap in the operator's namespace with the name of one of ours; the path to it."""
    path = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
    metadata = {"name": name, "namespace": NAMESPACE}
    fleet.call("create", path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **fields})
    yield f"{path}/{name}"
    if name in config_maps(fleet):
        fleet.call("delete", f"{path}/{name}")


def objects(fleet: Fleet) -> set[str]:
    """The objects that a stack may have written, by path."""
    paths = (f"/api/v1/namespaces/{NAMESPACE}/configmaps", "/api/v1/namespaces")
    rbac = [f"/apis/rbac.authorization.k8s.io/v1/clusterrole{end}" for end in ("s", "bindings")]
    return {
        f"{path}/{item['metadata']['name']}" for path in (*paths, *rbac) for item in fleet.call("get", path)["items"]
    }


def test_an_update_without_a_preview_is_refused_before_it_writes_anything(adopter: Deployment, others: Fleet) -> None:
    """The rules are the last object of a program: the whole fleet would be changed before."""
    with foreign_config_map(others, "mig-fleet-rules"):
        before = objects(others)
        refused = adopter.run("up", "--yes", "--skip-preview")
        assert refused.status != 0, refused.text
        assert f"ConfigMap mig-fleet-rules in namespace {NAMESPACE} exists already" in refused, refused.text
        assert objects(others) == before


def test_the_printed_command_makes_room_for_an_immutable_config_map(adopter: Deployment, others: Fleet) -> None:
    generation = generation_of(None, {})
    name = metrics_config_map_name(generation)
    with foreign_config_map(others, name, data={FILE: metrics_csv(generation)}, immutable=True) as path:
        refused = adopter.preview()
        (command,) = set(re.findall(r"run `(kubectl [^`]+)`", refused.diagnostics))
        assert command == f"kubectl -n {NAMESPACE} delete configmap {name}"
        others.call("delete", path)
        preview = adopter.preview()
        assert "kubernetes:core/v1:ConfigMap monitoring-metrics create" in preview, preview.text
        assert command not in preview, preview.text


def test_a_wrong_namespace_of_the_operator_fails_the_first_preview(adopter: Deployment) -> None:
    adopter.config["operator"]["namespace"] = "gpus"
    refused = adopter.preview()
    adopter.config["operator"]["namespace"] = NAMESPACE
    assert refused.status != 0, refused.text
    assert f"`pulumi config set --path mig-fleet:operator.namespace {NAMESPACE}`" in refused, refused.text


def test_an_import_finds_the_release_and_leaves_it_to_its_owner(others: Fleet, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["import", "--cluster"], env={"KUBECONFIG": str(others.kubeconfig)})
    assert result.exit_code == 0, result.output
    assert "managed by Helm release 'gpu-operator' in namespace 'gpu-operator'" in result.stdout
    document = yaml.safe_load(result.stdout)["config"]
    assert document["mig-fleet:operator"] == {"managed": False, "namespace": NAMESPACE}
    path = tmp_path / "Pulumi.imported.yaml"
    path.write_text(result.stdout)
    stack_files.from_file(path)
