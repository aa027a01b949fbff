"""A kubelet's PodResources API, served by gRPC's own server.

    python -m tests.probe.kubelet_server SOCKET answer|unimplemented|busy|silent|long < ANSWER

In a process of its own, because gRPC's threads and the forks of the probe do not mix. Prints a line when it is ready.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from tests.probe.kubelet_api import SERVICE


def main() -> None:
    path, mode = sys.argv[1:]
    body = sys.stdin.buffer.read()

    def serve(_: bytes, context: Any) -> bytes:
        if mode == "busy":
            # The kubelet limits the rate of calls (pkg/kubelet/apis/podresources/grpc/ratelimit.go).
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "rejected by rate limit\u2026")
        if mode == "silent":
            time.sleep(600)
        return bytes(5 * 2**20) if mode == "long" else body

    server = grpc.server(ThreadPoolExecutor(4))
    method = "Other" if mode == "unimplemented" else "List"
    handler = grpc.method_handlers_generic_handler(SERVICE, {method: grpc.unary_unary_rpc_method_handler(serve)})
    server.add_generic_rpc_handlers((handler,))
    server.add_insecure_port(f"unix:{path}")
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
