"""A program whose cluster turns out to be unusable as soon as the program has run: its text reaches the user."""

from pathlib import Path

import pytest

from mig_fleet.simulator import Fleet
from tests.engine.deployment import Deployment, create_project

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

PROGRAM = """
import pulumi
from mig_fleet import Fleet

{before}
Fleet(
    "gpus",
    {{
        "cluster": {{"kubeconfig": kubeconfig}},
        "layouts": {{"dense": {{"gpu": "H100-80GB", "all": {{"1g.10gb": 7}}}}}},
        "pools": {{"a": {{"gpu": "H100-80GB", "gpus_per_node": 1, "nodes": ["n1"], "layout": "dense"}}}},
    }},
)
"""


@pytest.fixture
def stack(tmp_path: Path) -> Deployment:
    return create_project(tmp_path, Fleet(tmp_path / "fleet"), {"layouts": {}, "pools": {}}, stack="failing")


@pytest.mark.parametrize(
    ("before", "text"),
    [
        ('kubeconfig = pulumi.Output.from_input("")', "cluster.kubeconfig: is an output, and must be the contents of"),
        ('kubeconfig = pulumi.Output.from_input({"a": 1}).apply(lambda made: made["kubeconfig"])', "KeyError"),
    ],
    ids=["an empty kubeconfig", "a mistake of the program"],
)
def test_an_output_that_fails_at_once_fails_the_preview_with_its_text(
    stack: Deployment, before: str, text: str
) -> None:
    (stack.folder / "__main__.py").write_text(PROGRAM.format(before=before))
    refused = stack.preview()
    assert refused.status != 0
    assert text in refused.diagnostics, refused.text
    assert "exit code" not in refused.diagnostics, "the program ended by itself"
