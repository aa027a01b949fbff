"""The proxy: a thread that serves requests, with rules that a test adds.

The simulated nodes, the controllers and the probes connect to the real server directly. So the faults here are those of
a tool on a laptop: error responses, timeouts, broken connections, lost responses.
"""

import asyncio
import re
import ssl
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

import aiohttp
import yaml
from aiohttp import web

from mig_fleet.simulator.errors import NotStarted
from mig_fleet.simulator.faulty_api import forwarding
from mig_fleet.simulator.faulty_api.rules import ApiFault, Call, Rule, error_response
from mig_fleet.simulator.files import write_private

WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
NODE: Final = re.compile(r"/api/v1/nodes/([^/]+)(/status)?")
START_TIMEOUT_S: Final = 10
SHUTDOWN_S: Final = 0.1
"""For open watches; aiohttp takes 0 as no limit."""
CLOSE_S: Final = 0.25


class FaultyApi:
    """Use it as a context manager. Without rules it only forwards requests and records them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._calls: list[Call] = []
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> Self:
        document = yaml.safe_load((self._directory / "kubeconfig").read_text())
        self._upstream: str = document["clusters"][0]["cluster"]["server"]
        self._thread.start()
        if not self._ready.wait(START_TIMEOUT_S):
            raise NotStarted(f"the proxy for {self._upstream} was not ready after {START_TIMEOUT_S} s")
        document["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self._port}"
        self._folder = tempfile.TemporaryDirectory(prefix="faulty-api-")
        self.kubeconfig = write_private(Path(self._folder.name) / "kubeconfig", yaml.safe_dump(document))
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()
        self._folder.cleanup()

    def answer(
        self,
        method: str | None,
        path: str,
        status: ApiFault,
        *,
        times: int | None = None,
        skip: int = 0,
        retry_after: int | None = None,
        body: str = "",
    ) -> None:
        """Let requests fail that match the patterns ``path`` and ``body``; ``method`` ``None`` is any method.

        The first ``skip`` of them pass, the next ``times`` (``None``: all) fail. ``retry_after`` in seconds. If several
        rules apply, the first one is used.
        """
        self._add(Rule(method, re.compile(path), re.compile(body), skip, times, status, retry_after))

    def when(
        self,
        method: str | None,
        path: str,
        do: Callable[[], object],
        *,
        times: int | None = 1,
        skip: int = 0,
        body: str = "",
    ) -> None:
        """Call ``do`` in a thread before such a request is forwarded; the request waits until ``do`` returns.

        A retry after the client's timeout waits too: no request that matches is forwarded while ``do`` runs.
        """
        self._add(Rule(method, re.compile(path), re.compile(body), skip, times, do=do))

    def reset(self) -> None:
        """Remove all rules and all recorded requests."""
        with self._lock:
            self._rules.clear()
            self._calls.clear()

    def calls(self, method: str | None = None, path: str = "") -> list[Call]:
        """The requests so far in order of arrival, including those without a response yet."""
        with self._lock:
            return [call for call in self._calls if method in (None, call.method) and re.search(path, call.path)]

    def nodes_written(self) -> frozenset[str]:
        """Names of the nodes for which a client sent a write of the Node object, successful or not."""
        matches = (NODE.fullmatch(call.path) for call in self.calls() if call.method in WRITES)
        return frozenset(match[1] for match in matches if match)

    def _add(self, rule: Rule) -> None:
        with self._lock:
            self._rules.append(rule)

    async def _serve(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        pki = self._directory / "pki"
        upstream = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        upstream.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        own.load_cert_chain(pki / "server.crt", pki / "server.key")
        connector = aiohttp.TCPConnector(ssl=upstream, limit=0)
        async with aiohttp.ClientSession(
            self._upstream, connector=connector, timeout=forwarding.TIMEOUT, auto_decompress=False
        ) as self._session:
            # A handler ends when its client disconnects, so a watch without a client ends upstream too.
            server = web.Server(self._handle, handler_cancellation=True)
            runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_S)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=own)
            await site.start()
            self._port = int(runner.addresses[0][1])
            self._ready.set()
            await self._stopped.wait()
            transports = [connection.transport for connection in server.connections]
            await runner.cleanup()
            # A TLS connection stays open until the client closes it too, which may be after the end of this event loop.
            for transport in transports:
                if transport is not None:
                    transport.abort()
        # aiohttp does not wait until the TLS connections that it closes are closed (its page Graceful Shutdown).
        await asyncio.sleep(CLOSE_S)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = (await request.read()).decode(errors="replace")
        call = Call(request.method, request.path, body=body)
        with self._lock:
            self._calls.append(call)
            hooks = [hook for rule in self._rules if (hook := _hook(rule, call)) is not None]
            fault = next((rule for rule in self._rules if rule.fault is not None and rule.applies(call)), None)
        for hook in hooks:
            # A client that disconnects ends its handler, but not the hook.
            await asyncio.shield(hook)
        try:
            response = await self._respond(request, fault)
        except aiohttp.ClientError:
            # The real server is unreachable, so the proxy breaks the connection.
            response = None
        if response is None:
            return _break_connection(request)
        call.status = response.status
        return response

    async def _respond(self, request: web.BaseRequest, rule: Rule | None) -> web.StreamResponse | None:
        """``None``: the connection must break."""
        if rule is None:
            return await forwarding.forward(request, self._session)
        if isinstance(rule.fault, int):
            await request.read()
            return error_response(rule.fault, rule.retry_after)
        if rule.fault == "timeout":
            await asyncio.Event().wait()
        if rule.fault == "lost":
            await forwarding.forward(request, self._session, discard_response=True)
        return None


def _hook(rule: Rule, call: Call) -> asyncio.Future[object] | None:
    """The call of ``do`` that the request waits for, started by this request or by an earlier one that matches."""
    if rule.do is not None and rule.applies(call):
        rule.running = asyncio.ensure_future(asyncio.to_thread(rule.do))
        return rule.running
    waits = rule.running is not None and not rule.running.done() and rule.matches(call)
    return rule.running if waits else None


def _break_connection(request: web.BaseRequest) -> web.Response:
    """Abort the connection; the returned response is never sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
