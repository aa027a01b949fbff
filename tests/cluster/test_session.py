"""An open kubeconfig: one cluster for the lifetime of a process; one message if it cannot be opened."""

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

UNUSED_PORT = "https://127.0.0.1:1"


@pytest.fixture(autouse=True)
def no_open_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_sessions", {})
    monkeypatch.setattr(session, "_contexts", {})


def write(path: Path, current: str, user: dict[str, Any] | None = None) -> dict[str, str]:
    """A kubeconfig with two clusters, one of them current."""
    document = {
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example"}} for name in "ab"],
        "users": [{"name": "u", "user": user or {"token": "t"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "u"}} for name in "ab"],
        "current-context": current,
    }
    path.write_text(yaml.safe_dump(document))
    return {"kubeconfig": str(path)}


def test_a_change_of_the_current_context_does_not_send_a_running_update_to_another_cluster(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    where = write(path, "a")
    assert Connection(where).server == "https://a.example"
    write(path, "b")
    os.utime(path, ns=(1, 1))
    assert Connection(where).server == "https://a.example"
    assert Connection({**where, "context": "b"}).server == "https://b.example"
    assert Connection(where).server == "https://a.example"


def test_a_token_that_cannot_be_refreshed_is_one_message(tmp_path: Path) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": 1}).encode()).decode().rstrip("=")
    issuer = {"idp-issuer-url": UNUSED_PORT, "client-id": "c", "client-secret": "s", "refresh-token": "r"}
    provider = {"name": "oidc", "config": {**issuer, "id-token": f"e30.{claims}.x"}}
    where = write(tmp_path / "kubeconfig", "a", {"auth-provider": provider})
    with pytest.raises(ClusterUnreachable) as raised:
        Connection(where)
    assert str(raised.value).startswith(f"no usable kubeconfig at {where['kubeconfig']}: ")
    assert "Connection refused" in str(raised.value)


def test_a_kubeconfig_that_is_not_there_is_one_message_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    with pytest.raises(ClusterUnreachable) as raised:
        Connection({"kubeconfig": str(path)})
    expected = f"no usable kubeconfig at {path}: there is no such file; correct the path, or write the file"
    assert str(raised.value) == expected
