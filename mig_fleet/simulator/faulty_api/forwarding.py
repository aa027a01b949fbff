"""Forwarding a request and its response without changes: lists, watches, WebSockets."""

import asyncio
from collections.abc import Mapping
from typing import Final

import aiohttp
from aiohttp import web

TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=5)
"""No total timeout: a watch has no end, and the client has its own timeout."""

CONNECTION_HEADERS: Final = ("Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade", "Host")
WEBSOCKET_HEADERS: Final = (
    *CONNECTION_HEADERS,
    "Sec-Websocket-Key",
    "Sec-Websocket-Version",
    "Sec-Websocket-Extensions",
    "Sec-Websocket-Protocol",
)


async def forward(
    request: web.BaseRequest, session: aiohttp.ClientSession, discard_response: bool = False
) -> web.StreamResponse:
    """Send the request to the server of ``session`` and its response to the client, unless it is discarded."""
    if request.headers.get("Upgrade", "").lower() == "websocket":
        return await _forward_socket(request, session)
    headers = _without(request.headers, CONNECTION_HEADERS)
    body = await request.read() or None
    async with session.request(
        request.method,
        request.rel_url,
        headers=headers,
        data=body,
        allow_redirects=False,
        skip_auto_headers=("Accept-Encoding", "User-Agent", "Content-Type"),
    ) as upstream:
        response = web.StreamResponse(status=upstream.status, headers=_without(upstream.headers, CONNECTION_HEADERS))
        if discard_response:
            await upstream.read()
            return response
        await response.prepare(request)
        async for chunk in upstream.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
        return response


async def _forward_socket(request: web.BaseRequest, session: aiohttp.ClientSession) -> web.WebSocketResponse:
    protocols = [word.strip() for word in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if word.strip()]
    headers = _without(request.headers, WEBSOCKET_HEADERS)
    async with session.ws_connect(request.rel_url, protocols=protocols, headers=headers) as upstream:
        client = web.WebSocketResponse(protocols=[upstream.protocol] if upstream.protocol else [])
        await client.prepare(request)
        to_server = asyncio.create_task(_copy(client, upstream))
        to_client = asyncio.create_task(_copy(upstream, client))
        try:
            await asyncio.wait((to_server, to_client), return_when=asyncio.FIRST_COMPLETED)
        finally:
            to_server.cancel()
            to_client.cancel()
            await client.close()
        return client


Socket = aiohttp.ClientWebSocketResponse | web.WebSocketResponse


async def _copy(source: Socket, target: Socket) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.BINARY:
            await target.send_bytes(message.data)
        elif message.type is aiohttp.WSMsgType.TEXT:
            await target.send_str(message.data)


def _without(headers: Mapping[str, str], names: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers.items() if name.title() not in names]
