"""What Prometheus makes of an exporter's labels when it scrapes it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mig_fleet.simulator.telemetry.exposition import Family, Labels


def scraped(families: Iterable[Family], target: Mapping[str, str], honor_labels: bool) -> tuple[Family, ...]:
    """The families with the labels of their target.

    A label that both have is the target's, and the exporter's gets the prefix ``exported_``; with ``honor_labels`` the
    exporter's wins (prometheus/docs, configuration, honor_labels).
    """

    def merged(labels: Labels) -> dict[str, str]:
        own = {name: value for name, value in labels.items() if value}
        if honor_labels:
            return {**target, **own}
        return {(f"exported_{name}" if name in target else name): value for name, value in own.items()} | dict(target)

    return tuple(
        replace(family, samples=tuple(replace(each, labels=merged(each.labels)) for each in family.samples))
        for family in families
    )
