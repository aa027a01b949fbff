"""The base of our dynamic providers."""

from pulumi.dynamic import ConfigureRequest, ResourceProvider

from mig_fleet.components.detailed_diff import add_detailed_diffs


class Provider(ResourceProvider):
    """Readable in the state, and with previews that print what differs."""

    serialize_as_secret_always = False

    def configure(self, _req: ConfigureRequest) -> None:
        """Called once per process and provider, before its first call."""
        add_detailed_diffs()
