"""The address, the token and the CA are checked before anything is sent; no message has the token or a password."""

import ssl
from pathlib import Path

import pytest

from mig_fleet.advice.credentials import TOKEN_VARIABLE, UnusableAccess, access
from mig_fleet.advice.errors import PrometheusError
from mig_fleet.advice.prometheus import Prometheus
from mig_fleet.simulator.control_plane.certificates import Authority, Pair
from tests.advice.hostile_server import sends, serving

EMPTY = b'{"status": "success", "data": {"resultType": "vector", "result": []}}'
URL = "https://prometheus.example.com"


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)


@pytest.mark.parametrize("url", [URL, f"{URL}/", "http://10.0.0.1:9090/prometheus//", "http://[::1]:9090"])
def test_an_address_may_have_a_port_and_a_path(url: str) -> None:
    assert access(url, None, None).url == url.rstrip("/")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("prometheus:9090", "is not a URL such as"),
        ("", "is not a URL such as"),
        ("ftp://host", "is not a URL such as"),
        ("https://", "is not a URL such as"),
        ("https://host:x", "is not a URL: "),
        ("https://[::1", "is not a URL: "),
        ("https://h\u00f6st", "is not a URL such as"),
        ("https://host/\x1b[2K", "is not a URL such as"),
        ("https://host/a b\n", "is not a URL such as"),
        ("https://me:s3cret@host", r"https://\*\*\*@host has a user or password; put a token into a file"),
        (f"{URL}?query=up", "has a query or a fragment"),
        (f"{URL}#x", "has a query or a fragment"),
    ],
)
def test_another_address_is_refused_without_its_password(url: str, why: str) -> None:
    with pytest.raises(UnusableAccess, match=why) as caught:
        access(url, None, None)
    assert "s3cret" not in str(caught.value)


def test_the_token_is_that_of_the_file_then_that_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text("from-file\n")
    assert access(URL, None, None).token is None
    monkeypatch.setenv(TOKEN_VARIABLE, "from-environment")
    assert access(URL, None, None).token == "from-environment"
    assert access(URL, file, None).token == "from-file"
    assert "from-file" not in repr(access(URL, file, None))


@pytest.mark.parametrize(
    "content", [b"", b" \n", b"s3cret\nX-Evil: 1", b"s3cret two", "s3crét".encode(), b"s3cret\x00", b"x" * 20_000]
)
def test_a_file_without_one_word_is_refused_and_not_shown(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(UnusableAccess, match="has no token: one word of ASCII") as caught:
        access(URL, file, None)
    assert "s3cr" not in str(caught.value)


def test_a_file_that_is_absent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableAccess, match="cannot be read: No such file"):
        access(URL, tmp_path / "absent", None)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [("localhost", True), ("127.0.0.1:9090", True), ("[::1]:9090", True), ("10.0.0.1", False), ("prometheus", False)],
)
def test_a_token_is_never_sent_unencrypted_to_another_machine(
    host: str, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert access(f"http://{host}", None, None).token is None
    monkeypatch.setenv(TOKEN_VARIABLE, "s3cret")
    if allowed:
        assert access(f"http://{host}", None, None).token == "s3cret"
    else:
        with pytest.raises(UnusableAccess, match="would be sent unencrypted; use https://"):
            access(f"http://{host}", None, None)


def a_server(authority: Authority, folder: Path) -> ssl.SSLContext:
    pair: Pair = authority.server()
    file = folder / "server.pem"
    file.write_bytes(pair.certificate + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def test_a_server_is_trusted_by_its_authority_alone(tmp_path: Path) -> None:
    ours, other = Authority(), Authority()
    ca, other_ca = tmp_path / "ca.pem", tmp_path / "other.pem"
    ca.write_bytes(ours.certificate)
    other_ca.write_bytes(other.certificate)
    with serving(sends(EMPTY), a_server(ours, tmp_path)) as server:
        with Prometheus(access(server.url, None, ca)) as client:
            assert client.query("up") == []
        for untrusting in (access(server.url, None, other_ca), access(server.url, None, None)):
            with Prometheus(untrusting) as client, pytest.raises(PrometheusError, match="with --ca"):
                client.query("up")
        assert len(server.requests) == 1


@pytest.mark.parametrize("content", [None, b"", b"not PEM", b"\xff\x00"])
def test_a_file_of_no_certificates_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UnusableAccess, match="is not a file of certificates in PEM form"):
        access(URL, None, file)
