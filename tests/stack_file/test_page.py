"""docs/reference/stack-file.md has every key of a stack file with its default, no other key, and messages that are
printed.
"""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from mig_fleet.documents import parse
from mig_fleet.model.errors import InvalidLayout
from mig_fleet.model.layouts import Layout
from mig_fleet.stack_file import fleet
from mig_fleet.stack_file.alert_settings import Alerts
from mig_fleet.stack_file.problems import InvalidSettings
from mig_fleet.stack_file.reading import read_document
from mig_fleet.stack_file.settings import PROJECT, Pool, Selector, Settings

FILE = Path("docs/reference/stack-file.md")
PAGE = FILE.read_text("utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
PLACEHOLDER = "NAME"
REQUIRED: dict[type[BaseModel], dict[str, Any]] = {
    Pool: {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": ["n"], "layout": "x"},
    Selector: {"matchLabels": {"a": "b"}},
    Settings: {"layouts": {}, "pools": {}},
}
"""Model → values that make it valid, so that one other key can be tried."""


def section(path: str) -> str:
    """The text below the heading of a path; an empty path is the settings as a whole."""
    heading = re.escape(f"`{path}`" if path else "Sections")
    found = re.search(rf"^##+ {heading}\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"{FILE} has no heading `{path}`"
    return found[1]


def keys(path: str) -> dict[str, str]:
    """Key → the cell with its default, in the table of a section."""
    rows = (line.split(" | ") for line in section(path).splitlines() if line.startswith("| `"))
    return {row[0].strip("| `"): row[2].replace("\\|", "|") for row in rows if len(row) == 4}


def models(model: type[BaseModel] = Settings, path: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """The path and the model of each mapping with fixed keys. ``NAME`` stands for the names that a user chooses. The
    mapping of an alert is in its runbook (tests/monitoring/test_runbooks.py).
    """
    yield path, model
    for name, field in model.model_fields.items():
        below = f"{path}.{field.alias or name}".lstrip(".")
        has_names = getattr(field.annotation, "__origin__", None) is dict
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel) and model is not Alerts:
                yield from models(inner, f"{below}.{PLACEHOLDER}" if has_names else below)


def layout_keys() -> dict[str, list[str]]:
    """The path of a layout and of the mappings in it → the keys that the error for an unknown key lists."""
    group = {"devices": [0], "disabled": True, "unknown": 1}
    with pytest.raises(InvalidLayout) as refused:
        Layout.parse("x", {"gpu": "H100-80GB", "gpus": [group], "confirmed": {"unknown": "x"}, "unknown": 1})
    known = [re.findall(r"\(known: (.*)\)", problem.text)[0].split(", ") for problem in refused.value.problems]
    paths = ("", ".gpus[]", ".confirmed")
    return {f"layouts.{PLACEHOLDER}{path}": found for path, found in zip(paths, known, strict=True)}


MODELS = dict(models())
LAYOUT_KEYS = layout_keys()


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path or "sections")
def test_every_key_of_the_settings_is_on_the_page_with_its_default(path: str) -> None:
    model, shown = MODELS[path], keys(path)
    for name, field in model.model_fields.items():
        key, default = field.alias or name, field.get_default(call_default_factory=True)
        line = f"| `{key}` | … | {'required' if default is PydanticUndefined else as_yaml(default)} | … |"
        assert key in shown, f"add to the table of `{path}` in {FILE}:\n{line}"
        assert same(model, name, key, shown[key], default), f"{path}.{key} has the default {shown[key]}, not:\n{line}"


def as_yaml(default: object) -> str:
    """A default as the page may show it; a duration in seconds needs its unit."""
    return f"`{json.dumps(default, default=lambda _: {}).strip(chr(34))}`"


def same(model: type[BaseModel], name: str, key: str, cell: str, default: object) -> bool:
    """Whether a cell is the default, in the form in which a stack file writes it."""
    if cell == "required" or default is PydanticUndefined:
        return cell == "required" and default is PydanticUndefined
    written = yaml.safe_load(cell.strip("`"))
    if written is None or default is None:
        return written is default
    read = model.model_validate({**REQUIRED.get(model, {}), key: written})
    return bool(getattr(read, name) == default)


@pytest.mark.parametrize("path", [*MODELS, *LAYOUT_KEYS], ids=lambda path: path or "sections")
def test_every_key_on_the_page_exists(path: str) -> None:
    model = MODELS.get(path)
    known = [field.alias or name for name, field in model.model_fields.items()] if model else LAYOUT_KEYS[path]
    assert list(keys(path)) == known, f"the table of `{path}` in {FILE} has these keys in this order"


def test_every_section_of_the_page_is_about_a_key() -> None:
    headings = re.findall(r"^##+ `(.*)`$", PAGE, re.MULTILINE)
    assert set(headings) - MODELS.keys() - LAYOUT_KEYS.keys() == {"prices"}
    assert set(Settings.model_fields) == {heading.split(".")[0] for heading in headings}


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_is_accepted(number: int) -> None:
    assert fleet.from_document(parse("the example", EXAMPLES[number].encode())).pools


REFUSED = [
    (path, yaml.safe_load(value), message.strip("`").rstrip("… "))
    for path, value, message in re.findall(r"^\| `([\w.]+): (.*?)` \| (`.*`) \|$", PAGE, re.MULTILINE)
]


def test_the_tables_of_refused_values_are_read() -> None:
    assert len(REFUSED) == len(re.findall(r"^\| `[\w.]+: ", PAGE, re.MULTILINE)) > 30


@pytest.mark.parametrize(("path", "value", "message"), REFUSED)
def test_a_refused_value_has_the_message_that_the_page_shows(path: str, value: object, message: str) -> None:
    raw = copy.deepcopy(dict(read_document(parse("the example", EXAMPLES[0].encode())).sections))
    *above, last = path.split(".")
    here = raw
    for key in above:
        here = here.setdefault(key, {})
    here[last] = value
    with pytest.raises(InvalidSettings) as refused:
        fleet.parse(raw, "x")
    assert any(str(problem).startswith(message) for problem in refused.value.problems), refused.value


def test_the_descriptions_in_pulumi_yaml_name_every_key() -> None:
    declared = yaml.safe_load(Path("Pulumi.yaml").read_text("utf-8"))["config"]
    assert list(declared) == [f"{PROJECT}:{name}" for name in Settings.model_fields]
    described = {**MODELS, **LAYOUT_KEYS}
    for name in Settings.model_fields:
        words = re.findall(r"\w+", declared[f"{PROJECT}:{name}"]["description"])
        path = name if name in described else f"{name}.{PLACEHOLDER}"
        assert [key for key in (keys(path) if path in described else ()) if key not in words] == [], name
