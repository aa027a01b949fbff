"""Prints the port, serves, and ends without output when the engine ends."""

import os
import signal
import sys
import threading
from concurrent import futures
from typing import Final

import grpc

from mig_fleet.language_host.children import Children
from mig_fleet.language_host.protocol import language_pb2_grpc
from mig_fleet.language_host.servicer import LanguageHost

_POLL_SECONDS: Final = 1.0
_THREADS: Final = 64
"""The program and each policy pack use one thread while they run. Threads are created on demand."""
_UNLIMITED_MESSAGES: Final = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def main() -> None:
    engine, parent = sys.argv[-1], os.getppid()
    stopping = threading.Event()
    # The engine interrupts the whole process group; a traceback would be printed below the row of the user's stack.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())

    children = Children()
    server = grpc.server(futures.ThreadPoolExecutor(_THREADS), options=_UNLIMITED_MESSAGES)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(engine, children), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)

    while not stopping.wait(_POLL_SECONDS) and os.getppid() == parent:
        pass
    children.end()
    server.stop(grace=None)
    # Threads of calls that are still running must not delay the end of the process.
    sys.stdout.flush()
    os._exit(0)


main()
