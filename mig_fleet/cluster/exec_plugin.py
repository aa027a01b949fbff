"""The `exec` command of a kubeconfig's user: it prints a token or a client certificate with a short life.

The client library runs it without a timeout, logs its failure and then sends requests without credentials
(kubernetes 37, exec_provider.run and kube_config._load_from_exec_plugin).
https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

import atexit
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mig_fleet.cluster.errors import NoCredentials, PluginHangs
from mig_fleet.cluster.plugin_secrets import plugin_secrets
from mig_fleet.confidential import masked
from mig_fleet.foreign_text import printable

PLUGIN_TIMEOUT_S = 30
"""Seconds. A plugin may ask a cloud for a token; one that prompts the user never exits."""
LOOK_INTERVAL_S = 0.1
AFTER_EXIT_S = 0.5
"""Seconds to read what a plugin wrote before it exited."""

_running: set["subprocess.Popen[bytes]"] = set()


def run_plugin(plugin: Mapping[str, Any], cluster: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """The status of the ``ExecCredential`` that a plugin prints: a token, or a certificate with its key, not expired.

    ``plugin`` is the section ``exec`` of a kubeconfig in ``folder``. A plugin that does not exit within
    :data:`PLUGIN_TIMEOUT_S` is killed with its children, except those with a session of their own. Raises
    :class:`NoCredentials`.
    """
    try:
        command = [str(plugin["command"]), *map(str, plugin.get("args") or ())]
        given = {str(each["name"]): str(each["value"]) for each in plugin.get("env") or ()}
        request = json.dumps(_request(plugin, cluster))
    except (KeyError, TypeError, AttributeError, ValueError):
        text = "the key 'exec' of its user needs apiVersion and command, and args and env must be lists"
        raise NoCredentials(text) from None
    name = f"the exec plugin '{printable(Path((command[0].split() or [''])[0]).name)}'"
    if plugin.get("interactiveMode") == "Always":
        raise NoCredentials(f"{name} needs a terminal (interactiveMode: Always), which an update has not")
    environment = {**os.environ, **given, "KUBERNETES_EXEC_INFO": request}
    try:
        code, output, errors = _run(command, environment, folder)
    except subprocess.TimeoutExpired as exc:
        text = f"{name} did not exit within {PLUGIN_TIMEOUT_S} s and was ended; it may prompt for input"
        raise PluginHangs(f"{text}{_quoted(exc.stderr, command, given)}") from None
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or "its command is not text for an operating system"
        hint = f"; {printable(plugin['installHint'])}" if plugin.get("installHint") else ""
        raise NoCredentials(f"{name} could not be started: {reason}{hint}") from None
    if code:
        ended = f"exited with status {code}" if code > 0 else f"was ended by {_signal(-code)}"
        raise NoCredentials(f"{name} {ended}{_quoted(errors, command, given)}")
    return _checked(name, output, plugin["apiVersion"])


def expiry(status: Mapping[str, Any]) -> datetime | None:
    """When the credentials of a status expire; ``None`` if it names no time. Raises :class:`ValueError`."""
    text = status.get("expirationTimestamp")
    if text is None:
        return None
    moment = datetime.fromisoformat(str(text))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _request(plugin: Mapping[str, Any], cluster: Mapping[str, Any]) -> dict[str, Any]:
    """What a plugin reads in ``KUBERNETES_EXEC_INFO``."""
    spec: dict[str, Any] = {"interactive": False}
    if plugin.get("provideClusterInfo"):
        spec["cluster"] = {key: value for key, value in cluster.items() if key != "extensions"}
        for each in cluster.get("extensions") or ():
            if each["name"] == "client.authentication.k8s.io/exec":
                spec["cluster"]["config"] = each["extension"]
    return {"apiVersion": plugin["apiVersion"], "kind": "ExecCredential", "spec": spec}


def _run(command: list[str], environment: dict[str, str], folder: str) -> tuple[int, bytes, bytes]:
    """Exit status, output and errors. The command has a process group of its own, so that its children end with it."""
    with (
        subprocess.Popen(
            command,
            cwd=folder or None,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process,
        _ended(process),
    ):
        output, errors = _read(process)
        return process.returncode, output, errors


def _read(process: "subprocess.Popen[bytes]") -> tuple[bytes, bytes]:
    """Output and errors until the process exits. A child of its own session may keep the pipes open for longer; it may
    be an agent that others use, so it is left alone. Raises :class:`subprocess.TimeoutExpired`.
    """
    deadline = time.monotonic() + PLUGIN_TIMEOUT_S
    while True:
        exited = process.poll() is not None
        try:
            return process.communicate(timeout=AFTER_EXIT_S if exited else LOOK_INTERVAL_S)
        except subprocess.TimeoutExpired as exc:
            if exited:
                return exc.output or b"", exc.stderr or b""
            if time.monotonic() > deadline:
                raise


@contextlib.contextmanager
def _ended(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Kills the process group if the block raises, or if our process exits during the block."""
    _running.add(process)
    try:
        yield
    except BaseException:
        _kill(process)
        raise
    finally:
        _running.discard(process)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@atexit.register
def _kill_all() -> None:
    """An interrupt does not reach the thread that waits for a plugin."""
    for process in tuple(_running):
        _kill(process)


def _checked(name: str, output: bytes, api_version: str) -> dict[str, Any]:
    """The status of a credential. Nothing of the output is quoted."""
    try:
        found = json.loads(output)
        status: dict[str, Any] = found["status"]
        has_token, has_certificate = "token" in status, {"clientCertificateData", "clientKeyData"} <= status.keys()
        expires = expiry(status)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NoCredentials(f"{name} printed no ExecCredential in JSON") from None
    if found.get("apiVersion") != api_version:
        raise NoCredentials(f"{name} printed an ExecCredential of another apiVersion than '{printable(api_version)}'")
    if not (has_token or has_certificate):
        raise NoCredentials(f"{name} printed neither a token nor a client certificate with its key")
    if expires is not None and expires <= datetime.now(UTC):
        raise NoCredentials(f"{name} printed credentials that expired at {expires:%Y-%m-%dT%H:%M:%SZ}; sign in again")
    return status


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _quoted(errors: bytes | None, command: list[str], variables: Mapping[str, str]) -> str:
    """What a plugin wrote to stderr, without what the kubeconfig gave to it."""
    secrets = plugin_secrets(command[1:], variables.values())
    text = masked((errors or b"").decode(errors="replace").strip(), secrets)
    return f": {printable(text)}" if text else ""
