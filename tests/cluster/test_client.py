"""What is asked twice is done once: an answer that was lost on the way back changes nothing."""

import json
import re
from typing import Any

import pytest

from mig_fleet.cluster import connection
from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.errors import ClusterUnreachable, Conflict

DATA = {"config.yaml": "version: v1"}


class Line(Cluster):
    """An API server that holds one ConfigMap at most; the answer to the first POST is lost."""

    def __init__(self, made_by_others: dict[str, str] | None = None) -> None:
        self.server, self.server_time, self.others = "https://fleet", None, made_by_others
        self.found: dict[str, Any] | None = None
        self.asked: list[str] = []

    def _request(self, method: str, _path: str, _query: Any, body: Any, _type: str) -> tuple[int, bytes]:
        self.asked.append(method)
        status = 200 if self.found else 404
        if method == "POST":
            self.found, status = (self.found, 409) if self.found else ({"data": self.others or body["data"]}, 0)
        if not status:
            raise ClusterUnreachable("the line broke")
        if method == "PATCH" and self.found:
            self.found = {"data": {**self.found["data"], **body["data"]}}
        return status, json.dumps(self.found if status == 200 else {"message": "as it is"}).encode()


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection.time, "sleep", lambda _: None)


def test_a_config_map_whose_making_was_not_answered_is_there_and_stays_as_it_is() -> None:
    line = Line()
    line.write_config_map("gpu-operator", "layouts", DATA)
    assert line.found == {"data": DATA}
    assert line.asked == ["PATCH", "POST", "POST", "GET"]


def test_a_config_map_that_somebody_else_makes_at_the_same_moment_is_left_to_them() -> None:
    line = Line(made_by_others={"config.yaml": "theirs"})
    with pytest.raises(Conflict, match=re.escape("ConfigMap layouts was made by somebody else while we made it")):
        line.write_config_map("gpu-operator", "layouts", DATA)
    assert line.found == {"data": {"config.yaml": "theirs"}}


def test_a_config_map_that_was_there_before_gets_the_data_in_place() -> None:
    line = Line()
    line.found = {"data": {"config.yaml": "old", "other": "kept"}}
    line.write_config_map("gpu-operator", "layouts", DATA)
    assert line.found == {"data": {**DATA, "other": "kept"}}
    assert line.asked == ["PATCH"]
