"""Runs a Pulumi program in the program's own Python: ``python program.py '<settings as JSON>'``.

It is run as a file and needs the ``pulumi`` package only. It exits with 0, with 32 if the error has been printed (with
the official hosts, too, the engine then prints nothing more), or with the program's own exit code.
"""

import asyncio
import gc
import json
import logging
import os
import runpy
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ALREADY_REPORTED = 32


def main() -> int:
    given: dict[str, Any] = json.loads(sys.argv[1])
    program = Path(given["program"])
    # The program's imports are searched in its own folder instead of the folder of this file.
    sys.path[0] = str(program if program.is_dir() else program.parent)
    sys.argv = [str(program), *given["args"]]

    # The garbage collector walks all that imports make again and again: a fifth of the time of a short program.
    gc.set_threshold(100_000)
    import pulumi
    import pulumi.runtime

    pulumi.runtime.set_all_config(
        json.loads(os.environ["PULUMI_CONFIG"]), json.loads(os.environ["PULUMI_CONFIG_SECRET_KEYS"])
    )
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            project=given["project"],
            stack=given["stack"],
            monitor=given["monitor"],
            engine=given["engine"],
            parallel=given["parallel"],
            dry_run=given["dry_run"],
            organization=given["organization"],
            root_directory=given["root_directory"],
        )
    )
    return _run(program, workers=max(given["parallel"], 1) * 4)


def _run(program: Path, workers: int) -> int:
    import grpc
    import pulumi
    import pulumi.runtime

    # The engine reports a failed registration; asyncio would add "Task exception was never retrieved".
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(max_workers=workers))
    try:
        loop.run_until_complete(
            pulumi.runtime.run_in_stack(lambda: _discard(runpy.run_path(str(program), run_name="__main__")))
        )
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return ALREADY_REPORTED
    except grpc.RpcError as error:
        # The engine closes the monitor after a failed resource or Ctrl-C, and has printed the reason.
        if isinstance(error, grpc.Call) and error.code() not in (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.CANCELLED,
        ):
            pulumi.log.error(f"the engine refused a call: {error.details()}")
        return ALREADY_REPORTED
    except Exception as error:
        pulumi.log.error("Program failed with an unhandled exception:\n" + _traceback_of_the_program(error))
        return ALREADY_REPORTED
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _traceback_of_the_program(error: Exception) -> str:
    """The traceback without the frames of the language host before the program."""
    start = error.__traceback__
    while start is not None and not start.tb_frame.f_code.co_filename.startswith(sys.path[0]):
        start = start.tb_next
    return "".join(traceback.format_exception(type(error), error, start or error.__traceback__))


def _discard(_: dict[str, Any]) -> None:
    """The globals of the program are not the result of the stack."""


def _exit_code(exit_: SystemExit) -> int:
    if isinstance(exit_.code, str):
        print(exit_.code, file=sys.stderr)
        return 1
    return exit_.code or 0


if __name__ == "__main__":
    try:
        code = main()
    except SystemExit as exit_:
        code = _exit_code(exit_)
    sys.stdout.flush()
    sys.stderr.flush()
    # Exits at once: worker threads may still wait for an engine that has ended.
    os._exit(code)
