"""The in-memory fleet, one node that is as expected, and a provider's process."""

from collections.abc import Iterator

import pytest

from tests.components.provider_process import Process, start
from tests.memory.fixtures import a_node, expected, fleet, keep_tracebacks

__all__ = ["a_node", "expected", "fleet", "keep_tracebacks"]


@pytest.fixture
def provider_process() -> Iterator[Process]:
    """A new process of the SDK, as the engine starts it."""
    with start() as process:
        yield process
