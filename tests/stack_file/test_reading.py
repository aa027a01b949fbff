"""A stack file is read as Pulumi's engine reads it; tests/engine/test_stack_file_readings.py asks the engine itself."""

from typing import Any

import pytest

from mig_fleet.cli.findings import check_document
from mig_fleet.documents import parse
from mig_fleet.stack_file.fleet import from_document
from mig_fleet.stack_file.problems import InvalidSettings
from mig_fleet.stack_file.reading import is_stack_file

STACK = """\
config:
  PREFIXcluster: {context: lab}
  PREFIXlayouts: {halves: {gpu: A100-80GB, all: {3g.40gb: 2}}}
  PREFIXpools:
    serving: {gpu: A100-80GB, gpusPerNode: 4.0, nodes: [rack-1], layout: halves}
"""
OURS = STACK.replace("PREFIX", "mig-fleet:")


def problems(text: str) -> list[str]:
    try:
        from_document(parse("Pulumi.lab.yaml", text.encode()))
    except InvalidSettings as refused:
        return [str(problem) for problem in refused.problems]
    return []


def places(text: str) -> list[str]:
    return [finding.path for finding in check_document(parse("Pulumi.lab.yaml", text.encode()))]


@pytest.mark.parametrize("prefix", ["mig-fleet:", "mig-fleet:config:", ""])
def test_a_section_has_a_prefix_or_none(prefix: str) -> None:
    text = STACK.replace("PREFIX", prefix)
    (pool,) = from_document(parse("x", text.encode())).pools
    assert (pool.nodes, pool.settings.gpus_per_node) == (("rack-1",), 4)
    assert places(text.replace("nodes: [rack-1]", "nodes: [Rack 1]")) == ["Pulumi.lab.yaml:5"]


def test_a_section_without_prefix_is_not_left_out() -> None:
    text = OURS.replace("mig-fleet:cluster: {context: lab}", "cluster: {kontext: lab}")
    assert problems(text) == ["cluster.kontext: unknown key; did you mean 'context'?"]


def test_a_section_with_and_without_prefix_is_a_duplicate() -> None:
    assert problems(f"{OURS}  pools: {{}}\n")[0] == (
        "pools: duplicate key 'pools'; with and without the prefix mig-fleet: it is the same section"
    )


@pytest.mark.parametrize("key", ["mig-fleet:pools:serving", "a:b:c:d"])
def test_a_key_that_pulumi_cannot_read_is_refused(key: str) -> None:
    text = "is no key of Pulumi; it must have one colon, as in mig-fleet:pools"
    assert problems(f"{OURS}  {key}: 1\n") == [f"{key}: {text}"]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("1", "1"),
        ("0x10", "16"),
        ("true", "true"),
        ("1.50", "1.5"),
        ("1e6", "1e+06"),
        ("2026-1-2", "2026-01-02 00:00:00 +0000 UTC"),
    ],
)
def test_a_key_that_yaml_does_not_read_as_text_is_the_text_that_pulumi_makes_of_it(key: str, name: str) -> None:
    (pool,) = from_document(parse("x", OURS.replace("serving", key).encode())).pools
    assert pool.name == name


def test_a_day_is_no_text_that_can_be_a_label() -> None:
    text = OURS.replace("nodes: [rack-1]", "selector: {matchLabels: {since: 2026-01-02}}")
    (found,) = problems(text)
    assert "'2026-01-02 00:00:00 +0000 UTC' is not a label value" in found


@pytest.mark.parametrize("path", ["cluster", "probe"])
def test_a_secret_of_a_section_that_is_stored_in_plain_text_is_refused(path: str) -> None:
    text = (
        f"{OURS.replace('  mig-fleet:cluster: {context: lab}', '')}  mig-fleet:{path}: {{image: {{secure: v1:AAA=}}}}\n"
    )
    (found,) = problems(text)
    assert found.startswith(f"{path}: has a value set with --secret, but is stored and printed in plain text")


@pytest.mark.parametrize(
    "operator", ["{secure: v1:AAA=}", "{version: {secure: v1:AAA=}, values: {a: [{secure: v1:AAA=}], b: {c: 1}}}"]
)
def test_a_secret_of_the_section_operator_is_unknown_and_no_mistake(operator: str) -> None:
    found = from_document(parse("x", f"{OURS}  mig-fleet:operator: {operator}\n".encode()))
    assert found.secrets == {"operator"}
    assert found.settings.operator.version is None


@pytest.mark.parametrize(
    ("data", "is_ours"),
    [
        ({"config": {"mig-fleet:anything": 1}}, True),
        ({"config": {"pools": {}}}, True),
        ({"config": {"map": {"default": "x"}}}, False),
        ({"config": []}, False),
        ({"layouts": {}}, False),
        (None, False),
    ],
)
def test_a_stack_file_is_known_by_its_sections(data: Any, is_ours: bool) -> None:
    assert is_stack_file(data) is is_ours
