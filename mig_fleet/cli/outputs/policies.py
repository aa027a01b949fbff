"""The JSON of `mig-fleet policies`."""

from typing import Any

from mig_fleet.cli.outputs.base import Output


class PolicyVerdict(Output, frozen=True):
    """One policy and its verdict on the stack."""

    name: str
    title: str
    sentence: str
    level: str
    """``mandatory``, ``advisory`` or ``disabled``"""
    severity: str
    tags: tuple[str, ...]
    remedy: str
    url: str
    needs: tuple[str, ...]
    """Parameters of which at least one must be set."""
    parameters: dict[str, Any]
    """As they are configured."""
    schema: dict[str, dict[str, Any]]
    """Parameter → its JSON schema."""
    decision: str
    """``kept``, ``broken``, ``unproven`` or ``off``"""
    findings: tuple[str, ...]
