"""The picture of the pool dashboard shows what a real Prometheus answers to the queries of its panels.

A test that needs the drawing imports it: matplotlib takes half a second in each process that collects tests.
"""

import json
from itertools import pairwise
from typing import Any

import pytest

from mig_fleet.monitoring.dashboards import dashboards
from mig_fleet.monitoring.dashboards.colors import PARTS
from mig_fleet.monitoring.dashboards.expressions import NODE_STATES
from mig_fleet.monitoring.dashboards.queries import queries
from mig_fleet.stack_file.fleet import parse
from mig_fleet.stack_file.monitored_fleet import monitored_fleet
from tools import simulated_pool
from tools.monitoring_series import FILE, PANELS, record

RECORDED: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
RENEW = "run `make monitoring-series pictures`"


def test_the_recorded_queries_are_those_of_the_dashboard() -> None:
    board = dashboards(monitored_fleet(parse(simulated_pool.STACK, "the picture")))["mig-fleet-pool.json"]
    declared = [(title, expr) for title, expr in queries(board, pool=simulated_pool.POOL) if title in PANELS]
    recorded = [(title, answer["expr"]) for title, answers in RECORDED["panels"].items() for answer in answers]
    assert sorted(recorded) == sorted(declared), RENEW


def test_every_panel_of_the_picture_has_series_with_a_value_per_step() -> None:
    for title in PANELS:
        for answer in RECORDED["panels"][title]:
            assert answer["series"], title
            assert all(len(row["values"]) == RECORDED["count"] for row in answer["series"])


def test_the_picture_has_a_change_of_a_layout_and_an_end_of_it() -> None:
    from tools.monitoring_picture import HISTORY

    (answer,) = RECORDED["panels"][HISTORY]
    changed = [row["values"] for row in answer["series"] if len(set(row["values"])) > 1]
    assert len(changed) == 1 and changed[0][0] == changed[0][-1] == 0


@pytest.mark.parametrize("areas", [tuple(PARTS), tuple(name for name, _ in NODE_STATES)], ids=["cost", "states"])
def test_two_areas_of_a_panel_differ_without_color(areas: tuple[str, ...]) -> None:
    from tools.monitoring_picture import HATCHES

    hatches = [HATCHES[name] for name in areas]
    assert len(set(hatches)) == len(hatches)


def test_the_shades_of_the_heat_map_get_brighter_with_the_values() -> None:
    from matplotlib import colormaps

    from tools.monitoring_picture import LEVELS, SHADES

    def brightness(value: float) -> float:
        red, green, blue, _ = colormaps[SHADES](value)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    shades = [brightness(level / (LEVELS - 1)) for level in range(LEVELS)]
    assert all(darker < brighter for darker, brighter in pairwise(shades))


def test_texts_and_paper_of_each_theme_have_enough_contrast() -> None:
    from tools.monitoring_picture import THEMES

    for theme in THEMES.values():
        paper, ink = (_luminance(color) for color in (theme.paper, theme.ink))
        assert (max(paper, ink) + 0.05) / (min(paper, ink) + 0.05) >= 7, "WCAG 2.2, level AAA"


def _luminance(color: str) -> float:
    parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_each_theme_has_its_own_paper_and_the_same_words() -> None:
    from tools.monitoring_picture import THEMES, monitoring_pictures

    drawn = monitoring_pictures()
    assert drawn.keys() == THEMES.keys()
    assert all(THEMES[name].paper in text for name, text in drawn.items())
    texts = [
        {part.partition("</text>")[0].rpartition(">")[2] for part in text.split("<text")[1:]} for text in drawn.values()
    ]
    assert all(one == other for one, other in pairwise(texts))


@pytest.mark.engine
@pytest.mark.slow
def test_prometheus_answers_the_queries_as_recorded() -> None:
    found = record()
    for title in PANELS:
        for now, before in zip(found["panels"][title], RECORDED["panels"][title], strict=True):
            assert [row["labels"] for row in now["series"]] == [row["labels"] for row in before["series"]], RENEW
            for row, recorded in zip(now["series"], before["series"], strict=True):
                assert row["values"] == [
                    value if value is None else pytest.approx(value, abs=0.002) for value in recorded["values"]
                ]
