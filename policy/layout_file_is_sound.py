"""mig-layout-file-is-sound: a layout file that somebody wrote by hand must not hold what NVIDIA's tools misread."""

from collections.abc import Iterator, Mapping

from pulumi_policy import EnforcementLevel, ReportViolation, ResourceValidationArgs, ResourceValidationPolicy

from mig_fleet.model import parted
from mig_fleet.model.errors import InvalidPartedFile
from mig_fleet.model.parted.lint import ADVICE, lint
from mig_fleet.policies.rules import Rule
from mig_fleet.policy.reading import Unreadable, read

CONFIG_MAPS = ("kubernetes:core/v1:ConfigMap", "kubernetes:core/v1:ConfigMapPatch")
MARK = "mig-configs"
"""The key that makes a document a layout file (mig-parted api/spec/v1)."""


def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
    """Called for every resource of a preview and an update."""
    data = args.props.get("data") if args.resource_type in CONFIG_MAPS else None
    for key, text in data.items() if isinstance(data, Mapping) else ():
        for sentence in _traps(text) if isinstance(text, str) and MARK in text else ():
            report(
                f"ConfigMap '{args.name}' must hold a layout file that does what it says: {key}: {sentence}.", args.urn
            )


def _traps(text: str) -> Iterator[str]:
    """What depends on the nodes is left out: of them a ConfigMap says nothing."""
    try:
        document, twice = read(text)
        if isinstance(document, Mapping) and MARK in document:
            yield from twice
            found = lint(parted.read(document))
            yield from (f"{finding.path}: {finding.text}" for finding in found if finding.trap not in ADVICE)
    except (Unreadable, InvalidPartedFile) as exc:
        yield str(exc)


policy = ResourceValidationPolicy(
    name=str(Rule.FILE),
    description="A ConfigMap with mig-configs must not hold what mig-parted accepts and then misreads: a device filter "
    "that matches no GPU, a profile or a layout that no such GPU has, a key that stands twice, no config all-disabled.",
    validate=validate,
    enforcement_level=EnforcementLevel.MANDATORY,
)
