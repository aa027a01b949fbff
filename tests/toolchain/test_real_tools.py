"""The real engine in our workspace: a dynamic resource, a second preview, Ctrl-C, a policy pack, a failing update."""

import json
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mig_fleet import toolchain
from tests.toolchain.conftest import processes, until

pytestmark = pytest.mark.engine
ROOT = Path(__file__).parents[2]

PROGRAM = """
import pulumi
from thing import Thing

config = pulumi.Config()
thing = Thing("thing", config.get("say") or "hello")
pulumi.export("text", thing.text)
"""
THING = """
import time
from pathlib import Path
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult


class Provider(ResourceProvider):
    serialize_as_secret_always = False

    def create(self, props):
        if props["say"] == "slowly":
            Path("creating").touch()
            time.sleep(3)
        return CreateResult("thing", {"text": props["say"]})

    def diff(self, id_, olds, news):
        return DiffResult(changes=olds["text"] != news["say"])

    def update(self, id_, olds, news):
        raise ValueError("will not change")


class Thing(Resource, module="demo", name="Thing"):
    def __init__(self, name, say):
        super().__init__(Provider(), name, {"say": say, "text": None})
"""
PACK = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy


def quiet(args, report):
    if args.resource_type == "pulumi-python:dynamic/demo:Thing":
        report(f"Thing must be quiet; it says {args.props['say']}.")


PolicyPack("demo", [ResourceValidationPolicy("quiet-things", "quiet", quiet, EnforcementLevel.MANDATORY)])
"""


@dataclass
class Project:
    """A throw-away project with a stack ``dev``."""

    folder: Path
    work: toolchain.Workspace

    def pulumi(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [self.work.pulumi, *arguments, "--non-interactive", "--color=never"],
            cwd=self.folder,
            env=self.work.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    runtime = f"runtime: {{name: python, options: {{virtualenv: {ROOT / '.venv'}}}}}\n"
    (tmp_path / "pack").mkdir()
    for name, text in {
        "Pulumi.yaml": f"name: demo\n{runtime}",
        "__main__.py": PROGRAM,
        "thing.py": THING,
        "pack/PulumiPolicy.yaml": f"{runtime}version: 0.0.1\n",
        "pack/__main__.py": PACK,
    }.items():
        (tmp_path / name).write_text(text)
    made = Project(tmp_path, toolchain.workspace(tmp_path))
    assert made.pulumi("stack", "init", "dev").returncode == 0
    yield made
    made.pulumi("destroy", "--yes", "--skip-preview")


def test_up_creates_and_a_preview_after_it_finds_no_changes(project: Project) -> None:
    up = project.pulumi("up", "--yes", "--skip-preview")
    assert up.returncode == 0, up.stdout
    outputs = project.pulumi("stack", "output", "--json")
    assert json.loads(outputs.stdout) == {"text": "hello"}
    preview = project.pulumi("preview", "--expect-no-changes")
    assert preview.returncode == 0, preview.stdout
    assert "warning" not in up.stdout + preview.stdout, "no warning about plugins on PATH"


def test_a_failing_update_is_one_failure_without_the_programs_traceback(project: Project) -> None:
    project.pulumi("up", "--yes", "--skip-preview")
    project.pulumi("config", "set", "say", "something else")
    up = project.pulumi("up", "--yes", "--skip-preview")
    assert up.returncode == 1
    assert "will not change" in up.stdout
    assert "KeyboardInterrupt" not in up.stdout and "program.py" not in up.stdout


def test_an_interrupted_up_ends_without_a_traceback_and_leaves_no_process(project: Project) -> None:
    project.pulumi("config", "set", "say", "slowly")
    running = subprocess.Popen(
        [project.work.pulumi, "up", "--yes", "--skip-preview", "--non-interactive", "--color=never"],
        cwd=project.folder,
        env=project.work.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until((project.folder / "creating").exists, "the resource is being created")
    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=60)
    assert running.returncode != 0
    assert "update canceled" in output
    assert "Traceback" not in output and "KeyboardInterrupt" not in output
    until(lambda: str(project.folder) not in processes(), "the last process of this run ends")


def test_a_policy_pack_denies_a_preview(project: Project) -> None:
    preview = project.pulumi("preview", "--policy-pack", "pack")
    assert preview.returncode == 1
    assert "Thing must be quiet; it says hello." in preview.stdout


def test_the_engine_finds_our_plugin_and_our_host(project: Project) -> None:
    plugins = json.loads(project.pulumi("plugin", "ls", "--json").stdout)
    assert [(each["name"], each["version"]) for each in plugins] == [("kubernetes", "4.25.0")]
    about = project.pulumi("about").stdout
    assert "kubernetes  4.25.0" in about and f"file://{project.folder}/.mig-fleet/state" in about


def test_the_api_server_reports_the_pinned_version(project: Project) -> None:
    answer = subprocess.run(
        [project.work.bin / "kube-apiserver", "--version"], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == f"Kubernetes v{toolchain.family('kube').version}"


def test_the_provider_reports_its_version_over_grpc() -> None:
    found = toolchain.ensure([toolchain.family("provider")])
    environment = toolchain.Environment.current()
    named = toolchain.Environment(
        {**environment.variables, "MIG_FLEET_PULUMI_RESOURCE_KUBERNETES": str(found.path("pulumi-resource-kubernetes"))}
    )
    (tool,) = toolchain.locate([toolchain.family("provider")], environment=named)
    assert (tool.version, tool.place) == ("4.25.0", toolchain.Place.ENVIRONMENT)


SECRET = """
import pulumi

pulumi.export("text", pulumi.Config().require_secret("say"))
"""


def test_a_secret_is_encrypted_in_the_state_and_the_passphrase_opens_it(project: Project) -> None:
    (project.folder / "__main__.py").write_text(SECRET)
    project.pulumi("config", "set", "--secret", "say", "quietly")
    up = project.pulumi("up", "--yes", "--skip-preview")
    assert up.returncode == 0, up.stdout
    exported = project.pulumi("stack", "export").stdout
    (project.folder / "state.json").write_text(exported)
    assert '"ciphertext"' in exported and "quietly" not in exported
    imported = project.pulumi("stack", "import", "--file", "state.json")
    assert imported.returncode == 0, imported.stdout
    shown = project.pulumi("stack", "output", "--json", "--show-secrets")
    assert json.loads(shown.stdout) == {"text": "quietly"}


FILES = """
from pulumi import ResourceOptions
from pulumi_kubernetes import Provider
from pulumi_kubernetes.core.v1 import ConfigMap
from pulumi_kubernetes.yaml.v2 import ConfigGroup

files = ResourceOptions(provider=Provider("files", render_yaml_to_directory="rendered"))
ConfigMap("one", metadata={"name": "one"}, data={"key": "value"}, opts=files)
text = "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: two}, rules: []}"
ConfigGroup("group", yaml=f"{text}\\n---\\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: three}}}}", opts=files)
"""


def test_the_provider_makes_resources_of_a_program_and_of_yaml_without_its_go_sdk(project: Project) -> None:
    (project.folder / "__main__.py").write_text(FILES)
    up = project.pulumi("up", "--yes", "--skip-preview")
    assert up.returncode == 0, up.stdout
    names = {file.name for file in (project.folder / "rendered").rglob("*.yaml")}
    assert {each.rpartition("-")[2] for each in names} == {"one.yaml", "two.yaml", "three.yaml"}, names
    state = json.loads(project.pulumi("stack", "export").stdout)["deployment"]["resources"]
    types = [each["type"] for each in state if each["type"].startswith("kubernetes:")]
    assert sorted(types) == [
        "kubernetes:core/v1:ConfigMap",
        "kubernetes:core/v1:ConfigMap",
        "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole",
        "kubernetes:yaml/v2:ConfigGroup",
    ]
