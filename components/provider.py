"""The base of our dynamic providers."""

import gc

from pulumi.dynamic import ConfigureRequest, ResourceProvider

from mig_fleet.components.detailed_diff import add_detailed_diffs

OBJECTS_BETWEEN_COLLECTIONS = 1_000_000
"""Python's own number, 700, takes a quarter of the time to read a large fleet: it makes little garbage with cycles."""


class Provider(ResourceProvider):
    """Readable in the state, and with previews that print what differs."""

    serialize_as_secret_always = False

    def configure(self, _req: ConfigureRequest) -> None:
        """Called once per process and provider, before its first call."""
        gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
        add_detailed_diffs()
