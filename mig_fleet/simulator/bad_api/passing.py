"""Passing a request on and its answer back as they come: lists, watches without end, WebSockets."""

import asyncio
from collections.abc import Mapping
from typing import Final

import aiohttp
from aiohttp import web

PATIENCE: Final = aiohttp.ClientTimeout(total=None, sock_connect=5)
"""A watch has no end; whoever asked decides how long to wait."""

OF_ONE_CONNECTION: Final = ("Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade", "Host")
OF_ONE_SOCKET: Final = (
    *OF_ONE_CONNECTION,
    "Sec-Websocket-Key",
    "Sec-Websocket-Version",
    "Sec-Websocket-Extensions",
    "Sec-Websocket-Protocol",
)


async def on(request: web.BaseRequest, session: aiohttp.ClientSession, unheard: bool = False) -> web.StreamResponse:
    """Ask the server of ``session`` for a client and answer what it answers; ``unheard`` keeps that from the client."""
    if request.headers.get("Upgrade", "").lower() == "websocket":
        return await _socket(request, session)
    headers = _without(request.headers, OF_ONE_CONNECTION)
    body = await request.read() or None
    async with session.request(
        request.method,
        request.rel_url,
        headers=headers,
        data=body,
        allow_redirects=False,
        skip_auto_headers=("Accept-Encoding", "User-Agent", "Content-Type"),
    ) as answer:
        response = web.StreamResponse(status=answer.status, headers=_without(answer.headers, OF_ONE_CONNECTION))
        if unheard:
            await answer.read()
            return response
        await response.prepare(request)
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
        return response


async def _socket(request: web.BaseRequest, session: aiohttp.ClientSession) -> web.WebSocketResponse:
    protocols = [word.strip() for word in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if word.strip()]
    headers = _without(request.headers, OF_ONE_SOCKET)
    async with session.ws_connect(request.rel_url, protocols=protocols, headers=headers) as far:
        near = web.WebSocketResponse(protocols=[far.protocol] if far.protocol else [])
        await near.prepare(request)
        there, back = asyncio.create_task(_pour(near, far)), asyncio.create_task(_pour(far, near))
        try:
            await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
        finally:
            there.cancel()
            back.cancel()
            await near.close()
        return near


Socket = aiohttp.ClientWebSocketResponse | web.WebSocketResponse


async def _pour(source: Socket, target: Socket) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.BINARY:
            await target.send_bytes(message.data)
        elif message.type is aiohttp.WSMsgType.TEXT:
            await target.send_str(message.data)


def _without(headers: Mapping[str, str], names: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers.items() if name.title() not in names]
