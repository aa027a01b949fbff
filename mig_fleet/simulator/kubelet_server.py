"""The part of the kubelet's API that serves `kubectl logs` and `kubectl exec`."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from aiohttp import web

from mig_fleet.simulator import remote_command
from mig_fleet.simulator.node.container import Container

PATH: Final = "/{namespace}/{pod}/{container}"


class KubeletServer:
    """Serves the pods of all nodes on a free port of loopback.

    Only the API server connects; it reads the port from the nodes' ``daemonEndpoints``. ``running`` returns the running
    container of a pod, by namespace and name.
    """

    def __init__(self, directory: Path, running: Callable[[str, str], Container | None]) -> None:
        self.directory, self.running = directory, running
        self.port = 0

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_get("/containerLogs" + PATH, self._log)
        application.router.add_get("/exec" + PATH, self._exec)
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
        """A file name has no namespace: pod names are unique in a simulated fleet, in practice."""
        name = request.match_info["pod"]
        found = next(iter((self.directory / "nodes").glob(f"*/logs/{name}.log")), None) if name.isprintable() else None
        lines = found.read_text(errors="replace").splitlines(keepends=True) if found else []
        tail = request.query.get("tailLines", "")
        if tail.isdigit():
            lines = lines[len(lines) - min(len(lines), int(tail)) :]
        return web.Response(text="".join(lines))

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info
        container = self.running(path["namespace"], path["pod"])
        if container is None:
            # A kubelet's response (pkg/kubelet/kubelet_pods.go, GetExec).
            raise web.HTTPInternalServerError(text=f'container not found ("{path["container"]}")')
        return await remote_command.serve(request, container)
