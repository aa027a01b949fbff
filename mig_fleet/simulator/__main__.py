"""`python -m mig_fleet.simulator serve`: run a fleet in the foreground."""

import argparse
import sys
from pathlib import Path

from mig_fleet.simulator.daemon import Daemon


def main() -> int:
    """Exit status 0 after a signal, 1 after a failure, 75 when another daemon already runs in the folder."""
    parser = argparse.ArgumentParser(prog="python -m mig_fleet.simulator", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run a fleet until SIGTERM")
    serve.add_argument("--directory", type=Path, required=True, help="folder with all files of this fleet")
    serve.add_argument(
        "--binaries",
        type=Path,
        required=True,
        help="folder with etcd, the kube-* programs and, if genuine, NVIDIA's",
    )
    serve.add_argument("--fleet", type=Path, help="fleet file (default: the last start's, else the default fleet)")
    serve.add_argument("--genuine", action="store_true", help="NVIDIA's own programs on each node")
    options = parser.parse_args()
    return Daemon(options.directory, options.binaries, options.fleet, genuine=options.genuine).run()


if __name__ == "__main__":
    sys.exit(main())
