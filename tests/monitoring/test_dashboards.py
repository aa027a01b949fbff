"""The dashboards as documents: their form, their places, their texts. ``test_panels.py`` shows that they have data."""

import json
import re
import subprocess
import sys
from collections import Counter
from itertools import combinations
from typing import Any

import pytest

from mig_fleet.cli.__main__ import COMMANDS
from mig_fleet.model.strategy import Strategy
from mig_fleet.monitoring.dashboards import dashboards
from mig_fleet.monitoring.dashboards.colors import PALETTE
from mig_fleet.monitoring.dashboards.queries import panels
from mig_fleet.monitoring.fleet import MonitoredFleet
from tests.monitoring.fleets import a_fleet, a_pool
from tests.monitoring.grafana_types import problems

FLEET = a_fleet(a_pool(price=2.5), a_pool("training", "A100-80GB", ({"3g.40gb": 1, "1g.10gb+me": 1}, None)))
TEXTS = dashboards(FLEET)
BOARDS: dict[str, dict[str, Any]] = {json.loads(text)["uid"]: json.loads(text) for text in TEXTS.values()}
PANELS = [(uid, panel) for uid, board in BOARDS.items() for panel in panels(board)]
CONFIG_MAP_LIMIT = 1_048_576
"""Bytes of all data of a ConfigMap (Kubernetes ``ValidateConfigMap``)."""

each_board = pytest.mark.parametrize("uid", BOARDS)
each_panel = pytest.mark.parametrize(
    "panel", [panel for _, panel in PANELS], ids=[f"{uid}: {panel['title']}" for uid, panel in PANELS]
)


def test_there_are_three_dashboards_with_addresses_that_do_not_change() -> None:
    assert list(TEXTS) == ["mig-fleet-fleet.json", "mig-fleet-pool.json", "mig-fleet-node.json"]
    assert list(BOARDS) == ["mig-fleet-fleet", "mig-fleet-pool", "mig-fleet-node"]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_dashboard_is_valid_for_grafana(text: str) -> None:
    assert problems(text) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"titel": "x"}, "dashboard.titel is not in the model"),
        ({"title": 3}, "dashboard.title is 3"),
        ({"graphTooltip": 7}, "dashboard.graph_tooltip is 7"),
        ({"time": {"from": "now-6h", "to": "now", "zone": "utc"}}, "dashboard.time.zone is not in the model"),
    ],
)
def test_a_dashboard_that_grafana_would_not_understand_is_found(change: dict[str, Any], found: str) -> None:
    board = BOARDS["mig-fleet-fleet"] | change
    assert [problem for problem in problems(json.dumps(board)) if problem.startswith(found)]


def test_an_option_that_a_panel_does_not_have_is_found() -> None:
    board = json.loads(TEXTS["mig-fleet-fleet.json"])
    first = next(iter(panels(board)))
    first["options"]["colorMod"] = "value"
    assert problems(json.dumps(board)) == ["dashboard.panels[1].options.colorMod is not in the model"]


@each_board
def test_a_dashboard_is_far_smaller_than_a_config_map_may_be(uid: str) -> None:
    assert len(TEXTS[f"{uid}.json"].encode()) < CONFIG_MAP_LIMIT / 10


def test_all_dashboards_of_a_large_fleet_fit_into_one_config_map() -> None:
    fleet = a_fleet(*(a_pool(f"pool-{number}", price=2.5, gpus=8) for number in range(100)))
    assert sum(len(text.encode()) for text in dashboards(fleet).values()) < CONFIG_MAP_LIMIT / 4


def test_the_same_fleet_gives_the_same_text_in_another_process() -> None:
    program = (
        "from tests.monitoring.test_dashboards import FLEET\n"
        "from mig_fleet.monitoring.dashboards import dashboards\n"
        "print(''.join(dashboards(FLEET).values()))"
    )
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.strip() == "".join(TEXTS.values())
    assert not found.stderr, "a user sees no warning of a library"


def test_a_program_without_dashboards_does_not_load_their_builders() -> None:
    program = "import sys, mig_fleet.monitoring.dashboards; print('grafana_foundation_sdk' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "False"


def test_there_are_at_least_24_panels() -> None:
    assert len(PANELS) >= 24


@each_board
def test_numbers_of_panels_are_unique(uid: str) -> None:
    numbers = Counter(each["id"] for each in BOARDS[uid]["panels"])
    assert set(numbers.values()) == {1}
    assert min(numbers) > 0


@each_board
def test_panels_have_places_that_do_not_overlap(uid: str) -> None:
    places = [each["gridPos"] for each in BOARDS[uid]["panels"]]
    for place in places:
        assert place["x"] >= 0, place
        assert place["w"] > 0, place
        assert place["x"] + place["w"] <= 24, place
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)


@each_board
def test_the_lines_of_a_dashboard_fill_its_width(uid: str) -> None:
    widths: Counter[int] = Counter()
    for each in BOARDS[uid]["panels"]:
        widths[each["gridPos"]["y"]] += each["gridPos"]["w"]
    assert set(widths.values()) == {24}


@each_board
def test_titles_of_a_dashboard_are_unique(uid: str) -> None:
    titles = Counter(panel["title"] for panel in panels(BOARDS[uid]))
    assert set(titles.values()) == {1}


@each_panel
def test_a_panel_has_a_unit_and_says_what_it_means(panel: dict[str, Any]) -> None:
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert re.fullmatch(r"[A-Z`].*\.", panel["description"]), "a sentence"
    assert len(panel["description"]) < 350, "a text that fits beside the panel"


@each_panel
def test_a_panel_and_its_queries_read_the_selected_prometheus(panel: dict[str, Any]) -> None:
    selected = {"type": "prometheus", "uid": "${datasource}"}
    assert panel["datasource"] == selected
    assert panel["targets"]
    for target in panel["targets"]:
        assert target["datasource"] == selected
    refs = [target["refId"] for target in panel["targets"]]
    assert len(set(refs)) == len(refs)


@each_board
def test_the_prometheus_is_a_variable(uid: str) -> None:
    first, *others = BOARDS[uid]["templating"]["list"]
    assert (first["type"], first["name"], first["query"]) == ("datasource", "datasource", "prometheus")
    assert [each["name"] for each in others] == {
        "mig-fleet-fleet": [],
        "mig-fleet-pool": ["pool"],
        "mig-fleet-node": ["pool", "node", "gpu"],
    }[uid]


@each_board
def test_the_variables_that_a_dashboard_uses_are_its_own_or_grafanas(uid: str) -> None:
    own = {each["name"] for each in BOARDS[uid]["templating"]["list"]}
    for used in re.findall(r"\$\{?(\w+)", TEXTS[f"{uid}.json"]):
        assert used in own or used.startswith("__") or used.isdecimal(), f"${used}"


def test_a_reader_comes_from_the_fleet_to_a_pool_to_a_node_and_back() -> None:
    reached = {uid: set(re.findall(r"/d/([a-z-]+)", TEXTS[f"{uid}.json"])) for uid in BOARDS}
    assert {"mig-fleet-pool", "mig-fleet-node"} <= reached["mig-fleet-fleet"]
    assert {"mig-fleet-fleet", "mig-fleet-node"} <= reached["mig-fleet-pool"]
    assert {"mig-fleet-fleet", "mig-fleet-pool"} <= reached["mig-fleet-node"]
    assert set().union(*reached.values()) == set(BOARDS), "no other dashboard"


def test_a_link_names_only_variables_of_the_dashboard_it_opens() -> None:
    names = {uid: {each["name"] for each in board["templating"]["list"]} for uid, board in BOARDS.items()}
    for text in TEXTS.values():
        for uid, arguments in re.findall(r"/d/([a-z-]+)\?([^\"]*)", text):
            assert set(re.findall(r"var-(\w+)=", arguments)) <= names[uid]
            assert "${datasource:queryparam}" in arguments, "the same Prometheus"
            assert "${__url_time_range}" in arguments, "the same time"


@each_board
def test_a_dashboard_links_to_the_documentation(uid: str) -> None:
    links = {link["title"]: link for link in BOARDS[uid]["links"]}
    assert links["Documentation"]["url"].endswith("docs/reference/monitoring.md")
    assert all("placement" not in link for link in links.values()), "above the panels, not in a menu"


def test_the_node_has_a_row_for_each_gpu_with_a_cell_for_each_slice() -> None:
    rows = [each for each in BOARDS["mig-fleet-node"]["panels"] if each["type"] == "row"]
    assert [(each["title"], each["repeat"]) for each in rows if "repeat" in each] == [("GPU $gpu", "gpu")]
    repeated = BOARDS["mig-fleet-node"]["panels"][BOARDS["mig-fleet-node"]["panels"].index(rows[-1]) + 1 :]
    assert "repeat" in rows[-1], "the row for each GPU is the last: Grafana repeats what follows it"
    assert repeated[0]["type"] == "stat"
    assert repeated[0]["targets"][0]["legendFormat"] == "{{profile}} #{{slice}}"
    assert {panel["type"] for panel in repeated} >= {"state-timeline", "heatmap", "timeseries", "table"}
    for panel in repeated:
        assert all('gpu="$gpu"' in target["expr"] for target in panel["targets"])
        assert "$gpu" in panel["title"], "a panel that is viewed alone says of which GPU it is"


def test_a_legend_of_a_slice_names_node_gpu_profile_and_slice() -> None:
    legends = {target["legendFormat"] for _, panel in PANELS for target in panel["targets"]}
    of_slices = {legend for legend in legends if "{{slice}}" in legend}
    assert of_slices == {"{{node}} GPU {{gpu}} {{profile}} #{{slice}}", "{{profile}} #{{slice}}"}


def test_colors_are_of_the_palette_for_color_blind_readers() -> None:
    for text in TEXTS.values():
        assert set(re.findall(r"#[0-9A-Fa-f]{6}", text)) <= set(PALETTE)
    schemes = {panel["options"]["color"]["scheme"] for _, panel in PANELS if panel["type"] == "heatmap"}
    assert schemes == {"Cividis"}


def test_a_state_has_a_name_beside_its_color() -> None:
    for _, panel in PANELS:
        if panel["type"] == "state-timeline":
            names = [value["text"] for value in panel["fieldConfig"]["defaults"]["mappings"][0]["options"].values()]
            assert len(set(names)) == len(names) >= 3


@pytest.mark.parametrize("uid", BOARDS)
def test_cost_is_shown_only_if_a_pool_has_a_price(uid: str) -> None:
    def shown(text: str) -> bool:
        return "usd_per_hour" in text or "currencyUSD" in text

    assert shown(TEXTS[f"{uid}.json"])
    assert not shown(dashboards(a_fleet(a_pool()))[f"{uid}.json"])


def test_the_texts_name_commands_that_exist() -> None:
    named = {command for _, panel in PANELS for command in re.findall(r"`mig-fleet (\w+)", panel["description"])}
    assert named
    assert named <= set(COMMANDS)


@pytest.mark.parametrize("strategy", Strategy)
def test_a_fleet_of_any_strategy_has_valid_dashboards(strategy: Strategy) -> None:
    for text in dashboards(a_fleet(a_pool(), strategy=strategy)).values():
        assert problems(text) == []


def test_the_smallest_slice_is_no_candidate_for_a_smaller_profile_however_it_is_spelled() -> None:
    """dcgm-exporter before 4.8.4 has 1g.11gb for the 1g.12gb of an H100 NVL."""
    text = dashboards(a_fleet(a_pool("nvl", "H100-94GB", [{"1g.12gb": 7}])))["mig-fleet-pool.json"]
    left_out = re.search(r"profile!~\W+(1g[^\\]+)", text)
    assert left_out and {"1g[.]11gb", "1g[.]12gb", "1g[.]11gb[+]me"} <= set(left_out[1].split("|"))
    assert "1g[.]22gb" not in left_out[1].split("|"), "twice the memory"


def test_a_fleet_without_pools_has_dashboards() -> None:
    assert [problems(text) for text in dashboards(MonitoredFleet(())).values()] == [[], [], []]
