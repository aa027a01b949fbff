"""Recognizes profiles among the arguments of a command, in NVIDIA's spelling and in that of Kubernetes."""

from mig_fleet.model.errors import InvalidProfile
from mig_fleet.model.profiles import Profile, from_kubernetes


def is_profile(word: str) -> bool:
    """Whether a word has the form of a profile, such as ``1g.10gb`` or ``nvidia.com/mig-1g.10gb``; no GPU model needs
    to have it.
    """
    try:
        Profile.parse(from_kubernetes(word))
    except InvalidProfile:
        return False
    return True
