"""Version numbers, and how to ask a binary for its own.

A version is compared by its first three numbers; a suffix such as ``-alpha`` does not count.
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path

_NUMBERS = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")
_ANSWER_SECONDS = 20
"""A busy machine starts a 160 MB binary in seconds; one that does not answer by then is not the tool."""


def numbers(text: str) -> tuple[int, int, int] | None:
    """The first version in a text, or None.

    >>> numbers("Kubernetes v1.37.2"), numbers("3.4"), numbers("none")
    ((1, 37, 2), (3, 4, 0), None)
    """
    found = _NUMBERS.search(text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def dotted(version: tuple[int, int, int]) -> str:
    """>>> dotted((3, 259, 0))
    '3.259.0'
    """
    return ".".join(map(str, version))


def ask(path: Path, how: tuple[str, ...] | str) -> tuple[int, int, int] | None:
    """The version a binary reports, or None when it reports none.

    ``how`` is the arguments to run it with, or ``"plugin"`` for a Pulumi provider, which answers only over gRPC.
    """
    return _ask_plugin(path) if how == "plugin" else _ask_command(path, tuple(how))


def _ask_command(path: Path, arguments: tuple[str, ...]) -> tuple[int, int, int] | None:
    with tempfile.TemporaryDirectory(prefix="mig-fleet-") as home:
        # The engine would look for news and touch its home; neither is wanted for a version.
        quiet = {**os.environ, "PULUMI_HOME": home, "PULUMI_SKIP_UPDATE_CHECK": "true"}
        try:
            answer = subprocess.run(
                [path, *arguments],
                env=quiet,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_ANSWER_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    return numbers(answer.stdout or answer.stderr) if answer.returncode == 0 else None


def _ask_plugin(path: Path) -> tuple[int, int, int] | None:
    import grpc  # type: ignore[import-untyped]
    from google.protobuf import empty_pb2  # type: ignore[import-untyped]
    from pulumi.runtime.proto import provider_pb2_grpc

    try:
        plugin = subprocess.Popen(
            [path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
    except OSError:
        return None
    try:
        assert plugin.stdout is not None
        port = plugin.stdout.readline().strip()  # a provider's first line is the port it listens on
        if not port.isdigit():
            return None
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            info = provider_pb2_grpc.ResourceProviderStub(channel).GetPluginInfo(
                empty_pb2.Empty(), timeout=_ANSWER_SECONDS
            )
        return numbers(info.version)
    except grpc.RpcError:
        return None
    finally:
        plugin.kill()
        plugin.communicate()
