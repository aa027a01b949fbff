"""The fleet file: all mistakes are reported together."""

from pathlib import Path

import pytest

from mig_fleet.simulator.errors import FleetFileError
from mig_fleet.simulator.fleet_file import DEFAULT, FleetFile, NodeSpec


def test_the_default_fleet_is_three_nodes_of_h100_and_one_of_a100() -> None:
    nodes = FleetFile.load(DEFAULT).nodes
    assert [(node.name, node.gpus, node.gpu) for node in nodes] == [
        ("gpu-node-1", 8, "H100-80GB"),
        ("gpu-node-2", 8, "H100-80GB"),
        ("gpu-node-3", 8, "H100-80GB"),
        ("gpu-node-4", 4, "A100-80GB"),
    ]


def test_all_mistakes_are_reported_together_each_with_its_path() -> None:
    with pytest.raises(FleetFileError) as caught:
        FleetFile.parse(
            {
                "timing": {"podStart": -1},
                "nodes": [{"name": "Node_1", "gpu": "H100-80GB", "gpus": 0}, {"name": "b", "gpu": "H1000", "gpuz": 1}],
            },
            "fleet.yaml",
        )
    text = str(caught.value)
    assert text.startswith("fleet.yaml has 5 problem(s):")
    for path in ("timing.podStart:", "nodes[0].name:", "nodes[0].gpus:", "nodes[1].gpu:", "nodes[1].gpuz:"):
        assert path in text, text


def test_a_duplicate_node_name_is_refused() -> None:
    node = {"name": "a", "gpu": "H100-80GB"}
    with pytest.raises(FleetFileError, match="duplicate node names: a"):
        FleetFile.parse({"nodes": [node, node]})


def test_a_missing_file_and_invalid_yaml_are_reported(tmp_path: Path) -> None:
    with pytest.raises(FleetFileError, match="No such file"):
        FleetFile.load(tmp_path / "none.yaml")
    (tmp_path / "broken.yaml").write_text("nodes: [")
    with pytest.raises(FleetFileError, match="is not YAML"):
        FleetFile.load(tmp_path / "broken.yaml")


def test_added_and_removed_nodes_are_saved(tmp_path: Path) -> None:
    file = FleetFile.parse(
        {"probe": "inProcess", "nodes": [{"name": "a", "gpu": "H100-80GB", "labels": {"zone": "1"}}]}
    )
    grown = file.with_node(NodeSpec(name="b", gpu="A30-24GB", gpus=2))
    grown.save(tmp_path / "fleet.yaml")
    assert FleetFile.load(tmp_path / "fleet.yaml") == grown
    assert [node.name for node in grown.without_node("a").nodes] == ["b"]
    with pytest.raises(FleetFileError, match="duplicate node names: b"):
        grown.with_node(NodeSpec(name="b", gpu="A30-24GB"))
    with pytest.raises(FleetFileError, match="nodes: List should have at least 1 item"):
        file.without_node("a")
