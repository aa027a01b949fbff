"""Writes mig_fleet/stack_file/schema.json: the JSON Schema of a stack file, for editors and `mig-fleet schema`.

    make schema

Types and bounds are those of the settings, the forms of a layout those of `mig_fleet.model.layouts.forms`, GPU models
and profiles those of the catalog. Descriptions and defaults are the tables of docs/reference/stack-file.md and
docs/reference/monitoring.md.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from mig_fleet.model.layouts.layout import NAME
from mig_fleet.stack_file.json_schema import ADDRESS, FILE
from mig_fleet.stack_file.settings import PROJECT, Settings
from tools.layout_schema import GPU, LAYOUT, gpu_model, layout

PAGE: Final = Path("docs/reference/stack-file.md")
RUNBOOKS: Final = Path("docs/reference/monitoring.md")
DIALECT: Final = "http://json-schema.org/draft-07/schema#"
"""The newest one that yaml-language-server reads in full."""
SECRET: Final = {
    "type": "object",
    "description": "A value that was set with `pulumi config set --secret`; only Pulumi can decrypt it.",
    "properties": {"secure": {"type": "string"}},
    "required": ["secure"],
    "additionalProperties": False,
}
MAY_BE_SECRET: Final = ("chart", "version", "repository", "values")
"""Keys of `operator`."""
EXAMPLES: Final[Mapping[str, Any]] = {
    "cluster": [{"context": "prod-gpu"}],
    "cluster.kubeconfig": ["~/.kube/config"],
    "cluster.takeOver": ["8d2f6c1e acme/mig-fleet/prod"],
    "operator": [{"version": "v26.7.0"}],
    "operator.values": [{"driver": {"enabled": False}}],
    "layouts": [{"dense": {"gpu": "H100-80GB", "all": {"1g.10gb": 7}}}],
    "pools": [{"inference": {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": ["gpu-node-1"], "layout": "dense"}}],
    "pools.NAME.selector": [{"matchLabels": {"node.kubernetes.io/instance-type": "p5.48xlarge"}}],
    "monitoring.monitorLabels": [{"release": "kube-prometheus-stack"}],
    "prices": [{"H100-80GB": 2.5}],
}
"""Path → values that the schema shows."""


def schema() -> dict[str, Any]:
    """The whole document."""
    generated = Settings.model_json_schema(by_alias=True)
    definitions: dict[str, Any] = {**generated.pop("$defs"), "Layout": layout(), "GpuModel": gpu_model()}
    for model in definitions.values():
        model.pop("description", None)  # pydantic's is for programmers; the page describes the key
    page, runbooks = PAGE.read_text("utf-8"), RUNBOOKS.read_text("utf-8")
    sections = generated["properties"]
    sections["layouts"] = {"type": "object", "additionalProperties": {"$ref": LAYOUT}}
    sections["layouts"]["propertyNames"] = {"pattern": f"^({NAME.pattern})$"}
    sections["prices"]["propertyNames"] = GPU
    _describe(generated, "", definitions, page)
    _describe_alerts(definitions, page, runbooks)
    parts = definitions["Layout"]["properties"]
    _describe(parts["confirmed"], "layouts.NAME.confirmed", {}, page)
    _describe(parts["gpus"]["items"], "layouts.NAME.gpus[]", {}, page)
    _pool(definitions["Pool"])
    for key in MAY_BE_SECRET:
        _or_secret(definitions["Operator"]["properties"], key)
    definitions["Secret"] = SECRET
    _or_secret(sections, "operator")
    definitions["Sections"] = {"properties": dict(sections)}
    document = _stack_file(list(sections), generated["required"]) | {"$defs": definitions}
    _without_titles(document)
    return {"$schema": DIALECT, "$id": ADDRESS, "title": "A stack file of mig-fleet", **document}


def _stack_file(sections: list[str], required: list[str]) -> dict[str, Any]:
    """Pulumi's file around the sections; each section has three spellings of its key."""
    keys = {name: (f"{PROJECT}:{name}", f"{PROJECT}:config:{name}", name) for name in sections}
    config = {
        "type": "object",
        "description": "The sections of mig-fleet, and the configuration of other projects and providers.",
        "properties": {key: {"$ref": f"#/$defs/Sections/properties/{name}"} for name in keys for key in keys[name]},
        "patternProperties": {f"^(?!{PROJECT}:)[^:]+:(config:)?[^:]+$": {"description": "A key of another project."}},
        "additionalProperties": False,
    }
    complete = [{"anyOf": [{"required": [key]} for key in keys[name]]} for name in required]
    return {
        "type": "object",
        "properties": {
            "config": config,
            "environment": {"description": "Environments of Pulumi ESC, which may have further configuration."},
            "secretsprovider": {"type": "string", "description": "What encrypts secrets; Pulumi writes it."},
            "encryptionsalt": {"type": "string", "description": "Pulumi's salt of the passphrase."},
            "encryptedkey": {"type": "string", "description": "Pulumi's encrypted data key."},
        },
        # An environment may have the sections that the file lacks.
        "if": {"not": {"required": ["environment"]}},
        "then": {"required": ["config"], "properties": {"config": {"allOf": complete}}},
    }


def _describe(model: dict[str, Any], path: str, definitions: Mapping[str, Any], page: str) -> None:
    """Add the meaning, the default and the examples of each key of a mapping, and of the mappings in it."""
    for key, (default, meaning) in _rows(page, path).items():
        below, place = model["properties"][key], f"{path}.{key}".lstrip(".")
        inner = _mapping_in(below, definitions)
        named = inner is not None and "additionalProperties" in below and "properties" not in below
        model["properties"][key] = below = _plain_form(below)
        below["description"] = _sentence(meaning)
        below.pop("default", None)
        if default not in ("required", "none", "null") and (named or inner is None):
            below["default"] = yaml.safe_load(default.replace("\\|", "|"))
        if place in EXAMPLES:
            below["examples"] = EXAMPLES[place]
        if key == "gpu":
            model["properties"][key] = {"description": below["description"], "allOf": [GPU]}
        if inner is not None and key != "alerts":
            _describe(inner, f"{place}.NAME" if named else place, definitions, page)


def _describe_alerts(definitions: dict[str, Any], page: str, runbooks: str) -> None:
    """An alert is `false`, or a mapping whose keys are in its runbook."""
    meanings = {"severity": "The label by which Alertmanager routes", "wait": "How long it must be true"}
    for key, (_, meaning) in _rows(page, "monitoring.alerts").items():
        name = f"{key[0].upper()}{key[1:]}"
        found = re.search(rf"^### MIG{name}\n(.*?)(?=^##|\Z)", runbooks, re.MULTILINE | re.DOTALL)
        assert found, f"{RUNBOOKS} has no runbook of MIG{name}"
        for inner, cells in _table(found[1], 3):
            prop = definitions[name]["properties"][inner] = _plain_form(definitions[name]["properties"][inner])
            prop["description"] = _sentence(cells[2] or meanings[inner])
            prop.pop("default", None)
            if re.fullmatch(r"`[^`]+`", cells[1]):
                prop["default"] = yaml.safe_load(cells[1].strip("`"))
        off = {"const": False, "description": "Turns the alert off."}
        sentence = _sentence(meaning)
        text = f"Alerts when {sentence[0].lower()}{sentence[1:]}"
        definitions["Alerts"]["properties"][key] = {
            "description": text,
            "anyOf": [off, {"$ref": f"#/$defs/{name}"}],
        }
        definitions[name]["description"] = text


def _mapping_in(value: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any] | None:
    """The mapping with fixed keys that a value is, may be, or has for each name."""
    parts = (value, *value.get("anyOf", ()), value.get("additionalProperties"))
    names = [part["$ref"].rpartition("/")[2] for part in parts if isinstance(part, Mapping) and "$ref" in part]
    found = definitions.get(names[0]) if names else None
    return found if found is None or "properties" in found else None


def _plain_form(value: dict[str, Any]) -> dict[str, Any]:
    """Beside `$ref`, draft 7 ignores every other keyword."""
    return {"allOf": [{"$ref": value["$ref"]}]} if "$ref" in value else value


def _pool(pool: dict[str, Any]) -> None:
    """Either nodes or a selector."""
    pool["oneOf"] = [
        {"required": ["nodes"], "properties": {"nodes": {"type": "array"}}},
        {"required": ["selector"], "properties": {"selector": {"type": "object"}}},
    ]


def _or_secret(properties: dict[str, Any], key: str) -> None:
    above = {
        name: properties[key].pop(name) for name in ("description", "default", "examples") if name in properties[key]
    }
    properties[key] = above | {"anyOf": [properties[key], {"$ref": "#/$defs/Secret"}]}


def _rows(page: str, path: str) -> dict[str, tuple[str, str]]:
    """Key → its default and its meaning, in the table of a section of the page."""
    heading = re.escape(f"`{path}`" if path else "Sections")
    found = re.search(rf"^##+ {heading}\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL)
    return {key: (cells[2].strip("`"), cells[3]) for key, cells in _table(found[1], 4)} if found else {}


def _table(text: str, columns: int) -> Iterator[tuple[str, list[str]]]:
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == columns and cells[0].startswith("`"):
            yield cells[0].strip("`"), cells


def _sentence(meaning: str) -> str:
    """Without links, with a capital and a full stop."""
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", meaning)
    text = re.sub(r"; see below|\s*\((?:[Bb]elow|One owner|The same cluster|Stranded pods)\)", "", text).replace(
        "\\|", "|"
    )
    return f"{text[0].upper()}{text[1:].rstrip('.')}."


def _without_titles(part: Any) -> None:
    """Pydantic's titles repeat the keys."""
    if isinstance(part, dict):
        if isinstance(part.get("title"), str):
            del part["title"]
        for inner in part.values():
            _without_titles(inner)
    elif isinstance(part, list):
        for inner in part:
            _without_titles(inner)


def text() -> str:
    """The content of the file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
