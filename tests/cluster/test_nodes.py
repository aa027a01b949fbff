"""A write to a node is bound to the node that was looked at: another one of its name is not changed."""

import json
from typing import Any

import pytest

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.connection import Request
from mig_fleet.cluster.errors import Invalid, NodeReplaced

IMMUTABLE = 422, 'Node "n1" is invalid: metadata.uid: Invalid value: "u1": field is immutable'
PRECONDITION = 409, "Precondition failed: UID in precondition: u1, UID in object meta: u2"
BAD_LABEL = 422, 'Node "n1" is invalid: metadata.labels: Invalid value: "-"'


class OneNode(Cluster):
    """An API server with node n1, whose uid is ``uid``; a patch gets the status and text of ``refusal``, if
    there is one.
    """

    def __init__(self, uid: str = "u1", refusal: tuple[int, str] | None = None) -> None:
        self.server, self.refusal, self.patches = "https://fleet", refusal, list[Any]()
        self.found = {"metadata": {"name": "n1", "uid": uid, "resourceVersion": "1"}, "spec": {}}

    def _send(self, request: Request) -> tuple[int, bytes]:
        if request.method == "PATCH":
            self.patches.append(request.body)
            if self.refusal:
                status, text = self.refusal
                return status, json.dumps({"message": text}).encode()
        return 200, json.dumps(self.found).encode()


def test_a_patch_carries_the_uid_of_the_node_that_was_looked_at() -> None:
    cluster = OneNode()
    cluster.patch_node("n1", {"a": "b"}, {}, "u1")
    cluster.patch_node("n1", {"a": "b"}, {})
    assert [patch["metadata"].get("uid") for patch in cluster.patches] == ["u1", None]


@pytest.mark.parametrize("refusal", [IMMUTABLE, PRECONDITION])
def test_a_patch_that_the_api_server_refuses_for_its_uid_names_the_replaced_node(refusal: tuple[int, str]) -> None:
    with pytest.raises(NodeReplaced) as raised:
        OneNode(refusal=refusal).patch_node("n1", {}, {}, "u1")
    assert str(raised.value) == (
        "node 'n1' was replaced during the update: another node has its name now; run the update again"
    )


def test_a_patch_that_is_invalid_for_another_reason_keeps_that_reason() -> None:
    with pytest.raises(Invalid, match=r"metadata\.labels"):
        OneNode(refusal=BAD_LABEL).patch_node("n1", {}, {}, "u1")


def test_another_node_of_the_name_is_not_rewritten() -> None:
    cluster = OneNode(uid="u2")
    with pytest.raises(NodeReplaced):
        cluster.rewrite_node("n1", lambda _: {"spec": {"taints": []}}, "u1")
    assert cluster.patches == []
