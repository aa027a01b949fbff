"""The bus answers as MIG Manager's D-Bus library expects: with a name, whatever it is asked."""

import asyncio
import struct
import tempfile
from pathlib import Path

from mig_fleet.simulator.genuine.system_bus import HEADER, SOCKET, reply, system_bus


def call(serial: int, body: bytes) -> bytes:
    """A call with one header field, and a body."""
    fields = b"\x03\x01s\0" + struct.pack("<I", 5) + b"Hello\0"
    return HEADER.pack(b"l", 1, 0, 1, len(body), serial, len(fields)) + fields + bytes(-len(fields) % 8) + body


async def talk() -> list[bytes]:
    with tempfile.TemporaryDirectory() as root:
        async with system_bus(Path(root)):
            reader, writer = await asyncio.open_unix_connection(Path(root) / SOCKET)
            answers = []
            for line in (b"\0AUTH\r\n", b"AUTH EXTERNAL 30\r\n", b"NEGOTIATE_UNIX_FD\r\n"):
                writer.write(line)
                answers.append((await reader.readuntil(b"\r\n")).strip())
            writer.write(b"BEGIN\r\n" + call(1, b"") + call(7, b"\x01\0\0\0a\0"))
            answers += [await reader.readexactly(len(reply(serial))) for serial in (1, 7)]
            writer.close()
            await writer.wait_closed()
            return answers


def test_every_user_is_accepted_and_every_call_is_answered() -> None:
    answers = asyncio.run(talk())
    assert answers[:3] == [b"REJECTED EXTERNAL", b"OK " + b"0" * 32, b"ERROR"]
    assert answers[3:] == [reply(1), reply(7)]


def test_an_answer_names_the_call_and_has_one_string() -> None:
    answer = reply(7)
    _, kind, _, _, body, serial, fields = HEADER.unpack(answer[: HEADER.size])
    assert (kind, serial, len(answer)) == (2, 7, HEADER.size + fields + -fields % 8 + body)
    assert answer[20:24] == struct.pack("<I", 7)
    assert answer.endswith(struct.pack("<I", 4) + b":1.1\0")
