"""A real Prometheus that scrapes a synthetic fleet and evaluates our rules, and what that costs."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from benchmarks.synthetic_fleet import SyntheticFleet
from mig_fleet.monitoring.exporter.scrape import JOB
from tools.prometheus_process import running

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class PrometheusServer:
    """The process, and its API at ``url``."""

    url: str
    pid: int
    http: urllib3.PoolManager

    def api(self, path: str, **fields: str) -> Any:
        answer = self.http.request("GET", f"{self.url}/api/v1/{path}", fields=fields)
        found = answer.json()
        assert found["status"] == "success", found
        return found["data"]

    def rows(self, query: str) -> list[Any]:
        """The series of an instant query."""
        found: list[Any] = self.api("query", query=query)["result"]
        return found

    def number(self, query: str) -> float:
        """The value of a query with one row; 0 without a row."""
        return sum(float(row["value"][1]) for row in self.rows(query))

    def groups(self) -> list[Any]:
        """The groups of rules; fails with the error of a rule that cannot be evaluated."""
        found: list[Any] = self.api("rules")["groups"]
        errors = [rule["lastError"] for group in found for rule in group["rules"] if rule["health"] == "err"]
        assert not errors, errors[0]
        return found

    @property
    def processor_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    @property
    def resident_mib(self) -> float:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def configuration(fleet: SyntheticFleet, exporters: str, rules: Path, interval_s: int) -> dict[str, Any]:
    """Both the scrapes and the rules run each ``interval_s`` seconds."""
    interval = f"{interval_s}s"
    nodes = [
        {"targets": [exporters], "labels": {"__metrics_path__": f"/{number}", "node": name, "instance": name}}
        for number, name in enumerate(fleet.names)
    ]
    return {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": [str(rules)],
        "scrape_configs": [
            # The series have the labels of their targets already.
            {"job_name": JOB, "honor_labels": True, "static_configs": nodes},
            {
                "job_name": "kube-state-metrics",
                "honor_labels": True,
                "metrics_path": "/kube-state-metrics",
                "static_configs": [{"targets": [exporters]}],
            },
        ],
    }


@contextmanager
def served(program: Path, folder: Path, settings: dict[str, Any], *flags: str) -> Iterator[PrometheusServer]:
    """A Prometheus whose series are in ``data`` of the folder."""
    file = folder / "prometheus.yml"
    file.write_text(json.dumps(settings))  # JSON is YAML
    with running(program, folder, file, *flags) as process, urllib3.PoolManager(timeout=120) as http:
        yield PrometheusServer(process.url, process.pid, http)
