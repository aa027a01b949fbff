"""`kubectl exec`, as a kubelet serves it: a WebSocket; each frame starts with a stream number.

Protocol v4.channel.k8s.io, and v5 except for input to the command (k8s.io/apimachinery, pkg/util/remotecommand).
"""

import json
from typing import Final

from aiohttp import web

from mig_fleet.simulator.api import Json
from mig_fleet.simulator.node.container import Container
from mig_fleet.simulator.operands import commands

PROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDOUT, STDERR, ERROR = 1, 2, 3


async def serve(request: web.Request, container: Container) -> web.WebSocketResponse:
    """Run the command of a request in a container; send its output and its exit status."""
    words = request.query.getall("command", [])
    socket = web.WebSocketResponse(protocols=PROTOCOLS)
    await socket.prepare(request)
    finished = commands.run(container, words)
    for stream, text in ((STDOUT, finished.stdout), (STDERR, finished.stderr)):
        if text:
            await socket.send_bytes(bytes([stream]) + text.encode())
    await socket.send_bytes(bytes([ERROR]) + json.dumps(_status(words, finished.code)).encode())
    await socket.close()
    return socket


def _status(words: list[str], code: int) -> Json:
    """The object from which clients read the exit status."""
    envelope = {"kind": "Status", "apiVersion": "v1", "metadata": {}}
    if code == 0:
        return {**envelope, "status": "Success"}
    return {
        **envelope,
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: error executing command {words}, exit code {code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }
