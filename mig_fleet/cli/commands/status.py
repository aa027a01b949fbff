"""`mig-fleet status`"""

import click

from mig_fleet.cli.options import json_option, stack_option


@click.command()
@stack_option("A stack in the project's own file backend, the one that `mig-fleet pulumi` uses.")
@click.option("--live", is_flag=True, help="Read the cluster of the stack file instead of the stack's state.")
@json_option("Print JSON: the stack's outputs, or with --live the nodes.")
def status(stack: str, live: bool, as_json: bool) -> None:
    """Show the layout of each node, and the slices that NVML counted.

    NVML counted them when the wave of the node was last verified. The data comes from the stack's state, not from the
    nodes; a node that the last update did not verify is marked, and is not part of the capacity.

    With --live, the nodes are read now: state, isolation, slices, and the pods that have them. It needs the stack file
    and no Pulumi, and ends after about 120 seconds at the latest. To compare the stack with the nodes, run
    `mig-fleet pulumi preview --stack STACK`.
    """
    from mig_fleet.cli.status import run

    run(stack, live, as_json)
