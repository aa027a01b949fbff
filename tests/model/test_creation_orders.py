"""Creation orders, walked by an independent driver: every layout of every model, under every rule a driver may have."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import combinations

import pytest

from mig_fleet.model import Placement, Verdict, gpus, prove
from mig_fleet.model.gpus import GpuModel
from mig_fleet.model.placement import driver_choice, feasible
from mig_fleet.model.placement.driver import BY_HAND, ONE_RULE, creation
from mig_fleet.model.placement.grid import grid_of

Rule = Callable[[Sequence[int]], int]

LAYOUTS = [(model, layout) for model in gpus.all_models() for layout in feasible(model)]


def instances(layout: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(sorted(name for name, count in layout.items() for _ in range(count)))


def create(
    model: GpuModel, order: Sequence[str], rule: Rule, taken: frozenset[int] = frozenset()
) -> list[tuple[int, str]] | None:
    """Where a driver with this rule puts instances one after the other; None when one finds no room."""
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
    """Whether one order completes under all these rules, by trying every order."""

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


def test_there_are_layouts_to_walk() -> None:
    assert len(LAYOUTS) > 2000


def test_every_order_leads_a_driver_that_takes_the_highest_start_to_the_placements() -> None:
    for model, layout in LAYOUTS:
        proof = prove(model, layout)
        assert Counter(proof.order) == Counter(instances(layout))
        found = create(model, proof.order, max)
        assert found == [(place.start, place.profile) for place in proof.placements], (model, layout)


def test_an_order_fails_a_driver_that_takes_the_lowest_start_only_where_it_says_so_and_none_could_serve_both() -> None:
    said = 0
    for model, layout in LAYOUTS:
        proof = prove(model, layout)
        if create(model, proof.order, min) is None:
            assert ONE_RULE in proof.requires, (model, layout)
            assert not works_in_some_order(model, instances(layout), (min, max)), (model, layout)
            said += 1
        else:
            assert ONE_RULE not in proof.requires, (model, layout)
    assert 0 < said < len(LAYOUTS) / 8


def test_trying_every_order_succeeds_under_either_rule_as_a_requirement_says_of_mig_parted() -> None:
    for model, layout in LAYOUTS:
        if ONE_RULE in prove(model, layout).requires:
            assert works_in_some_order(model, instances(layout), (min,)), (model, layout)


def test_an_order_for_both_rules_is_taken_before_the_largest_first() -> None:
    proof = prove("A100-40GB", {"3g.20gb": 1, "1g.10gb": 1, "1g.5gb": 2})
    assert proof.order == ("3g.20gb", "1g.5gb", "1g.10gb", "1g.5gb")
    assert proof.requires == tuple(it for it in proof.requires if it.startswith("driver R"))


def test_where_only_one_rule_works_the_proof_says_what_to_do_with_the_other() -> None:
    proof = prove("H100-80GB", {"3g.40gb": 1, "2g.20gb": 2})
    assert proof
    assert proof.order == ("3g.40gb", "2g.20gb", "2g.20gb")
    assert "give each instance its start (nvidia-smi mig -cgi <id>:<start>)" in proof.requires[-1]


@pytest.mark.parametrize("gpu", ["H100-80GB", "A30-24GB"])
def test_around_a_kept_instance_the_order_works_and_the_proof_says_under_which_rules(gpu: str) -> None:
    model = gpus.find(gpu)
    for kept in [Placement(row.name, start, row.size) for row in model.profiles.values() for start in row.starts]:
        taken = frozenset(range(kept.start, kept.start + kept.size))
        for layout in feasible(model):
            if proof := prove(model, layout, keep=[kept]):
                found = create(model, proof.order, max, taken)
                assert found is not None
                assert sorted([*found, (kept.start, kept.profile)]) == [
                    (it.start, it.profile) for it in proof.placements
                ]
                assert (create(model, proof.order, min, taken) is None) is (ONE_RULE in proof.requires)


@pytest.mark.parametrize("gpu", ["H100-80GB", "A30-24GB", "RTX-PRO-6000", "RTX-PRO-5000"])
def test_largest_first_completes_wherever_there_is_room_whatever_stands_there_already(gpu: str) -> None:
    """One model for each grid of the catalog, and of profiles with the same places one."""
    grid = grid_of(gpus.find(gpu))
    alike = {kind.masks: kind.name for kind in grid.kinds}
    unit = min(kind.size for kind in grid.kinds)
    blocks = [((1 << unit) - 1) << start for start in range(0, grid.memory, unit)]
    occupied = {sum(chosen) for size in range(len(blocks) + 1) for chosen in combinations(blocks, size)}
    for layout in feasible(gpu):
        if set(layout) <= set(alike.values()):
            kinds = [kind for kind in grid.kinds for _ in range(layout.get(kind.name, 0))]
            for taken in occupied:
                found = creation(kinds, taken)
                assert found is None or BY_HAND not in found.requires, (layout, bin(taken))


def test_the_catalog_has_no_grid_but_these() -> None:
    grids = {frozenset(kind.masks for kind in grid_of(model).kinds) for model in gpus.all_models() if feasible(model)}
    assert len(grids) == 4


def test_what_no_order_reaches_gets_explicit_starts() -> None:
    grid = grid_of(gpus.find("H100-80GB"))
    found = creation([grid.by_name[name] for name in ("2g.20gb", "2g.20gb", "3g.40gb")])
    assert found is not None
    assert found.requires == (BY_HAND,), "kinds that do not come largest first"
    assert [(kind.name, start) for kind, start in found.steps] == [("2g.20gb", 2), ("2g.20gb", 0), ("3g.40gb", 4)]


def test_the_model_of_a_driver_agrees_with_the_walk() -> None:
    for model, layout in LAYOUTS[::7]:
        present: list[Placement] = []
        for name in prove(model, layout).order:
            choice = driver_choice(model, present, name)
            assert choice is not None
            present.append(choice)
        assert tuple(sorted(present, key=lambda place: place.start)) == prove(model, layout).placements


def test_published_outputs_of_real_drivers_come_out() -> None:
    """User guide: ``-cgi 9,19,14,19`` succeeds, ``19,19,14,9`` does not; lgip of an A100-80GB: 3g first lands at 4."""
    assert create(gpus.find("A100-40GB"), ["3g.20gb", "1g.5gb", "2g.10gb", "1g.5gb"], max)
    assert create(gpus.find("A100-40GB"), ["1g.5gb", "1g.5gb", "2g.10gb", "3g.20gb"], max) is None
    assert create(gpus.find("A100-80GB"), ["3g.40gb", "4g.40gb"], max) == [(0, "4g.40gb"), (4, "3g.40gb")]
    first = driver_choice("A100-80GB", [], "3g.40gb")
    assert first == Placement("3g.40gb", 4, 4)
    assert driver_choice("A100-80GB", [first], "4g.40gb") == Placement("4g.40gb", 0, 4)
    assert driver_choice("A100-80GB", [first], "7g.80gb") is None
    assert prove("A100-80GB", ["3g.40gb", "4g.40gb"]).verdict is Verdict.FEASIBLE
