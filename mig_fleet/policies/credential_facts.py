"""The facts about texts that could have credentials."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlainTexts:
    """The texts of a resource that are stored and printed in plain text, by their path. Never quoted."""

    label: str
    """``Release 'gpu-operator'``"""
    texts: tuple[tuple[str, str], ...]
    kubeconfigs: tuple[tuple[str, str], ...] = ()
    """Those of a kubeconfig: a path, or contents."""
    passwords: tuple[str, ...] = ()
    """The paths of keys whose value is a password by their name."""
