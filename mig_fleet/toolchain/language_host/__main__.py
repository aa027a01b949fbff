"""Start: print the port, serve, end quietly with the engine."""

import os
import signal
import sys
import threading
from concurrent import futures
from typing import Final

import grpc  # type: ignore[import-untyped]
from pulumi.runtime.proto import language_pb2_grpc

from mig_fleet.toolchain.language_host.children import Children
from mig_fleet.toolchain.language_host.servicer import LanguageHost

_LOOK_SECONDS: Final = 1.0
_THREADS: Final = 64
"""A thread is held by the program and by each policy pack for as long as it runs; they are made when needed."""
_NO_LIMIT: Final = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def main() -> None:
    engine, parent = sys.argv[-1], os.getppid()
    over = threading.Event()
    # The engine says "interrupt" to the whole process group; a traceback would land under the user's Stack row.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())

    children = Children()
    server = grpc.server(futures.ThreadPoolExecutor(_THREADS), options=_NO_LIMIT)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(engine, children), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)

    while not over.wait(_LOOK_SECONDS) and os.getppid() == parent:
        pass
    children.end()
    server.stop(grace=None)
    # Threads of calls that are still open must not hold the process up.
    sys.stdout.flush()
    os._exit(0)


main()
