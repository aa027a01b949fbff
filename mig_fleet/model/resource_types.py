"""The types of our resources: a Python program registers them as dynamic ones, the plugin serves them as its own.

Both have the same properties. What reads resources, policies and reviews and the command line, knows both types.
"""

from typing import Final

PACKAGE: Final = "mig-fleet"
COMPONENT: Final = f"{PACKAGE}:index:"
"""Of components, and of resources that the plugin serves."""
DYNAMIC: Final = "pulumi-python:dynamic/mig:"
"""Of resources in a Python program."""

KINDS: Final = ("Assignment", "ClusterOwner", "DestroyGuard", "LayoutFile", "SupportingObjects", "Verification")
"""The names of the classes. A new one needs a provider in ``mig_fleet/components/serving/resources.py``."""


def dynamic_type(kind: str) -> str:
    """>>> dynamic_type("Assignment")
    'pulumi-python:dynamic/mig:Assignment'
    """
    return f"{DYNAMIC}{kind}"


def served_type(kind: str) -> str:
    """>>> served_type("Assignment")
    'mig-fleet:index:Assignment'
    """
    return f"{COMPONENT}{kind}"


def types_of(*kinds: str) -> frozenset[str]:
    """Both types of each kind.

    >>> sorted(types_of("Verification"))
    ['mig-fleet:index:Verification', 'pulumi-python:dynamic/mig:Verification']
    """
    return frozenset(name for kind in kinds for name in (dynamic_type(kind), served_type(kind)))


ASSIGNMENTS: Final = types_of("Assignment")
VERIFICATIONS: Final = types_of("Verification")
WAVES: Final = ASSIGNMENTS | VERIFICATIONS
"""The two resources of a wave, with the desired state of its nodes."""
RESOURCES: Final = types_of(*KINDS)


def is_component(resource_type: str) -> bool:
    """Whether a type is that of one of our components, which have no state of their own.

    >>> is_component("mig-fleet:index:Pool"), is_component("mig-fleet:index:LayoutFile")
    (True, False)
    """
    return resource_type.startswith(COMPONENT) and resource_type not in RESOURCES
