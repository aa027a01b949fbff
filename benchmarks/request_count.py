"""The requests that an API server has counted, and what it used for them."""

import re
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mig_fleet.simulator.api import Api

SERIES = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Count:
    """What the API server has counted since its start, at a moment of this process' monotonic clock."""

    at: float
    requests: Mapping[str, int]
    """By verb and resource, and by status if it is an error: ``GET nodes``, ``PATCH configmaps 429``."""
    processor_s: float
    memory_mib: float
    watches: int
    """Of nodes, open at this moment."""

    @classmethod
    async def read(cls, api: Api) -> "Count":
        requests: Counter[str] = Counter()
        watches, process = 0, dict[str, float]()
        for series, written, number in SERIES.findall(await api.text("/metrics")):
            found = dict(LABEL.findall(written))
            if series.startswith("process_"):
                process[series] = float(number)
            elif series == "apiserver_longrunning_requests" and found["resource"] == "nodes":
                watches += int(float(number))
            elif series == "apiserver_request_total" and found["resource"] in ("nodes", "configmaps"):
                kind, code = f"{found['verb']} {found['resource']}", found["code"]
                requests[kind if code.startswith("2") else f"{kind} {code}"] += int(float(number))
        memory_mib = process["process_resident_memory_bytes"] / 2**20
        return cls(time.monotonic(), requests, process["process_cpu_seconds_total"], memory_mib, watches)


@dataclass(frozen=True)
class Load:
    """What the API server does between two counts."""

    before: Count
    after: Count
    ignored: Collection[str] = ()
    """Kinds of requests that do not count."""

    @property
    def minutes(self) -> float:
        return (self.after.at - self.before.at) / 60

    @property
    def requests(self) -> dict[str, int]:
        before, after = self.before.requests, self.after.requests
        counts = {kind: after[kind] - before.get(kind, 0) for kind in sorted(after) if kind not in self.ignored}
        return {kind: number for kind, number in counts.items() if number}

    @property
    def per_minute(self) -> float:
        return sum(self.requests.values()) / self.minutes

    @property
    def processor_s(self) -> float:
        return self.after.processor_s - self.before.processor_s

    def __str__(self) -> str:
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in self.requests.items())
        processor_s = self.processor_s / self.minutes
        return (
            f"{self.per_minute:,.0f} requests a minute ({kinds} in {self.minutes * 60:.0f} s), "
            f"{self.after.watches} open watches; the API server uses {processor_s:.1f} s of processor time a minute "
            f"and {self.after.memory_mib:.0f} MiB"
        )
