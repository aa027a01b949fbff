"""Stands in for `gh api`: a GitHub of one repository in the JSON file that the variable FAKE_GH names.

It has comments, issues, the pull requests of commits, and artifacts. It answers as the REST API does, as far as the
scripts in examples/github-actions use it, and refuses everything else.
"""

import argparse
import base64
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import jq

LONGEST_BODY = 65_536
BOT = {"login": "github-actions[bot]", "type": "Bot"}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["api"])
    parser.add_argument("path")
    parser.add_argument("--method", default="GET")
    parser.add_argument("--jq", default=".")
    parser.add_argument("--field", action="append", default=[])
    parser.add_argument("--raw-field", action="append", default=[])
    parser.add_argument("--paginate", action="store_true")
    parser.add_argument("--silent", action="store_true")
    given = parser.parse_args()
    file = Path(os.environ["FAKE_GH"])
    github = json.loads(file.read_text())
    github["calls"].append(f"{given.method} {given.path.partition('?')[0]}")
    answer = respond(github, given.method, given.path, fields(given))
    file.write_text(json.dumps(github))
    if isinstance(answer, bytes):
        sys.stdout.buffer.write(answer)
    elif not given.silent:
        for value in jq.compile(given.jq).input_value(answer):
            print(value if isinstance(value, str) else json.dumps(value))


def fields(given: argparse.Namespace) -> dict[str, Any]:
    """The body of the request: `--field` reads the file after an @; a name with [] is a list."""
    found: dict[str, Any] = {}
    for text, may_read in [*((each, True) for each in given.field), *((each, False) for each in given.raw_field)]:
        name, _, value = text.partition("=")
        value = Path(value[1:]).read_text() if may_read and value.startswith("@") else value
        if name.endswith("[]"):
            found.setdefault(name[:-2], []).append(value)
        else:
            found[name] = value
    if len(found.get("body", "")) > LONGEST_BODY:
        sys.exit("gh: Validation Failed (HTTP 422): body is too long")
    return found


def respond(github: dict[str, Any], method: str, path: str, body: dict[str, Any]) -> Any:
    comments, issues = github["comments"], github["issues"]
    where, _, query = path.removeprefix("repos/org/fleet/").partition("?")
    wanted = dict(pair.split("=") for pair in query.split("&") if pair)
    match method, where.split("/"):
        case "GET", ["issues", _, "comments"]:
            return comments
        case "POST", ["issues", _, "comments"]:
            comments.append({"id": len(comments) + 1, "user": BOT, **body})
            return comments[-1]
        case "PATCH", ["issues", "comments", number]:
            (found,) = (each for each in comments if each["id"] == int(number))
            return found.update(body)
        case "GET", ["issues"]:
            assert wanted["state"] == "open"
            return [each for each in issues if each["state"] == "open" and wanted["labels"] in each["labels"]]
        case "POST", ["issues"]:
            issues.append({"number": len(issues) + 1, "state": "open", **body})
            return issues[-1]
        case "PATCH", ["issues", number]:
            (found,) = (each for each in issues if each["number"] == int(number))
            return found.update(body)
        case "GET", ["commits", commit, "pulls"]:
            return github["pulls"].get(commit, [])
        case "GET", ["actions", "artifacts"]:
            named = [each for each in github["artifacts"] if each["name"] == wanted["name"]]
            return {"total_count": len(named), "artifacts": named}
        case "GET", ["actions", "artifacts", number, "zip"]:
            (found,) = (each for each in github["artifacts"] if each["id"] == int(number))
            return base64.b64decode(found["zip"])
    sys.exit(f"gh: Not Found (HTTP 404): {re.sub(r'[^ -~]', '?', path)}")


if __name__ == "__main__":
    main()
