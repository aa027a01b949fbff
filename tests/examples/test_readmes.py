"""What the pages of the examples name exists: files, settings, jobs, commands."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from mig_fleet.cli.__main__ import main
from tests.examples.runner import GITHUB, GITLAB

PAGES = [GITHUB / "README.md", GITLAB / "README.md"]
SETTING = re.compile(r"(?:secrets|vars)\.(\w+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_each_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        path, _, heading = target.partition("#")
        file = (page.parent / path).resolve()
        assert file.is_file(), target
        headings = {
            re.sub(r"[^\w -]", "", each).strip().lower().replace(" ", "-")
            for each in re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
        }
        assert not heading or heading in headings, target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_each_command_of_ours_accepts_its_options(page: Path) -> None:
    for line in re.findall(r"^ *mig-fleet (.+)$", page.read_text(), re.MULTILINE):
        done = CliRunner().invoke(main, line.split())
        assert done.exit_code == 0, done.output


def test_every_setting_of_the_workflows_is_described() -> None:
    workflows = sorted((GITHUB / ".github" / "workflows").glob("*.yml"))
    settings = {name for path in workflows for name in SETTING.findall(path.read_text())}
    assert settings == {
        *("MIG_FLEET_KUBECONFIG", "MIG_FLEET_STACKS"),
        *("PULUMI_ACCESS_TOKEN", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE"),
    }
    page = PAGES[0].read_text()
    assert [name for name in settings if f"`{name}`" not in page] == []
