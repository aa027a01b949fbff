"""`mig-fleet rights`: prints roles with exactly the rights that a stack needs."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from mig_fleet.documents import DocumentError, dump
from mig_fleet.observed.rights.grant import Grant, Step, Use
from mig_fleet.observed.rights.needed import needed_grants
from mig_fleet.observed.rights.roles import NAME, manifests
from mig_fleet.stack_file import fleet as fleets
from mig_fleet.stack_file.problems import InvalidSettings
from mig_fleet.stack_file.uses import uses

EXIT_INVALID = 1


@click.command()
@click.option("--stack", default="local", show_default=True, help="The environment; reads stacks/Pulumi.STACK.yaml.")
@click.option("--file", "path", type=click.Path(path_type=Path, dir_okay=False), help="Read this stack file instead.")
@click.option("--preview", is_flag=True, help="Only what a preview needs: nothing is written.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: each right, with what it is for.")
def rights(stack: str, path: Path | None, preview: bool, as_json: bool) -> None:
    """Print the roles that a stack's user needs in the cluster.

    Needs no cluster and no other tool. The chart of the GPU Operator needs more; with `operator.managed: true` an
    administrator runs the first update, and each one that changes the chart.
    """
    path = path or Path("stacks") / f"Pulumi.{stack}.yaml"
    try:
        declared = fleets.from_file(path)
    except (InvalidSettings, DocumentError, OSError) as exc:
        click.echo(str(exc), err=True)
        sys.exit(EXIT_INVALID)
    settings, used = declared.settings, uses(declared)
    grants = [
        grant
        for grant in needed_grants(settings.operator.namespace, settings.probe.namespace, used)
        if not (preview and grant.step is Step.UPDATE)
    ]
    if as_json:
        click.echo(json.dumps([to_json(grant) for grant in grants], indent=1))
        return
    created = [settings.probe.namespace, *([settings.operator.namespace] if Use.OPERATOR in used else [])]
    click.echo(format_roles(grants, sorted(created)))


def to_json(grant: Grant) -> dict[str, Any]:
    return {
        "verbs": list(grant.verbs),
        "resources": list(grant.resources),
        "namespace": grant.namespace,
        "names": list(grant.names),
        "neededFor": str(grant.step),
        "why": grant.why,
    }


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
