"""What NVML says about this machine's GPUs and their MIG slices.

  mig-probe read                      the report as JSON; one that a node publishes names its config and state, too
  mig-probe assert layouts.yaml NAME  does every GPU have what config NAME of a mig-parted file says?
  mig-probe watch                     publish the node's report while it lives; for the DaemonSet

Nothing is ever written to a GPU.
"""

import argparse
import os
import socket
import sys

from mig_fleet.model.report import HEARTBEAT_S


def main() -> int:
    """Exit status of `read`: 0, or 1 with errors, which are in the report. Of `assert`: see :mod:`probe.assertion`."""
    chosen = _parser().parse_args()
    node: str = chosen.node or os.environ.get("NODE_NAME") or socket.gethostname()
    if chosen.command == "watch":
        from mig_fleet.probe.watch import say, watch

        if not (chosen.node or os.environ.get("NODE_NAME")):
            say(f"NODE_NAME is not set, so this machine's name {node!r} has to do for the node's")
        watch(node, chosen.interval, chosen.heartbeat)
    from mig_fleet.probe.apart import Apart, leave

    if chosen.command == "assert":
        from mig_fleet.probe.assertion import judge

        return leave(judge(chosen.file, chosen.config, lambda: Apart().read(node)))
    report = Apart().read(node)
    sys.stdout.write(report.to_json() + "\n")
    return leave(1 if report.errors else 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mig-probe", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    named = argparse.ArgumentParser(add_help=False)
    named.add_argument("--node", help="the name in the report (default: $NODE_NAME, else this machine's)")

    commands.add_parser(
        "read",
        parents=[named],
        help="print the report as JSON",
        description="Read NVML once and print the report as JSON. Exit status 1 when it holds errors.",
    )

    told = commands.add_parser(
        "assert",
        parents=[named],
        help="compare the GPUs with a config of a mig-parted file",
        description=(
            "Compare every GPU with what a config of a mig-parted file says, as `nvidia-mig-parted assert` does, and "
            "tell for each what was expected and what was found. Besides, it names what mig-parted passes over in "
            "silence: filters that match nothing, profiles that the GPU lacks, counts of 0, GPUs that no entry covers."
        ),
        epilog=(
            "Exit status: 0 as the config says, 1 not so, 2 bad usage, 3 cannot be told (NVML does not answer, or a "
            "device filter wants a certain board)."
        ),
    )
    told.add_argument("file", metavar="FILE", help="a mig-parted file in YAML or JSON; - is standard input")
    told.add_argument("config", metavar="CONFIG", nargs="?", help="a config of the file; needed where it holds several")

    watch = commands.add_parser(
        "watch",
        parents=[named],
        help="publish the report for as long as it lives",
        description="Publish the node's report as ConfigMap mig-report-NODE whenever it changed, and now and then.",
    )
    watch.add_argument("--interval", type=_seconds, default=15.0, help="between readings (default: %(default)g s)")
    watch.add_argument(
        "--heartbeat", type=_seconds, default=HEARTBEAT_S, help="between reports of no change (default: %(default)g s)"
    )
    return parser


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"should be a number of seconds, found {text!r}") from None
    if not 0 < seconds <= 86400:
        raise argparse.ArgumentTypeError(f"should be more than 0 and at most 86400 seconds, found {text}")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
