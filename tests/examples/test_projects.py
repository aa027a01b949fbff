"""Every example is a complete project: its page, its settings and its stack files."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from mig_fleet.documents import open_document
from mig_fleet.stack_file import fleet
from mig_fleet.stack_file.conflicting_settings import doubtful_settings
from mig_fleet.stack_file.reading import is_stack_file
from tests.docs.commands import accept, commands
from tests.examples.programs import EXAMPLES, ROOT

PROJECTS = sorted(path.parent for path in EXAMPLES.glob("*/Pulumi.yaml"))
PAGES = sorted(EXAMPLES.glob("*/README.md"))
REQUIREMENTS = sorted({*EXAMPLES.glob("*/requirements.txt"), *ROOT.glob("templates/*/requirements.txt")})
STACK_FILES = sorted({*EXAMPLES.rglob("Pulumi.*.yaml"), *ROOT.glob("templates/**/Pulumi.*.yaml")})
HEADINGS = ("Prerequisites", "Deploy", "Look", "Clean up", "Cost")


def folder_name(path: Path) -> str:
    return path.name if path.is_dir() else path.parent.name


# Pages


@pytest.mark.parametrize("project", PROJECTS, ids=folder_name)
def test_a_page_says_what_is_needed_how_to_begin_and_to_end_and_what_it_costs(project: Path) -> None:
    found = re.findall(r"^## (.+)$", (project / "README.md").read_text(), re.MULTILINE)
    assert tuple(found) == HEADINGS


def test_the_list_of_examples_has_them_all() -> None:
    listed = set(re.findall(r"\]\(([\w-]+)/README\.md\)", (EXAMPLES / "README.md").read_text()))
    assert listed == {page.parent.name for page in PAGES}


@pytest.mark.parametrize("page", [EXAMPLES / "README.md", *PAGES], ids=folder_name)
def test_a_link_of_a_page_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=folder_name)
def test_a_command_on_a_page_exists_and_takes_its_arguments(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(page.parent)
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
        for command in commands(block):
            accept(command)


# Projects


@pytest.mark.parametrize("project", [*PROJECTS, ROOT / "templates" / "fleet"], ids=folder_name)
def test_a_project_has_its_folders_name_and_asks_for_an_engine_that_works(project: Path) -> None:
    settings = yaml.safe_load((project / "Pulumi.yaml").read_text())
    assert settings["name"] in (project.name, "${PROJECT}")
    ours = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    assert settings["requiredPulumiVersion"] == ours["requiredPulumiVersion"]
    ignored = (project / ".gitignore").read_text().split()
    runtime = settings["runtime"] if isinstance(settings["runtime"], dict) else {}
    if runtime:
        assert f"{runtime['options']['virtualenv']}/" in ignored


@pytest.mark.parametrize("file", REQUIREMENTS, ids=folder_name)
def test_what_a_project_installs_includes_this_version_of_mig_fleet(file: Path) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    first, *others = map(Requirement, file.read_text().split("\n")[:-1])
    assert first.name == "mig-fleet" and first.specifier.contains(version)
    assert all(len(other.specifier) == 2 for other in others), "each has a lower and an upper bound"


@pytest.mark.parametrize("path", STACK_FILES, ids=str)
def test_a_stack_file_is_valid_and_leaves_nothing_to_advise(path: Path) -> None:
    assert is_stack_file(open_document(path).data)
    assert list(doubtful_settings(fleet.from_file(path).settings)) == []
