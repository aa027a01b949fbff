"""The note of the GitLab example: one per merge request, found again by the review's marker."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from mig_fleet.review.markdown import MARKER as BEGINNING
from tests.examples.runner import GITLAB

MARKER = f"{BEGINNING}: fleet/prod -->"
ME, OTHER = 1, 2


@contextmanager
def gitlab(notes: list[dict[str, Any]]) -> Iterator[str]:
    """The API of a GitLab with one merge request; yields its address."""

    class Api(BaseHTTPRequestHandler):
        def respond(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or "{}")
            path, _, query = self.path.partition("?")
            answer: Any = {}
            if path == "/user":
                answer = {"id": ME}
            elif self.command == "GET":
                page = int(dict(pair.split("=") for pair in query.split("&"))["page"])
                answer = notes[(page - 1) * 100 : page * 100]
            elif self.command == "POST":
                notes.append({"id": len(notes), "author": {"id": ME}, **body})
            else:
                notes[int(path.rpartition("/")[2])].update(body)
            assert path == "/user" or path.startswith("/projects/5/merge_requests/7/notes"), path
            assert self.headers["PRIVATE-TOKEN"] == "a-token"
            text = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = respond

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def write_note(address: str, folder: Path, text: str) -> None:
    file = folder / "review.md"
    file.write_text(f"{MARKER}\n{text}")
    variables = {"CI_API_V4_URL": address, "CI_PROJECT_ID": "5", "CI_MERGE_REQUEST_IID": "7", "GITLAB_TOKEN": "a-token"}
    script = str(GITLAB / "ci" / "note.py")
    done = subprocess.run(
        [sys.executable, script, str(file)], env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_first_review_is_a_new_note_and_later_ones_update_it(tmp_path: Path) -> None:
    quoted = {"id": 0, "author": {"id": OTHER}, "body": f"> {MARKER}"}
    notes: list[dict[str, Any]] = [quoted, *({"id": n, "author": {"id": ME}, "body": "other"} for n in range(1, 120))]
    with gitlab(notes) as address:
        write_note(address, tmp_path, "changes 1 node")
        write_note(address, tmp_path, "changes 2 nodes")
    assert notes[0] == quoted
    assert [note["body"] for note in notes[120:]] == [f"{MARKER}\nchanges 2 nodes"]
