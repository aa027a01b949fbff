"""A real Prometheus that scrapes synthetic series and evaluates rules."""

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from mig_fleet.monitoring.exporter.scrape import JOB
from mig_fleet.monitoring.rules import Group, rule_file
from tests.monitoring.series_samples import Series
from tools.prometheus_process import running


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
        with running(binary, folder, configuration) as prometheus:
            yield prometheus.url


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
