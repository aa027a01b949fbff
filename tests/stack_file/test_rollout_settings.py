"""How a stack file says how nodes are changed: each bad value is one clear sentence at its place."""

from typing import Any

import pytest

from mig_fleet.stack_file import fleet
from mig_fleet.stack_file.problems import InvalidSettings


def a_stack(**changes: Any) -> dict[str, Any]:
    """A stack file that works."""
    pool = {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": ["n1"], "layout": "dense"}
    return {"layouts": {"dense": {"gpu": "H100-80GB", "all": {"1g.10gb": 7}}}, "pools": {"p": pool}, **changes}


def a_pool(**changes: Any) -> dict[str, Any]:
    pool = {**a_stack()["pools"]["p"], **changes}
    return a_stack(pools={"p": {key: value for key, value in pool.items() if value is not None}})


def problems(raw: dict[str, Any]) -> list[str]:
    with pytest.raises(InvalidSettings) as refused:
        fleet.parse(raw, "x")
    return [str(problem) for problem in refused.value.problems]


NUMBER_OR_SHARE = "should be a number of nodes from 1 such as 2, or a share of the pool from 1% to 100%"


@pytest.mark.parametrize(
    ("rollout", "problem"),
    [
        ({"canary": -1}, "canary: input should be greater than or equal to 0 (found -1)"),
        ({"canary": "1"}, "canary: input should be a valid integer (found '1')"),
        ({"canary": True}, "canary: input should be a valid integer (found True)"),
        ({"maxUnavailable": 0}, f"maxUnavailable: {NUMBER_OR_SHARE} (found 0)"),
        ({"maxUnavailable": "0%"}, f"maxUnavailable: {NUMBER_OR_SHARE} (found '0%')"),
        ({"maxUnavailable": "101%"}, f"maxUnavailable: {NUMBER_OR_SHARE} (found '101%')"),
        ({"maxUnavailable": "two"}, f"maxUnavailable: {NUMBER_OR_SHARE} (found 'two')"),
        ({"maxUnavailable": "2"}, f"maxUnavailable: {NUMBER_OR_SHARE} (found '2')"),
        (
            {"maxUnavailable": 2.5},
            "maxUnavailable: should be a number of nodes such as 2, or a share of the pool such as 25% (found 2.5)",
        ),
        (
            {"maxUnavailable": True},
            "maxUnavailable: should be a number of nodes such as 2, or a share of the pool such as 25% (found True)",
        ),
        ({"maxWavesPerUpdate": 0}, "maxWavesPerUpdate: input should be greater than or equal to 1 (found 0)"),
        ({"soak": 30}, "soak: should be a duration such as 90s, 45m or 2h (found 30)"),
        ({"soak": "-5m"}, "soak: should be a duration such as 90s, 45m or 2h (found '-5m')"),
        ({"onUserPods": "kill"}, "onUserPods: input should be 'refuse', 'wait' or 'evict' (found 'kill')"),
        ({"onFailure": "panic"}, "onFailure: input should be 'halt' or 'rollback' (found 'panic')"),
        ({"onDelete": "wipe"}, "onDelete: input should be 'retain', 'disable' or 'restore' (found 'wipe')"),
        ({"recovery": "no"}, "recovery: input should be a valid boolean (found 'no')"),
        ({"wedgedAfter": "0s"}, "wedgedAfter: should be longer than nothing (found '0s')"),
        (
            {"wedgedAfter": "20m"},
            "wedgedAfter: should be at least 25m: so long MIG Manager may wait for operands before it cuts "
            "(found '20m')",
        ),
        ({"timeout": "0m"}, "timeout: should be longer than nothing (found '0m')"),
        ({"maxUnavailble": 2}, "maxUnavailble: unknown key; did you mean 'maxUnavailable'?"),
    ],
)
def test_a_bad_word_about_the_rollout_is_one_sentence(rollout: dict[str, Any], problem: str) -> None:
    assert problems(a_pool(rollout=rollout)) == [f"pools.p.rollout.{problem}"]


@pytest.mark.parametrize(
    ("rollout", "attribute", "value"),
    [
        ({}, "max_unavailable", "25%"),
        ({"maxUnavailable": 3}, "max_unavailable", 3),
        ({"maxUnavailable": "100%"}, "max_unavailable", "100%"),
        ({}, "soak", 0),
        ({"soak": "0s"}, "soak", 0),
        ({"soak": "5m"}, "soak", 300),
        ({}, "wedged_after", 1800),
        ({}, "on_user_pods", "refuse"),
        ({}, "on_failure", "halt"),
        ({}, "on_delete", "retain"),
        ({}, "recovery", True),
        ({}, "max_waves_per_update", None),
        ({}, "canary", 0),
    ],
)
def test_a_good_word_and_silence_have_a_meaning(rollout: dict[str, Any], attribute: str, value: object) -> None:
    (pool,) = fleet.parse(a_pool(rollout=rollout), "x").pools
    assert getattr(pool.settings.rollout, attribute) == value


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"nodes": None}, "pools.p: should have either nodes or selector"),
        ({"selector": {"matchLabels": {"zone": "a"}}}, "pools.p: should have either nodes or selector"),
        ({"nodes": None, "selector": {}}, "pools.p.selector.matchLabels: is missing"),
        (
            {"nodes": None, "selector": {"matchLabels": {}}},
            "pools.p.selector.matchLabels: should name at least one label",
        ),
        (
            {"nodes": None, "selector": {"matchLabels": {"zone": 1}}},
            "pools.p.selector.matchLabels.zone: input should be a valid string (found 1)",
        ),
        (
            {"nodes": None, "selector": {"matchExpressions": []}},
            "pools.p.selector.matchExpressions: unknown key; there is matchLabels",
        ),
    ],
    ids=["neither", "both", "no labels", "empty labels", "a number", "expressions"],
)
def test_a_pool_says_in_one_way_which_nodes_it_means(changes: dict[str, Any], problem: str) -> None:
    assert problem in problems(a_pool(**changes))


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        (
            {"cluster": {"onUnreachable": "ignore"}},
            "cluster.onUnreachable: input should be 'fail' or 'warn' (found 'ignore')",
        ),
        ({"operator": {"managed": "no"}}, "operator.managed: input should be a valid boolean (found 'no')"),
    ],
)
def test_a_bad_word_about_the_cluster_is_one_sentence(section: dict[str, Any], problem: str) -> None:
    assert problems(a_stack(**section)) == [problem]
