"""`mig-fleet check` and Pulumi's engine read a stack file alike: the same mistakes, or none."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pulumi.runtime.config import set_all_config

from mig_fleet.cluster import in_cluster
from mig_fleet.documents import DocumentError, parse
from mig_fleet.stack_file.fleet import from_content, from_pulumi
from mig_fleet.stack_file.problems import InvalidSettings
from tests.engine.deployment import ROOT, engine
from tests.stack_file.texts import stack_files

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

UNREADABLE = ["unreadable"]
STACK = """\
config:
  mig-fleet:cluster: {context: lab}
  mig-fleet:layouts: {halves: {gpu: A100-80GB, all: {3g.40gb: 2}}}
  mig-fleet:pools:
    serving: {gpu: A100-80GB, gpusPerNode: 4, nodes: [rack-1], layout: halves}
"""
PREFIX = "mig-fleet:"
SPELLINGS = {
    "without the prefix": STACK.replace(PREFIX, ""),
    "with the old prefix": STACK.replace(PREFIX, "mig-fleet:config:"),
    "with some prefixes": STACK.replace("mig-fleet:cluster: {context", "cluster: {kontext"),
    "without a cluster": STACK.replace("  mig-fleet:cluster: {context: lab}\n", ""),
    "a key of no form": f"{STACK}  mig-fleet:a:b: 1\n",
    "a key that is a number": STACK.replace("serving", "1"),
    "a key that is a fraction": STACK.replace("serving", "1.50"),
    "a key that is a large number": STACK.replace("serving", "12345678.5"),
    "a key that is a boolean": STACK.replace("serving", "true"),
    "two keys of one text": STACK.replace("mig-fleet:pools:", "mig-fleet:pools:\n    8: {}\n    '8': {}"),
    "a day": STACK.replace("rack-1", "2026-01-02"),
    "a label that is a day": STACK.replace("nodes: [rack-1]", "selector: {matchLabels: {since: 2026-1-2}}"),
    "a whole number with a fraction": STACK.replace("gpusPerNode: 4", "gpusPerNode: 4.0"),
    "a fraction": STACK.replace("gpusPerNode: 4", "gpusPerNode: 4.5"),
    "words of YAML 1.1": STACK.replace("rack-1", "yes"),
    "a number as a name": STACK.replace("rack-1", "0x10"),
    "a duplicate key": STACK.replace("layout: halves", "layout: halves, layout: other"),
    "an empty section": f"{STACK}  mig-fleet:prices:\n",
    "text for a section": STACK.replace("{context: lab}", "lab"),
    "JSON for a section": STACK.replace("{context: lab}", '\'{"kontext": "lab"}\''),
    "an alias": STACK.replace("[rack-1]", "&nodes [rack-1]").replace("all: {3g", "all: &counts {3g"),
    "a key of another namespace": f"{STACK}  aws:region: eu-west-1\n",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Project"]:
    yield Project(tmp_path_factory.mktemp("readings"))
    set_all_config({}, [])


class Project:
    """A stack without resources, whose configuration is a file of the test's choice."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "Pulumi.read.yaml"
        shutil.copy(ROOT / "Pulumi.yaml", folder)
        (folder / "state").mkdir()
        self.environment, self.pulumi = engine(folder)
        assert self.run("stack", "init", "read", "--secrets-provider", "passphrase").returncode == 0

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.pulumi), *arguments, "--non-interactive", "--color", "never"]
        return subprocess.run(
            command, check=False, cwd=self.folder, env=self.environment, capture_output=True, text=True
        )

    def config(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run("config", *arguments, "--stack", "read", "--config-file", str(self.file))

    def problems(self) -> list[str]:
        """What the program finds in the configuration that the engine reads for it."""
        read = self.config("--json", "--show-secrets")
        if read.returncode:
            return UNREADABLE
        found = json.loads(read.stdout)
        if any("objectValue" not in entry for key, entry in found.items() if key.startswith(PREFIX)):
            return UNREADABLE  # Pulumi.yaml has the type object for each section
        secrets = [key for key, entry in found.items() if entry["secret"]]
        set_all_config({key: entry.get("value", "") for key, entry in found.items()}, secrets)
        try:
            from_pulumi()
        except InvalidSettings as refused:
            return [str(problem) for problem in refused.problems]
        return []


def problems(text: str) -> list[str]:
    """What `mig-fleet check` finds in a file."""
    try:
        from_content(parse("x", text.encode()), "x")
    except InvalidSettings as refused:
        return [str(problem) for problem in refused.problems]
    except DocumentError:
        return UNREADABLE
    return []


FILES = stack_files() | SPELLINGS


@pytest.mark.parametrize("place", FILES)
def test_both_find_the_same_mistakes(
    place: str, project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In a pod: outside of one the program refuses ``inCluster``, which the file alone cannot decide."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    for name in in_cluster.ADDRESS:
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr(in_cluster, "ACCOUNT", tmp_path)
    (tmp_path / "token").write_text("t")
    project.file.write_text(FILES[place])
    found, in_file = project.problems(), problems(FILES[place])
    if found == UNREADABLE:
        assert in_file, "Pulumi refuses the whole file"
    else:
        assert in_file == found


def test_both_know_a_secret_that_pulumi_wrote(project: Project) -> None:
    project.file.write_text(STACK)
    for path in ("mig-fleet:operator.version", "mig-fleet:operator.values.driver.token"):
        assert project.config("set", "--secret", "--path", path, "v26.7.0").returncode == 0
    assert project.problems() == problems(project.file.read_text()) == []
    assert project.config("set", "--secret", "--path", "mig-fleet:probe.image", "v26.7.0").returncode == 0
    (found,) = project.problems()
    assert [found] == problems(project.file.read_text())
    assert found.startswith("probe: has a value set with --secret")
