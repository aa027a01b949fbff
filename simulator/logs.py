"""The part of a kubelet's API behind `kubectl logs`: the API server asks it for a container's log."""

import ssl
from pathlib import Path
from typing import Self

from aiohttp import web


class LogServer:
    """Serves ``/containerLogs/NAMESPACE/POD/CONTAINER`` for every node, on a free port of loopback.

    Only the API server has the port's use: it is told by the nodes' ``daemonEndpoints``.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = 0

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._log)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self.directory / "pki/server.crt", self.directory / "pki/server.key")
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        self.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _log(self, request: web.Request) -> web.Response:
        """Pod names are unique enough here to leave the namespace out of the file's name."""
        name = request.match_info["pod"]
        found = next(iter((self.directory / "nodes").glob(f"*/logs/{name}.log")), None) if name.isprintable() else None
        lines = found.read_text(errors="replace").splitlines(keepends=True) if found else []
        tail = request.query.get("tailLines", "")
        if tail.isdigit():
            lines = lines[len(lines) - min(len(lines), int(tail)) :]
        return web.Response(text="".join(lines))
