"""``mig-fleet toolchain``"""

import click

from mig_fleet.cli.options import json_option


@click.command()
@click.argument("families", nargs=-1, metavar="[FAMILY]...")
@click.option("--check", is_flag=True, help="Only show the table; exit status 1 if a tool is missing.")
@click.option("--no-download", is_flag=True, help="Never download; build what is not in the cache.")
@click.option("--paths", is_flag=True, help="Print `tool=path` lines instead of the table, for scripts.")
@json_option()
def toolchain(families: tuple[str, ...], check: bool, no_download: bool, paths: bool, as_json: bool) -> None:
    """Install the tools for a simulated fleet and `pulumi up`.

    Each tool comes from the first of these places that has it:

    \b
      1. its own variable         MIG_FLEET_PULUMI, MIG_FLEET_KUBE_APISERVER, MIG_FLEET_ETCD, ...
         or envtest's             KUBEBUILDER_ASSETS, TEST_ASSET_KUBE_APISERVER, ...
      2. PATH                     only a supported version
      3. the cache                ~/.cache/mig-fleet
      4. the official download    verified with the publisher's SHA-256; about a minute
      5. a build with Go          from the Go module proxy; about 6 minutes on two cores, once

    FAMILY is engine, kube, etcd, provider (the default: these four); prometheus, which `mig-fleet simulate
    prometheus` installs when it needs it; mig-parted, mig-manager and dra-plugin, which `mig-fleet simulate up
    --genuine` installs; or nfd, kubectl, yaml and sdk-generator, which only tests use.

    MIG_FLEET_DOWNLOAD=off disables downloads. MIG_FLEET_MIRROR=URL downloads from URL/github.com/... and
    URL/dl.k8s.io/... instead. MIG_FLEET_GO is the path of the Go command for builds.
    """
    from mig_fleet.cli.toolchain import run

    run(families, check, no_download, paths, as_json)
