"""An open kubeconfig: one cluster for as long as a process lives, and a sentence for whatever keeps it from opening."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from mig_fleet.cluster import session
from mig_fleet.cluster.connection import Connection
from mig_fleet.cluster.errors import ClusterUnreachable

NOBODY = "https://127.0.0.1:1"


@pytest.fixture(autouse=True)
def _nothing_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_sessions", {})
    monkeypatch.setattr(session, "_contexts", {})


def write(path: Path, current: str, user: dict[str, Any] | None = None) -> dict[str, str]:
    """A kubeconfig with two clusters, one of them current."""
    known = {
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example"}} for name in "ab"],
        "users": [{"name": "u", "user": user or {"token": "t"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "u"}} for name in "ab"],
        "current-context": current,
    }
    path.write_text(yaml.safe_dump(known))
    return {"kubeconfig": str(path)}


def test_whoever_changes_the_current_context_sends_no_running_update_to_another_cluster(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    where = write(path, "a")
    assert Connection(where).server == "https://a.example"
    write(path, "b")
    os.utime(path, ns=(1, 1))
    assert Connection(where).server == "https://a.example"
    assert Connection({**where, "context": "b"}).server == "https://b.example"
    assert Connection(where).server == "https://a.example"


def test_a_token_that_cannot_be_refreshed_is_one_sentence(tmp_path: Path) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": 1}).encode()).decode().rstrip("=")
    issuer = {"idp-issuer-url": NOBODY, "client-id": "c", "client-secret": "s", "refresh-token": "r"}
    provider = {"name": "oidc", "config": {**issuer, "id-token": f"e30.{claims}.x"}}
    where = write(tmp_path / "kubeconfig", "a", {"auth-provider": provider})
    with pytest.raises(ClusterUnreachable) as refused:
        Connection(where)
    assert str(refused.value).startswith(f"no usable kubeconfig at {where['kubeconfig']}: ")
    assert "Connection refused" in str(refused.value)
