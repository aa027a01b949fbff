"""Reads what NVML reports about the GPUs of this machine and their MIG slices.

  mig-probe read     print the report as JSON; a published one also has the node's config and state
  mig-probe watch    publish the node's report until it is stopped; for the DaemonSet

Nothing is ever written to a GPU.
"""

import argparse
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from mig_fleet.model.allocation import POD_RESOURCES
from mig_fleet.model.report import HEARTBEAT_S

if TYPE_CHECKING:
    from mig_fleet.probe.pod_resources import Kubelet


def main() -> NoReturn:
    parser, _ = new_parser(__doc__ or "")
    run(parser.parse_args())


def run(arguments: argparse.Namespace) -> NoReturn:
    """Run the chosen command and exit with its status."""
    command: Callable[[argparse.Namespace], NoReturn] = arguments.run
    command(arguments)


def new_parser(
    description: str,
) -> tuple[argparse.ArgumentParser, "argparse._SubParsersAction[argparse.ArgumentParser]"]:
    """The parser of ``read`` and ``watch``, and the group to which more commands can be added."""
    parser = argparse.ArgumentParser(
        prog="mig-probe", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    read = commands.add_parser(
        "read",
        help="print the report as JSON",
        description="Read NVML once and print the report as JSON. The exit status is 1 if the report has errors.",
    )
    add_node(read)
    _add_pod_resources(read)
    _add_mig_uuids(read)
    read.set_defaults(run=_read)

    watch = commands.add_parser(
        "watch",
        help="publish the report until it is stopped",
        description="Publish the node's report as ConfigMap mig-report-NODE when it changes and after each heartbeat.",
    )
    add_node(watch)
    _add_pod_resources(watch)
    _add_mig_uuids(watch)
    watch.add_argument("--interval", type=_seconds, default=15.0, help="between readings (default: %(default)g s)")
    watch.add_argument(
        "--heartbeat",
        type=_seconds,
        default=HEARTBEAT_S,
        help="between publications of an unchanged report (default: %(default)g s)",
    )
    watch.set_defaults(run=_watch)
    return parser, commands


def add_node(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--node", help="the name in the report (default: $NODE_NAME, else this machine's name)")


def _add_pod_resources(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pod-resources",
        type=Path,
        nargs="?",
        const=Path(POD_RESOURCES),
        metavar="FOLDER",
        help="also report which pod has which slice, by the kubelet's socket in this folder "
        f"(without FOLDER: {POD_RESOURCES})",
    )


def _add_mig_uuids(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mig-uuids",
        action="store_true",
        help="also report the UUID of each slice: a fleet with DRA compares it with the published one",
    )


def _kubelet(arguments: argparse.Namespace) -> "Kubelet | None":
    """None if it is not asked: then the probe does not load HTTP/2."""
    if arguments.pod_resources is None:
        return None
    from mig_fleet.probe.pod_resources import Kubelet

    return Kubelet(arguments.pod_resources)


def node_name(arguments: argparse.Namespace) -> str:
    name: str = arguments.node or os.environ.get("NODE_NAME") or socket.gethostname()
    return name


def _read(arguments: argparse.Namespace) -> NoReturn:
    from mig_fleet.probe.nvml_subprocess import NvmlSubprocess, exit_process

    report = NvmlSubprocess(kubelet=_kubelet(arguments), mig_uuids=arguments.mig_uuids).read(node_name(arguments))
    sys.stdout.write(report.to_json() + "\n")
    exit_process(1 if report.errors else 0)


def _watch(arguments: argparse.Namespace) -> NoReturn:
    from mig_fleet.probe.log import log
    from mig_fleet.probe.watch import watch

    node = node_name(arguments)
    if not (arguments.node or os.environ.get("NODE_NAME")):
        log(f"NODE_NAME is not set, so the name of this machine, {node!r}, is used as the name of the node")
    watch(node, arguments.interval, arguments.heartbeat, _kubelet(arguments), mig_uuids=arguments.mig_uuids)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number of seconds, found {text!r}") from None
    if not 0 < seconds <= 86400:
        raise argparse.ArgumentTypeError(f"must be more than 0 and at most 86400 seconds, found {text}")
    return seconds


if __name__ == "__main__":
    main()
