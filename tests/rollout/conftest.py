"""The in-memory fleet and a node that is as expected."""

from tests.memory.fixtures import a_node, dra, expected, fleet, keep_tracebacks

__all__ = ["a_node", "dra", "expected", "fleet", "keep_tracebacks"]
