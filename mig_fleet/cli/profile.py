"""Words of a command line that name a profile."""

from mig_fleet.model.errors import InvalidProfile
from mig_fleet.model.profiles import Profile


def is_profile(word: str) -> bool:
    """Whether a word is spelled like a profile, of whatever GPU: `1g.10gb`."""
    try:
        Profile.parse(word)
    except InvalidProfile:
        return False
    return True
