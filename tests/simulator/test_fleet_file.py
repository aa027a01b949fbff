"""The fleet is a file, and a wrong one says everything that is wrong with it."""

import pytest

from mig_fleet.simulator.errors import FleetFileError
from mig_fleet.simulator.fleet_file import DEFAULT, FleetFile, NodeSpec


def test_the_default_fleet_is_three_nodes_of_h100_and_one_of_a100():
    nodes = FleetFile.load(DEFAULT).nodes
    assert [(node.name, node.gpus, node.gpu) for node in nodes] == [
        ("gpu-node-1", 8, "H100-80GB"),
        ("gpu-node-2", 8, "H100-80GB"),
        ("gpu-node-3", 8, "H100-80GB"),
        ("gpu-node-4", 4, "A100-80GB"),
    ]


def test_all_mistakes_are_reported_at_once_each_with_its_place():
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
    for place in ("timing.podStart:", "nodes[0].name:", "nodes[0].gpus:", "nodes[1].gpu:", "nodes[1].gpuz:"):
        assert place in text, text


def test_a_node_named_twice_is_a_mistake():
    node = {"name": "a", "gpu": "H100-80GB"}
    with pytest.raises(FleetFileError, match="nodes named twice: a"):
        FleetFile.parse({"nodes": [node, node]})


def test_a_file_that_is_not_there_or_not_yaml_says_so(tmp_path):
    with pytest.raises(FleetFileError, match="No such file"):
        FleetFile.load(tmp_path / "none.yaml")
    (tmp_path / "broken.yaml").write_text("nodes: [")
    with pytest.raises(FleetFileError, match="is not YAML"):
        FleetFile.load(tmp_path / "broken.yaml")


def test_a_fleet_remembers_who_joined_and_who_left(tmp_path):
    file = FleetFile.parse(
        {"probe": "inProcess", "nodes": [{"name": "a", "gpu": "H100-80GB", "labels": {"zone": "1"}}]}
    )
    grown = file.joined(NodeSpec(name="b", gpu="A30-24GB", gpus=2))
    grown.save(tmp_path / "fleet.yaml")
    assert FleetFile.load(tmp_path / "fleet.yaml") == grown
    assert [node.name for node in grown.left("a").nodes] == ["b"]
    with pytest.raises(FleetFileError, match="nodes named twice: b"):
        grown.joined(NodeSpec(name="b", gpu="A30-24GB"))
    with pytest.raises(FleetFileError, match="nodes: List should have at least 1 item"):
        file.left("a")
