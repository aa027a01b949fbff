"""The JSON Schema of a stack file: what the settings accept it accepts, and it finds the mistakes that people make."""

import copy
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from pydantic import TypeAdapter, ValidationError

from mig_fleet.cli.__main__ import main
from mig_fleet.documents import DocumentError, open_document, parse
from mig_fleet.model import gpus
from mig_fleet.model.errors import MigError
from mig_fleet.stack_file import fleet, scalars
from mig_fleet.stack_file.json_schema import ADDRESS, FILE, modeline, schema_text
from mig_fleet.stack_file.problems import InvalidSettings
from mig_fleet.stack_file.reading import is_stack_file
from mig_fleet.stack_file.settings import PROJECT, Settings
from tests.stack_file.test_page import EXAMPLES, REFUSED
from tools import stack_file_schema

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads(schema_text())
VALIDATOR = Draft7Validator(SCHEMA)
SKIPPED = {".git", ".venv", ".mig-fleet", "node_modules", "tests"}
POOL = {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": ["n1"], "layout": "dense"}
LAYOUT = {"gpu": "H100-80GB", "all": {"1g.10gb": 7}}
SECTIONS: dict[str, Any] = {
    "cluster": {"context": "c"},
    "operator": {"version": "v26.7.0"},
    "layouts": {"dense": LAYOUT},
    "pools": {"p": POOL},
}


def errors(document: object) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(document)]


def a_file(**sections: Any) -> dict[str, Any]:
    """A stack file that works, with other sections."""
    merged = {**copy.deepcopy(SECTIONS), **sections}
    return {"config": {f"{PROJECT}:{name}": section for name, section in merged.items()}}


def stack_files() -> Iterator[Path]:
    """Every stack file of the repository, in templates and examples, too."""
    for path in sorted(ROOT.rglob("*.yaml")):
        inside = path.relative_to(ROOT)
        if not SKIPPED & set(inside.parts) and path.name.startswith("Pulumi.") and path.name != "Pulumi.yaml":
            yield path


STACK_FILES = list(stack_files())


def by_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_schema_is_a_valid_schema_and_is_what_the_generator_writes() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert stack_file_schema.text() == FILE.read_text(), "run `make schema`"


def test_the_command_prints_the_schema() -> None:
    done = CliRunner().invoke(main, ["schema"])
    assert done.exit_code == 0 and json.loads(done.stdout) == SCHEMA


def test_its_address_is_that_of_the_file_in_the_repository() -> None:
    assert SCHEMA["$id"] == ADDRESS
    assert ADDRESS.endswith(f"/main/{FILE.relative_to(ROOT)}")


@pytest.mark.parametrize("path", STACK_FILES, ids=by_name)
def test_a_stack_file_of_the_repository_follows_the_schema_and_names_it(path: Path) -> None:
    found = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text())
    assert found, f"{by_name(path)} must begin with: {modeline()}"
    assert found[1] == ADDRESS or (path.parent / found[1]).resolve() == FILE
    document = open_document(path).data
    if is_stack_file(document):
        assert errors(document) == []


def test_there_are_stack_files_to_check() -> None:
    assert {"Pulumi.local.yaml", "Pulumi.prod.yaml"} <= {path.name for path in STACK_FILES}


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_of_the_page_follows_the_schema(number: int) -> None:
    assert errors(parse("the example", EXAMPLES[number].encode()).data) == []


def test_an_imported_stack_file_names_the_schema_and_follows_it(tmp_path: Path) -> None:
    source = tmp_path / "play.yml"
    source.write_text("- hosts: localhost\n  vars: {mig_nodes: [{name: n1, config: all-1g.10gb}]}\n")
    words = ["import", str(source), "--gpu", "H100-80GB", "--gpus-per-node", "8"]
    text = CliRunner().invoke(main, words).stdout
    assert text.startswith(modeline())
    assert errors(yaml.safe_load(text)) == []


# What it describes


def leaves(part: Any = SCHEMA["$defs"], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each key that a stack file may have, and its schema."""
    for key, value in part.items() if isinstance(part, dict) else ():
        if key == "properties":
            yield from ((f"{path}.{name}".lstrip("."), inner) for name, inner in value.items())
        if key not in ("examples", "default", "enum", "oneOf"):
            yield from leaves(value, f"{path}.{key}".replace(".properties", ""))
    for position, value in enumerate(part if isinstance(part, list) else ()):
        yield from leaves(value, f"{path}[{position}]")


LEAVES = dict(leaves())


@pytest.mark.parametrize("path", [path for path in LEAVES if not path.startswith("Secret")])
def test_a_key_has_a_description_in_whole_sentences(path: str) -> None:
    text = LEAVES[path].get("description", "")
    assert re.fullmatch(r"[A-Z`0-9].*\.", text), f"{path}: {text!r}"
    assert not re.search(r"\]\(|:class:|``", text), text


def test_every_default_and_every_example_follows_its_own_schema() -> None:
    for path, schema in LEAVES.items():
        inner = Draft7Validator({**schema, "$defs": SCHEMA["$defs"]})
        shown = [*schema.get("examples", ()), *([schema["default"]] if "default" in schema else [])]
        assert [(path, value) for value in shown if list(inner.iter_errors(value))] == []


def test_the_catalog_is_offered_for_completion() -> None:
    assert SCHEMA["$defs"]["GpuModel"]["anyOf"][0]["enum"] == [model.short for model in gpus.all_models()]
    offered = SCHEMA["$defs"]["Layout"]["properties"]["all"]["properties"]
    assert {name for model in gpus.all_models() for name in model.profiles} <= offered.keys()


# Mistakes

MISTAKES: list[tuple[str, dict[str, Any]]] = [
    ("a section that does not exist", a_file(prizes={})),
    ("a key of a section", a_file(cluster={"contxt": "c"})),
    ("a key of a pool", a_file(pools={"p": {**POOL, "layuot": "dense"}})),
    ("a key of a layout", a_file(layouts={"dense": {"gpu": "H100-80GB", "al": {}}})),
    ("a number as text", a_file(pools={"p": {**POOL, "gpusPerNode": "8"}})),
    ("a boolean as text", a_file(operator={"managed": "no"})),
    ("a list as text", a_file(pools={"p": {**POOL, "nodes": "n1"}})),
    ("a duration without a unit", a_file(operator={"timeout": 600})),
    ("a share above all nodes", a_file(pools={"p": {**POOL, "rollout": {"maxUnavailable": "101%"}}})),
    ("a value that is not offered", a_file(operator={"strategy": "none"})),
    ("a value of an alert", a_file(monitoring={"alerts": {"sliceIdle": True}})),
    ("a GPU model that does not exist", a_file(layouts={"dense": {**LAYOUT, "gpu": "H100-81GB"}})),
    ("a GPU model with several sizes", a_file(layouts={"dense": {**LAYOUT, "gpu": "H100"}})),
    ("something that is no profile", a_file(layouts={"dense": {"gpu": "H100-80GB", "all": {"1g10gb": 7}}})),
    ("two forms of a layout", a_file(layouts={"dense": {**LAYOUT, "disabled": True}})),
    ("no form of a layout", a_file(layouts={"dense": {"gpu": "H100-80GB"}})),
    ("a name of a layout", a_file(layouts={"Dense_1": LAYOUT})),
    ("nodes and a selector", a_file(pools={"p": {**POOL, "selector": {"matchLabels": {"a": "b"}}}})),
    ("neither nodes nor a selector", a_file(pools={"p": {k: v for k, v in POOL.items() if k != "nodes"}})),
    ("a node name", a_file(pools={"p": {**POOL, "nodes": ["N 1"]}})),
    ("a secret where none may be", a_file(probe={"image": {"secure": "v1:x"}})),
    ("a price of nothing", a_file(prices={"H100-80GB": 0})),
    ("no pools", {"config": {f"{PROJECT}:layouts": {"dense": LAYOUT}}}),
    ("no configuration", {"encryptionsalt": "v1:x"}),
    ("two colons", {"config": {**a_file()["config"], "a:b:c": 1}}),
]


@pytest.mark.parametrize("document", [it for _, it in MISTAKES], ids=[name for name, _ in MISTAKES])
def test_a_typical_mistake_is_found(document: dict[str, Any]) -> None:
    assert errors(document)
    with pytest.raises((InvalidSettings, DocumentError)):
        fleet.from_document(parse("x", yaml.safe_dump(document).encode()))


# What Pulumi allows around the sections


@pytest.mark.parametrize("prefix", [f"{PROJECT}:", f"{PROJECT}:config:", ""])
def test_each_spelling_of_a_section_is_known(prefix: str) -> None:
    assert errors({"config": {f"{prefix}{name}": section for name, section in SECTIONS.items()}}) == []


def test_keys_of_pulumi_and_of_other_projects_are_allowed() -> None:
    document = a_file() | {"encryptionsalt": "v1:x", "secretsprovider": "passphrase", "encryptedkey": "k"}
    document["config"] |= {"aws:region": "eu-central-1", "other:config:key": {"a": [1]}}
    assert errors(document) == []


def test_an_environment_may_bring_the_sections() -> None:
    assert errors({"environment": ["gpus/prod"]}) == []


@pytest.mark.parametrize(
    "operator",
    [
        {"secure": "v1:x"},
        {"repository": {"secure": "v1:x"}, "version": {"secure": "v1:x"}, "chart": {"secure": "v1:x"}},
        {"values": {"secure": "v1:x"}},
        {"values": {"driver": {"licensing": {"secure": "v1:x"}}}},
    ],
)
def test_the_operators_secrets_are_allowed(operator: dict[str, Any]) -> None:
    document = a_file(operator=operator)
    assert errors(document) == []
    assert fleet.from_document(parse("x", yaml.safe_dump(document).encode())).pools


# Laws

VALUES: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 2, 8, 65, 0.5, 2.5, "", "x", "n1", "a b", "v26.7.0", "~26.7", "latest"),
    *("0s", "1s", "15s", "30s", "61s", "90s", "1m", "2m", "3m", "24m", "25m", "30m", "2h", "0h", "007s", "1500s"),
    *("0%", "1%", "25%", "100%", "101%", "025%", "[", "https://example.com/a", "https://example.com/a#b"),
    *([], ["n1"], ["n1", "gpu-1.example.com"], [1], {}, {"a": "b"}, {"a/b": ""}, {"a": 1}, {"matchLabels": {"a": "b"}}),
    *("H100-80GB", "h100-80gb", "NVIDIA H100 80GB HBM3", "0x233010DE", "A30", "H100", "Thor"),
)


def choices() -> Iterator[tuple[tuple[str, ...], str, list[Any]]]:
    """A mapping of the settings, a key of it, and the values to try there."""
    places = {
        **{name: (name,) for name in ("cluster", "operator", "probe", "monitoring")},
        "Pool": ("pools", "p"),
        "Rollout": ("pools", "p", "rollout"),
    }
    for name, place in places.items():
        model = SCHEMA["$defs"][name[0].upper() + name[1:]]
        for key, value in model["properties"].items():
            yield place, key, [*VALUES, *re.findall(r"'(\w+)'", str(value.get("enum", "")))]


def with_value(place: tuple[str, ...], key: str, value: Any) -> dict[str, Any]:
    sections = copy.deepcopy(SECTIONS)
    here = sections
    for each in place:
        here = here.setdefault(each, {})
    here[key] = value
    if key == "selector" and value is not None:
        here.pop("nodes", None)
    return sections


@cache
def is_form_accepted(sections: str) -> bool:
    """Whether the settings alone accept it: without the model of MIG, and without what contradicts each other."""
    try:
        Settings.model_validate(json.loads(sections))
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(("place", "key", "values"), list(choices()), ids=lambda it: it if isinstance(it, str) else "")
def test_the_schema_accepts_a_value_exactly_if_the_settings_do(
    place: tuple[str, ...], key: str, values: list[Any]
) -> None:
    for value in values:
        sections = with_value(place, key, value)
        by_settings = is_form_accepted(json.dumps(sections))
        by_schema = not errors(a_file(**sections))
        if by_settings != by_schema:
            text = ".".join((*place, key))
            assert (by_schema, text) in LENIENT, f"{text}: {value!r} is accepted by {'schema' if by_schema else 'code'}"


LENIENT = {
    (True, "operator.version"),
    (True, "monitoring.exporterJob"),
    (False, "pools.p.gpu"),
}
"""Where the two differ: the schema accepts what Helm or Prometheus may refuse, and knows the GPU models, which the
settings leave to the model of MIG."""


@given(
    st.sampled_from([model.short for model in gpus.all_models()])
    | st.text(max_size=12)
    | st.from_regex(r"\A[ABGH]+[0-9]{2,3}(-[0-9]+GB)?\Z")
)
def test_every_name_of_the_catalog_is_accepted_in_each_spelling(name: str) -> None:
    for spelling in (name, name.lower(), name.replace("-", " ")):
        try:
            gpus.find(spelling)
        except MigError:
            continue
        assert errors(a_file(prices={spelling: 1.5})) == [], spelling


@pytest.mark.parametrize(
    "name", [n for m in gpus.all_models() for n in (m.name, m.short, *m.product_names, *m.pci_device_ids)]
)
def test_every_name_in_the_catalog_is_accepted(name: str) -> None:
    assert errors(a_file(prices={name: 1.5})) == []


TYPES = {
    name: getattr(scalars, name)
    for name in (
        "Duration",
        "PositiveDuration",
        "Interval",
        "WedgedAfter",
        "ScrapeInterval",
        "NodeName",
        "Namespace",
        "Labels",
        "LabelSelector",
        "Share",
        "NodeCount",
        "Url",
        "MigStrategy",
        "NodeNames",
    )
}
TEXTS = st.from_regex(r"\A[0-9]{0,4}[smh%]?\Z") | st.from_regex(r"\A[-a-z0-9./:]{0,70}\Z") | st.text(max_size=8)


@pytest.mark.parametrize("name", TYPES)
@given(value=TEXTS | st.integers(-2, 200) | st.dictionaries(TEXTS, TEXTS, max_size=2) | st.lists(TEXTS, max_size=2))
def test_whatever_a_type_accepts_its_schema_accepts(name: str, value: Any) -> None:
    adapter = TypeAdapter(TYPES[name])
    try:
        adapter.validate_python(value)
    except ValidationError:
        return
    assert list(Draft7Validator(adapter.json_schema()).iter_errors(value)) == [], value


@pytest.mark.parametrize(("path", "value", "message"), [it for it in REFUSED if "." in it[0]])
def test_what_the_page_shows_as_refused_is_refused_by_the_schema_or_needs_the_whole_file(
    path: str, value: object, message: str
) -> None:
    """The schema refuses a value that is wrong by itself; what contradicts another value only `check` finds."""
    document = copy.deepcopy(parse("the example", EXAMPLES[0].encode()).data)
    section, *above, last = path.split(".")
    here = document["config"].setdefault(f"{PROJECT}:{section}", {})
    for key in above:
        here = here.setdefault(key, {})
    here[last] = value
    raw = {key.removeprefix(f"{PROJECT}:"): section for key, section in document["config"].items()}
    with pytest.raises(InvalidSettings):
        fleet.parse(raw, "x")
    if not is_form_accepted(json.dumps(raw)) and path not in (
        "operator.version",
        "monitoring.exporterJob",
        "cluster.kubeconfig",
    ):
        assert errors(document), message
