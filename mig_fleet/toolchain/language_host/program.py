"""Runs a Pulumi program in the program's own Python: ``python program.py '<settings as JSON>'``.

It is started as a file, needs nothing but the ``pulumi`` package, and ends with 0, with 32 when the user has been told
what is wrong (the convention of Pulumi's hosts: say no more), or with the program's own exit code.
"""

import asyncio
import json
import logging
import os
import runpy
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

SAID = 32


def main() -> int:
    given: dict[str, Any] = json.loads(sys.argv[1])
    program = Path(given["program"])
    # What the program imports is found where it lies, not beside this file, for as long as the process lives.
    sys.path[0] = str(program if program.is_dir() else program.parent)
    sys.argv = [str(program), *given["args"]]

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
    import grpc  # type: ignore[import-untyped]
    import pulumi
    import pulumi.runtime

    # A failed registration is reported by the engine; asyncio would add "Task exception was never retrieved".
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(max_workers=workers))
    try:
        loop.run_until_complete(
            pulumi.runtime.run_in_stack(lambda: _no_awaitable(runpy.run_path(str(program), run_name="__main__")))
        )
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return SAID
    except grpc.RpcError as error:
        # The monitor goes away when the engine has had enough (a failed resource, Ctrl-C): it has said why.
        if isinstance(error, grpc.Call) and error.code() not in (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.CANCELLED,
        ):
            pulumi.log.error(f"the engine refused a call: {error.details()}")
        return SAID
    except Exception as error:
        pulumi.log.error("Program failed with an unhandled exception:\n" + _from_the_program_on(error))
        return SAID
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _from_the_program_on(error: Exception) -> str:
    """The traceback without the frames that lead to the program: they are the same each time and say nothing."""
    start = error.__traceback__
    while start is not None and not start.tb_frame.f_code.co_filename.startswith(sys.path[0]):
        start = start.tb_next
    return "".join(traceback.format_exception(type(error), error, start or error.__traceback__))


def _no_awaitable(_: dict[str, Any]) -> None:
    """The globals of a finished program are of no interest."""


def _exit_code(ending: SystemExit) -> int:
    if isinstance(ending.code, str):
        print(ending.code, file=sys.stderr)
        return 1
    return ending.code or 0


if __name__ == "__main__":
    try:
        code = main()
    except SystemExit as ending:
        code = _exit_code(ending)
    sys.stdout.flush()
    sys.stderr.flush()
    # Straight out: worker threads may still wait for an engine that is gone.
    os._exit(code)
