"""The list of metrics: which fields, under which names, for which version of dcgm-exporter."""

import csv
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from mig_fleet.model.operator_charts import operator_charts
from mig_fleet.monitoring.exporter import Generation, generation_of, metrics_config_map_name, metrics_csv
from mig_fleet.monitoring.exporter.fields import BLANK, FB_USED, GR_ENGINE, LISTED, MEMORY_CLOCK, Level, Spelling, Unit
from mig_fleet.monitoring.exporter.versions import FIRST_RENAMED, exporter_version


def rows(generation: Generation) -> list[list[str]]:
    return [[column.strip() for column in row] for row in csv.reader(metrics_csv(generation).splitlines())]


@pytest.mark.parametrize("generation", Generation)
def test_each_row_is_a_field_a_kind_and_a_help_text(generation: Generation) -> None:
    found = rows(generation)
    assert all(len(row) == 3 and row[0].startswith("DCGM_FI_") and row[1] == "gauge" and row[2] for row in found)
    assert len({row[0] for row in found}) == len(found) == len(LISTED), "no name twice"


def test_a_help_text_that_the_exporter_would_read_as_a_fourth_column_is_refused() -> None:
    with pytest.raises(ValueError, match="without a comma"):
        replace(GR_ENGINE, help="Share of time, of the slice")


@pytest.mark.parametrize("generation", Generation)
def test_no_list_has_a_field_that_is_blank_on_a_gpu_with_mig(generation: Generation) -> None:
    blank = {spelling.name for field in BLANK for spelling in field.spellings}
    assert {row[0] for row in rows(generation)}.isdisjoint(blank)
    assert all(field.level is not Level.BLANK for field in LISTED)


@pytest.mark.parametrize("generation", Generation)
def test_no_list_has_a_name_that_no_source_confirms(generation: Generation) -> None:
    unproven = {spelling.name for field in LISTED for spelling in field.spellings if not spelling.proven}
    assert unproven and {row[0] for row in rows(generation)}.isdisjoint(unproven)


def test_the_unit_of_a_row_is_that_of_its_name() -> None:
    assert FB_USED.listed(Generation.RENAMED) == Spelling("DCGM_FI_DEV_FB_USED", Unit.MIB)
    help_of = {name: text for generation in Generation for name, _, text in rows(generation)}
    assert help_of["DCGM_FI_DEV_FB_USED"].endswith("(MiB).")
    assert help_of["DCGM_FI_DEV_MEM_CLOCK"].endswith("(MHz).")
    assert help_of["DCGM_FI_DEV_MEMORY_CLOCK_HERTZ"].endswith("(Hz).")


def test_a_factor_converts_each_spelling_to_the_same_base_unit() -> None:
    assert [each.unit.factor for each in FB_USED.spellings] == [2**20, 1]
    assert [each.unit.factor for each in MEMORY_CLOCK.spellings] == [1e6, 1]


def test_the_name_of_the_config_map_follows_its_content() -> None:
    """The operator mounts the file by subPath: a change in place would never be read."""
    names = [metrics_config_map_name(generation) for generation in Generation]
    assert len(set(names)) == len(names)
    assert all(name.startswith("mig-fleet-metrics-") for name in names)


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("4.6.0-4.8.3-distroless", (4, 8, 3)),
        ("3.3.9-3.6.1-ubuntu22.04", (3, 6, 1)),
        ("4.8.4", (4, 8, 4)),
        ("4.9.0-ubuntu22.04", (4, 9, 0)),
        ("v4.10.1", (4, 10, 1)),
        ("sha256:0a1b", None),
        ("latest", None),
    ],
)
def test_the_version_of_an_image_tag_is_the_exporters_not_dcgms(tag: str, version: tuple[int, ...] | None) -> None:
    assert exporter_version(tag) == version


def test_the_table_of_charts_is_in_order_and_has_a_version_for_each() -> None:
    versions = [exporter_version(chart.dcgm_exporter) for chart in operator_charts().values()]
    assert all(older is not None and newer is not None and older <= newer for older, newer in pairwise(versions))


def image(text: str) -> dict[str, Any]:
    return {"dcgmExporter": {"image": text}}


@pytest.mark.parametrize(
    ("chart", "values", "generation"),
    [
        ("v26.7.0", {}, Generation.LEGACY),
        ("25.10.1", {}, Generation.LEGACY),
        ("v26.7.0", {"dcgmExporter": {"version": "4.9.0-distroless"}}, Generation.RENAMED),
        ("v26.7.0", {"dcgmExporter": {"version": "4.7.0-4.9.1"}}, Generation.RENAMED),
        ("v26.7.0", image("registry:5000/team/dcgm-exporter:4.9.0@sha256:0a1b"), Generation.RENAMED),
        ("v26.7.0", image("nvcr.io/nvidia/k8s/dcgm-exporter@sha256:0a1b"), Generation.LEGACY),
        ("v26.7.0", {"dcgmExporter": {"version": "sha256:0a1b"}}, Generation.LEGACY),
        ("v27.3.0", {}, Generation.LEGACY),
        ("^26", {}, Generation.LEGACY),
        (None, {}, Generation.LEGACY),
        (None, {"dcgmExporter": None}, Generation.LEGACY),
    ],
)
def test_new_names_are_written_only_for_an_exporter_that_is_known_to_have_them(
    chart: str | None, values: dict[str, Any], generation: Generation
) -> None:
    assert generation_of(chart, values) is generation


def test_a_chart_whose_own_exporter_has_the_new_names_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    charts = operator_charts()
    renamed = replace(charts["26.7.0"], dcgm_exporter=".".join(map(str, FIRST_RENAMED)))
    monkeypatch.setattr("mig_fleet.monitoring.exporter.versions.operator_charts", lambda: {**charts, "27.3.0": renamed})
    assert generation_of("v27.3.0", {}) is Generation.RENAMED
    older: dict[str, Any] = {"dcgmExporter": {"version": "4.6.0-4.8.3-distroless"}}
    assert generation_of("v27.3.0", older) is Generation.LEGACY, "the user's exporter decides"
