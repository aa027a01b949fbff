"""The pages about rollouts and the probe, and SECURITY.md, name the rights that the code asks for, and no other."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mig_fleet.observed.probe_health import RIGHTS as OF_PROBE
from mig_fleet.observed.rights.grant import Grant, Step, Use
from mig_fleet.observed.rights.needed import needed_grants

ROOT = Path(__file__).parents[2]
ALL = needed_grants("operator", "probe", list(Use), "DRA driver")
HEAD = [
    "| resources | where | preview | update | only with | for |",
    "|---|---|---|---|---|---|",
]
OPTIONAL_HEAD = ["| right | where | only with | for |", "|---|---|---|---|"]


def page(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def code(words: list[str]) -> str:
    return ", ".join(f"`{word}`" for word in dict.fromkeys(words))


def plurals(grant: Grant) -> list[str]:
    """Without their API groups, which `mig-fleet rights` prints."""
    return [resource.partition(".")[0] for resource in grant.resources]


def where(grant: Grant) -> str:
    return f"{grant.namespace}'s namespace" if grant.namespace else "cluster"


def names(grants: list[Grant]) -> str:
    """The objects to which the verbs that can be limited are limited; the table's placeholders are namespaces."""
    limited = [name for grant in grants for name in grant.names]
    shown = [f"the {name}'s" if name in ("operator", "probe") else f"`{name}`" for name in dict.fromkeys(limited)]
    return f": {', '.join(shown)}" if shown else ""


def verbs(grants: list[Grant], step: Step) -> str:
    return ", ".join(verb for grant in grants if grant.step is step for verb in grant.verbs)


def rows() -> Iterator[str]:
    """One row for the same resources in the same place with the same condition."""
    together: dict[tuple[object, ...], list[Grant]] = {}
    for grant in ALL:
        if grant.step is not Step.OPTIONAL:
            together.setdefault((grant.resources, grant.namespace, grant.use), []).append(grant)
    for grants in together.values():
        first = grants[0]
        only = f"`{first.use}`" if first.use else ""
        why = "; ".join(dict.fromkeys(grant.why for grant in grants))
        read, write = verbs(grants, Step.PREVIEW), verbs(grants, Step.UPDATE)
        yield f"| {code(plurals(first))}{names(grants)} | {where(first)} | {read} | {write} | {only} | {why} |"


def optional_rows() -> Iterator[str]:
    for grant in ALL:
        if grant.step is Step.OPTIONAL:
            only = f"`{grant.use}`" if grant.use else ""
            what = f"{', '.join(grant.verbs)} {code(plurals(grant))}{names([grant])}"
            yield f"| {what} | {where(grant)} | {only} | {grant.why} |"


def writing() -> str:
    """What a user may change, as SECURITY.md summarizes it: the resources by place, with their verbs."""
    parts: dict[str, dict[str, list[str]]] = {}
    for grant in ALL:
        if grant.step is Step.UPDATE:
            for resource in plurals(grant):
                known = parts.setdefault(where(grant), {}).setdefault(resource, [])
                known += [verb for verb in grant.verbs if verb not in (*known, "list", "watch")]
    listed = {
        place: ", ".join(f"{resource} ({' '.join(found)})" for resource, found in resources.items() if found)
        for place, resources in parts.items()
    }
    return "; ".join(f"in the {place}: {text}" for place, text in listed.items())


@pytest.mark.parametrize(
    "table",
    ["\n".join([*HEAD, *rows()]), "\n".join([*OPTIONAL_HEAD, *optional_rows()])],
    ids=["needed", "optional"],
)
def test_the_page_about_rollouts_has_the_table_of_rights(table: str) -> None:
    assert table in page("docs/reference/rollout.md"), f"replace the table in docs/reference/rollout.md by:\n{table}"


def test_the_page_about_security_says_what_a_user_may_write() -> None:
    assert writing() in page("SECURITY.md"), f"SECURITY.md must say:\n{writing()}"


def test_the_pages_say_what_a_probe_may_do() -> None:
    """The rights that a preview checks are those that the component grants: tests/stacks/test_program.py."""
    assert OF_PROBE == (("get", "nodes", False), ("create", "configmaps", True), ("patch", "configmaps", True))
    for name in ("docs/reference/probe.md", "SECURITY.md"):
        text = re.sub(r"\s+", " ", page(name))
        own = "(of its own|in the probe's) namespace"
        assert re.search(rf"`get` and `watch` nodes[,;] (and )?create and patch ConfigMaps {own}", text)
