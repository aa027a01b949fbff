"""Waves are a law, not a list: small enough, the same everywhere, and calm when nodes come and go."""

from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.rollout.batching import CANARY, Pace, waves

NAMES = st.sets(st.text("abcdefghij0123456789", min_size=1, max_size=8), min_size=1, max_size=60)
SHARES = st.integers(1, 100).map("{}%".format)
PACES = st.builds(Pace, st.integers(1, 20) | SHARES, st.integers(0, 4))


@given(NAMES, PACES)
def test_every_node_is_in_exactly_one_wave(names: set[str], pace: Pace) -> None:
    members = [name for wave in waves(names, pace).values() for name in wave]
    assert sorted(members) == sorted(names)


@given(NAMES, PACES)
def test_no_wave_is_larger_than_may_be_away_at_once(names: set[str], pace: Pace) -> None:
    assert all(0 < len(wave) <= pace.limit(len(names)) for wave in waves(names, pace).values())


@given(NAMES, PACES)
def test_the_order_in_which_nodes_are_written_down_does_not_matter(names: set[str], pace: Pace) -> None:
    forward, backward = waves(sorted(names), pace), waves(sorted(names, reverse=True), pace)
    assert list(forward.items()) == list(backward.items())


@given(NAMES, PACES)
def test_the_canary_goes_first(names: set[str], pace: Pace) -> None:
    found = waves(names, pace)
    if pace.canary:
        assert next(iter(found)) == CANARY
        assert len(found[CANARY]) == min(pace.canary, pace.limit(len(names)), len(names))
    else:
        assert CANARY not in found


@given(NAMES, st.integers(1, 20), st.text("klmnop", min_size=1, max_size=8))
def test_a_node_that_joins_moves_none_but_those_of_the_wave_it_joins(names: set[str], limit: int, new: str) -> None:
    pace = Pace(max_unavailable=limit)
    before, after = wave_of(names, pace), wave_of(names | {new}, pace)
    moved = {before[name] for name in names if before[name] != after[name]}
    assert len(moved) <= 1, "more than one wave was touched"
    for wave in moved:
        assert after[new].startswith(wave), "the wave that was split is not the one that became too large"


@given(NAMES, st.integers(1, 20), st.text("klmnop", min_size=1, max_size=8))
def test_a_node_that_becomes_the_canary_changes_places_with_at_most_one_other(
    names: set[str], limit: int, new: str
) -> None:
    pace = Pace(limit, canary=1)
    before, after = waves(names, pace)[CANARY], waves(names | {new}, pace)[CANARY]
    assert after in (before, (new,))


def test_a_pool_that_fits_into_one_wave_has_one() -> None:
    assert dict(waves(["b", "a"], Pace())) == {"wave-0": ("a", "b")}


def test_a_share_of_a_small_pool_is_one_node_at_least() -> None:
    assert Pace("25%").limit(3) == 1
    assert Pace("25%").limit(8) == 2


def wave_of(names: set[str], pace: Pace) -> dict[str, str]:
    return {name: wave for wave, members in waves(names, pace).items() for name in members}
