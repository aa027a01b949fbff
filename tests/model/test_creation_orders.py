"""Creation orders, run by an independent driver: every layout of every model, under every rule a driver may have."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import combinations

import pytest

from mig_fleet.model import Placement, Verdict, gpus, prove
from mig_fleet.model.gpus import GpuModel
from mig_fleet.model.placement import driver_choice, feasible
from mig_fleet.model.placement.creation_order import NEEDS_EXPLICIT_STARTS, NEEDS_HIGHEST_START, find_creation_order
from mig_fleet.model.placement.grid import grid_of

Rule = Callable[[Sequence[int]], int]

LAYOUTS = [(model, layout) for model in gpus.all_models() for layout in feasible(model)]


def instances(layout: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(sorted(name for name, count in layout.items() for _ in range(count)))


def create(
    model: GpuModel, order: Sequence[str], rule: Rule, taken: frozenset[int] = frozenset()
) -> list[tuple[int, str]] | None:
    """Where a driver with this rule places instances one after the other; None if there is no room for one."""
    made = []
    for name in order:
        row = model.profile(name)
        free = [start for start in row.starts if taken.isdisjoint(range(start, start + row.size))]
        if not free:
            return None
        start = rule(free)
        taken |= frozenset(range(start, start + row.size))
        made.append((start, name))
    return sorted(made)


def works_in_some_order(model: GpuModel, names: tuple[str, ...], rules: Sequence[Rule]) -> bool:
    """Whether one order works under all these rules, by trying every order."""

    @cache
    def go(rest: tuple[str, ...], taken: tuple[frozenset[int], ...]) -> bool:
        if not rest:
            return True
        for name in dict.fromkeys(rest):
            row, at = model.profile(name), rest.index(name)
            frees = [[s for s in row.starts if each.isdisjoint(range(s, s + row.size))] for each in taken]
            if all(frees):
                starts = [rule(free) for rule, free in zip(rules, frees, strict=True)]
                after = tuple(
                    each | frozenset(range(start, start + row.size)) for each, start in zip(taken, starts, strict=True)
                )
                if go(rest[:at] + rest[at + 1 :], after):
                    return True
        return False

    return go(names, (frozenset(),) * len(rules))


def test_there_are_layouts_to_test() -> None:
    assert len(LAYOUTS) > 2000


def test_every_order_leads_a_driver_that_takes_the_highest_start_to_the_placements() -> None:
    for model, layout in LAYOUTS:
        proof = prove(model, layout)
        assert Counter(proof.creation_order) == Counter(instances(layout))
        found = create(model, proof.creation_order, max)
        assert found == [(place.start, place.profile) for place in proof.placements], (model, layout)


def test_an_order_that_needs_the_highest_start_is_marked_and_used_only_if_none_works_under_both_rules() -> None:
    marked = 0
    for model, layout in LAYOUTS:
        proof = prove(model, layout)
        if create(model, proof.creation_order, min) is None:
            assert NEEDS_HIGHEST_START in proof.requires, (model, layout)
            assert not works_in_some_order(model, instances(layout), (min, max)), (model, layout)
            marked += 1
        else:
            assert NEEDS_HIGHEST_START not in proof.requires, (model, layout)
    assert 0 < marked < len(LAYOUTS) / 8


def test_mig_parted_which_tries_every_order_succeeds_under_either_rule_as_the_requirement_states() -> None:
    for model, layout in LAYOUTS:
        if NEEDS_HIGHEST_START in prove(model, layout).requires:
            assert works_in_some_order(model, instances(layout), (min,)), (model, layout)


def test_an_order_that_works_under_both_rules_is_preferred_to_largest_first() -> None:
    proof = prove("A100-40GB", {"3g.20gb": 1, "1g.10gb": 1, "1g.5gb": 2})
    assert proof.creation_order == ("3g.20gb", "1g.5gb", "1g.10gb", "1g.5gb")
    assert proof.requires == tuple(it for it in proof.requires if it.startswith("driver R"))


def test_if_only_one_rule_works_the_proof_states_what_to_do_under_the_other() -> None:
    proof = prove("H100-80GB", {"3g.40gb": 1, "2g.20gb": 2})
    assert proof
    assert proof.creation_order == ("3g.40gb", "2g.20gb", "2g.20gb")
    assert "set each instance's start (nvidia-smi mig -cgi <id>:<start>)" in proof.requires[-1]


@pytest.mark.parametrize("gpu", ["H100-80GB", "A30-24GB"])
def test_beside_a_kept_instance_the_order_works_and_the_proof_states_under_which_rules(gpu: str) -> None:
    model = gpus.find(gpu)
    for kept in [Placement(row.name, start, row.size) for row in model.profiles.values() for start in row.starts]:
        taken = frozenset(range(kept.start, kept.start + kept.size))
        for layout in feasible(model):
            if proof := prove(model, layout, keep=[kept]):
                found = create(model, proof.creation_order, max, taken)
                assert found is not None
                assert sorted([*found, (kept.start, kept.profile)]) == [
                    (it.start, it.profile) for it in proof.placements
                ]
                assert (create(model, proof.creation_order, min, taken) is None) is (
                    NEEDS_HIGHEST_START in proof.requires
                )


@pytest.mark.parametrize("gpu", ["H100-80GB", "A30-24GB", "RTX-PRO-6000", "RTX-PRO-5000"])
def test_largest_first_always_works_if_the_instances_fit_whatever_is_present_already(gpu: str) -> None:
    """One model for each grid of the catalog, and one of the profiles with the same placements."""
    grid = grid_of(gpus.find(gpu))
    distinct = {profile.places: profile.name for profile in grid.profiles}
    unit = min(profile.size for profile in grid.profiles)
    blocks = [((1 << unit) - 1) << start for start in range(0, grid.memory, unit)]
    occupied = {sum(chosen) for size in range(len(blocks) + 1) for chosen in combinations(blocks, size)}
    for layout in feasible(gpu):
        if set(layout) <= set(distinct.values()):
            profiles = [profile for profile in grid.profiles for _ in range(layout.get(profile.name, 0))]
            for taken in occupied:
                found = find_creation_order(profiles, taken)
                assert found is None or NEEDS_EXPLICIT_STARTS not in found.requires, (layout, bin(taken))


def test_the_catalog_has_only_these_four_grids() -> None:
    models = [model for model in gpus.all_models() if feasible(model)]
    grids = {frozenset(profile.places for profile in grid_of(model).profiles) for model in models}
    assert len(grids) == 4


def test_placements_that_no_order_reaches_need_explicit_starts() -> None:
    grid = grid_of(gpus.find("H100-80GB"))
    found = find_creation_order([grid.by_name[name] for name in ("2g.20gb", "2g.20gb", "3g.40gb")])
    assert found is not None
    assert found.requires == (NEEDS_EXPLICIT_STARTS,), "these profiles are not given largest first"
    assert [(profile.name, start) for profile, start in found.steps] == [("2g.20gb", 2), ("2g.20gb", 0), ("3g.40gb", 4)]


def test_the_driver_choice_repeated_gives_the_placements_of_the_proof() -> None:
    for model, layout in LAYOUTS[::7]:
        present: list[Placement] = []
        for name in prove(model, layout).creation_order:
            choice = driver_choice(model, present, name)
            assert choice is not None
            present.append(choice)
        assert tuple(sorted(present, key=lambda place: place.start)) == prove(model, layout).placements


def test_published_outputs_of_real_drivers_are_reproduced() -> None:
    """User guide: ``-cgi 9,19,14,19`` succeeds, ``19,19,14,9`` does not; lgip of an A100-80GB: 3g first lands at 4."""
    assert create(gpus.find("A100-40GB"), ["3g.20gb", "1g.5gb", "2g.10gb", "1g.5gb"], max)
    assert create(gpus.find("A100-40GB"), ["1g.5gb", "1g.5gb", "2g.10gb", "3g.20gb"], max) is None
    assert create(gpus.find("A100-80GB"), ["3g.40gb", "4g.40gb"], max) == [(0, "4g.40gb"), (4, "3g.40gb")]
    first = driver_choice("A100-80GB", [], "3g.40gb")
    assert first == Placement("3g.40gb", 4, 4)
    assert driver_choice("A100-80GB", [first], "4g.40gb") == Placement("4g.40gb", 0, 4)
    assert driver_choice("A100-80GB", [first], "7g.80gb") is None
    assert prove("A100-80GB", ["3g.40gb", "4g.40gb"]).verdict is Verdict.FEASIBLE
