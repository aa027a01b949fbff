"""Serves the PodResources API of one node on a Unix socket, as its kubelet does.

gRPC on asyncio, by hand: gRPC's own server has threads of its own, and the fleet forks processes.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import groupby
from pathlib import Path
from typing import Final

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import ProtocolError

from mig_fleet.simulator.node.pod_resources import PodDevices

SOCKET: Final = "kubelet.sock"
METHOD: Final = b"/v1.PodResourcesLister/List"
UNIMPLEMENTED: Final = "12"
HEADERS: Final = [(":status", "200"), ("content-type", "application/grpc")]

Listing = Callable[[], tuple[PodDevices, ...] | None]


@asynccontextmanager
async def served(listing: Listing) -> AsyncIterator[Path]:
    """The folder with the socket, which answers with ``listing()``; a call gets no answer where that is None.

    The folder is a temporary one, because its path is short: that of a Unix socket has at most 107 characters.
    """
    with tempfile.TemporaryDirectory(prefix="kubelet-") as folder:
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(lambda: _Connection(listing), f"{folder}/{SOCKET}")
        try:
            yield Path(folder)
        finally:
            server.close()


class _Connection(asyncio.Protocol):
    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self._methods: dict[int, bytes] = {}
        self._unsent: dict[int, bytes] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._h2.initiate_connection()
        self._flush()

    def data_received(self, data: bytes) -> None:
        try:
            for event in self._h2.receive_data(data):
                self._handle(event)
            self._send_unsent()
        except ProtocolError:
            self._transport.close()
            return
        self._flush()

    def _handle(self, event: events.Event) -> None:
        if isinstance(event, events.RequestReceived):
            self._methods[event.stream_id] = dict(event.headers)[b":path"]
        elif isinstance(event, events.DataReceived):
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, events.StreamEnded):
            self._answer(event.stream_id)

    def _answer(self, stream: int) -> None:
        if self._methods.pop(stream) != METHOD:
            self._h2.send_headers(stream, [*HEADERS, ("grpc-status", UNIMPLEMENTED)], end_stream=True)
            return
        listed = self._listing()
        if listed is not None:
            body = encode(listed)
            self._h2.send_headers(stream, HEADERS)
            self._unsent[stream] = b"\0" + len(body).to_bytes(4) + body

    def _send_unsent(self) -> None:
        """As much of the answers as the client's windows allow."""
        for stream in list(self._unsent):
            while self._unsent[stream] and (size := self._sendable_bytes(stream)):
                self._h2.send_data(stream, self._unsent[stream][:size])
                self._unsent[stream] = self._unsent[stream][size:]
            if not self._unsent[stream]:
                del self._unsent[stream]
                self._h2.send_headers(stream, [("grpc-status", "0")], end_stream=True)

    def _sendable_bytes(self, stream: int) -> int:
        return min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size)

    def _flush(self) -> None:
        self._transport.write(self._h2.data_to_send())


def encode(pods: tuple[PodDevices, ...]) -> bytes:
    """A ``v1.ListPodResourcesResponse`` (k8s.io/kubelet, pkg/apis/podresources/v1/api.proto)."""
    return b"".join(_field(1, _pod(pod)) for pod in pods)


def _pod(pod: PodDevices) -> bytes:
    by_resource = groupby(sorted(pod.devices), key=lambda device: device[0])
    groups = [
        _field(1, resource.encode()) + b"".join(_field(2, found.encode()) for _, found in devices)
        for resource, devices in by_resource
    ]
    container = _field(1, pod.container.encode()) + b"".join(_field(2, group) for group in groups)
    return _field(1, pod.name.encode()) + _field(2, pod.namespace.encode()) + _field(3, container)


def _field(number: int, value: bytes) -> bytes:
    """A field with a text or a message (protobuf wire type 2)."""
    length, size = bytearray(), len(value)
    while size >= 0x80:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + value
