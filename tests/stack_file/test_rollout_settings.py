"""The rollout settings: each invalid value is one clear sentence with its path."""

from typing import Any

import pytest

from mig_fleet.stack_file import fleet
from mig_fleet.stack_file.problems import InvalidSettings


def a_stack(**changes: Any) -> dict[str, Any]:
    """A stack file that works."""
    pool = {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": ["n1"], "layout": "dense"}
    layouts = {"dense": {"gpu": "H100-80GB", "all": {"1g.10gb": 7}}}
    return {"cluster": {"context": "c"}, "layouts": layouts, "pools": {"p": pool}, **changes}


def a_pool(**changes: Any) -> dict[str, Any]:
    pool = {**a_stack()["pools"]["p"], **changes}
    return a_stack(pools={"p": {key: value for key, value in pool.items() if value is not None}})


def problems(raw: dict[str, Any]) -> list[str]:
    with pytest.raises(InvalidSettings) as refused:
        fleet.parse(raw, "x")
    return [str(problem) for problem in refused.value.problems]


NUMBER_OR_SHARE = "must be a number of nodes from 1, such as 2, or a share of the pool from 1% to 100%"


@pytest.mark.parametrize(
    ("rollout", "problem"),
    [
        ({"canary": -1}, "canary: takes a number of nodes from 0, such as 1, and no share (found -1)"),
        ({"canary": "1"}, "canary: takes a number of nodes from 0, such as 1, and no share (found '1')"),
        ({"canary": True}, "canary: takes a number of nodes from 0, such as 1, and no share (found True)"),
        ({"maxUnavailable": 0}, f"maxUnavailable: {NUMBER_OR_SHARE} (found 0)"),
        ({"maxUnavailable": "0%"}, f"maxUnavailable: {NUMBER_OR_SHARE} (found '0%')"),
        ({"maxUnavailable": "101%"}, f"maxUnavailable: {NUMBER_OR_SHARE} (found '101%')"),
        ({"maxUnavailable": "two"}, f"maxUnavailable: {NUMBER_OR_SHARE} (found 'two')"),
        ({"maxUnavailable": "2"}, f"maxUnavailable: {NUMBER_OR_SHARE} (found '2')"),
        (
            {"maxUnavailable": 2.5},
            "maxUnavailable: must be a number of nodes such as 2, or a share of the pool such as 25% (found 2.5)",
        ),
        (
            {"maxUnavailable": True},
            "maxUnavailable: must be a number of nodes such as 2, or a share of the pool such as 25% (found True)",
        ),
        ({"maxWavesPerUpdate": 0}, "maxWavesPerUpdate: must be greater than or equal to 1 (found 0)"),
        ({"soak": 30}, "soak: must be a duration such as 90s, 45m or 2h (found 30)"),
        ({"soak": "-5m"}, "soak: must be a duration such as 90s, 45m or 2h (found '-5m')"),
        ({"onUserPods": "kill"}, "onUserPods: must be 'refuse', 'wait' or 'evict' (found 'kill')"),
        ({"onStrandedPods": "ignore"}, "onStrandedPods: must be 'refuse' or 'warn' (found 'ignore')"),
        ({"onFailure": "panic"}, "onFailure: must be 'halt' or 'rollback' (found 'panic')"),
        ({"onDelete": "wipe"}, "onDelete: must be 'retain', 'disable' or 'restore' (found 'wipe')"),
        ({"recovery": "no"}, "recovery: must be true or false (found 'no')"),
        ({"wedgedAfter": "0s"}, "wedgedAfter: must be greater than 0s (found '0s')"),
        (
            {"wedgedAfter": "20m"},
            "wedgedAfter: must be at least 25m: MIG Manager may wait that long for operands before it reconfigures the "
            "GPUs (found '20m')",
        ),
        ({"timeout": "0m"}, "timeout: must be greater than 0s (found '0m')"),
        ({"maxUnavailble": 2}, "maxUnavailble: unknown key; did you mean 'maxUnavailable'?"),
    ],
)
def test_an_invalid_rollout_setting_is_one_sentence(rollout: dict[str, Any], problem: str) -> None:
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
def test_a_valid_setting_is_parsed_and_a_missing_one_has_a_default(
    rollout: dict[str, Any], attribute: str, value: object
) -> None:
    (pool,) = fleet.parse(a_pool(rollout=rollout), "x").pools
    assert getattr(pool.settings.rollout, attribute) == value


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"nodes": None}, "pools.p: must have either nodes or selector"),
        ({"selector": {"matchLabels": {"zone": "a"}}}, "pools.p: must have either nodes or selector"),
        ({"nodes": None, "selector": {}}, "pools.p.selector.matchLabels: is missing"),
        (
            {"nodes": None, "selector": {"matchLabels": {}}},
            "pools.p.selector.matchLabels: must name at least one label",
        ),
        (
            {"nodes": None, "selector": {"matchLabels": {"zone": 1}}},
            "pools.p.selector.matchLabels.zone: must be text; a number, true or false needs quotes (found 1)",
        ),
        (
            {"nodes": None, "selector": {"matchExpressions": []}},
            "pools.p.selector.matchExpressions: unknown key; known: matchLabels, mayBeEmpty",
        ),
    ],
    ids=["neither", "both", "no labels", "empty labels", "a number", "expressions"],
)
def test_a_pool_has_either_nodes_or_a_selector(changes: dict[str, Any], problem: str) -> None:
    assert problem in problems(a_pool(**changes))


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        (
            {"cluster": {"onUnreachable": "ignore"}},
            "cluster.onUnreachable: must be 'fail' or 'warn' (found 'ignore')",
        ),
        ({"operator": {"managed": "no"}}, "operator.managed: must be true or false (found 'no')"),
    ],
)
def test_an_invalid_cluster_setting_is_one_sentence(section: dict[str, Any], problem: str) -> None:
    assert problems(a_stack(**section)) == [problem]
