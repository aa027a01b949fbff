"""note.py FILE: writes the review as a note of a merge request; later runs update the same note. Standard library only.

GITLAB_TOKEN is a project access token with the scope `api` and the role Reporter; GitLab sets the other variables.
"""

import json
import os
import sys
import urllib.request
from pathlib import Path
from typing import Any

MARKER = "<!-- mig-fleet review"
PAGE = 100


def main(body: str) -> None:
    server, project = os.environ["CI_API_V4_URL"], os.environ["CI_PROJECT_ID"]
    notes = f"{server}/projects/{project}/merge_requests/{os.environ['CI_MERGE_REQUEST_IID']}/notes"
    me = request("GET", f"{server}/user")["id"]
    for page in range(1, 100):
        found = request("GET", f"{notes}?per_page={PAGE}&page={page}")
        ours = [note["id"] for note in found if note["author"]["id"] == me and MARKER in note["body"]]
        if ours:
            request("PUT", f"{notes}/{ours[0]}", {"body": body})
            return
        if len(found) < PAGE:
            break
    request("POST", notes, {"body": body})


def request(method: str, url: str, data: dict[str, str] | None = None) -> Any:
    headers = {"PRIVATE-TOKEN": os.environ["GITLAB_TOKEN"], "Content-Type": "application/json"}
    sent = urllib.request.Request(url, json.dumps(data).encode() if data else None, headers, method=method)
    with urllib.request.urlopen(sent, timeout=30) as answer:
        return json.load(answer)


if __name__ == "__main__":
    main(Path(sys.argv[1]).read_text())
