"""`kubectl exec` as a kubelet speaks it: a WebSocket whose frames begin with the number of a stream.

Protocol v4.channel.k8s.io, and v5 as far as nothing is written to the command (k8s.io/apimachinery,
pkg/util/remotecommand).
"""

import json
from typing import Final

from aiohttp import web

from mig_fleet.simulator.api import Json
from mig_fleet.simulator.node import commands
from mig_fleet.simulator.node.context import Context

PROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDOUT, STDERR, ERROR = 1, 2, 3


async def serve(request: web.Request, context: Context) -> web.WebSocketResponse:
    """Run the command of a request in a container and send what it printed and how it ended."""
    words = request.query.getall("command", [])
    socket = web.WebSocketResponse(protocols=PROTOCOLS)
    await socket.prepare(request)
    done = commands.run(context, words)
    for stream, text in ((STDOUT, done.stdout), (STDERR, done.stderr)):
        if text:
            await socket.send_bytes(bytes([stream]) + text.encode())
    await socket.send_bytes(bytes([ERROR]) + json.dumps(_status(words, done.code)).encode())
    await socket.close()
    return socket


def _status(words: list[str], code: int) -> Json:
    """What clients read the exit status from."""
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
