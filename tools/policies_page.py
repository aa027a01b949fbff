"""Writes the generated part of docs/reference/policies.md: `python -m tools.policies_page`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mig_fleet.policies.all_policies import POLICIES
from mig_fleet.policies.policy import Policy
from mig_fleet.policies.program_facts import ProgramFacts

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "policies.md"
MARK = "<!-- Below: written by `make policies-page`. -->\n"


def generated() -> str:
    """The table of all policies, and a section for each."""
    rows = [
        f"| [`{it.name}`](#{it.name}) | {it.sentence.partition(': ')[0].rstrip('.')} | {_default(it)} |"
        for it in POLICIES
    ]
    table = ["## All policies", "| policy | rule | default |", "|---|---|---|", *rows]
    return "\n".join([*table, *(line for policy in POLICIES for line in _section(policy))]) + "\n"


def _default(policy: Policy[Any, Any]) -> str:
    needs = " or ".join(f"`{name}`" for name in policy.needs)
    return f"{policy.level}, once {needs} is set" if needs else str(policy.level)


def _section(policy: Policy[Any, Any]) -> Iterator[str]:
    whole = policy.facts is ProgramFacts
    yield from ("", f"### {policy.name}", policy.sentence, "")
    yield from ("| | |", "|---|---|")
    yield f"| default level, severity | {_default(policy)}; {policy.severity} |"
    yield f"| checked | {'the whole program, at the end' if whole else 'each resource, before it changes'} |"
    yield f"| not known in a preview | {policy.unknown} |"
    yield f"| remedy | {policy.remedy} |"
    for name, schema in policy.parameters.properties().items():
        default = f" (default: `{json.dumps(schema['default'])}`)" if "default" in schema else ""
        yield f"| `{name}`: {_type(schema)} | {schema['description']}{default} |"
    if policy.example:
        yield from ("", "```json", json.dumps({policy.name: policy.example}), "```")


def _type(schema: dict[str, Any]) -> str:
    if schema["type"] == "array":
        return "list of texts"
    bounds = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to"}
    limits = "".join(f" {word} {schema[key]}" for key, word in bounds.items() if key in schema)
    choices = " or ".join(f"`{choice}`" for choice in schema.get("enum", ()))
    return choices or {"integer": "whole number", "number": "number", "string": "text"}[schema["type"]] + limits


def main() -> None:
    head = PAGE.read_text("utf-8").partition(MARK)[0]
    PAGE.write_text(head + MARK + generated(), "utf-8")


if __name__ == "__main__":
    main()
