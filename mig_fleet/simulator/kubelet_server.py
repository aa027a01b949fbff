"""The part of a kubelet's own API that the API server uses: `kubectl logs` and `kubectl exec` end here."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from aiohttp import web

from mig_fleet.simulator import remote_command
from mig_fleet.simulator.node.context import Context

CONTAINER: Final = "/{namespace}/{pod}/{container}"


class KubeletServer:
    """Serves logs and commands for the pods of every node, on a free port of loopback.

    Only the API server has the port's use: it is told by the nodes' ``daemonEndpoints``. ``running`` finds the
    surroundings of a running container by namespace and pod.
    """

    def __init__(self, directory: Path, running: Callable[[str, str], Context | None]) -> None:
        self.directory, self.running = directory, running
        self.port = 0

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_get("/containerLogs" + CONTAINER, self._log)
        application.router.add_get("/exec" + CONTAINER, self._exec)
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

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        where = request.match_info
        context = self.running(where["namespace"], where["pod"])
        if context is None:
            # As kubelets answer (pkg/kubelet/kubelet_pods.go, GetExec).
            raise web.HTTPInternalServerError(text=f'container not found ("{where["container"]}")')
        return await remote_command.serve(request, context)
