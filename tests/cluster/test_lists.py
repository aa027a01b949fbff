"""The nodes and the reports are listed at the same time, by two threads."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from mig_fleet.cluster.lists import decode_items


class Part(msgspec.Struct):
    name: str


class First(msgspec.Struct):
    metadata: Part


class Second(msgspec.Struct):
    metadata: Part


def test_decoders_of_shapes_with_a_common_part_are_built_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Built at the same time they end the process with a segmentation fault, once in a hundred times."""
    real, building = msgspec.json.Decoder, set[Any]()
    overlapping: list[Any] = []

    def build(shape: Any) -> Any:
        overlapping.extend(building)
        building.add(shape)
        time.sleep(0.05)
        building.remove(shape)
        return real(shape)

    monkeypatch.setattr(msgspec.json, "Decoder", build)
    with ThreadPoolExecutor(2) as executor:
        answer = b'{"items": [{"metadata": {"name": "n1"}}]}'
        found = list(executor.map(lambda shape: decode_items(answer, shape), (First, Second)))
    assert found == [([First(Part("n1"))], {}), ([Second(Part("n1"))], {})]
    assert overlapping == []
