"""Waves follow from the names of the nodes: bounded in size, the same on every machine, and stable when nodes join."""

from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.rollout.batching import CANARY, Pace, waves
from mig_fleet.stack_file.settings import Rollout

NAMES = st.sets(st.text("abcdefghij0123456789", min_size=1, max_size=8), min_size=1, max_size=60)
NEW_NAME = st.text("klmnop", min_size=1, max_size=8)
SHARES = st.integers(1, 100).map("{}%".format)
PACES = st.builds(Pace, st.integers(1, 20) | SHARES, st.integers(0, 4))


def wave_of(names: set[str], pace: Pace) -> dict[str, str]:
    return {name: wave for wave, members in waves(names, pace).items() for name in members}


@given(NAMES, PACES)
def test_every_node_is_in_exactly_one_wave(names: set[str], pace: Pace) -> None:
    members = [name for wave in waves(names, pace).values() for name in wave]
    assert sorted(members) == sorted(names)


@given(NAMES, PACES)
def test_no_wave_has_more_nodes_than_may_be_unavailable(names: set[str], pace: Pace) -> None:
    assert all(0 < len(wave) <= pace.limit(len(names)) for wave in waves(names, pace).values())


@given(NAMES, PACES)
def test_the_order_of_the_given_names_does_not_matter(names: set[str], pace: Pace) -> None:
    forward, backward = waves(sorted(names), pace), waves(sorted(names, reverse=True), pace)
    assert list(forward.items()) == list(backward.items())


@given(NAMES, PACES)
def test_the_canary_runs_first(names: set[str], pace: Pace) -> None:
    found = waves(names, pace)
    if pace.canary:
        assert next(iter(found)) == CANARY
        assert len(found[CANARY]) == min(pace.canary, pace.limit(len(names)), len(names))
    else:
        assert CANARY not in found


@given(NAMES, st.integers(1, 20), NEW_NAME)
def test_a_node_that_joins_moves_only_nodes_of_the_wave_that_it_joins(names: set[str], limit: int, new: str) -> None:
    pace = Pace(max_unavailable=limit)
    before, after = wave_of(names, pace), wave_of(names | {new}, pace)
    moved = {before[name] for name in names if before[name] != after[name]}
    assert len(moved) <= 1, "nodes of more than one wave moved"
    for wave in moved:
        assert after[new].startswith(wave), "the wave that was split is not the one that became too large"


@given(NAMES, st.integers(1, 20), NEW_NAME)
def test_a_node_that_becomes_the_canary_replaces_only_the_previous_one(names: set[str], limit: int, new: str) -> None:
    pace = Pace(limit, canary=1)
    before, after = waves(names, pace)[CANARY], waves(names | {new}, pace)[CANARY]
    assert after in (before, (new,))


def test_a_pool_that_fits_into_one_wave_has_one_wave() -> None:
    assert dict(waves(["b", "a"], Pace("100%"))) == {"wave-0": ("a", "b")}


def test_a_share_of_a_small_pool_is_at_least_one_node() -> None:
    assert Pace("25%").limit(3) == 1
    assert Pace("25%").limit(8) == 2


def test_a_quarter_of_a_pool_at_once_is_the_default_of_programs_and_of_stack_files() -> None:
    assert Pace().max_unavailable == Rollout().max_unavailable == "25%"
    assert Pace().canary == Rollout().canary == 0
