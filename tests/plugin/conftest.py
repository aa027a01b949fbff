"""One process of the plugin for the tests of a file."""

from collections.abc import Iterator

import pytest

from tests.plugin.plugin_process import Plugin, start


@pytest.fixture(scope="module")
def running() -> Iterator[Plugin]:
    with start() as plugin:
        yield plugin


@pytest.fixture
def plugin(running: Plugin) -> Plugin:
    """Without what earlier tests registered."""
    running.engine.messages.clear()
    running.engine.registered.clear()
    return running
