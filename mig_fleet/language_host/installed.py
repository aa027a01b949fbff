"""Runs in the program's own Python with the standard library only; prints what its argument names, as JSON.

``plugins``: the Pulumi plugins that installed packages require in their ``pulumi-plugin.json``.
``distributions``: name, version and whether it is direct: no other distribution requires it.
``python``: the version of Python.

The engine asks in every preview, so nothing is read that is not printed.
"""

import json
import platform
import re
import sys
from pathlib import Path


def plugins() -> list[dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for folder in filter(None, sys.path):
        for file in sorted(Path(folder).glob("*/pulumi-plugin.json")):
            asked = json.loads(file.read_text())
            if asked.get("resource") and asked.get("name"):
                server, version = asked.get("server", ""), asked.get("version", "")
                found.setdefault(asked["name"], {"name": asked["name"], "version": version, "server": server})
    return sorted(found.values(), key=lambda plugin: plugin["name"])


def distributions() -> list[dict[str, object]]:
    from importlib import metadata

    # `metadata` parses its file at each access.
    parsed = [each.metadata for each in metadata.distributions()]
    installed = {_normalized(each["Name"]): each for each in parsed if each["Name"]}
    required = {
        _normalized(re.split(r"[^A-Za-z0-9._-]", line.strip(), maxsplit=1)[0])
        for each in installed.values()
        for line in each.get_all("Requires-Dist", [])
        if "extra ==" not in line
    }
    return [
        {"name": each["Name"], "version": each["Version"], "direct": name not in required}
        for name, each in sorted(installed.items())
    ]


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


ANSWERS = {"plugins": plugins, "distributions": distributions, "python": platform.python_version}
print(json.dumps(ANSWERS[sys.argv[1]]()))
