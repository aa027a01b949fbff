"""Settings with their meaning: layouts that are proven, pools that use them, one strategy for the cluster."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mig_fleet.documents import Document, open_document
from mig_fleet.model import gpus
from mig_fleet.model.errors import InvalidLayout, MigError
from mig_fleet.model.layouts import Layout
from mig_fleet.model.placement import Verdict
from mig_fleet.model.strategy import DEFAULT, Strategy
from mig_fleet.policies.chart_values import contradictions, derived_values
from mig_fleet.policies.rules import PoolFacts, conflicts
from mig_fleet.stack_file.problems import InvalidSettings, Problem, as_found, did_you_mean, from_pydantic
from mig_fleet.stack_file.settings import Pool, Settings, raw_from_document, raw_from_pulumi, secret_sections


@dataclass(frozen=True)
class FleetPool:
    """A pool and its layout."""

    name: str
    settings: Pool
    layout: Layout
    nodes: tuple[str, ...]
    """By name; those of a selector are known once the cluster was asked (`stack_file.membership`)."""
    ready: frozenset[str] = frozenset()
    """The nodes that are done, where a rollout is bounded by updates; known from the cluster as well."""


@dataclass(frozen=True)
class Fleet:
    """A stack file that can be realized."""

    settings: Settings
    layouts: Mapping[str, Layout]
    pools: tuple[FleetPool, ...]
    strategy: Strategy
    prices: Mapping[str, float]
    """USD per GPU-hour, by the catalog's name of the GPU model."""
    secrets: frozenset[str] = frozenset()
    """The sections in which anything is secret."""
    serves_rules: bool = False
    """Whether the cluster has NodeFeatureRules; known once it was asked (`stack_file.membership`)."""


MAY_BE_SECRET = frozenset({"operator"})


def from_pulumi() -> Fleet:
    """The running program's fleet; raises :class:`InvalidSettings`."""
    import pulumi

    source, secrets = f"stack '{pulumi.get_stack()}'", secret_sections()
    if plain := secrets - MAY_BE_SECRET:
        text = "holds something set with --secret, but is stored and shown as it is; only operator may hold secrets"
        raise InvalidSettings(source, [Problem(name, text) for name in plain])
    return parse(raw_from_pulumi(), source, secrets)


def from_file(path: Path) -> Fleet:
    """A stack file's fleet; raises :class:`InvalidSettings`, or :class:`DocumentError` for a file that cannot be read
    or says something twice.
    """
    document = open_document(path)
    if document.overlooked:
        raise document.overlooked[0]
    return from_document(document)


def from_document(document: Document) -> Fleet:
    """The fleet of a stack file that has been read; raises :class:`InvalidSettings`, :class:`DocumentError`."""
    return parse(raw_from_document(document), Path(document.name).name)


def parse(raw: Mapping[str, Any], source: str, secrets: frozenset[str] = frozenset()) -> Fleet:
    """Check the spelling, then everything that is spelled well enough to have a meaning, and report both together.

    What is found in a section of ``secrets`` is not repeated.
    """
    problems: list[Problem] = []
    settings = _settings(_named(raw, problems), problems, secrets)
    layouts = _layouts(settings, problems)
    pools = _pools(settings, layouts, problems)
    prices = _prices(settings, problems)
    _unused(layouts, {pool.settings.layout for pool in pools}, problems)
    if settings.probe.namespace == settings.operator.namespace:
        text = f"{settings.probe.namespace!r} holds MIG Manager's layout file; give the probes a namespace of their own"
        problems.append(Problem("probe.namespace", text))
    for it in contradictions(derived_values(str(DEFAULT)), settings.operator.values):
        text = it.text if "operator" in secrets else f"{it.text}{as_found(it.given)}"
        problems.append(Problem(f"operator.values.{it.path}", text))
    for conflict in conflicts([_facts(pool) for pool in pools], DEFAULT):
        path = f"pools.{conflict.subject}" if conflict.subject else "pools"
        problems.append(Problem(path, conflict.text, conflict.unproven))
    if problems:
        raise InvalidSettings(source, problems)
    return Fleet(settings, layouts, pools, DEFAULT, prices, secrets)


def _named(raw: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """The same data without entries whose name is no text: YAML reads ``1`` as a number and ``on`` as a truth value."""
    kept = dict(raw)
    for section in ("layouts", "pools"):
        entries = kept.get(section)
        if isinstance(entries, Mapping):
            odd = [key for key in entries if not isinstance(key, str)]
            problems += [Problem(f"{section}.{key}", "is not read as a name by YAML; put it in quotes") for key in odd]
            kept[section] = {key: value for key, value in entries.items() if isinstance(key, str)}
    return kept


def _settings(raw: dict[str, Any], problems: list[Problem], secrets: frozenset[str]) -> Settings:
    """What pydantic accepts; the entries it refuses are reported and left out, so that the rest can be looked at."""
    while True:
        try:
            return Settings.model_validate(raw)
        except ValidationError as error:
            problems += from_pydantic(error, Settings, secrets)
            raw = _without(raw, error)


def _without(raw: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    """The same data without the entries that an error is in: one pool, one layout, one section."""
    kept = {key: dict(value) if isinstance(value, Mapping) else value for key, value in raw.items()}
    for details in error.errors():
        section, *inner = (str(part) for part in details["loc"])
        if section in ("layouts", "pools") and inner and isinstance(kept.get(section), dict):
            kept[section].pop(inner[0], None)
        else:
            kept.pop(section, None)
    return {"layouts": {}, "pools": {}, **kept}


def _layouts(settings: Settings, problems: list[Problem]) -> dict[str, Layout]:
    found: dict[str, Layout] = {}
    for name, data in settings.layouts.items():
        try:
            found[name] = Layout.parse(name, data)
        except InvalidLayout as exc:
            problems += [Problem(f"layouts.{name}.{p.path}".rstrip("."), p.text) for p in exc.problems]
        except MigError as exc:
            problems.append(Problem(f"layouts.{name}.gpu", str(exc)))
    return found


def _pools(settings: Settings, layouts: Mapping[str, Layout], problems: list[Problem]) -> tuple[FleetPool, ...]:
    found: list[FleetPool] = []
    owner: dict[str, str] = {}
    for name, pool in settings.pools.items():
        try:
            gpus.find(pool.gpu)
        except MigError as exc:
            problems.append(Problem(f"pools.{name}.gpu", str(exc)))
            continue
        for node in pool.nodes or ():
            if node in owner:
                problems.append(Problem(f"pools.{name}.nodes", f"node '{node}' is in pool '{owner[node]}' already"))
            owner[node] = name
        if pool.layout in layouts:
            found.append(FleetPool(name, pool, layouts[pool.layout], pool.nodes or ()))
        elif pool.layout not in settings.layouts and not any(
            problem.path.startswith(f"layouts.{pool.layout}") for problem in problems
        ):
            hint = did_you_mean(pool.layout, settings.layouts)
            problems.append(Problem(f"pools.{name}.layout", f"there is no layout '{pool.layout}'; {hint}"))
    return tuple(found)


def _unused(layouts: Mapping[str, Layout], used: set[str], problems: list[Problem]) -> None:
    """A layout that no pool uses yet stands in MIG Manager's file as well, so it must be possible, too."""
    for name, layout in layouts.items():
        for _, proof in layout.proofs() if name not in used else ():
            if proof.verdict is not Verdict.FEASIBLE:
                text = f"{proof.verdict} on {layout.gpu}: {proof.reason}"
                problems.append(Problem(f"layouts.{name}", text, proof.verdict is Verdict.UNPROVEN))


def _prices(settings: Settings, problems: list[Problem]) -> dict[str, float]:
    """Prices by the catalog's name, however the stack file spells the GPU here and in its pools."""
    found: dict[str, float] = {}
    for gpu, price in settings.prices.items():
        try:
            name = gpus.find(gpu).name
        except MigError as exc:
            problems.append(Problem(f"prices.{gpu}", str(exc)))
            continue
        if name in found:
            problems.append(Problem(f"prices.{gpu}", f"is another name of {name}, which has a price already"))
        found[name] = price
    return found


def _facts(pool: FleetPool) -> PoolFacts:
    return PoolFacts(pool.name, pool.settings.gpu, pool.settings.gpus_per_node, pool.layout)
