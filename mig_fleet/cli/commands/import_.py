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

    \b
    FILE has one of these:
      layouts: a mig-parted file, alone, in ConfigMaps as `kubectl get -o yaml` prints them, or in values of the
        GPU Operator's chart, also in a HelmChart, an Application or a HelmRelease
      nodes: what `kubectl get nodes -o yaml` prints; nodes of Ansible with their configs, in a list, a mapping, an
        inventory or the output of `ansible-inventory --list`
      both: what `nvidia-smi -L` or `nvidia-smi mig -lgi` prints, in a file with the name of its node

    With --cluster it also finds the GPU Operator and who installed it, and compares each node's config with what the
    node offers. A node that offers something else is named and not imported.

    The stack file is printed to standard output. What is not carried over, what is carried over with a change, and what
    `mig-fleet check` still asks for is printed to standard error and added to the stack file as comments. The sources
    are only read, a cluster for at most 120 seconds. Exit status 1 if there is nothing to import or the cluster does
    not answer, 2 if a file cannot be read.
    """
    from mig_fleet.cli.import_ import run

    run(files, cluster or bool(context or kubeconfig), context, kubeconfig, namespace, gpu, gpus_per_node)
