"""mig-layout-file-is-sound: a hand-written layout file must have nothing that NVIDIA's tools misread."""

from collections.abc import Iterator, Mapping

from pulumi_policy import EnforcementLevel, ReportViolation, ResourceValidationArgs, ResourceValidationPolicy

from mig_fleet.documents import DocumentError, parse
from mig_fleet.policies.layout_file_is_sound import KEY, check, is_layout_file
from mig_fleet.policies.rule import Rule
from mig_fleet.policy.secret_text import SecretText

CONFIG_MAPS = ("kubernetes:core/v1:ConfigMap", "kubernetes:core/v1:ConfigMapPatch")


def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
    """Called for every resource of a preview and an update."""
    data = args.props.get("data") if args.resource_type in CONFIG_MAPS else None
    for key, text in data.items() if isinstance(data, Mapping) else ():
        problems = list(_problems(key, text)) if isinstance(text, str) and KEY in text else []
        if problems and isinstance(text, SecretText):
            problems = [f"{key} is secret, so its mistakes are not shown; run `mig-fleet check` on its file"]
        for problem in problems:
            report(f"ConfigMap '{args.name}' must hold a sound layout file: {problem}.", args.urn)


def _problems(key: str, text: str) -> Iterator[str]:
    """One sentence for each problem of the text under a key of the ConfigMap, with the key and, if known, the line."""
    try:
        document = parse(key, text.encode())
    except DocumentError as exc:
        yield str(exc)
        return
    if is_layout_file(document.data):
        yield from map(str, document.ignored)
        for finding in check(document.data):
            yield f"{document.at(finding.path) if finding.path else key}: {finding}"


policy = ResourceValidationPolicy(
    name=str(Rule.FILE),
    description="A ConfigMap with mig-configs must not hold what mig-parted accepts and then misreads: a device filter "
    "that matches no GPU, a profile or a layout that the selected GPU does not have, a duplicate key, a missing config "
    "all-disabled.",
    validate=validate,
    enforcement_level=EnforcementLevel.MANDATORY,
)
