"""The meaning of the settings: layouts that are proven, the pools that use them, one MIG strategy for the cluster."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mig_fleet.confidential import has_password
from mig_fleet.documents import Document, DocumentError, open_document
from mig_fleet.model import gpus
from mig_fleet.model.allocated_by import AllocatedBy
from mig_fleet.model.errors import InvalidLayout, MigError
from mig_fleet.model.finding import Finding
from mig_fleet.model.layouts import Layout
from mig_fleet.model.strategy import Strategy
from mig_fleet.model.suggestions import suggestion_or_known
from mig_fleet.policies.chart_values import contradictions, derived_values
from mig_fleet.policies.layout_fits_gpu import misfits
from mig_fleet.policies.pool_facts import PoolFacts
from mig_fleet.policies.rule import Rule
from mig_fleet.policies.rules import rule_conflicts
from mig_fleet.stack_file.conflicting_settings import conflicting_settings
from mig_fleet.stack_file.connection import require_connection
from mig_fleet.stack_file.exporter import service_monitor
from mig_fleet.stack_file.monitoring_settings import monitoring_problems
from mig_fleet.stack_file.operator_chart import chart_problems, sharing_problems
from mig_fleet.stack_file.problems import InvalidSettings, from_pydantic
from mig_fleet.stack_file.reading import RawSettings, read_document, read_pulumi
from mig_fleet.stack_file.settings import Pool, Settings
from mig_fleet.stack_file.thresholds import alert_problems


@dataclass(frozen=True)
class FleetPool:
    """A pool and its layout."""

    name: str
    settings: Pool
    layout: Layout
    nodes: tuple[str, ...]
    """Node names. For a selector they are known only after the cluster was read (`stack_file.membership`)."""
    ready: frozenset[str] = frozenset()
    """The nodes that already have the layout and were verified, also read from the cluster. Only filled if
    ``maxWavesPerUpdate`` bounds the rollout."""


@dataclass(frozen=True)
class Fleet:
    """The content of a valid stack file."""

    settings: Settings
    layouts: Mapping[str, Layout]
    pools: tuple[FleetPool, ...]
    strategy: Strategy
    prices: Mapping[str, float]
    """USD per GPU-hour, by the catalog's name of the GPU model."""
    secrets: frozenset[str] = frozenset()
    """The sections that contain a secret."""
    serves_rules: bool = False
    """Whether the cluster serves NodeFeatureRules; known only after it was read (`stack_file.membership`)."""

    @property
    def allocation(self) -> AllocatedBy:
        """What allocates the slices to pods."""
        return self.settings.operator.allocation


MAY_BE_SECRET = frozenset({"operator"})


def from_pulumi() -> Fleet:
    """The running program's fleet; raises :class:`InvalidSettings`."""
    import pulumi

    source = f"stack '{pulumi.get_stack()}'"
    fleet = _from_raw(read_pulumi(), source)
    require_connection(fleet.settings.cluster, source)
    return fleet


def from_file(path: Path) -> Fleet:
    """A stack file's fleet; raises :class:`InvalidSettings`, or :class:`DocumentError` for a file that cannot be read
    or has a duplicate key.
    """
    return from_content(open_document(path), path.name)


def from_content(document: Document, source: str) -> Fleet:
    """The same of content that was parsed as YAML; ``source`` is its name in :class:`InvalidSettings`."""
    if document.ignored:
        first = document.ignored[0]
        raise DocumentError(first.path, first.text)
    return _from_raw(read_document(document), source)


def from_document(document: Document) -> Fleet:
    """The fleet of a stack file that was parsed as YAML; raises :class:`InvalidSettings`, :class:`DocumentError`."""
    return _from_raw(read_document(document), Path(document.name).name)


def _from_raw(raw: RawSettings, source: str) -> Fleet:
    if plain := raw.secrets - MAY_BE_SECRET:
        text = "has a value set with --secret, but is stored and printed in plain text; only operator may have secrets"
        raise InvalidSettings(source, [Finding(name, text) for name in plain])
    return parse(raw.sections, source, raw.secrets, raw.problems)


def parse(
    raw: Mapping[str, Any], source: str, secrets: frozenset[str] = frozenset(), found: Iterable[Finding] = ()
) -> Fleet:
    """Checks the form of every entry, then the meaning of every well-formed entry, and reports all problems together.

    Messages leave out the values of the sections in ``secrets``. ``found`` are problems of the keys themselves.
    """
    problems = [*found]
    settings = _settings(dict(raw), problems, secrets)
    layouts = _layouts(settings, problems)
    pools = _pools(settings, layouts, problems)
    prices = _prices(settings, problems)
    problems += [*_impossible(layouts), *_unless_refused(conflicting_settings(settings), problems)]
    problems += [*monitoring_problems(settings.monitoring, settings.operator.managed), *alert_problems(settings)]
    strategy, allocation = settings.operator.strategy, settings.operator.allocation
    derived = derived_values(str(strategy), monitor=service_monitor(settings), allocation=allocation)
    problems += contradictions(derived, settings.operator.values, secret="operator" in secrets)
    problems += [] if "operator" in secrets else _plain_passwords(settings)
    facts = [_facts(pool, strategy, allocation) for pool in pools]
    problems += _conflicts(facts)
    problems += chart_problems(settings.operator, facts, secret="operator" in secrets)
    problems += sharing_problems(settings.operator, facts, secret="operator" in secrets)
    if problems:
        raise InvalidSettings(source, problems)
    return Fleet(settings, layouts, pools, strategy, prices, secrets)


def _plain_passwords(settings: Settings) -> list[Finding]:
    """The addresses of the chart that have a password, which the state and previews would have, too."""
    addresses = {"chart": settings.operator.chart, "repository": settings.operator.repository or ""}
    found = [name for name, address in addresses.items() if has_password(address)]
    text = "has a password in plain text; set it with `pulumi config set --secret --path mig-fleet:operator.{}`"
    return [Finding(f"operator.{name}", text.format(name)) for name in found]


def _settings(raw: dict[str, Any], problems: list[Finding], secrets: frozenset[str]) -> Settings:
    """What pydantic accepts. Entries that it refuses are reported and removed, so that the others are checked."""
    while True:
        try:
            return Settings.model_validate(raw)
        except ValidationError as error:
            problems += from_pydantic(error, Settings, secrets)
            raw = _without(raw, error)


def _without(raw: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    """The same data without the entries that have an error: a pool, a layout or a section."""
    kept = {key: dict(value) if isinstance(value, Mapping) else value for key, value in raw.items()}
    for details in error.errors():
        section, *inner = details["loc"]
        if section in ("layouts", "pools") and inner and isinstance(kept.get(section), dict):
            kept[section] = _unlike(kept[section], inner[0])
        else:
            kept = _unlike(kept, section)
    return {"layouts": {}, "pools": {}, **kept}


def _unlike(entries: dict[Any, Any], name: int | str) -> dict[Any, Any]:
    """The entries without that one. Keys of a program may be numbers, which pydantic names as text."""
    return {key: value for key, value in entries.items() if str(key) != str(name)}


def _layouts(settings: Settings, problems: list[Finding]) -> dict[str, Layout]:
    found: dict[str, Layout] = {}
    for name, data in settings.layouts.items():
        try:
            found[name] = Layout.parse(name, data)
        except InvalidLayout as exc:
            problems += [_below(f"layouts.{name}", problem) for problem in exc.problems]
        except MigError as exc:
            problems.append(Finding(f"layouts.{name}.gpu", str(exc)))
    return found


def _below(path: str, finding: Finding) -> Finding:
    """A finding of the layout at ``path``."""
    also = f"{path}.{finding.also}" if finding.also else ""
    return replace(finding, path=f"{path}.{finding.path}".rstrip("."), also=also)


def _pools(settings: Settings, layouts: Mapping[str, Layout], problems: list[Finding]) -> tuple[FleetPool, ...]:
    found: list[FleetPool] = []
    for name, pool in settings.pools.items():
        try:
            gpus.find(pool.gpu)
        except MigError as exc:
            problems.append(Finding(f"pools.{name}.gpu", str(exc)))
            continue
        if pool.layout in layouts:
            found.append(FleetPool(name, pool, layouts[pool.layout], pool.nodes or ()))
        elif pool.layout not in settings.layouts and not any(
            f"{problem.path}.".startswith(f"layouts.{pool.layout}.") for problem in problems
        ):
            suggestion = suggestion_or_known(pool.layout, settings.layouts)
            problems.append(Finding(f"pools.{name}.layout", f"there is no layout '{pool.layout}'; {suggestion}"))
    return tuple(found)


def _impossible(layouts: Mapping[str, Layout]) -> list[Finding]:
    """Layouts that do not fit their GPU model. MIG Manager's file also has those that no pool uses."""
    return [replace(found, path=f"layouts.{name}") for name, layout in layouts.items() for found in misfits(layout)]


def _unless_refused(conflicts: Iterable[Finding], problems: Iterable[Finding]) -> list[Finding]:
    """Without those at a place that was refused as a whole or in part, and so was not read."""
    refused = [f"{problem.path}." for problem in problems]
    return [it for it in conflicts if not any(path.startswith(f"{it.path}.") for path in refused)]


def _conflicts(pools: Iterable[PoolFacts]) -> Iterator[Finding]:
    """Pools that break a rule; a layout that does not fit was found at its own place."""
    for pool in pools:
        for found in rule_conflicts([pool]):
            if found.rule != Rule.FITS:
                yield replace(found, path=f"pools.{pool.name}", also=f"layouts.{pool.layout.name}")


def _prices(settings: Settings, problems: list[Finding]) -> dict[str, float]:
    """Prices by the catalog's name of the GPU model; the stack file may use any of its names."""
    found: dict[str, float] = {}
    first: dict[str, str] = {}
    for gpu, price in settings.prices.items():
        try:
            name = gpus.find(gpu).name
        except MigError as exc:
            problems.append(Finding(f"prices.{gpu}", str(exc)))
            continue
        if name in found:
            text = f"is another name of {name}, which already has a price"
            problems.append(Finding(f"prices.{gpu}", text, also=f"prices.{first[name]}"))
        first.setdefault(name, gpu)
        found[name] = price
    return found


def _facts(pool: FleetPool, strategy: Strategy, allocation: AllocatedBy) -> PoolFacts:
    return PoolFacts(pool.name, pool.settings.gpu, pool.settings.gpus_per_node, pool.layout, strategy, allocation)
