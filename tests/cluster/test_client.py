"""A write that is repeated takes effect once: a lost answer does no harm."""

import json
import re
from typing import Any

import pytest

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.connection import Request
from mig_fleet.cluster.errors import ClusterUnreachable, Conflict

DATA = {"config.yaml": "version: v1"}


class OneConfigMap(Cluster):
    """An API server with at most one ConfigMap, which loses its answer to the first POST."""

    def __init__(self, created_by_another: dict[str, str] | None = None) -> None:
        self.server, self.server_time, self.others = "https://fleet", None, created_by_another
        self.found: dict[str, Any] | None = None
        self.methods: list[str] = []

    def _send(self, request: Request) -> tuple[int, bytes]:
        method, body = request.method, request.body or {}
        self.methods.append(method)
        status = 200 if self.found else 404
        if method == "POST":
            self.found, status = (self.found, 409) if self.found else ({"data": self.others or body["data"]}, 0)
        if not status:
            raise ClusterUnreachable("connection reset")
        if method == "PATCH" and self.found:
            self.found = {"data": {**self.found["data"], **body["data"]}}
        return status, json.dumps(self.found if status == 200 else {"message": "refused"}).encode()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mig_fleet.cluster.connection.time.sleep", lambda _: None)


def test_a_config_map_whose_creation_was_not_answered_exists_and_is_accepted() -> None:
    cluster = OneConfigMap()
    cluster.write_config_map("gpu-operator", "layouts", DATA)
    assert cluster.found == {"data": DATA}
    assert cluster.methods == ["PATCH", "POST", "POST", "GET"]


def test_a_config_map_that_another_client_creates_at_the_same_moment_is_left_alone() -> None:
    cluster = OneConfigMap(created_by_another={"config.yaml": "theirs"})
    with pytest.raises(Conflict, match=re.escape("ConfigMap layouts was created by another client at the same moment")):
        cluster.write_config_map("gpu-operator", "layouts", DATA)
    assert cluster.found == {"data": {"config.yaml": "theirs"}}


def test_an_existing_config_map_is_changed_in_place() -> None:
    cluster = OneConfigMap()
    cluster.found = {"data": {"config.yaml": "old", "other": "kept"}}
    cluster.write_config_map("gpu-operator", "layouts", DATA)
    assert cluster.found == {"data": {**DATA, "other": "kept"}}
    assert cluster.methods == ["PATCH"]
