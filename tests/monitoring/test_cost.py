"""The parts of the cost add up to the price of the GPUs, and are those of the model."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mig_fleet.model.cost import Basis, account
from mig_fleet.model.gpus import find
from mig_fleet.model.placement import feasible
from mig_fleet.monitoring.recording import recording_groups
from mig_fleet.monitoring.series import COST, GPU_ACTIVITY, POOL_COST, SLICE_COST, SLICE_SHARE
from mig_fleet.monitoring.spellings import catalog_names
from tests.monitoring.fleets import a_fleet, a_pool
from tests.monitoring.promtool import Case, Promtool, Rows, rounded
from tests.monitoring.series_samples import LEGACY, Pod, Series, a_gpu, a_node, a_slice, series

pytestmark = pytest.mark.engine

GPUS = 3
"""What each pool declares; a node may have one more."""
PRICES = {"H100-80GB": 2.5, "A30-24GB": 0.37, "H200-141GB": 3.79, "A100-40GB": 1.1}
NAMESPACES = ("team-a", "team-b")
Part = tuple[str, str, str]
"""Node, namespace, and part of the price."""


@dataclass(frozen=True)
class Slice:
    """``namespace`` is empty for a slice without a pod, ``activity`` is None if the exporter does not report it."""

    profile: str
    spelling: str
    namespace: str
    activity: float | None


OneGpu = tuple[Slice, ...] | float | None
"""Slices, or the activity of a whole GPU, or None for a GPU without rows."""


@cache
def layouts(gpu: str) -> list[Mapping[str, int]]:
    return [layout for layout in feasible(find(gpu)) if layout]


@st.composite
def a_gpu_in_slices(draw: st.DrawFn, gpu: str) -> tuple[Slice, ...]:
    layout: Mapping[str, int] = draw(st.sampled_from(layouts(gpu)))
    spellings: dict[str, list[str]] = defaultdict(list)
    for spelling, name in catalog_names(gpu).items():
        spellings[name].append(spelling)
    return tuple(
        Slice(
            name,
            draw(st.sampled_from(spellings[name])),
            draw(st.sampled_from(("", *NAMESPACES))),
            draw(st.none() | st.sampled_from([0.0, 1.0]) | st.floats(0, 1.3)),
        )
        for name, count in layout.items()
        for _ in range(count)
    )


@st.composite
def a_node_of_gpus(draw: st.DrawFn) -> tuple[str, list[OneGpu]]:
    """A GPU model, and the GPUs of a node."""
    gpu = draw(st.sampled_from(sorted(PRICES)))
    one = st.none() | st.floats(0, 1) | a_gpu_in_slices(gpu)
    return gpu, draw(st.lists(one, min_size=GPUS, max_size=GPUS + 1))


def parts_of(gpu: str, one: OneGpu, node: str, basis: Basis) -> Iterator[tuple[Part, float]]:
    """By the model's own account of one GPU, which knows no namespaces: it is asked once for each of them."""
    price = PRICES[gpu]
    if isinstance(one, float):
        yield (node, "team-a", "used"), price * one
        yield (node, "team-a", "idle"), price * (1 - one)
    elif one is not None:
        layout = Counter(each.profile for each in one)
        known = [each for each in one if each.activity is not None]
        for namespace in NAMESPACES:
            of_namespace = account(price, gpu, layout, busy(known, namespace), basis)
            yield (node, namespace, "used"), of_namespace.used
            yield (node, namespace, "idle"), of_namespace.idle
        unknown = account(price, gpu, layout, busy((each for each in one if each not in known), *NAMESPACES), basis)
        yield (node, "", "unobserved"), unknown.used + unknown.idle
        whole = account(price, gpu, layout, busy(one, *NAMESPACES), basis)
        yield (node, "", "unallocated"), whole.unallocated
        yield (node, "", "stranded"), whole.stranded


def busy(slices: Iterable[Slice], *namespaces: str) -> dict[str, list[float]]:
    """The activity of the slices with a pod of these namespaces, by profile."""
    found: dict[str, list[float]] = defaultdict(list)
    for each in slices:
        if each.namespace in namespaces:
            found[each.profile].append(each.activity or 0.0)
    return found


def samples_of(one: OneGpu, node: str, gpu: int) -> Iterator[Series]:
    if isinstance(one, float):
        yield from a_gpu(node, gpu=gpu, activity=one, pod=Pod("whole"))
    for number, each in enumerate(one if isinstance(one, tuple) else ()):
        pod = Pod(f"pod-{gpu}-{number}", each.namespace) if each.namespace else None
        yield from a_slice(node, number, each.spelling, gpu=gpu, activity=each.activity, pod=pod)


@pytest.mark.parametrize("basis", Basis)
@given(nodes=st.lists(a_node_of_gpus(), min_size=1, max_size=12))
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_parts_add_up_to_the_price_of_the_gpus_and_agree_with_the_model(
    promtool: Promtool, basis: Basis, nodes: list[tuple[str, list[OneGpu]]]
) -> None:
    pools = [a_pool(gpu.lower(), gpu, ({},), price=price, gpus=GPUS) for gpu, price in PRICES.items()]
    samples: list[Series] = []
    expected: dict[Part, float] = defaultdict(float)
    counted: dict[str, int] = defaultdict(int)
    for number, (gpu, gpus) in enumerate(nodes):
        node = f"n{number}"
        reported = sum(one is not None for one in gpus)
        counted[gpu] += max(GPUS, reported)
        expected[node, "", "unobserved"] += PRICES[gpu] * max(GPUS - reported, 0)
        samples += a_node(node, gpu.lower(), f"{gpu.lower()}-1")
        for index, one in enumerate(gpus):
            samples += samples_of(one, node, index)
            for part, money in parts_of(gpu, one, node, basis):
                expected[part] += money
    samples += [
        series("expected", value, node=node, namespace=namespace, part=part)
        for (node, namespace, part), value in expected.items()
    ]
    found, same = f"sum by (node, namespace, part) ({COST})", "on (node, namespace, part)"
    rows: dict[str, Rows] = {
        f"abs(({found} or {same} 0 * expected) - {same} expected) > 1e-6": [],
        f"({found} > 1e-6) unless {same} expected": [],
        f"abs(sum by (pool) ({COST}) - {POOL_COST}) > 1e-6": [],
        rounded(POOL_COST): [({"pool": gpu.lower()}, round(PRICES[gpu] * count, 6)) for gpu, count in counted.items()],
    }
    promtool.verify(recording_groups(a_fleet(*pools, basis=basis)), Case("nodes", samples, "3m", rows))


PRICED = recording_groups(a_fleet(a_pool(price=10)))
FOUR_AND_THREE = [
    *a_node("n1"),
    *a_slice("n1", 1, "4g.40gb", pod=Pod("busy", "team-a"), activity=0.75),
    *a_slice("n1", 2, "3g.40gb"),
]


def test_slices_that_overlap_in_price_are_scaled_to_the_price_of_the_gpu(promtool: Promtool) -> None:
    """4g takes 4/7 of the compute, 3g half of the memory: 15/14 of the GPU."""
    rows = {
        rounded(f"sum by (profile) ({SLICE_SHARE})"): [
            ({"profile": "4g.40gb"}, 0.571429),
            ({"profile": "3g.40gb"}, 0.5),
        ],
        rounded(f"sum by (profile, namespace, pool) ({SLICE_COST})"): [
            ({"profile": "4g.40gb", "namespace": "team-a", "pool": "inference"}, 5.333333),
            ({"profile": "3g.40gb", "pool": "inference"}, 4.666667),
        ],
        rounded(f"sum by (part) ({COST})"): [
            ({"part": "used"}, 4.0),
            ({"part": "idle"}, 1.333333),
            ({"part": "unallocated"}, 4.666667),
            ({"part": "stranded"}, 0.0),
            ({"part": "unobserved"}, 0.0),
        ],
    }
    promtool.verify(PRICED, Case("4g and 3g", FOUR_AND_THREE, rows=rows))


def test_a_gpu_without_rows_is_unobserved_and_one_with_few_slices_is_stranded(promtool: Promtool) -> None:
    groups = recording_groups(a_fleet(a_pool(price=10, gpus=2)))
    samples = [*a_node("n1"), *a_slice("n1", 1, "3g.40gb"), *a_node("away")]
    rows = {
        rounded(f"sum by (node, part) ({COST}) > 0"): [
            ({"node": "n1", "part": "unallocated"}, 5.0),
            ({"node": "n1", "part": "stranded"}, 5.0),
            ({"node": "n1", "part": "unobserved"}, 10.0),
            ({"node": "away", "part": "unobserved"}, 20.0),
        ],
        POOL_COST: [({"pool": "inference"}, 40.0)],
    }
    promtool.verify(groups, Case("one GPU of four has rows", samples, rows=rows))


def test_a_node_with_more_gpus_than_its_pool_declares_costs_what_it_has(promtool: Promtool) -> None:
    groups = recording_groups(a_fleet(a_pool(price=10, gpus=1)))
    samples = [*a_node("n1"), *(row for gpu in range(3) for row in a_slice("n1", 0, "7g.80gb", gpu=gpu))]
    rows: dict[str, Rows] = {
        f'sum({COST}{{part="unallocated"}})': [({}, 30.0)],
        POOL_COST: [({"pool": "inference"}, 30.0)],
    }
    promtool.verify(groups, Case("three GPUs, one declared", samples, rows=rows))


def test_a_slice_without_activity_is_unobserved_with_a_pod_unallocated_without_one_and_never_stranded(
    promtool: Promtool,
) -> None:
    second = replace(LEGACY, host="hostname", own_pod="second")
    with_pod = [*a_node("n1"), *a_slice("n1", 1, "3g.40gb", pod=Pod("a", "team-a"), activity=None)]
    without = [*a_node("n1"), *a_slice("n1", 1, "3g.40gb", activity=None)]
    twice = [*with_pod, *a_slice("n1", 1, "3g.40gb", activity=None, exporter=second)]
    part = f"sum by (part) ({COST}) > 0"
    unobserved: Rows = [({"part": "unobserved"}, 5.0), ({"part": "stranded"}, 5.0)]
    promtool.verify(
        PRICED,
        Case("a pod", with_pod, rows={part: unobserved}),
        Case("no pod", without, rows={part: [({"part": "unallocated"}, 5.0), ({"part": "stranded"}, 5.0)]}),
        Case("a second exporter knows no pods", twice, rows={part: unobserved}),
    )


def test_a_slice_that_two_exporters_report_or_two_pods_share_is_paid_once(promtool: Promtool) -> None:
    second = replace(LEGACY, host="hostname", own_pod="second")
    whole = [*a_node("n1"), *a_slice("n1", 0, "1g.20gb", pod=Pod("a", "team-a"), activity=1)]
    twice = [*whole, *a_slice("n1", 0, "1g.20gb", pod=Pod("a", "team-a"), activity=1, exporter=second)]
    knows_no_pods = [*whole, *a_slice("n1", 0, "1g.20gb", activity=1, exporter=second)]
    shared = [*whole, *a_slice("n1", 0, "1g.20gb", pod=Pod("b", "team-b"), activity=1)]
    used = f'sum by (namespace) ({COST}{{part="used"}})'
    alone = [({"namespace": "team-a"}, 2.5)]
    promtool.verify(
        PRICED,
        Case("two exporters", twice, rows={used: alone}),
        Case("one knows no pods", knows_no_pods, rows={used: alone, f'{COST}{{part="unallocated"}} > 0': []}),
        Case("two pods", shared, rows={used: [({"namespace": "team-a"}, 1.25), ({"namespace": "team-b"}, 1.25)]}),
    )


def test_a_pool_without_a_price_has_shares_and_no_cost(promtool: Promtool) -> None:
    groups = recording_groups(a_fleet(a_pool(price=10), a_pool("free")))
    samples = [*a_node("n1", "free", "free-1"), *a_slice("n1", 0, "1g.20gb")]
    shares = {f"sum by (pool) ({SLICE_SHARE})": [({"pool": "free"}, 0.25)]}
    money: dict[str, Rows] = {COST: [], POOL_COST: [], SLICE_COST: []}
    promtool.verify(groups, Case("no price", samples, rows={**shares, **money}))
    records = [rule.to_data()["record"] for group in recording_groups(a_fleet()) for rule in group.rules]
    assert COST not in records, "without prices there is nothing to evaluate"


def test_an_unknown_profile_is_no_share_of_its_gpu(promtool: Promtool) -> None:
    """The exporter spells it as no source does: its GPU is stranded, and the parts still add up."""
    samples = [*a_node("n1"), *a_slice("n1", 0, "1g.20gb"), *a_slice("n1", 1, "5g.50gb")]
    rows: dict[str, Rows] = {
        f'sum({COST}{{part="stranded"}})': [({}, 7.5)],
        f"sum({COST})": [({}, 10.0)],
        rounded(f"max({GPU_ACTIVITY})"): [({}, 0.071429)],
    }
    promtool.verify(PRICED, Case("unknown profile", samples, rows=rows))
