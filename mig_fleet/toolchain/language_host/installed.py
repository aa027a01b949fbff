"""Runs in the program's own Python with the standard library only; prints the installed packages as JSON.

``plugins``: the Pulumi plugins that installed packages require in their ``pulumi-plugin.json``.
``distributions``: name, version and whether it is direct: no other distribution requires it.
"""

import json
import platform
import re
import sys
from importlib import metadata
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
    installed = {_normalized(each.metadata["Name"]): each for each in metadata.distributions() if each.metadata["Name"]}
    required = {
        _normalized(re.split(r"[^A-Za-z0-9._-]", line.strip(), maxsplit=1)[0])
        for each in installed.values()
        for line in each.requires or ()
        if "extra ==" not in line
    }
    return [
        {"name": each.metadata["Name"], "version": each.version, "direct": name not in required}
        for name, each in sorted(installed.items())
    ]


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


print(json.dumps({"plugins": plugins(), "distributions": distributions(), "python": platform.python_version()}))
