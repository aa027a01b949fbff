"""Which client wrote a node's config label, by the API server's own record."""

import json
from typing import Any

import msgspec

from mig_fleet.observed.differences import config_changed
from mig_fleet.observed.label_writer import config_writer
from mig_fleet.observed.objects import Metadata
from mig_fleet.observed.snapshot import Node, observe
from tests.memory.fleet import Fleet

CONFIG, STATE = "f:nvidia.com/mig.config", "f:nvidia.com/mig.config.state"


def an_entry(manager: str, *fields: str, time: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    """One entry of ``managedFields`` as the API server has it."""
    written: dict[str, Any] = {"f:metadata": {"f:labels": {field: {} for field in fields}}}
    return {"manager": manager, "operation": "Update", "time": time, "fieldsType": "FieldsV1", "fieldsV1": written}


def writer(*entries: dict[str, Any]) -> str:
    metadata = msgspec.json.decode(json.dumps({"name": "n1", "managedFields": entries}), type=Metadata)
    return config_writer(metadata.managed_fields)


def test_the_writer_of_the_config_is_found_among_those_of_other_labels() -> None:
    entries = [an_entry("nvidia-mig-manager", STATE), an_entry("kubectl-label", CONFIG), an_entry("kubelet")]
    assert writer(*entries) == "kubectl-label"
    assert writer(an_entry("nvidia-mig-manager", STATE), {"manager": "kubelet"}) == ""
    assert writer() == config_writer(None) == ""


def test_of_two_writers_of_the_same_value_the_last_one_is_named() -> None:
    early, late = an_entry("kubectl-label", CONFIG), an_entry("nfd-master", CONFIG, time="2026-01-02T00:00:00Z")
    assert writer(early, late) == writer(late, early) == "nfd-master"


def test_a_changed_config_names_its_writer_unless_that_is_ours_or_unknown() -> None:
    def text(writer: str, **labels: str) -> str:
        return config_changed(Node("n1", labels, {}, {}, None, config_writer=writer), "dense-1").text

    other = {"nvidia.com/mig.config": "all-1g.10gb"}
    assert text("nfd-master", **other) == "carries config 'all-1g.10gb', expected 'dense-1'; written by nfd-master"
    assert text("mig-fleet", **other) == text("", **other) == "carries config 'all-1g.10gb', expected 'dense-1'"
    assert text("kubectl-label") == "carries no config, expected 'dense-1'", "who removed a label is not recorded"


def test_a_snapshot_has_the_writer(fleet: Fleet) -> None:
    fleet.nodes["n1"]["metadata"]["managedFields"] = [an_entry("kubectl-label", CONFIG)]
    nodes = observe({}, "mig-fleet").nodes
    assert (nodes["n1"].config_writer, nodes["n2"].config_writer) == ("kubectl-label", "")
