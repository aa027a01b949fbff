"""An exec plugin that fails is reported, one that hangs is ended, and no request is sent without its credentials."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mig_fleet.cluster import exec_plugin, session
from mig_fleet.cluster.connection import Connection
from mig_fleet.cluster.errors import ClusterUnreachable, NoCredentials, PluginHangs
from tests.cluster.bad_kubeconfigs import API, UNUSED, Json, document, prints, shell

pytestmark = pytest.mark.timeout(300)

WITHIN_S = 120
"""Only what never happens takes so long, even on a busy machine."""
LOOK = "; run `kubectl get nodes` with that kubeconfig to see"


@pytest.fixture(autouse=True)
def no_open_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_sessions", {})
    monkeypatch.setattr(session, "_contexts", {})


def connect(folder: Path, user: Json, **cluster: Any) -> Connection:
    path = folder / "kubeconfig"
    path.write_text(json.dumps(document(user, **{"server": UNUSED, **cluster})))
    return Connection({"kubeconfig": str(path)})


def problem(folder: Path, user: Json) -> str:
    """What is wrong with the plugin, without the kubeconfig's path and the advice."""
    with pytest.raises(NoCredentials) as raised:
        connect(folder, user)
    prefix = f"no credentials from the kubeconfig at {folder / 'kubeconfig'}: the exec plugin "
    assert str(raised.value).startswith(prefix) and str(raised.value).endswith(LOOK)
    return str(raised.value).removeprefix(prefix).removesuffix(LOOK)


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        (shell("echo 'sign in first' >&2; exit 255"), "'sh' exited with status 255: sign in first"),
        (shell("exit 3"), "'sh' exited with status 3"),
        (shell("kill -TERM $$"), "'sh' was ended by SIGTERM"),
        (
            shell("", command="no-such-plugin", installHint="install it from example.com"),
            "'no-such-plugin' could not be started: No such file or directory; install it from example.com",
        ),
        (shell("", command="/etc/passwd"), "'passwd' could not be started: Permission denied"),
        (shell("echo not JSON"), "'sh' printed no ExecCredential in JSON"),
        (shell("true"), "'sh' printed no ExecCredential in JSON"),
        (prints(user="u"), "'sh' printed neither a token nor a client certificate with its key"),
        (
            prints(token="t", expirationTimestamp="2020-01-01T00:00:00Z"),
            "'sh' printed credentials that expired at 2020-01-01T00:00:00Z; sign in again",
        ),
        (
            shell("true", interactiveMode="Always"),
            "'sh' needs a terminal (interactiveMode: Always), which an update has not",
        ),
    ],
)
def test_a_plugin_that_gives_no_credentials_is_named_with_what_it_did(
    user: Json, expected: str, tmp_path: Path
) -> None:
    assert problem(tmp_path, user) == expected


def test_a_plugins_words_cannot_control_the_terminal_and_are_short(tmp_path: Path) -> None:
    found = problem(tmp_path, shell(r"printf '\033[2K\nok' >&2; head -c 9999 /dev/zero | tr '\0' x >&2; exit 1"))
    assert found.startswith(r"'sh' exited with status 1: \x1b[2K\nokxxx")
    assert len(found) < 300 and found.endswith("…")


def test_a_plugin_gets_what_kubectl_gives_it(tmp_path: Path) -> None:
    script = 'printf %s "$KUBERNETES_EXEC_INFO|$EXTRA|$PWD" > seen; cat; ' + prints(token="t")["exec"]["args"][1]
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}
    user = shell(script, provideClusterInfo=True, env=[{"name": "EXTRA", "value": "x"}])
    connect(tmp_path, user, extensions=[extension])
    request, extra, folder = (tmp_path / "seen").read_text().split("|")
    assert (extra, Path(folder)) == ("x", tmp_path), "it runs in the kubeconfig's folder"
    spec = {"interactive": False, "cluster": {"server": UNUSED, "config": {"audience": "a"}}}
    assert json.loads(request) == {"apiVersion": API, "kind": "ExecCredential", "spec": spec}


def test_a_client_certificate_of_a_plugin_is_used(tmp_path: Path) -> None:
    settings = connect(tmp_path, prints(clientCertificateData="the certificate", clientKeyData="the key")).settings
    assert Path(settings.cert_file).read_text() == "the certificate"
    assert Path(settings.key_file).read_text() == "the key"
    assert Path(settings.key_file).stat().st_mode & 0o077 == 0


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until_ended(pids: list[int]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while any(map(alive, pids)):
        assert time.monotonic() < deadline, f"still running: {[pid for pid in pids if alive(pid)]}"
        time.sleep(0.02)


HANGS = "echo 'open the page of your browser' >&2; sleep 600 & echo $$ $! > pids.new; mv pids.new pids; wait"
"""A plugin with a child that has its output; both process IDs are in a file."""


def test_a_plugin_that_hangs_is_ended_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_plugin, "PLUGIN_TIMEOUT_S", 3)
    found = problem(tmp_path, shell(HANGS))
    expected = "'sh' did not exit within 3 s and was ended; it may prompt for input: open the page of your browser"
    assert found == expected
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    until_ended(pids)


def test_a_plugin_does_not_outlive_the_process_that_waits_for_it(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text(json.dumps(document(shell(HANGS), server=UNUSED)))
    program = (
        "import sys, threading, time, pathlib\n"
        "from mig_fleet.cluster.connection import Connection\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "where = {'kubeconfig': str(folder / 'kubeconfig')}\n"
        "threading.Thread(target=Connection, args=(where,), daemon=True).start()\n"
        "while not (folder / 'pids').exists(): time.sleep(0.02)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, timeout=WITHIN_S)
    until_ended([int(pid) for pid in (tmp_path / "pids").read_text().split()])


def renewing(folder: Path, minutes: float) -> Json:
    """A user whose plugin prints a token once, and fails from then on."""
    expires = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
    credential = {"apiVersion": API, "kind": "ExecCredential", "status": {"token": "t", "expirationTimestamp": expires}}
    (folder / "first").write_text(json.dumps(credential))
    return shell("cat first && rm first || { echo 'no network' >&2; exit 1; }")


def test_a_token_is_used_until_it_expires_although_its_plugin_fails(tmp_path: Path) -> None:
    cluster = connect(tmp_path, renewing(tmp_path, minutes=4))
    with pytest.raises(ClusterUnreachable, match="does not answer: Failed to establish a new connection"):
        cluster.call("GET", "/api/v1/nodes", tries=1)


def test_a_token_that_expired_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = connect(tmp_path, renewing(tmp_path, minutes=4))
    monkeypatch.setattr("mig_fleet.cluster.kubeconfig.now", lambda: datetime.now(UTC) + timedelta(minutes=5))
    with pytest.raises(NoCredentials, match=r"'sh' exited with status 1: .*no network"):
        cluster.get("/api/v1/nodes")


def test_a_plugin_that_hangs_has_its_own_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_plugin, "PLUGIN_TIMEOUT_S", 0.2)
    with pytest.raises(PluginHangs):
        connect(tmp_path, shell("exec sleep 600"))


def leaves_a_child(script: str) -> Json:
    """A user whose plugin ends, while a child in a session of its own has its pipes."""
    return shell(f"setsid sleep 600 & echo $! > child; {script}")


@pytest.fixture
def child_ended(tmp_path: Path) -> Iterator[None]:
    yield
    os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


@pytest.mark.usefixtures("child_ended")
def test_a_plugin_that_ended_is_not_waited_for_because_of_its_child(tmp_path: Path) -> None:
    assert problem(tmp_path, leaves_a_child("echo 'no network' >&2; exit 3")) == "'sh' exited with status 3: no network"


@pytest.mark.usefixtures("child_ended")
def test_the_credentials_of_a_plugin_that_leaves_a_child_are_used(tmp_path: Path) -> None:
    connect(tmp_path, leaves_a_child(prints(token="t")["exec"]["args"][1]))


GIVEN = "s3cr3t-4711"


@pytest.mark.parametrize(
    "value", [GIVEN, f"{GIVEN}\n", f" user:{GIVEN} "], ids=["plain", "with a newline", "with a user"]
)
@pytest.mark.parametrize("name", ["VAULT_PASSPHRASE", "DB_PWD", "AUTH", "TOKEN"])
def test_a_plugin_repeats_no_variable_of_the_kubeconfig(name: str, value: str, tmp_path: Path) -> None:
    script = f'echo "refused: ${{{name}##*:}}" >&2; exit 1'
    found = problem(tmp_path, shell(script, env=[{"name": name, "value": value}]))
    assert found == "'sh' exited with status 1: refused: ***"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--auth", GIVEN],
        ["-p", GIVEN],
        [f"-p{GIVEN}"],
        [f"-p!{GIVEN}"],
        [f"--auth={GIVEN}"],
        [GIVEN],
        ["-u", f"me:{GIVEN}"],
        ["-p", "hunter"],
    ],
    ids=" ".join,
)
def test_a_plugin_repeats_no_value_of_its_arguments(arguments: list[str], tmp_path: Path) -> None:
    script = 'printf "refused: %s\\n" "$@" "${2#*:}" >&2; exit 1'
    found = problem(tmp_path, shell("", args=["-c", script, "login", *arguments]))
    assert GIVEN not in found and "hunter" not in found and "***" in found
    assert found.startswith("'sh' exited with status 1: refused: ")


@pytest.mark.parametrize(
    "script",
    [f"login --password {GIVEN}; exit 1", f"login -p '{GIVEN} x' && x", f'PW="{GIVEN}"; false', f"login 'it {GIVEN}"],
    ids=["option", "quoted", "assignment", "not closed"],
)
def test_a_shell_that_prints_its_commands_prints_no_value(script: str, tmp_path: Path) -> None:
    found = problem(tmp_path, shell(f"set -x; login() {{ false; }}; {script}"))
    assert GIVEN not in found and found.startswith("'sh' exited with status ")
