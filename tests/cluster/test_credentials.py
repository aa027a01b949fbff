"""No error, log or representation holds a credential, whatever is wrong with a kubeconfig, a proxy or a server."""

import base64
import json
import logging
import re
import threading
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from kubernetes.client import ApiException
from urllib3.exceptions import LocationParseError, MaxRetryError, ProxySchemeUnknown

from mig_fleet.cluster import connection, session
from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.errors import ClusterError, ExposedPassword
from mig_fleet.cluster.kubeconfig import Kubeconfig
from mig_fleet.cluster.reasons import request_reason
from mig_fleet.confidential import MASK, is_contents
from tests.cluster.bad_kubeconfigs import ADDRESSES, IN_BASE64, SECRET, TEXTS, USERS, Json, document, prints

pytestmark = pytest.mark.timeout(60)

Read = Callable[[Json | str], str]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sessions of other tests, no proxy of this machine, and no pauses."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr(session, "_sessions", {})
    monkeypatch.setattr(session, "_contexts", {})
    monkeypatch.setattr(connection, "TRIES", {"GET": 1})


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    """The port of an HTTP server whose answers repeat the headers of the request; the path has the status."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = re.search(r"\d{3}", self.path), str(self.headers)
            if "html" not in self.path:
                body = json.dumps({"message": body, "details": {"causes": [{"message": body}]}})
            self.send_response(int(status[0]) if status else 400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Prints nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(params=["a file", "contents"])
def failure(
    request: pytest.FixtureRequest,
    echo: int,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> Read:
    """The error of a read with a kubeconfig; fails the test if the error, its traceback or a log has the secret."""
    caplog.set_level(logging.DEBUG)

    def read(content: Json | str) -> str:
        path = tmp_path / "kubeconfig"
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text.replace("PORT", str(echo)))
        # A text that has not the form of contents is a path, and a path is no secret.
        as_contents = request.param == "contents" and is_contents(path.read_text())
        with pytest.raises(ClusterError) as raised:
            cluster = Cluster({"kubeconfig": path.read_text() if as_contents else str(path)})
            assert SECRET not in f"{cluster.server} {cluster._session!r} {cluster.context}"
            with pytest.raises(ClusterError) as in_pod:
                cluster.execute("gpu-operator", "manager", ["true"])
            assert SECRET not in "".join(traceback.format_exception(in_pod.value))
            cluster.get("/api/v1/nodes")
        shown = [*traceback.format_exception(raised.value), repr(raised.value), caplog.text, *capfd.readouterr()]
        text = "".join(shown)
        assert SECRET not in text
        assert IN_BASE64 not in text
        return str(raised.value)

    return read


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("user", USERS)
def test_a_user_who_cannot_sign_in_is_reported_without_their_credentials(user: str, scheme: str, failure: Read) -> None:
    error = failure(document(USERS[user], server=f"{scheme}://127.0.0.1:PORT"))
    assert re.match(r"no (usable|credentials from the) kubeconfig at |.* does not answer: |.* answered 400: ", error)


@pytest.mark.parametrize("text", TEXTS)
def test_a_kubeconfig_that_cannot_be_read_is_reported_without_its_lines(text: str, failure: Read) -> None:
    assert failure(TEXTS[text])


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("key", ["server", "proxy-url"])
def test_a_password_in_an_address_is_masked(key: str, address: str, failure: Read) -> None:
    assert failure(document(None, **{key: ADDRESSES[address]}))


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_password_in_a_proxy_of_the_environment_is_masked(
    address: str, failure: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", ADDRESSES[address])
    assert failure(document())


@pytest.mark.parametrize("answer", ["200-html", "400", "400-html", "401", "403-html", "404", "429", "500"])
def test_a_server_that_repeats_our_headers_does_not_print_them(
    answer: str, echo: int, failure: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mig_fleet.cluster.connection.time.sleep", lambda _: None)
    error = failure(document(server=f"http://127.0.0.1:PORT/{answer}"))
    assert MASK in error or answer == "200-html", "the first characters of a page have no header with a token"


CONTENTS = yaml.safe_dump(document())
ON_ONE_LINE = {
    "YAML": CONTENTS,
    "JSON": json.dumps(document()),
    "JSON without apiVersion, in base64": base64.b64encode(json.dumps(document()).encode()).decode(),
    "YAML in base64": base64.b64encode(CONTENTS.encode()).decode(),
}


@pytest.mark.parametrize("form", ON_ONE_LINE)
def test_a_kubeconfigs_contents_in_the_variable_for_its_path_are_refused(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", ON_ONE_LINE[form])
    with pytest.raises(ClusterError) as raised:
        Cluster({})
    text = "no usable kubeconfig: the variable KUBECONFIG must be a path to a kubeconfig, not its contents"
    assert str(raised.value) == text
    assert not raised.value.__cause__


@pytest.mark.parametrize(
    "user",
    [
        {"token": f"{SECRET}\n"},
        {"token": f"  {SECRET} \r\n"},
        {"tokenFile": "token"},
        prints(token=f"{SECRET}\n"),
    ],
    ids=["token: |", "spaces", "tokenFile", "exec"],
)
def test_white_space_around_a_token_is_not_sent(user: Json, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{SECRET}\n")
    (tmp_path / "kubeconfig").write_text(json.dumps(document(user)))
    settings = Cluster({"kubeconfig": str(tmp_path / "kubeconfig")}).settings
    assert settings.auth_settings()["BearerToken"]["value"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("user", "key"),
    [
        (USERS["a provider that is not supported"], "auth-provider"),
        (USERS["an identity token that is none"], "auth-provider"),
        (USERS["a password alone"], "username"),
        ({"tokenFile": "/dev/null"}, "tokenFile"),
    ],
)
def test_no_request_is_sent_for_a_user_whose_credentials_cannot_be_used(user: Json, key: str, failure: Read) -> None:
    assert f": the key '{key}' of its user gives none that can be sent; " in failure(document(user))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError(f"Invalid header value b'Bearer {SECRET}'"), "the request cannot be sent (ValueError)"),
        (ApiException(0, f"cannot parse {SECRET}"), "cannot parse ***"),
        (LocationParseError(f"https://u:{SECRET}@[x"), "the address of the server or of its proxy is not a URL"),
        (MaxRetryError(None, "/", ProxySchemeUnknown(f"u:{SECRET}")), "the address of the server or of its proxy"),  # type: ignore[arg-type]  # the pool is not read
    ],
)
def test_an_error_of_a_library_is_quoted_only_if_it_cannot_have_a_credential(error: Exception, expected: str) -> None:
    assert request_reason(error, [SECRET]).startswith(expected)
    assert SECRET not in request_reason(error, [SECRET])


GO_PRINTS = (
    "http://u:%zz{}@h:1",
    "http://u:a/{}@h:1",
    "u:{}@h:1",
    "ftp://u:{}@h:1",
    "http://u:{}@h:port",
    "http://u:{}@[h",
)
GO_READS = ("http://u:{}@h:3128", "https://u:%40{}@h.example/", "socks5://{}@[::1]:1")


@pytest.mark.parametrize("address", GO_PRINTS)
def test_a_proxy_that_the_kubernetes_provider_would_print_with_its_password_is_refused(
    address: str, tmp_path: Path
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(document(None, **{"proxy-url": address.format(SECRET)})))
    with pytest.raises(ExposedPassword, match="the address of its key 'proxy-url' is not a URL such as") as raised:
        Cluster({"kubeconfig": str(path)})
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("address", GO_READS)
def test_a_proxy_with_a_password_that_is_a_url_is_used(address: str, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(document(None, **{"proxy-url": address.format(SECRET)})))
    Kubeconfig(str(path), None)


def test_a_password_in_the_address_of_the_server_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(document(server=f"https://u:{SECRET}@h:1")))
    with pytest.raises(ExposedPassword, match="the address of its key 'server' has a user or a password"):
        Cluster({"kubeconfig": str(path)})
