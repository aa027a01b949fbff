"""`mig-probe read` prints a report of this machine; `mig-probe watch` publishes the node's report while it lives."""

import argparse
import os
import socket
import sys

from mig.report import Report


def main() -> int:
    """Exit status: 0, or 1 when `read` found errors (they are in the printed report)."""
    parser = argparse.ArgumentParser(prog="mig-probe", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    node = os.environ.get("NODE_NAME") or socket.gethostname()
    read = commands.add_parser("read", help="read NVML once and print the report as JSON")
    read.add_argument("--node", default=node, help="the name to put into the report (default: %(default)s)")
    watch = commands.add_parser("watch", help="publish the report whenever it changed; for the DaemonSet")
    watch.add_argument("--node", default=node)
    watch.add_argument("--interval", type=float, default=15.0, help="seconds between readings (default: %(default)s)")
    chosen = parser.parse_args()
    if chosen.command == "watch":
        from probe.watch import watch as run

        run(chosen.node, chosen.interval)
    report = read_here(chosen.node)
    sys.stdout.write(report.to_json() + "\n")
    return 1 if report.errors else 0


def read_here(node: str) -> Report:
    """Read NVML in this process; an error of NVML is part of the report."""
    from probe import nvml

    try:
        driver, gpus = nvml.read()
    except nvml.NvmlError as exc:
        return Report(node=node, driver_version="", config=None, state=None, gpus=(), errors=(str(exc),))
    return Report(node=node, driver_version=driver, config=None, state=None, gpus=tuple(gpus), errors=())


if __name__ == "__main__":
    sys.exit(main())
