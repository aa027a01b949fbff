"""Properties on the wire: secrets and unknown values keep their place, whatever a provider adds."""

import asyncio
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as some
from pulumi.output import Unknown

from mig_fleet.components.serving.inputs import component_inputs
from mig_fleet.components.serving.properties import KIND, OUTPUT, Properties, write
from tests.plugin.plugin_process import UNKNOWN, secret, struct

WORDS = some.sampled_from(["wave", "", "été", "expected", "n1"])
VALUES = some.recursive(
    WORDS | some.floats(allow_nan=False) | some.booleans(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(WORDS, inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=60)
@given(some.dictionaries(WORDS, VALUES, max_size=3))
def test_what_is_read_is_written_again(values: dict[str, Any]) -> None:
    read = Properties.read(write(values))
    assert (read.values, read.secrets) == (values, frozenset())


def test_a_secret_is_read_in_clear_and_written_as_a_secret_at_its_place_alone() -> None:
    sent = struct({"cluster": {"kubeconfig": secret("users: []"), "context": "prod"}, "wave": "a"})
    read = Properties.read(sent)
    assert read.values == {"cluster": {"kubeconfig": "users: []", "context": "prod"}, "wave": "a"}
    assert read.secrets == {("cluster", "kubeconfig")}
    assert [*read.secret_texts()] == ["users: []"]
    assert write({**read.values, "drift": ["a line"]}, read.secrets) == struct(
        {"cluster": {"kubeconfig": secret("users: []"), "context": "prod"}, "wave": "a", "drift": ["a line"]}
    )


def test_a_secret_in_a_list_makes_the_list_secret() -> None:
    read = Properties.read(struct({"objects": ["plain", secret("hidden")]}))
    assert read == Properties({"objects": ["plain", "hidden"]}, frozenset({("objects",)}))
    assert write(read.values, read.secrets) == struct({"objects": secret(["plain", "hidden"])})


@pytest.mark.parametrize("value", [UNKNOWN, {KIND: OUTPUT, "secret": False}], ids=["a plain one", "an output"])
def test_a_value_that_is_not_known_stays_unknown(value: Any) -> None:
    read = Properties.read(struct({"owner": value, "inner": {"uid": value}}))
    assert isinstance(read.values["owner"], Unknown) and isinstance(read.values["inner"]["uid"], Unknown)
    assert write(read.values) == struct({"owner": UNKNOWN, "inner": {"uid": UNKNOWN}})


def test_a_secret_that_is_not_known_stays_both() -> None:
    for value in (secret(UNKNOWN), {KIND: OUTPUT, "secret": True}):
        read = Properties.read(struct({"kubeconfig": value}))
        assert write(read.values, read.secrets) == struct({"kubeconfig": secret(UNKNOWN)})


def test_a_null_in_a_list_is_kept_and_a_key_without_a_value_is_left_out() -> None:
    read = Properties.read(struct({"gpus": [None, {"1g.10gb": 7}], "costPerHourUsd": None}))
    assert read.values == {"gpus": [None, {"1g.10gb": 7.0}]}
    assert json_format.MessageToDict(write({**read.values, "none": None})) == {"gpus": [None, {"1g.10gb": 7.0}]}


def test_inputs_of_a_component_have_whole_numbers_nulls_and_known_values_of_other_resources() -> None:
    nodes = {KIND: OUTPUT, "value": ["n1"], "dependencies": ["urn:of-another-resource"]}
    values = {"driver": None, "list": [{"a": None}], "share": 0.5}
    found = component_inputs(struct({"pools": {"a": {"gpusPerNode": 8, "nodes": nodes}}, "operator": values}))
    assert found == {"pools": {"a": {"gpusPerNode": 8, "nodes": ["n1"]}}, "operator": values}
    assert isinstance(found["pools"]["a"]["gpusPerNode"], int)


@pytest.mark.parametrize(
    ("sent", "is_known", "is_secret"),
    [
        (UNKNOWN, False, False),
        ({KIND: OUTPUT}, False, False),
        ({KIND: OUTPUT, "secret": True}, False, True),
        (secret(UNKNOWN), False, True),
        (secret("users: []"), True, True),
        ({KIND: OUTPUT, "value": "users: []", "secret": True}, True, True),
    ],
)
def test_a_secret_and_an_unknown_input_are_outputs_at_their_place(sent: Any, is_known: bool, is_secret: bool) -> None:
    async def read() -> tuple[Any, bool, bool]:
        cluster = component_inputs(struct({"cluster": {"context": "it", "kubeconfig": sent}}))["cluster"]
        assert cluster["context"] == "it"
        found = cluster["kubeconfig"]
        return await found.future(), await found.is_known(), await found.is_secret()

    assert asyncio.run(read()) == ("users: []" if is_known else None, is_known, is_secret)
