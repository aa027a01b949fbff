"""docs/reference/components.md: the components of a Pulumi program, their arguments and outputs."""

import re
from collections.abc import Iterator

from mig_fleet.rollout.wave import DEFAULTS
from tools.reference_pages.source import Described, Entry, as_markdown, classes, first_sentence, table

COMPONENTS = {
    "Fleet": ("components/fleet/component.py", "components/fleet/args.py"),
    "MigLayouts": ("components/layouts.py",),
    "DeviceClasses": ("components/device_classes.py",),
    "GpuOperator": ("components/gpu_operator/component.py",),
    "MigProbe": ("components/probe/component.py",),
    "Monitoring": ("components/monitoring/component.py", "components/monitoring/declared.py"),
    "Pool": ("components/pool.py",),
    "ClusterOwner": ("components/owner.py",),
}
"""Public name → the files that have the class and its arguments."""

SHARED = ("components/cluster_input.py", "components/layout_args.py")
"""Files with arguments of several components."""

TYPES = (
    *SHARED,
    "mig_fleet/cluster/connection.py",
    "components/pool.py",
    "components/fleet/args.py",
    "mig_fleet/rollout/wave.py",
)
ELSEWHERE = ("Wave", "PoolSection")
"""Files and classes with words for keys that have none where they are declared."""


def page() -> str:
    return "\n".join([*(part for name in COMPONENTS for part in _component(name)), *_shared()])


def _component(name: str) -> Iterator[str]:
    found = {each: described for file in COMPONENTS[name] for each, described in classes(file).items()}
    component = found[name]
    yield f"## `{name}`\n{_paragraphs(component.text)}\n"
    outputs = [(f"`{each.name}`", _type(each.written), each.text) for each in component.entries]
    documented = [row for row in outputs if row[2]]
    if documented:
        yield table("| output | type | meaning |", *documented)
    first = f"{name}Args"
    for each in sorted((args for args in found if _is_arguments(found[args])), key=lambda args: args != first):
        yield f"### `{each}`\n{_paragraphs(found[each].text)}\n"
        yield arguments(found[each])


def _shared() -> Iterator[str]:
    yield "## Arguments of several components\n"
    for file in SHARED:
        for each in classes(file).values():
            if _is_arguments(each):
                yield f"### `{each.name}`\n{_paragraphs(each.text)}\n"
                yield arguments(each)


def arguments(described: Described) -> str:
    """The table of a mapping's keys."""
    rows = [
        (f"`{each.name}`", _type(each.written), "yes" if _required(described, each.written) else "", _meaning(each))
        for each in described.entries
    ]
    return table("| key | type | required | meaning |", *rows)


def _meaning(key: Entry) -> str:
    """A key without words has those of its type, or of the same key of a wave or a stack file."""
    if key.text:
        return key.text
    known = {name: found for file in TYPES for name, found in classes(file).items()}
    if named := [known[name] for name in re.findall(r"\w+", key.written) if name in known]:
        return f"{first_sentence(named[0].text)}."
    words = next((each.text for name in ELSEWHERE for each in known[name].entries if each.name == key.name), "")
    default = f" (default: `{DEFAULTS[key.name]}`)" if key.name in DEFAULTS and "default" not in words else ""
    return f"{words.removesuffix('.')}{default}." if words else ""


def _is_arguments(described: Described) -> bool:
    return "TypedDict" in described.bases or any(base.endswith("Args") for base in described.bases)


def _required(described: Described, written: str) -> bool:
    return written.startswith("Required[") or (described.total and not written.startswith("NotRequired["))


def _type(written: str) -> str:
    inner = re.sub(r"^(?:Not)?Required\[(.*)\]$", r"\1", written)
    return f"`{inner.replace('pulumi.', '').replace(chr(39), chr(34))}`"


def _paragraphs(text: str) -> str:
    return "\n\n".join(as_markdown(part) for part in text.split("\n\n"))
