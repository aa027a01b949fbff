"""Prometheus' text format (prometheus/docs, instrumenting/exposition_formats.md)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a series."""

    labels: Labels
    value: float


@dataclass(frozen=True, slots=True)
class Family:
    """All samples of one metric name."""

    name: str
    kind: str
    """``gauge`` or ``counter``."""
    help: str
    samples: tuple[Sample, ...]


def text(families: Iterable[Family]) -> str:
    """What an exporter answers to a scrape; a family without samples is left out."""
    return "".join(line for family in families if family.samples for line in _lines(family))


def series(name: str, labels: Labels) -> str:
    """``name{label="value"}``; an empty value is the same as no label."""
    pairs = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels.items() if value)
    return f"{name}{{{pairs}}}" if pairs else name


def number(value: float) -> str:
    """The shortest text of the number.

    >>> number(7.0), number(0.25)
    ('7', '0.25')
    """
    return str(int(value)) if value == int(value) else repr(value)


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.kind}\n"
    for sample in family.samples:
        yield f"{series(family.name, sample.labels)} {number(sample.value)}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
