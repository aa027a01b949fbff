"""Strategies, resources and the labels of GPU Feature Discovery."""

from collections import Counter

import pytest

from mig_fleet.model import Layout, Strategy, gfd, gpus
from mig_fleet.model.strategy import DEFAULT, Cuts, allocatable, conflicts

DENSE: Cuts = [{"1g.10gb": 7}] * 8
OFF: Cuts = [None] * 8


def test_the_default_serves_nodes_before_while_and_after_they_are_cut() -> None:
    for cuts in (OFF, DENSE, [*DENSE[:4], *OFF[:4]]):
        assert conflicts(DEFAULT, cuts) == ()
    assert allocatable(DEFAULT, OFF) == {"nvidia.com/gpu": 8}
    assert allocatable(DEFAULT, DENSE) == {"nvidia.com/mig-1g.10gb": 56}


@pytest.mark.parametrize(
    ("strategy", "cuts", "because"),
    [
        (Strategy.NONE, DENSE, "hands out whole GPUs"),
        (Strategy.SINGLE, [{"1g.10gb": 7}, None], "on every GPU of a node or on none"),
        (Strategy.SINGLE, [{"3g.40gb": 1, "1g.10gb": 1}], "one profile per node, found 1g.10gb, 3g.40gb"),
        (Strategy.MIXED, [{"1c.3g.40gb": 3}], "1c.3g.40gb is part of a GPU instance"),
    ],
)
def test_a_strategy_that_cannot_serve_a_node_says_why(strategy: Strategy, cuts: Cuts, because: str) -> None:
    (reason,) = conflicts(strategy, cuts)
    assert because in reason


@pytest.mark.parametrize(
    ("strategy", "cuts"),
    [
        (Strategy.NONE, OFF),
        (Strategy.SINGLE, OFF),
        (Strategy.SINGLE, DENSE),
        (Strategy.SINGLE, [{"1c.3g.40gb": 6}] * 8),
        (Strategy.MIXED, [None, {"1g.10gb": 7}, {"3g.40gb": 2}]),
    ],
)
def test_a_strategy_that_serves_a_node_has_no_conflict(strategy: Strategy, cuts: Cuts) -> None:
    assert conflicts(strategy, cuts) == ()


def test_resources_per_strategy() -> None:
    cuts: Cuts = [None, {"1g.10gb": 7}, {"1g.10gb+me": 1, "3g.40gb": 1}]
    assert allocatable(Strategy.NONE, cuts) == {"nvidia.com/gpu": 3}
    assert allocatable(Strategy.MIXED, cuts) == {
        "nvidia.com/gpu": 1,
        "nvidia.com/mig-1g.10gb": 7,
        "nvidia.com/mig-1g.10gb.me": 1,
        "nvidia.com/mig-3g.40gb": 1,
    }
    assert allocatable(Strategy.SINGLE, DENSE) == {"nvidia.com/gpu": 56}


def test_every_profile_of_every_model_has_its_resource_and_label_group() -> None:
    for model in gpus.all_models():
        resources = Counter(row.profile.resource for row in model.profiles.values())
        assert set(resources.values()) == {1}, "two profiles of one GPU share a resource"
        for row in model.profiles.values():
            found = gfd.labels(model, "Some GPU", [{row.name: 1}], Strategy.MIXED)
            assert found[f"{row.profile.resource}.count"] == "1"
            assert found[f"{row.profile.resource}.product"] == f"Some-GPU-MIG-{row.name.replace('+', '.')}"


def test_labels_under_mixed_stand_in_a_group_per_profile() -> None:
    found = gfd.labels(gpus.find("H100-80GB"), "NVIDIA H100 80GB HBM3", [{"1g.10gb": 7}, None], Strategy.MIXED)
    assert found == {
        "nvidia.com/gpu.count": "2",
        "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3",
        "nvidia.com/gpu.replicas": "0",
        "nvidia.com/mig-1g.10gb.count": "7",
        "nvidia.com/mig-1g.10gb.engines.copy": "1",
        "nvidia.com/mig-1g.10gb.engines.decoder": "1",
        "nvidia.com/mig-1g.10gb.engines.encoder": "0",
        "nvidia.com/mig-1g.10gb.engines.jpeg": "1",
        "nvidia.com/mig-1g.10gb.engines.ofa": "0",
        "nvidia.com/mig-1g.10gb.memory": "9984",
        "nvidia.com/mig-1g.10gb.multiprocessors": "16",
        "nvidia.com/mig-1g.10gb.product": "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb",
        "nvidia.com/mig-1g.10gb.replicas": "1",
        "nvidia.com/mig-1g.10gb.slices.ci": "1",
        "nvidia.com/mig-1g.10gb.slices.gi": "1",
        "nvidia.com/mig.capable": "true",
        "nvidia.com/mig.strategy": "mixed",
    }


def test_a_part_that_no_source_lists_has_no_number_of_sms() -> None:
    model = gpus.find("RTX-PRO-6000")
    labels = gfd.labels(model, model.product_names[0], [{"1c.2g.48gb": 2}], Strategy.MIXED)
    assert labels["nvidia.com/mig-1c.2g.48gb.count"] == "2"
    assert "nvidia.com/mig-1c.2g.48gb.multiprocessors" not in labels, "94 are those of the whole instance"


def test_labels_under_single_are_those_of_the_slice_or_invalid() -> None:
    model = gpus.find("H100-80GB")
    good = gfd.labels(model, "NVIDIA H100 80GB HBM3", DENSE, Strategy.SINGLE)
    assert good["nvidia.com/gpu.product"] == "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb"
    assert good["nvidia.com/gpu.count"] == "56"
    bad = gfd.labels(model, "NVIDIA H100 80GB HBM3", [{"1g.10gb": 7}, None], Strategy.SINGLE)
    assert bad["nvidia.com/gpu.product"] == "NVIDIA-H100-80GB-HBM3-MIG-INVALID"
    assert bad["nvidia.com/gpu.count"] == "0"


@pytest.mark.parametrize("strategy", [Strategy.MIXED, Strategy.SINGLE])
def test_the_labels_that_must_agree_are_among_those_that_gfd_sets(strategy: Strategy) -> None:
    layout = Layout.uniform("dense", "H100-80GB", {"1g.10gb": 7})
    every = gfd.labels(layout.model, "NVIDIA H100 80GB HBM3", layout.per_gpu(8), strategy)
    assert layout.gfd_labels(8, strategy).items() <= every.items()
