"""Strategies, resources and the labels of GPU Feature Discovery."""

from collections import Counter

import pytest

from mig_fleet.model import Strategy, gfd, gpus
from mig_fleet.model.strategy import DEFAULT, PerGpu, allocatable, strategy_conflicts

DENSE: PerGpu = [{"1g.10gb": 7}] * 8
OFF: PerGpu = [None] * 8


def test_the_default_serves_nodes_before_during_and_after_partitioning() -> None:
    for per_gpu in (OFF, DENSE, [*DENSE[:4], *OFF[:4]]):
        assert strategy_conflicts(DEFAULT, per_gpu) == ()
    assert allocatable(DEFAULT, OFF) == {"nvidia.com/gpu": 8}
    assert allocatable(DEFAULT, DENSE) == {"nvidia.com/mig-1g.10gb": 56}


@pytest.mark.parametrize(
    ("strategy", "per_gpu", "because"),
    [
        (Strategy.NONE, DENSE, "advertises whole GPUs"),
        (Strategy.SINGLE, [{"1g.10gb": 7}, None], "on every GPU of a node or on none"),
        (Strategy.SINGLE, [{"3g.40gb": 1, "1g.10gb": 1}], "one profile per node, found 1g.10gb, 3g.40gb"),
        (Strategy.SINGLE, [{"1g.10gb": 7}, {}], "slices on every GPU with MIG on"),
        (Strategy.MIXED, [{"1c.3g.40gb": 3}], "1c.3g.40gb is part of a GPU instance"),
    ],
)
def test_a_strategy_that_cannot_serve_a_node_gives_the_reason(
    strategy: Strategy, per_gpu: PerGpu, because: str
) -> None:
    (reason,) = strategy_conflicts(strategy, per_gpu)
    assert because in reason


@pytest.mark.parametrize(
    ("strategy", "per_gpu"),
    [
        (Strategy.NONE, OFF),
        (Strategy.SINGLE, OFF),
        (Strategy.SINGLE, DENSE),
        (Strategy.SINGLE, [{"1c.3g.40gb": 6}] * 8),
        (Strategy.MIXED, [None, {"1g.10gb": 7}, {"3g.40gb": 2}]),
    ],
)
def test_a_strategy_that_serves_a_node_has_no_conflict(strategy: Strategy, per_gpu: PerGpu) -> None:
    assert strategy_conflicts(strategy, per_gpu) == ()


def test_resources_per_strategy() -> None:
    per_gpu: PerGpu = [None, {"1g.10gb": 7}, {"1g.10gb+me": 1, "3g.40gb": 1}]
    assert allocatable(Strategy.NONE, per_gpu) == {"nvidia.com/gpu": 3}
    assert allocatable(Strategy.MIXED, per_gpu) == {
        "nvidia.com/gpu": 1,
        "nvidia.com/mig-1g.10gb": 7,
        "nvidia.com/mig-1g.10gb.me": 1,
        "nvidia.com/mig-3g.40gb": 1,
    }
    assert allocatable(Strategy.SINGLE, DENSE) == {"nvidia.com/gpu": 56}


def test_every_profile_of_a_model_has_a_resource_of_its_own() -> None:
    for model in gpus.all_models():
        resources = Counter(row.profile.resource for row in model.profiles.values())
        assert set(resources.values()) == {1}, model


@pytest.mark.parametrize(
    ("strategy", "per_gpu", "labels"),
    [
        (
            Strategy.MIXED,
            [{"1g.10gb": 7}, {"1g.10gb+me": 1, "3g.40gb": 1}, None],
            {"mig-1g.10gb.count": "7", "mig-1g.10gb.me.count": "1", "mig-3g.40gb.count": "1", "mig.strategy": "mixed"},
        ),
        (Strategy.MIXED, [None] * 8, {"mig.strategy": "mixed"}),
        (Strategy.SINGLE, DENSE, {"gpu.count": "56", "mig.strategy": "single"}),
        (Strategy.SINGLE, OFF, {"gpu.count": "8", "mig.strategy": "single"}),
        (Strategy.SINGLE, [{"1g.10gb": 7}, {"2g.20gb": 3}], {"gpu.count": "0", "mig.strategy": "single"}),
        (Strategy.SINGLE, [{}], {"gpu.count": "0", "mig.strategy": "single"}),
        (Strategy.NONE, OFF, {"gpu.count": "8"}),
    ],
)
def test_the_expected_labels_are_the_strategy_and_its_counts(
    strategy: Strategy, per_gpu: PerGpu, labels: dict[str, str]
) -> None:
    assert gfd.expected_labels(per_gpu, strategy) == {f"nvidia.com/{key}": value for key, value in labels.items()}


def test_slice_counts_are_read_from_the_labels_that_are_expected_under_mixed() -> None:
    labels = gfd.expected_labels([{"1g.10gb+me": 1, "3g.40gb": 1}, {"3g.40gb": 2}], Strategy.MIXED)
    other = {"nvidia.com/mig-1g.10gb.count": "0", "nvidia.com/mig-2g.20gb.count": "?", "nvidia.com/gpu.count": "2"}
    assert gfd.slice_counts(labels | other) == {"1g.10gb.me": 1, "3g.40gb": 3}


@pytest.mark.parametrize("suffix", ["", "-MIG-1g.10gb", "-MIG-INVALID", "-SHARED", "-MIG-1g.10gb-SHARED"])
def test_a_product_label_names_the_gpu_with_and_without_suffixes(suffix: str) -> None:
    product = f"NVIDIA-H100-80GB-HBM3{suffix}"
    assert gfd.gpu_product(product) == "nvidia-h100-80gb-hbm3"
    assert gfd.is_slice_product(product) is ("-MIG-" in suffix)
    assert gpus.find(product).name == "H100-80GB"


@pytest.mark.parametrize(
    ("product", "profile"),
    [
        ("NVIDIA-H100-80GB-HBM3", ""),
        ("NVIDIA-H100-80GB-HBM3-MIG-1g.10gb.me", "1g.10gb.me"),
        ("NVIDIA-H100-80GB-HBM3-MIG-1g.10gb-SHARED", "1g.10gb"),
        ("NVIDIA-H100-80GB-HBM3-MIG-INVALID", ""),
    ],
)
def test_the_profile_of_a_product_label_is_read(product: str, profile: str) -> None:
    assert gfd.slice_profile(product) == profile


def test_resources_with_more_than_one_replica_are_shared() -> None:
    labels = {"nvidia.com/gpu.replicas": "1", "nvidia.com/mig-1g.10gb.replicas": "4", "nvidia.com/mig-x.replicas": "?"}
    assert gfd.replicas(labels) == {"nvidia.com/mig-1g.10gb": 4}
