"""The process inside a namespace. It mounts the node's files, and becomes the program that its settings name.

Without one it runs a program for each line of its input. Lines are JSON: ``{"command": […], "environment": {…},
"timeout": seconds}`` → ``{"code": 0, "stdout": "…", "stderr": "…"}``; the first line that it writes is ``{"ready":
true}``, or ``{"error": "…"}`` with the reason why there is no namespace.

It runs as a script with a Python that has no package installed: it imports the standard library only.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

NEW_USER, NEW_MOUNTS = 0x10000000, 0x00020000
BIND, RECURSIVE, PRIVATE = 4096, 16384, 1 << 18
TIMED_OUT = 124
DIE_WITH_PARENT = 1

libc = ctypes.CDLL(None, use_errno=True)


def call(what: str, result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str | None, flags: int) -> None:
    encoded = [None if part is None else part.encode() for part in (source, target, kind)]
    call(f"mount {target}", libc.mount(*encoded, ctypes.c_ulong(flags), None))


def enter(uid: int, gid: int) -> None:
    """New user and mount namespaces, in which this process is root and the only one that sees its mounts."""
    call("unshare", libc.unshare(NEW_USER | NEW_MOUNTS))
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        Path("/proc/self", name).write_text(text)
    mount("none", "/", None, RECURSIVE | PRIVATE)
    # The new rights have ended what the parent had set.
    call("prctl", libc.prctl(DIE_WITH_PARENT, signal.SIGKILL))


def mount_node(folder: Path, mounts: dict[str, str], proc: str) -> None:
    """The node's folders and files, and a /proc of links to the real one with the node's kernel modules."""
    for name, target in mounts.items():
        if Path(target).exists():
            mount(str(folder / name), target, None, BIND)
    real = folder / proc
    mount("/proc", str(real), None, BIND | RECURSIVE)
    mount("none", "/proc", "tmpfs", 0)
    for path in real.iterdir():
        if not path.name.isdigit() and path.name != "modules":
            Path("/proc", path.name).symlink_to(path)
    Path("/proc/modules").symlink_to(folder / "modules")


def run(request: dict[str, Any]) -> dict[str, Any]:
    try:
        done = subprocess.run(
            request["command"],
            env=request["environment"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=request["timeout"],
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        return {"code": TIMED_OUT, "stdout": "", "stderr": f"it did not end within {exc.timeout:g} s"}
    return {"code": done.returncode, "stdout": done.stdout, "stderr": done.stderr}


def answer(value: dict[str, Any]) -> None:
    print(json.dumps(value), flush=True)


def main() -> None:
    settings = json.loads(sys.argv[1])
    try:
        enter(os.getuid(), os.getgid())
        mount_node(Path(settings["folder"]), settings["mounts"], settings["proc"])
    except OSError as exc:
        answer({"error": str(exc.strerror)})
        sys.exit(1)
    if settings["command"]:
        os.execve(settings["command"][0], settings["command"], settings["environment"])
    answer({"ready": True})
    for line in sys.stdin:
        answer(run(json.loads(line)))


if __name__ == "__main__":
    main()
