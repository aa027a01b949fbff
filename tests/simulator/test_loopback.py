"""A program of a fleet keeps its port, unless another process took it."""

from mig_fleet.simulator.loopback import bound_socket


def test_a_port_that_is_free_is_used_again() -> None:
    with bound_socket(0) as first:
        port = first.getsockname()[1]
    with bound_socket(port) as second:
        assert second.getsockname()[1] == port


def test_a_port_that_another_process_took_is_replaced() -> None:
    with bound_socket(0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with bound_socket(port) as other:
            assert other.getsockname()[1] not in (0, port)
