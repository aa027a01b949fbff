"""Waves that a sum cannot include: what all rules that count report of them."""

from mig_fleet.model.finding import Finding, Level
from mig_fleet.policies.program_facts import ProgramFacts
from mig_fleet.policies.rule import Rule


def unread_waves(program: ProgramFacts, rule: Rule) -> list[Finding]:
    """One unproven finding for each wave or pool whose nodes or layout are not known. A rule that counts would be wrong
    without them, and a preview is the last moment before nodes change.
    """
    text = (
        "{!r} must have nodes and a layout that are known in a preview, because they are counted; declare them as text"
    )
    return [Finding(name, text.format(name), rule, Level.UNPROVEN) for name in program.unread]
