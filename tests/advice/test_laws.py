"""Laws of the advice, on every GPU model and on many uses."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.advice.layout_advice import advise
from mig_fleet.advice.measurement import Measurement
from mig_fleet.advice.outcome import Outcome
from mig_fleet.advice.replacement import replaced
from mig_fleet.advice.sizing import Sizing, size
from mig_fleet.advice.use import Use
from mig_fleet.model.cost import shares
from mig_fleet.model.errors import InvalidLayout
from mig_fleet.model.gpus import GpuModel, all_models
from mig_fleet.model.layouts import Layout
from mig_fleet.model.placement import feasible, prove
from tests.advice.measurements import GIB, WINDOW, a_measurement, a_use, members

Case = tuple[GpuModel, Mapping[str, int], str]
CASES: list[Case] = [
    (gpu, group, name)
    for gpu in all_models()
    for group in feasible(gpu)
    if len({(gpu.profile(each).compute_slices, gpu.profile(each).memory_slices) for each in group}) == 1
    for name in group
]
"""Every GPU model, each layout of it with slices of one size, and each profile in it."""
shares_of_time = st.floats(0, 1)
uses = st.builds(
    a_use, busy=shares_of_time, bandwidth=shares_of_time, memory=st.floats(0, 300 * GIB), preallocated=st.booleans()
)
cases = st.sampled_from(CASES)


def share(gpu: GpuModel, profile: str) -> float:
    return shares(gpu, {profile: 1})[profile]


def sized(case: Case, use: Use) -> Sizing:
    return size(*case, use)


def test_there_are_cases_of_many_models() -> None:
    assert len({gpu.name for gpu, _, _ in CASES}) > 20


@given(cases, uses)
def test_a_proposed_profile_is_large_enough(case: Case, use: Use) -> None:
    gpu, _, name = case
    new = sized(case, use).replacement
    if new is not None:
        before, after = gpu.profile(name), gpu.profile(new.profile)
        assert use.busy is not None and use.bandwidth is not None and use.memory is not None
        assert use.busy * before.compute_slices <= 0.75 * after.compute_slices + 1e-6
        assert use.bandwidth * before.memory_slices <= 0.8 * after.memory_slices + 1e-6
        assert after.memory_mib is not None
        assert max(1.15 * use.memory, use.memory + GIB) <= after.memory_mib * 2**20


@given(cases, uses)
def test_a_proposal_is_proven_and_keeps_the_number_of_slices_and_the_other_profiles(case: Case, use: Use) -> None:
    gpu, group, name = case
    new = sized(case, use).replacement
    if new is not None:
        after = replaced(group, name, new.profile, new.count)
        assert prove(gpu, after)
        assert new.count > group[name]
        assert {k: v for k, v in after.items() if k != new.profile} == {k: v for k, v in group.items() if k != name}
        assert not prove(gpu, replaced(group, name, new.profile, new.count + 1)), "the largest number that fits"
        assert 0.1 < new.saving < 1
        assert share(gpu, new.profile) < share(gpu, name)
        one, other = gpu.profile(name).profile, gpu.profile(new.profile).profile
        assert (one.attributes, one.removed) == (other.attributes, other.removed), "media extensions and graphics stay"


@given(cases, uses, uses)
def test_more_use_never_gives_a_smaller_profile(case: Case, one: Use, other: Use) -> None:
    gpu = case[0]
    more = a_use(
        busy=max(one.busy or 0, other.busy or 0),
        bandwidth=max(one.bandwidth or 0, other.bandwidth or 0),
        memory=max(one.memory or 0, other.memory or 0),
        preallocated=one.preallocated,
    )
    less, least = sized(case, more), sized(case, one)
    if less.replacement is not None:
        assert least.replacement is not None, "what is small enough for more use is so for less"
        assert share(gpu, least.replacement.profile) <= share(gpu, less.replacement.profile)


@given(cases, uses, st.floats(0, 1))
def test_too_short_a_history_never_gives_a_proposal(case: Case, use: Use, coverage: float) -> None:
    found = sized(case, a_use(coverage=coverage, busy=use.busy, bandwidth=use.bandwidth, memory=use.memory))
    assert found.replacement is None or coverage >= 0.7
    assert (found.outcome is Outcome.SMALLER) == (found.replacement is not None)


measurements = st.builds(
    a_measurement,
    st.sampled_from(["3g.40gb", "2g.20gb", "1g.10gb", "nonsense"]),
    st.sampled_from(["n1", "n2", "n3"]),
    st.integers(0, 3),
    st.sampled_from("1234567"),
    busy=shares_of_time,
    with_pod=shares_of_time,
)


@given(st.sampled_from(CASES), st.lists(measurements, max_size=40))
def test_the_layout_that_follows_is_valid_and_has_no_fewer_slices(case: Case, measured: list[Measurement]) -> None:
    gpu, group, _ = case
    try:
        layout = Layout.uniform("dense", gpu.name, group)
    except InvalidLayout:  # a GPU model without PCI device ids
        return
    found = advise(layout, members("n1", "n2"), measured, WINDOW)
    after = found.after
    if after is not None:
        (before_group,), (after_group,) = layout.groups, after.groups
        assert all(proof for _, proof in after.proofs())
        assert sum((after_group.profiles or {}).values()) > sum((before_group.profiles or {}).values())
    assert (after is None) == (found.saved_gpus == 0)


@given(st.lists(measurements, max_size=20), st.lists(measurements, max_size=20))
def test_slices_of_other_nodes_and_profiles_change_nothing(few: list[Measurement], others: list[Measurement]) -> None:
    layout = Layout.uniform("dense", "H100-80GB", {"3g.40gb": 2})
    others = [each for each in others if each.slice.node == "n3" or each.slice.profile != "3g.40gb"]
    assert advise(layout, members("n1", "n2"), few, WINDOW) == advise(layout, members("n1", "n2"), few + others, WINDOW)
