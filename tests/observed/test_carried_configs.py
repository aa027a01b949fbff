"""The layout file keeps what nodes carry, from the first source that defines it, and is always a mig-parted file."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.documents import DocumentError, parse
from mig_fleet.model import gpus, labels, parted
from mig_fleet.observed.configs.carried import carried_configs
from mig_fleet.observed.configs.layout_file import Entries, declared_configs, merge_files, sound_configs
from mig_fleet.observed.snapshot import Node
from tests.memory.fleet import DENSE
from tests.model.parted_files import composed

FILE = parted.dump([DENSE])
DECLARED = declared_configs(FILE)
H100, A100 = "NVIDIA-H100-80GB-HBM3", "NVIDIA-A100-SXM4-80GB"
BALANCED: dict[str, list[dict[str, Any]]] = {
    H100: [{"devices": "all", "mig-enabled": True, "mig-devices": {"1g.10gb": 2, "2g.20gb": 1, "3g.40gb": 1}}],
    A100: [{"devices": "all", "mig-enabled": True, "mig-devices": {"3g.40gb": 2}}],
}
OFF = [{"devices": "all", "mig-enabled": False}]


def a_file(**configs: Any) -> dict[str, Entries]:
    return dict(parted.read({"version": "v1", "mig-configs": configs}).configs)


def a_node(name: str, config: str, product: str = H100, **annotations: str) -> Node:
    ours = {f"mig-fleet.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return Node(name, {labels.CONFIG: config, labels.PRODUCT: product}, ours, {}, None)


def slices(entries: Entries, product: str) -> Any:
    """What a config gives a GPU of this model."""
    pci = gpus.find(product).pci_device_ids[0]
    entry = parted.PartedFile({"it": entries}).for_gpu("it", pci, 0)
    return None if entry is None or not entry.mig_enabled else dict(entry.mig_devices)


def test_the_first_file_that_defines_a_config_wins() -> None:
    first, second = a_file(x=BALANCED[H100]), a_file(x=OFF, y=OFF)
    found = carried_configs(
        [a_node("n1", "x"), a_node("n2", "y")], DECLARED, {"n1": [first, second], "n2": [first, second]}
    )
    assert found.entries == {"x": first["x"], "y": second["y"]}
    assert found.problems() == []


def test_nvidias_definition_is_used_if_no_file_has_the_config() -> None:
    found = carried_configs([a_node("n1", "all-1g.10gb")], DECLARED, {})
    assert slices(found.entries["all-1g.10gb"], H100) == {"1g.10gb": 7}
    assert slices(found.entries["all-1g.10gb"], A100) is None, "a node with A100 GPUs may mean something else by it"


def test_one_name_on_two_gpu_models_gets_entries_for_each_of_them() -> None:
    nodes = [a_node("n1", "all-balanced"), a_node("n2", "all-balanced", "NVIDIA-A30")]
    entries = carried_configs(nodes, DECLARED, {}).entries["all-balanced"]
    assert slices(entries, H100) == {"1g.10gb": 2, "2g.20gb": 1, "3g.40gb": 1}
    assert slices(entries, "NVIDIA-A30") == {"1g.6gb": 2, "2g.12gb": 1}


def test_files_that_differ_by_node_are_joined_by_gpu_model() -> None:
    """As the files that MIG Manager generates: each is about its own node, without device filters."""
    sources = {"n1": [a_file(x=BALANCED[H100])], "n2": [a_file(x=BALANCED[A100])]}
    found = carried_configs([a_node("n1", "x"), a_node("n2", "x", A100)], DECLARED, sources)
    assert slices(found.entries["x"], H100) == BALANCED[H100][0]["mig-devices"]
    assert slices(found.entries["x"], A100) == BALANCED[A100][0]["mig-devices"]


def test_the_live_file_is_extended_for_a_gpu_model_that_it_does_not_select() -> None:
    first = carried_configs([a_node("n1", "all-balanced")], DECLARED, {}).entries
    nodes = [a_node("n1", "all-balanced"), a_node("n2", "all-balanced", "NVIDIA-A30")]
    extended = carried_configs(nodes, DECLARED, {"n1": [first], "n2": [first]}).entries
    assert extended["all-balanced"][:1] == first["all-balanced"]
    assert carried_configs(nodes, DECLARED, {"n1": [extended], "n2": [extended]}).entries == extended, "it is stable"


@pytest.mark.parametrize("product", [H100, "NVIDIA-UNKNOWN"])
def test_a_name_with_two_meanings_on_one_gpu_model_is_named_with_its_nodes_and_left_out(product: str) -> None:
    sources = {"n1": [a_file(x=BALANCED[H100])], "n2": [a_file(x=OFF)]}
    found = carried_configs([a_node("n1", "x", product), a_node("n2", "x", product)], DECLARED, sources)
    assert "x" not in found.entries, "one of the two would lose its slices when MIG Manager starts"
    assert found.problems() == [
        "config 'x' means different slices on n1, n2, whose GPUs are not distinguishable, so mig-fleet-layouts cannot "
        "define it; define it in the ConfigMap that MIG Manager reads, or give each node a config that is defined: "
        "`kubectl label node n1 --overwrite nvidia.com/mig.config=CONFIG`"
    ]


def test_a_name_that_no_source_defines_is_named_with_its_nodes() -> None:
    nodes = [a_node(f"n{number}", "typo") for number in range(1, 8)]
    found = carried_configs(nodes, DECLARED, {})
    assert "typo" not in found.entries
    assert found.problems()[0].startswith(
        "config 'typo' of n1, n2, n3, n4, n5 and 2 more is defined nowhere: not in a ConfigMap that MIG Manager reads, "
        "and not by NVIDIA for these GPUs; a MIG Manager that starts with mig-fleet-layouts would report `failed` there"
    )


def test_a_config_that_a_node_only_needs_for_a_rollback_or_a_release_is_kept_too() -> None:
    node = a_node("n1", DENSE.config_name, verified_config="all-1g.10gb", previous_config="old")
    found = carried_configs([node], DECLARED, {"n1": [a_file(old=OFF)]})
    assert found.entries.keys() == {"all-1g.10gb", "old"}


def test_a_previous_config_that_is_defined_nowhere_is_not_a_problem() -> None:
    """The node does not carry it."""
    node = a_node("n1", DENSE.config_name, previous_config="gone")
    assert carried_configs([node], DECLARED, {}).problems() == []


def test_another_meaning_that_a_node_only_had_before_does_not_hide_what_nodes_carry() -> None:
    sources = {"n1": [a_file(x=BALANCED[H100])], "n2": [a_file(x=OFF)]}
    nodes = [a_node("n1", "x"), a_node("n2", DENSE.config_name, verified_config="x")]
    assert carried_configs(nodes, DECLARED, sources).entries["x"] == sources["n1"][0]["x"]


PRODUCTS = st.sampled_from([H100, A100, "NVIDIA-A30", "NVIDIA-UNKNOWN"])
NAMES = ["config-0", "config-1", "config-2", "all-1g.10gb", "all-balanced", "all-enabled", "all-disabled", "typo"]


@st.composite
def fleets(draw: st.DrawFn) -> tuple[list[Node], dict[str, list[dict[str, Entries]]]]:
    """Nodes with any of these configs and GPU models, and one to three files per node, written by others."""
    count = draw(st.integers(1, 5))
    nodes = [a_node(f"n{index}", draw(st.sampled_from(NAMES)), draw(PRODUCTS)) for index in range(count)]
    dice = random.Random(draw(st.integers(0, 2**32)))
    files = []
    for _ in range(3):
        text = composed(dice)
        try:
            parse("file", text.encode())
        except DocumentError:
            text = ""
        files.append(sound_configs({"data": {"config.yaml": text}}))
    return nodes, {node.name: files[: dice.randint(1, 3)] for node in nodes}


@given(fleets())
def test_the_merged_file_always_parses_and_lacks_no_name_without_a_sentence(
    fleet: tuple[list[Node], dict[str, list[dict[str, Entries]]]],
) -> None:
    nodes, sources = fleet
    carried = carried_configs(nodes, DECLARED, sources)
    merged = parted.read(parse("merged", merge_files(FILE, carried.entries).encode()).data)
    assert {name: merged.configs[name] for name in carried.entries} == dict(carried.entries), (
        "nothing changes its meaning"
    )
    problems = " ".join(carried.problems())
    for node in nodes:
        assert node.config in merged.configs or f"config {node.config!r}" in problems


@given(fleets())
def test_a_second_merge_changes_nothing(fleet: tuple[list[Node], dict[str, list[dict[str, Entries]]]]) -> None:
    nodes, sources = fleet
    text = merge_files(FILE, carried_configs(nodes, DECLARED, sources).entries)
    live = sound_configs({"data": {"config.yaml": text}})
    again = carried_configs(nodes, DECLARED, {name: [live, *files] for name, files in sources.items()})
    assert merge_files(FILE, again.entries) == text


@given(st.integers(0, 2**32))
def test_entries_read_back_as_they_were_written(seed: int) -> None:
    text = composed(random.Random(seed))
    for name, entries in sound_configs({"data": {"config.yaml": text}}).items():
        data = [entry.to_data() for entry in entries]
        assert parted.read({"version": "v1", "mig-configs": {name: data}}).configs[name] == entries
