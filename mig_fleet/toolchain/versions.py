"""Version numbers, and the version that a binary reports.

Only the first three numbers of a version are compared; a suffix such as ``-alpha`` is ignored.
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path

_NUMBERS = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")
_TIMEOUT_SECONDS = 20
"""A busy machine takes seconds to start a binary of 160 MB."""


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


def reported(path: Path, command: tuple[str, ...] | str) -> tuple[int, int, int] | None:
    """The version that a binary reports, or None.

    ``command`` is the arguments to run it with; or ``"plugin"`` for a Pulumi provider and ``"language"`` for a language
    host, which report it over gRPC only.
    """
    return _by_plugin(path, command) if isinstance(command, str) else _by_command(path, command)


def _by_command(path: Path, arguments: tuple[str, ...]) -> tuple[int, int, int] | None:
    with tempfile.TemporaryDirectory(prefix="mig-fleet-") as home:
        # The engine would check for updates and write to its home folder.
        environment = {**os.environ, "PULUMI_HOME": home, "PULUMI_SKIP_UPDATE_CHECK": "true"}
        try:
            answer = subprocess.run(
                [path, *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    return numbers(answer.stdout or answer.stderr) if answer.returncode == 0 else None


def _by_plugin(path: Path, kind: str) -> tuple[int, int, int] | None:
    import grpc
    from google.protobuf import empty_pb2
    from pulumi.runtime.proto import language_pb2_grpc, provider_pb2_grpc

    stub = provider_pb2_grpc.ResourceProviderStub if kind == "plugin" else language_pb2_grpc.LanguageRuntimeStub
    try:
        plugin = subprocess.Popen(
            [path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
    except OSError:
        return None
    try:
        assert plugin.stdout is not None
        port = plugin.stdout.readline().strip()  # the first line of a plugin is the port it listens on
        if not port.isdigit():
            return None
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            info = stub(channel).GetPluginInfo(empty_pb2.Empty(), timeout=_TIMEOUT_SECONDS)
        return numbers(info.version)
    except grpc.RpcError:
        return None
    finally:
        plugin.kill()
        plugin.communicate()
