"""docs/reference/monitoring.md has every field of the list with its level and units, and every recorded series."""

import re
from pathlib import Path

import pytest

from mig_fleet.monitoring import series
from mig_fleet.monitoring.exporter.fields import BLANK, LISTED, Field
from mig_fleet.monitoring.fleet import MonitoredFleet, MonitoredPool
from mig_fleet.monitoring.recording import recording_groups
from mig_fleet.monitoring.rules import Record

PAGE = Path("docs/reference/monitoring.md").read_text("utf-8")


def chapter(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def row(field: Field) -> str:
    """The line of a field on the page."""
    old, new = field.legacy, field.renamed
    of_new = f"`{new.name}`{'' if new.proven else ' ¹'} | {new.unit}" if new != old else "the same | "
    return f"| {field.help} | `{old.name}` | {old.unit} | {of_new} | {field.level} |"


def test_the_page_has_each_field_of_the_list_with_its_units_and_its_level() -> None:
    missing = [row(field) for field in LISTED if row(field) not in chapter("Metrics")]
    assert not missing, "add to docs/reference/monitoring.md, Metrics:\n" + "\n".join(missing)


def test_the_page_names_no_other_field_than_those_that_are_never_used() -> None:
    known = {spelling.name for field in (*LISTED, *BLANK) for spelling in field.spellings}
    assert set(re.findall(r"DCGM_FI_\w+", chapter("Metrics"))) == known


RECORDED = {
    name for value in vars(series).values() if isinstance(value, str) for name in re.findall(r"^mig:\S+", value)
}
ROWS = re.findall(r"^\| (`mig:.+?`) \| (.+?) \|", chapter("Recorded series"), re.MULTILINE)
LABELS = {"GPU": series.GPU, "SLICE": series.SLICE, "POD": series.OF_POD}


def test_the_page_has_every_recorded_series_and_no_other() -> None:
    shown = [name for names, _ in ROWS for name in re.findall(r"`(.+?)`", names)]
    assert sorted(shown) == sorted(RECORDED)


def labels_of(cell: str) -> set[str]:
    words = cell.replace("`", "").split(", ")
    return {label for word in words for label in LABELS.get(word, (word,))}


def static_labels() -> list[tuple[str, str]]:
    """The series and the name of each label that a rule sets itself."""
    pool = MonitoredPool("p", "H100-80GB", 2, {"dense": ({"1g.10gb": 7}, None)}, price=2.5)
    rules = [rule for group in recording_groups(MonitoredFleet((pool,))) for rule in group.rules]
    return sorted({(rule.record, label) for rule in rules if isinstance(rule, Record) for label in rule.labels})


@pytest.mark.parametrize(("record", "label"), static_labels())
def test_a_label_that_a_rule_sets_is_on_the_page(record: str, label: str) -> None:
    (cell,) = (labels for names, labels in ROWS if f"`{record}`" in names)
    assert label in labels_of(cell)
