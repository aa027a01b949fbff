"""Ports of loopback for the programs of a fleet."""

import socket


def bound_socket(port: int) -> socket.socket:
    """Bound to the port if it is free, otherwise to any free one; 0 is any. Close it before a program uses the port."""
    found = socket.socket()
    # As the programs do: connections of an earlier run in TIME_WAIT do not block the port.
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(("127.0.0.1", port))
    except OSError:
        found.bind(("127.0.0.1", 0))
    return found
