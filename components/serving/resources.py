"""The provider of each resource that the plugin serves: the same classes that a Python program uses as dynamic ones."""

from typing import Final

from mig_fleet.components.assignment import AssignmentProvider
from mig_fleet.components.destroy_guard import DestroyGuardProvider
from mig_fleet.components.layout_file import LayoutFileProvider
from mig_fleet.components.owner import ClusterOwnerProvider
from mig_fleet.components.provider import Provider
from mig_fleet.components.supporting_objects import SupportingObjectsProvider
from mig_fleet.components.verification import VerificationProvider
from mig_fleet.model.resource_types import COMPONENT

PROVIDERS: Final[dict[str, Provider]] = {
    "Assignment": AssignmentProvider(),
    "ClusterOwner": ClusterOwnerProvider(),
    "DestroyGuard": DestroyGuardProvider(),
    "LayoutFile": LayoutFileProvider(),
    "SupportingObjects": SupportingObjectsProvider(),
    "Verification": VerificationProvider(),
}
"""They keep no attributes, so one object serves all calls."""


class UnknownResource(LookupError):
    """A resource in the state that this version of the plugin does not serve; the message names the type."""


def provider_of(urn: str) -> Provider:
    """The provider of a resource. Raises :class:`UnknownResource`."""
    resource_type = urn.split("::")[2].rpartition("$")[2] if urn.count("::") >= 3 else urn
    kind = resource_type.removeprefix(COMPONENT)
    if kind not in PROVIDERS:
        known = ", ".join(f"{COMPONENT}{name}" for name in PROVIDERS)
        raise UnknownResource(f"this version of the mig-fleet plugin has no resource {resource_type}; it has {known}")
    return PROVIDERS[kind]
