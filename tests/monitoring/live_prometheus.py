"""A real Prometheus that scrapes synthetic series and evaluates rules."""

import json
import socket
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import urllib3

from mig_fleet.monitoring.exporter.scrape import JOB
from mig_fleet.monitoring.rules import Group, rule_file
from tests.monitoring.series_samples import Series


@contextmanager
def scraping(binary: Path, folder: Path, samples: Iterable[Series], groups: Iterable[Group]) -> Iterator[str]:
    """The URL of a Prometheus that scrapes the samples, and evaluates the rules, each second."""
    with _exporter("".join(_line(sample) for sample in samples)) as target:
        rules = folder / "rules.json"
        rules.write_text(json.dumps(rule_file(groups)))
        configuration = folder / "prometheus.json"
        configuration.write_text(json.dumps({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(rules)],
            "scrape_configs": [
                {"job_name": JOB, "honor_labels": True, "static_configs": [{"targets": [target]}]}
            ],
        }))  # fmt: skip
        with serving(binary, folder, configuration) as url:
            yield url


@contextmanager
def serving(binary: Path, folder: Path, configuration: Path, *flags: str) -> Iterator[str]:
    """The URL of a Prometheus whose blocks are in ``data`` of the folder."""
    address = f"127.0.0.1:{_free_port()}"
    command = [str(binary), f"--config.file={configuration}", f"--storage.tsdb.path={folder / 'data'}", *flags]
    with (folder / "log").open("w") as log:
        running = subprocess.Popen([*command, f"--web.listen-address={address}"], stdout=log, stderr=log)
        try:
            _wait_until_ready(f"http://{address}", running, folder / "log")
            yield f"http://{address}"
        finally:
            running.kill()
            running.wait()


def _line(sample: Series) -> str:
    """A series of promtool's notation as the exporter writes it: its first value."""
    return f"{sample['series']} {sample['values'].partition('+')[0].partition('x')[0]}\n"


@contextmanager
def _exporter(text: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *arguments: object) -> None:
            """Requests are not news."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_ready(url: str, running: subprocess.Popen[bytes], log: Path) -> None:
    retries = urllib3.Retry(
        total=60, connect=60, status=60, status_forcelist=[503], backoff_factor=0.1, backoff_max=0.5
    )
    try:
        with urllib3.PoolManager() as pool:
            answer = pool.request("GET", f"{url}/-/ready", retries=retries, timeout=5)
    except urllib3.exceptions.HTTPError as exc:
        raise AssertionError(f"Prometheus is not ready ({running.poll()}):\n{log.read_text()}") from exc
    assert answer.status == 200
