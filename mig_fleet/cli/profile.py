"""Recognizes profiles among the arguments of a command."""

from mig_fleet.model.errors import InvalidProfile
from mig_fleet.model.profiles import Profile


def is_profile(word: str) -> bool:
    """Whether a word has the form of a profile, such as ``1g.10gb``; no GPU model needs to have it."""
    try:
        Profile.parse(word)
    except InvalidProfile:
        return False
    return True
