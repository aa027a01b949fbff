"""The proxy: a thread that serves, and what a test tells it.

The simulated nodes, the controllers and the probes talk to the real server past it, so what goes wrong here is what a
tool on a laptop lives through: refusals, silence, broken connections, answers that are lost on the way.
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

from mig_fleet.simulator.bad_api import passing
from mig_fleet.simulator.bad_api.rules import Call, Rule, Trouble, refusal
from mig_fleet.simulator.errors import NotStarted
from mig_fleet.simulator.files import write_private

WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
NODE: Final = re.compile(r"/api/v1/nodes/([^/]+)(/status)?")
START_WITHIN_S: Final = 10
SHUTDOWN_S: Final = 0.1
"""For watches whose readers are still there; 0 would mean for ever to aiohttp."""


class BadApi:
    """Use it as a context manager; without a rule it only passes on and remembers what it saw."""

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
        if not self._ready.wait(START_WITHIN_S):
            raise NotStarted(f"the proxy before {self._upstream} was not ready after {START_WITHIN_S} s")
        document["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self._port}"
        self._folder = tempfile.TemporaryDirectory(prefix="bad-api-")
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
        status: Trouble,
        *,
        times: int | None = None,
        skip: int = 0,
        retry_after: int | None = None,
        body: str = "",
    ) -> None:
        """Trouble for requests in whose path and body the patterns are found; ``method`` ``None`` is any.

        The first ``skip`` of them pass, then ``times`` (``None``: all) are answered so. The first rule that applies
        wins.
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
        """Call ``do`` in a thread before such a request goes on its way; it waits until ``do`` is done.

        So does a client that gave up meanwhile and asks again: ``do`` is done before anything of that kind is.
        """
        self._add(Rule(method, re.compile(path), re.compile(body), skip, times, do=do))

    def well(self) -> None:
        """No trouble any more, and nothing of what was seen is remembered."""
        with self._lock:
            self._rules.clear()
            self._calls.clear()

    def calls(self, method: str | None = None, path: str = "") -> list[Call]:
        """The requests so far, those under way included, in the order in which they came."""
        with self._lock:
            return [call for call in self._calls if method in (None, call.method) and re.search(path, call.path)]

    def nodes_written(self) -> frozenset[str]:
        """Names of the nodes whose Node object somebody tried to write, successfully or not."""
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
            self._upstream, connector=connector, timeout=passing.PATIENCE, auto_decompress=False
        ) as self._session:
            # A handler ends with its client: a watch that nobody reads any more is closed upstream too.
            runner = web.ServerRunner(web.Server(self._handle, handler_cancellation=True), shutdown_timeout=SHUTDOWN_S)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=own)
            await site.start()
            self._port = int(runner.addresses[0][1])
            self._ready.set()
            await self._stopped.wait()
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = (await request.read()).decode(errors="replace")
        call = Call(request.method, request.path, body=body)
        with self._lock:
            self._calls.append(call)
            errands = [errand for rule in self._rules if (errand := _errand(rule, call)) is not None]
            trouble = next((rule for rule in self._rules if rule.trouble is not None and rule.applies(call)), None)
        for errand in errands:
            # A client that goes away ends its handler, not what was begun.
            await asyncio.shield(errand)
        try:
            response = await self._answered(request, trouble)
        except aiohttp.ClientError:
            # The real server is away; so is this one.
            response = None
        if response is None:
            return _broken(request)
        call.status = response.status
        return response

    async def _answered(self, request: web.BaseRequest, rule: Rule | None) -> web.StreamResponse | None:
        """``None`` where the connection shall break."""
        if rule is None:
            return await passing.on(request, self._session)
        if isinstance(rule.trouble, int):
            await request.read()
            return refusal(rule.trouble, rule.retry_after)
        if rule.trouble == "timeout":
            await asyncio.Event().wait()
        if rule.trouble == "lost":
            await passing.on(request, self._session, unheard=True)
        return None


def _errand(rule: Rule, call: Call) -> asyncio.Future[object] | None:
    """What the request waits for: it is begun by this one, or by one like it before and still under way."""
    if rule.do is not None and rule.applies(call):
        rule.under_way = asyncio.ensure_future(asyncio.to_thread(rule.do))
        return rule.under_way
    waits = rule.under_way is not None and not rule.under_way.done() and rule.is_about(call)
    return rule.under_way if waits else None


def _broken(request: web.BaseRequest) -> web.Response:
    """End the connection without a word; what is returned has nowhere to go any more."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
