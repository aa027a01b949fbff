"""Where the resources of a fleet are in a program: their names and their parent."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pulumi

from mig_fleet.components.supporting_objects import RecordedObjects


@dataclass(frozen=True)
class Place:
    """The stack's program has neither prefix nor parent; a Fleet component has both."""

    prefix: str = ""
    parent: pulumi.Resource | None = None

    def name(self, name: str) -> str:
        """The name of a resource; two fleets of a program have different ones."""
        return f"{self.prefix}{name}"

    def after(self, depends_on: Any = (), **further: Any) -> pulumi.ResourceOptions:
        """Options of a resource that depends on others."""
        depends_on = list(depends_on) if isinstance(depends_on, Sequence) else depends_on
        return pulumi.ResourceOptions(parent=self.parent, depends_on=depends_on, **further)


@dataclass(frozen=True)
class OnCluster:
    """A place, and the Kubernetes provider for components there."""

    place: Place
    provider: pulumi.ProviderResource
    recorded: RecordedObjects | None = None
    """Where the Kubernetes objects of a component are recorded."""

    def recording(self, recorded: RecordedObjects) -> "OnCluster":
        return replace(self, recorded=recorded)

    def after(self, *resources: Any) -> pulumi.ResourceOptions:
        """Options of a component that depends on the provider and on other resources."""
        transformations: list[Any] = [self.recorded.record] if self.recorded else []
        return self.place.after([self.provider, *resources], providers=[self.provider], transformations=transformations)
