"""A kubeconfig's contents and the service account of the own pod, beside a path."""

import base64
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mig_fleet.cluster import in_cluster, kubeconfig, session
from mig_fleet.cluster.connection import Connection
from mig_fleet.cluster.errors import NoCredentials
from mig_fleet.cluster.in_cluster import service_account_kubeconfig
from mig_fleet.cluster.source import source_of
from tests.cluster.bad_kubeconfigs import SECRET, document

CONTENTS = json.dumps(document(server="https://made.example"))


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without a kubeconfig, outside of a pod; returns its home."""
    monkeypatch.setattr(session, "_sessions", {})
    monkeypatch.setattr(session, "_contexts", {})
    for name in ("KUBECONFIG", *in_cluster.ADDRESS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A pod with a service account; returns the folder of its files."""
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text("first-token")
    (account / "ca.crt").write_text("")
    monkeypatch.setattr(in_cluster, "ACCOUNT", account)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    return account


def token(connection: Connection) -> str:
    """The header that the next request has."""
    return str(connection.settings.auth_settings()["BearerToken"]["value"])


@pytest.mark.parametrize("text", [CONTENTS, base64.b64encode(CONTENTS.encode()).decode()], ids=["JSON", "base64"])
def test_contents_are_read_as_a_file_is(text: str) -> None:
    connection = Connection({"kubeconfig": text})
    assert (connection.server, connection.context) == ("https://made.example", "c")
    assert token(connection) == f"Bearer {SECRET}"


def test_no_message_has_a_part_of_the_contents() -> None:
    found = source_of({"kubeconfig": CONTENTS})
    assert SECRET not in f"{found!r}"
    assert found.place == "the contents of cluster.kubeconfig"


def test_other_contents_are_another_session() -> None:
    renewed = CONTENTS.replace(SECRET, "renewed")
    assert token(Connection({"kubeconfig": CONTENTS})) != token(Connection({"kubeconfig": renewed}))


def test_the_service_account_is_used_where_it_is_declared(pod: Path) -> None:
    connection = Connection({"inCluster": True})
    assert (connection.server, connection.context) == ("https://10.96.0.1:443", "in-cluster")
    assert token(connection) == "Bearer first-token"


def test_the_kubeconfig_of_the_service_account_has_no_credential(pod: Path) -> None:
    text = service_account_kubeconfig()
    assert "first-token" not in text
    assert json.loads(text)["users"][0]["user"] == {"tokenFile": str(pod / "token")}


def test_an_ipv6_address_gets_brackets(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    assert Connection({"inCluster": True}).server == "https://[fd00::1]:443"


def test_a_token_that_the_kubelet_replaced_is_read_again(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection({"inCluster": True})
    (pod / "token").write_text("second-token")
    assert token(connection) == "Bearer first-token"
    monkeypatch.setattr(kubeconfig, "TOKEN_FILE_AGE", timedelta(0))
    monkeypatch.setattr(session, "_sessions", {})
    later = Connection({"inCluster": True})
    (pod / "token").write_text("third-token")
    assert token(later) == "Bearer third-token"


def test_a_pod_without_any_kubeconfig_uses_its_service_account(pod: Path) -> None:
    assert Connection().server == "https://10.96.0.1:443"


@pytest.mark.parametrize("where", [{"context": "prod"}, {"kubeconfig": "/nowhere"}], ids=["context", "kubeconfig"])
def test_a_kubeconfig_that_is_named_and_missing_is_not_replaced_by_the_service_account(
    where: dict[str, Any], pod: Path
) -> None:
    assert source_of(where).contents == ""


def test_a_kubeconfig_in_the_home_folder_comes_before_the_service_account(pod: Path, machine: Path) -> None:
    (machine / ".kube").mkdir()
    (machine / ".kube" / "config").write_text(CONTENTS)
    assert Connection().server == "https://made.example"


@pytest.mark.parametrize("missing", ["address", "token"])
def test_outside_of_a_pod_the_service_account_is_refused(
    missing: str, pod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing == "address":
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    else:
        (pod / "token").unlink()
    with pytest.raises(NoCredentials, match=r"cluster\.inCluster needs a pod"):
        Connection({"inCluster": True})
