"""Reads what NVML reports about the GPUs of this machine and their MIG slices, and compares it with a mig-parted file.

  mig-probe read                      print the report as JSON; a published one also has the node's config and state
  mig-probe assert layouts.yaml NAME  does every GPU have what config NAME of a mig-parted file declares?
  mig-probe watch                     publish the node's report until it is stopped; for the DaemonSet

Nothing is ever written to a GPU.
"""

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from mig_fleet.model.errors import InvalidReport
from mig_fleet.model.report import Report
from mig_fleet.probe import __main__ as probe


def main() -> NoReturn:
    """The commands of the packed probe (:mod:`mig_fleet.probe.__main__`), and ``assert``, which is not packed."""
    parser, commands = probe.new_parser(__doc__ or "")
    command = commands.add_parser(
        "assert",
        help="compare the GPUs with a config of a mig-parted file",
        description=(
            "Compare every GPU with a config of a mig-parted file, as `nvidia-mig-parted assert` does, and print for "
            "each GPU what was expected and what was found. Also print what mig-parted ignores without a message: "
            "filters that match no GPU, profiles that the GPU does not have, counts of 0, GPUs without an entry."
        ),
        epilog=(
            "Exit status: 0 as declared, 1 different, 2 bad usage, 3 unknown (NVML does not answer, or a device filter "
            "selects by subsystem ID)."
        ),
    )
    probe.add_node(command)
    command.add_argument("file", metavar="FILE", help="a mig-parted file in YAML or JSON; - is standard input")
    command.add_argument("config", metavar="CONFIG", nargs="?", help="a config of the file; required if it has several")
    command.add_argument("--report", metavar="FILE", help="compare this report, which a probe made, instead of NVML")
    command.set_defaults(run=_assert)
    probe.run(parser.parse_args())


def _assert(arguments: argparse.Namespace) -> NoReturn:
    from mig_fleet.cli.assertion import BAD_USAGE, assert_config
    from mig_fleet.probe.nvml_subprocess import NvmlSubprocess, exit_process

    if arguments.report is None:
        node = probe.node_name(arguments)
        exit_process(assert_config(arguments.file, arguments.config, lambda: NvmlSubprocess().read(node)))
    try:
        report = Report.from_json(Path(arguments.report).read_bytes())
    except (OSError, InvalidReport) as exc:
        print(f"mig-probe: {arguments.report}: {getattr(exc, 'strerror', None) or exc}", file=sys.stderr)
        exit_process(BAD_USAGE)
    exit_process(assert_config(arguments.file, arguments.config, lambda: report))


if __name__ == "__main__":
    main()
