"""The lint rules of a mig-parted file, each with the level of its findings."""

from enum import StrEnum

from mig_fleet.model.finding import Finding, Level


class LintRule(StrEnum):
    """The name of a rule, as ``mig-fleet check`` prints it.

    S1 to S5 number the mistakes that mig-parted accepts silently: S1 a device filter that matches no GPU, S2 a profile
    that no selected GPU has, S3 an entry that never compares equal, S4 a GPU without an entry, S5 an entry that also
    selects GPUs it is not meant for.
    """

    FILTER_MATCHES_NOTHING = "S1-filter-matches-nothing"
    UNKNOWN_PROFILE = "S2-no-gpu-has-profile"
    NEVER_EQUAL = "S3-assert-never-equal"
    UNCOVERED = "S4-gpu-uncovered"
    DEPENDS_ON_NODE = "S4-depends-on-the-node"
    OTHER_GPUS_SELECTED = "S5-other-gpus-selected"
    IMPOSSIBLE = "impossible"
    UNPROVEN = "unproven"
    ALL_DISABLED_MISSING = "all-disabled-missing"
    NOT_ALL_DISABLED = "all-disabled-is-something-else"
    INVALID_NAME = "name-is-no-label-value"
    NO_INSTANCE = "no-instance"
    SPLIT = "split-under-strategy-mixed"
    CONTRADICTING = "contradicting-entries"
    APPLIED_TWICE = "applied-twice"
    OVERRIDDEN = "overridden"
    NEWER_MANAGER = "needs-newer-mig-manager"

    @property
    def level(self) -> Level:
        """The level of every finding of this rule."""
        if self in _ADVICE:
            return Level.ADVICE
        return Level.UNPROVEN if self is LintRule.UNPROVEN else Level.WRONG

    def finding(self, path: str, text: str) -> Finding:
        """A finding of this rule at ``path``, such as ``mig-configs.name[0]``; ``text`` includes the remedy."""
        return Finding(path, text, self, self.level)


_ADVICE = frozenset(
    {
        LintRule.DEPENDS_ON_NODE,
        LintRule.OTHER_GPUS_SELECTED,
        LintRule.NO_INSTANCE,
        LintRule.SPLIT,
        LintRule.APPLIED_TWICE,
        LintRule.OVERRIDDEN,
        LintRule.NEWER_MANAGER,
    }
)
"""These depend on facts that the file does not state: the nodes, the cluster, the author's intent."""
