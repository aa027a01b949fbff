"""A D-Bus system bus without services: enough for MIG Manager, which connects to systemd's before each change.

MIG Manager v0.13.1 to v0.15.0 uses it only to stop services of the host, which the GPU Operator does not ask for; but
without a bus it ends each change before its first label (pkg/mig/reconfigure/reconfigure.go, `New`). Every call is
answered with the same name of a connection.
"""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

SOCKET: Final = Path("run", "dbus", "system_bus_socket")
"""Path of the socket below the root of the host."""

HEADER: Final = struct.Struct("<cBBBIII")
"""Byte order, kind, flags, version, size of the body, serial number, size of the fields."""

CALL: Final = 1
REPLY: Final = 2
NAME: Final = ":1.1"
GUID: Final = b"0" * 32


@asynccontextmanager
async def system_bus(root: Path) -> AsyncIterator[None]:
    """Serve the bus of a host until the end of the block."""
    socket = root / SOCKET
    socket.parent.mkdir(parents=True, exist_ok=True)
    socket.unlink(missing_ok=True)
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(_serve(reader, writer))
        connections.add(connection)
        connection.add_done_callback(connections.discard)
        await asyncio.wait((connection,))

    server = await asyncio.start_unix_server(serve, socket)
    try:
        yield
    finally:
        server.close()
        for connection in tuple(connections):
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, struct.error):
            await _authenticate(reader, writer)
            while True:
                kind, serial = await _message(reader)
                if kind == CALL:
                    writer.write(reply(serial))
                    await writer.drain()
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def _authenticate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The dialog before the first message: every user is accepted, and no file descriptor is passed."""
    await reader.readexactly(1)
    while not (line := await reader.readuntil(b"\r\n")).startswith(b"BEGIN"):
        if line.strip() == b"AUTH":
            writer.write(b"REJECTED EXTERNAL\r\n")
        elif line.startswith(b"AUTH"):
            writer.write(b"OK " + GUID + b"\r\n")
        else:
            writer.write(b"ERROR\r\n")
        await writer.drain()


async def _message(reader: asyncio.StreamReader) -> tuple[int, int]:
    """Kind and serial number of the next message; the rest of it is read and dropped."""
    _, kind, _, _, body, serial, fields = HEADER.unpack(await reader.readexactly(HEADER.size))
    await reader.readexactly(fields + -fields % 8 + body)
    return kind, serial


def reply(serial: int) -> bytes:
    """The answer to the call with this number: one string, the name of the connection."""
    body = struct.pack("<I", len(NAME)) + NAME.encode() + b"\0"
    fields = b"\x05\x01u\0" + struct.pack("<I", serial) + b"\x08\x01g\0\x01s\0"
    header = HEADER.pack(b"l", REPLY, 1, 1, len(body), serial, len(fields))
    return header + fields + bytes(-len(fields) % 8) + body
