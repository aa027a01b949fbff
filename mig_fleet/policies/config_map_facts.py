"""The facts about a text in a ConfigMap."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConfigMapText:
    """One key of a ConfigMap."""

    config_map: str
    """The resource's name in the program."""
    key: str
    text: str
    secret: bool = False
    """Whether no message may repeat any of it."""
