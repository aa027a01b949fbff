"""README.md is one screen, with the two commands that matter and the stack file of the project."""

import re
from pathlib import Path

import yaml

from mig_fleet.model import gpus

README = Path("README.md").read_text("utf-8")
START = Path("docs/start.md").read_text("utf-8")


def test_the_readme_is_one_screen() -> None:
    assert len(README.splitlines()) <= 60, "move tables to docs/"
    assert len(re.findall(r"^\|---", README, re.MULTILINE)) == 1, "one table, of where to go next"


def test_the_readme_has_the_main_command_and_the_tests() -> None:
    (commands,) = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    assert re.findall(r"^make [a-z]+", commands, re.MULTILINE) == ["make up", "make test"]


def test_the_stack_file_in_the_readme_is_the_one_of_the_project() -> None:
    shown = re.search(r"```yaml\n(config:.*?)```", README, re.DOTALL)
    assert shown
    assert yaml.safe_load(shown[1]) == yaml.safe_load(Path("stacks/Pulumi.dev.yaml").read_text("utf-8"))


def test_the_drivers_on_the_first_page_are_those_of_the_catalog() -> None:
    drivers = re.findall(r"(R\d+) for ([A-Z]+\d+)\b", START)
    assert [family for _, family in drivers] == ["H100", "A100"]
    for driver, family in drivers:
        models = [model for model in gpus.all_models() if model.short.startswith(f"{family}-")]
        assert {model.driver_min.split()[0] for model in models if model.driver_min} == {driver}, family
