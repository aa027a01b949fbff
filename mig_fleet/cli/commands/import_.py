"""`mig-fleet import`"""

import click


@click.command(name="import")
@click.argument("files", nargs=-1, metavar="[FILE...]")
@click.option("--cluster", is_flag=True, help="Read the cluster that kubectl uses.")
@click.option("--context", help="Use this context of the kubeconfig; implies --cluster.")
@click.option(
    "--kubeconfig", metavar="FILE", help="Use this kubeconfig, and name it in the stack file; implies --cluster."
)
@click.option("--namespace", help="The namespace of the operator; without it the operator is looked for.")
@click.option("--gpu", help="The GPU model of nodes and configs that do not specify one.")
@click.option("--gpus-per-node", type=click.IntRange(1, 64), help="The number of GPUs of nodes that do not specify it.")
def import_(
    files: tuple[str, ...],
    cluster: bool,
    context: str | None,
    kubeconfig: str | None,
    namespace: str | None,
    gpu: str | None,
    gpus_per_node: int | None,
) -> None:
    """Write a stack file from existing layouts and nodes.

    FILE is a mig-parted file, ConfigMaps as `kubectl get -o yaml` prints them, or an Ansible playbook with mig_nodes.

    With --cluster it also finds the GPU Operator and who installed it, and compares each node's config with what the
    node offers. A node that offers something else is named and not imported.

    The stack file is printed to standard output. What could not be imported is printed to standard error and added to
    the stack file as comments. The sources are only read, a cluster for at most 120 seconds. Exit status 1 if there is
    nothing to import or the cluster does not answer, 2 if a file cannot be read.
    """
    from mig_fleet.cli.import_ import run

    run(files, cluster or bool(context or kubeconfig), context, kubeconfig, namespace, gpu, gpus_per_node)
