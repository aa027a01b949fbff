"""The work of `mig-fleet rights`: prints roles with exactly the rights that a stack needs."""

from collections.abc import Sequence
from pathlib import Path

import click

from mig_fleet.cli import stack_files
from mig_fleet.cli.outputs.base import print_json
from mig_fleet.cli.outputs.rights import Right
from mig_fleet.documents import dump
from mig_fleet.observed.rights.grant import Grant, Step, Use
from mig_fleet.observed.rights.needed import needed_grants
from mig_fleet.observed.rights.roles import NAME, manifests
from mig_fleet.stack_file.uses import uses


def run(path: Path, preview: bool, as_json: bool) -> None:
    """Print the rights of a stack file's user."""
    declared = stack_files.read(path)
    settings, used, operator = declared.settings, uses(declared), declared.settings.operator
    grants = [
        grant
        for grant in needed_grants(operator.namespace, settings.probe.namespace, used, operator.dra_namespace)
        if not (preview and grant.step is Step.UPDATE)
    ]
    if as_json:
        print_json([to_json(grant) for grant in grants])
        return
    created = [settings.probe.namespace, *([operator.namespace] if Use.OPERATOR in used else [])]
    click.echo(format_roles(grants, sorted(created)))


def to_json(grant: Grant) -> Right:
    return Right(
        verbs=tuple(grant.verbs),
        resources=tuple(grant.resources),
        namespace=grant.namespace,
        names=tuple(grant.names),
        needed_for=str(grant.step),
        why=grant.why,
    )


def format_roles(grants: Sequence[Grant], namespaces: Sequence[str]) -> str:
    """YAML for `kubectl apply`, and as comments the commands that give the roles to a user."""
    bound = sorted({grant.namespace for grant in grants if grant.namespace})
    lines = [
        "# Give the roles to a user:",
        f"#   kubectl create clusterrolebinding {NAME} --clusterrole {NAME} --user USER",
        *(f"#   kubectl -n {where} create rolebinding {NAME} --role {NAME} --user USER" for where in bound),
    ]
    for manifest in manifests(grants, namespaces):
        lines.append("---")
        lines += [f"{key}: {dump(value)}" for key, value in manifest.items() if key != "rules"]
        if "rules" in manifest:
            lines += ["rules:", *(f"  - {dump(rule)}" for rule in manifest["rules"])]
    return "\n".join(lines)
