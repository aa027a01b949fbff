"""Writes docs/json: a JSON schema for each output of `--json`.

    make json-schemas

The types of the outputs are the source, with their docstrings and those of their fields.
"""

import ast
import functools
import inspect
import json
import operator
from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

import msgspec

from mig_fleet.cli.outputs import advise, check, gpus, monitoring, plan, policies, rights, simulate, status, toolchain
from mig_fleet.review import review


@dataclass(frozen=True)
class Reviews:
    """The reviews of several stacks."""

    reviews: tuple[review.Review, ...]


@functools.cache
def output_type(kind: Any) -> Any:
    """The type of the JSON that a dataclass is printed as: its fields in camelCase, and no other key."""
    fields = [(name, _in_outputs(hint)) for name, hint in get_type_hints(kind).items()]
    made = msgspec.defstruct(kind.__name__, fields, rename="camel", forbid_unknown_fields=True, kw_only=True)
    made.__doc__ = kind.__doc__
    return made


def _in_outputs(hint: Any) -> Any:
    """The same type with the output type in place of each dataclass in it."""
    if isinstance(hint, type) and is_dataclass(hint):
        return output_type(hint)
    arguments = tuple(map(_in_outputs, get_args(hint)))
    if not arguments:
        return hint
    if isinstance(hint, UnionType):
        return functools.reduce(operator.or_, arguments)
    return get_origin(hint)[arguments]


FOLDER: Final = Path(__file__).parents[1] / "docs" / "json"
OUTPUTS: Final[dict[str, Any]] = {
    "advise": advise.Advice,
    "check": check.Proof,
    "check-files": dict[str, tuple[check.Finding, ...]],
    "gpus": tuple[gpus.GpuModel, ...],
    "gpus-profile": gpus.ProfileMeaning,
    "monitoring": monitoring.Monitoring,
    "plan": plan.Plan,
    "plan-against": plan.PlanAgainst,
    "policies": tuple[policies.PolicyVerdict, ...],
    "review": output_type(Reviews),
    "rights": tuple[rights.Right, ...],
    "simulate-fault": simulate.NodeFaults,
    "simulate-faults": tuple[simulate.FaultMeaning, ...],
    "simulate-status": simulate.FleetStatus,
    "status": status.StackOutputs,
    "status-live": status.LiveStatus,
    "toolchain": tuple[toolchain.FoundTool, ...],
}
"""Name of the schema → what the command prints."""
MODULES: Final = (advise, check, gpus, monitoring, plan, policies, review, rights, simulate, status, toolchain)
"""Where the types are documented."""


def text(name: str) -> str:
    """The content of ``<name>.schema.json``."""
    schema = msgspec.json.schema(OUTPUTS[name])
    module = next(module for module in MODULES if module.__name__.rpartition(".")[2] == name.partition("-")[0])
    documented = dict(_documented(module))
    for kind, part in schema.get("$defs", {}).items():
        for key, value in part.get("properties", {}).items():
            # The parameters of a generic type are in its name: Change_str_.
            if found := documented.get((kind.partition("_")[0], key)):
                value["description"] = found
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"mig-fleet {name.replace('-', ' ')}"}
    return json.dumps(head | schema, indent=2, ensure_ascii=False).replace("``None``", "null").replace("``", "`") + "\n"


def _documented(module: ModuleType) -> Iterator[tuple[tuple[str, str], str]]:
    """The docstring of each field, by the name of its class and its key in JSON."""
    for kind in ast.parse(inspect.getsource(module)).body:
        if isinstance(kind, ast.ClassDef):
            for field, after in zip(kind.body, kind.body[1:], strict=False):
                match field, after:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(docstring))):
                        first, *rest = name.split("_")
                        yield (kind.name, first + "".join(map(str.capitalize, rest))), " ".join(docstring.split())


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in OUTPUTS:
        (FOLDER / f"{name}.schema.json").write_text(text(name))


if __name__ == "__main__":
    main()
