"""Slices as declared and as reported: comparable by node and profile."""

from dataclasses import replace

import pytest

from mig_fleet.cli.simulate_prometheus import QUERIES
from mig_fleet.model.strategy import PerGpu, Strategy
from mig_fleet.monitoring import series
from mig_fleet.monitoring.recording import recording_groups
from tests.monitoring.fleets import a_fleet, a_pool
from tests.monitoring.promtool import Case, Labels, Promtool
from tests.monitoring.series_samples import LEGACY, Pod, a_node, a_slice

pytestmark = pytest.mark.engine


TWO_GPUS: PerGpu = ({"3g.40gb": 1, "1g.10gb": 4}, {"1g.10gb": 7})
PARTS: PerGpu = ({"1c.3g.40gb": 3, "3g.40gb": 1},)
IN_POOL = {"node": "n1", "pool": "inference", "config": "inference-1"}


@pytest.mark.parametrize(
    ("layout", "strategy", "expected"),
    [
        (
            TWO_GPUS,
            Strategy.MIXED,
            [
                ({"profile": "1g.10gb", "resource": "nvidia_com_mig_1g_10gb"}, 11.0),
                ({"profile": "3g.40gb", "resource": "nvidia_com_mig_3g_40gb"}, 1.0),
            ],
        ),
        (({"1g.10gb": 7},) * 2, Strategy.SINGLE, [({"profile": "1g.10gb", "resource": "nvidia_com_gpu"}, 14.0)]),
        (TWO_GPUS, Strategy.NONE, [({"profile": "1g.10gb"}, 11.0), ({"profile": "3g.40gb"}, 1.0)]),
        (
            PARTS,
            Strategy.SINGLE,
            [({"profile": "3g.40gb"}, 1.0), ({"profile": "3g.40gb", "resource": "nvidia_com_gpu"}, 1.0)],
        ),
        ((None, {"1g.10gb+me": 1}), Strategy.MIXED,
         [({"profile": "1g.10gb+me", "resource": "nvidia_com_mig_1g_10gb_me"}, 1.0)]),
        ((None, {}), Strategy.MIXED, [({}, 0.0)]),
    ],
    ids=["mixed", "single", "none", "parts", "one GPU without MIG", "no slices"],
)  # fmt: skip
def test_a_node_has_the_instances_of_the_config_that_was_verified_last(
    promtool: Promtool, layout: PerGpu, strategy: Strategy, expected: list[tuple[Labels, float]]
) -> None:
    groups = recording_groups(a_fleet(a_pool("inference", "H100-80GB", layout, ({"2g.20gb": 3},)), strategy=strategy))
    rows = {series.DECLARED: [({**IN_POOL, **labels}, count) for labels, count in expected]}
    promtool.verify(groups, Case("verified", a_node("n1"), rows=rows))


def test_before_and_after_its_wave_a_node_has_what_was_verified_and_without_a_known_config_nothing(
    promtool: Promtool,
) -> None:
    groups = recording_groups(a_fleet(a_pool("inference", "H100-80GB", ({"1g.10gb": 7},), ({"2g.20gb": 3},))))
    samples = [
        *a_node("waits", verified="inference-1", config="inference-1"),
        *a_node("changes", verified="inference-1", config="inference-2", state="pending", tainted=True),
        *a_node("done", verified="inference-2"),
        *a_node("unknown", verified="by-an-older-program"),
        *a_node("new", verified=""),
    ]
    rows = {
        f"sum by (node, profile) ({series.DECLARED})": [
            ({"node": "waits", "profile": "1g.10gb"}, 7.0),
            ({"node": "changes", "profile": "1g.10gb"}, 7.0),
            ({"node": "done", "profile": "2g.20gb"}, 3.0),
        ]
    }
    promtool.verify(groups, Case("a rollout", samples, rows=rows))


def test_reported_slices_have_the_catalogs_names_whichever_model_they_are_of(promtool: Promtool) -> None:
    """``1g.24gb`` is a profile of an H100-96GB, and another name of ``1g.23gb`` on a GB200."""
    nvl, grace = ({"1g.12gb": 2},), ({"1g.23gb": 1},)
    pools = [
        a_pool("nvl", "H100-94GB", nvl),
        a_pool("grace", "GB200-186GB", grace),
        a_pool("plain", "H100-96GB", ({"1g.24gb": 1},)),
    ]
    samples = [
        *a_node("n1", "nvl", "nvl-1"),
        *a_slice("n1", 7, "1g.11gb"),
        *a_slice("n1", 8, "1g.12gb"),
        *a_slice("n1", 8, "1g.11gb", exporter=replace(LEGACY, own_pod="older")),
        *a_slice("n1", 1, "3g.47gb"),
        *a_node("n2", "grace", "grace-1"),
        *a_slice("n2", 7, "1g.24gb"),
        *a_node("n3", "plain", "plain-1"),
        *a_slice("n3", 7, "1g.24gb"),
        *a_slice("of-no-pool", 7, "1g.24gb"),
    ]
    rows = {
        series.REPORTED: [
            ({"node": "n1", "profile": "1g.12gb"}, 2.0),
            ({"node": "n1", "profile": "3g.47gb"}, 1.0),
            ({"node": "n2", "profile": "1g.23gb"}, 1.0),
            ({"node": "n3", "profile": "1g.24gb"}, 1.0),
        ],
        f"sum by (node, profile) ({series.DECLARED}) - {series.REPORTED}": [
            ({"node": "n1", "profile": "1g.12gb"}, 0.0),
            ({"node": "n2", "profile": "1g.23gb"}, 0.0),
            ({"node": "n3", "profile": "1g.24gb"}, 0.0),
        ],
    }
    promtool.verify(recording_groups(a_fleet(*pools)), Case("three models", samples, rows=rows))


def test_a_slice_is_reported_once_if_it_is_idle_shared_or_without_activity(promtool: Promtool) -> None:
    samples = [
        *a_node("n1"),
        *a_slice("n1", 7, pod=Pod("a")),
        *a_slice("n1", 7, pod=Pod("b")),
        *a_slice("n1", 8),
        *a_slice("n1", 9, activity=None),
        *a_slice("n1", 7, gpu=1, used=None, free=None),
    ]
    rows = {series.REPORTED: [({"node": "n1", "profile": "1g.10gb"}, 4.0)]}
    promtool.verify(recording_groups(a_fleet()), Case("slices", samples, rows=rows))


def test_the_query_about_missing_slices_also_finds_a_profile_of_which_none_is_left(promtool: Promtool) -> None:
    (missing,) = (query for query, meaning in QUERIES.items() if meaning == "declared slices that are missing")
    samples = [*a_node("n1"), *a_slice("n1", 1, "3g.40gb"), *a_node("n2"), *a_slice("n2", 7), *a_slice("n2", 8)]
    groups = recording_groups(a_fleet(a_pool("inference", "H100-80GB", ({"3g.40gb": 1, "1g.10gb": 2},))))
    rows = {
        missing: [
            ({"node": "n1", "profile": "1g.10gb"}, 2.0),
            ({"node": "n2", "profile": "3g.40gb"}, 1.0),
        ]
    }
    promtool.verify(groups, Case("one profile is gone", samples, rows=rows))
