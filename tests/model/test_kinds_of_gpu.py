"""A node with several kinds of GPU is never imported as if it had one."""

from typing import Any

import pytest

from mig_fleet.model import gpus, parted
from mig_fleet.model.imports import NodeFacts, import_nodes, import_parted

A100, A30, DISPLAY = "0x20B210DE", "0x20B710DE", "0x1FB010DE"


def an_entry(word: str, devices: Any = "all", **profiles: int) -> dict[str, Any]:
    """An entry for the GPUs with one device id; MIG off without profiles."""
    off: dict[str, Any] = {"device-filter": word, "devices": devices, "mig-enabled": False}
    return {**off, "mig-enabled": True, "mig-devices": profiles} if profiles else off


def imported(*entries: dict[str, Any], node: str = "NVIDIA A100-SXM4-80GB", size: int = 5) -> Any:
    file = parted.read({"version": "v1", "mig-configs": {"bench": list(entries)}})
    nodes = [NodeFacts("station-1", "bench", node, gpus_per_node=size)]
    known = import_parted(file, models={"bench": (gpus.find(node),)})
    return import_nodes(nodes, known)


@pytest.mark.parametrize(
    "entries",
    [
        [an_entry(A100, **{"3g.40gb": 2}), an_entry(DISPLAY)],
        [an_entry(A100, [0, 1, 2, 4], **{"1g.10gb": 7}), an_entry(DISPLAY, [3])],
        [an_entry(A100, [0, 1, 2], **{"1g.10gb": 7}), an_entry(A30, [3, 4], **{"1g.6gb": 4})],
    ],
    ids=["a GPU for a display", "by index", "two models of the catalog"],
)
def test_a_config_for_several_kinds_of_gpu_on_one_node_is_refused_in_one_sentence(entries: list[Any]) -> None:
    pools, known = imported(*entries)
    assert (pools, known.layouts) == ((), ())
    kinds = f"{entries[0]['device-filter']} and {entries[1]['device-filter']}"
    why = f"is for nodes with several kinds of GPU, {kinds}; a pool is for nodes with one kind"
    assert [why in str(note) for note in known.notes].count(True) == 1


@pytest.mark.parametrize(
    "entries",
    [
        [an_entry(A100, **{"3g.40gb": 2}), an_entry(A30, **{"2g.12gb": 2})],
        [an_entry(A100, **{"3g.40gb": 2}), an_entry(DISPLAY, **{"1g.10gb": 7})],
        [an_entry(A100, [0, 1], **{"3g.40gb": 2}), an_entry(A100, [2, 3, 4], **{"1g.10gb": 7})],
    ],
    ids=["models of different nodes", "a newer GPU that the catalog lacks", "one model"],
)
def test_a_config_for_nodes_with_one_kind_each_is_imported(entries: list[Any]) -> None:
    pools, _ = imported(*entries)
    assert [(pool.gpu, pool.gpus_per_node) for pool in pools] == [("A100-80GB", 5)]
