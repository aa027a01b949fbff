"""`--json`: docs/json has the schema of each output, and the outputs keep to it."""

import json
from pathlib import Path

import msgspec
import pytest

from mig_fleet.cli.outputs.base import print_json
from mig_fleet.cli.outputs.simulate import NodeFaults
from tests.cli.json_samples import SAMPLES
from tests.cli.test_pages import CLICKS
from tools.json_schemas import FOLDER, OUTPUTS, text


@pytest.mark.parametrize("name", OUTPUTS)
def test_the_schema_in_the_docs_is_that_of_the_code(name: str) -> None:
    file = FOLDER / f"{name}.schema.json"
    assert file.is_file() and file.read_text() == text(name), "run `make json-schemas`"


def test_the_folder_has_no_other_schema() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.schema.json" for name in OUTPUTS}


@pytest.mark.parametrize("name", OUTPUTS)
def test_what_a_command_prints_keeps_to_its_schema(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for sample in SAMPLES[name](tmp_path, monkeypatch):
        msgspec.convert(sample, OUTPUTS[name], strict=True)


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_schema_refuses_an_object_with_an_unknown_key(name: str) -> None:
    objects = [each for each in json.loads(text(name)).get("$defs", {}).values() if each.get("type") == "object"]
    assert objects and all(each["additionalProperties"] is False for each in objects)


def test_every_command_with_json_has_a_schema() -> None:
    with_json = {
        name.removeprefix("mig-fleet ").replace(" ", "-")
        for name, command in CLICKS.items()
        if any("--json" in parameter.opts for parameter in command.params)
    }
    assert with_json <= OUTPUTS.keys()


def test_a_name_that_a_terminal_would_obey_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    name = "evil\x1b[2K\u202egpj\x9b"
    print_json([NodeFaults(node=name, faults=())])
    printed = capsys.readouterr().out
    assert printed.isascii() and "\x1b" not in printed
    assert json.loads(printed) == [{"node": name, "faults": []}]
