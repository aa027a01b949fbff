"""The benchmark of the probes' requests reads what the API server counts."""

import asyncio
from typing import Any, cast

from benchmarks.request_count import Count, Load
from mig_fleet.simulator.api import Api

METRICS = """
# HELP apiserver_request_total [STABLE] Counter of apiserver requests
apiserver_longrunning_requests{component="apiserver",resource="nodes",scope="cluster",verb="WATCH"} 3
apiserver_longrunning_requests{component="apiserver",resource="pods",scope="cluster",verb="WATCH"} 9
apiserver_request_total{code="200",resource="nodes",scope="resource",verb="GET"} 120
apiserver_request_total{code="200",resource="nodes",scope="resource",verb="PATCH"} 7
apiserver_request_total{code="200",resource="pods",scope="cluster",verb="LIST"} 5
apiserver_request_total{code="201",resource="configmaps",scope="resource",verb="PATCH"} 30
apiserver_request_total{code="429",resource="configmaps",scope="resource",verb="PATCH"} 2
process_cpu_seconds_total 6.5
process_resident_memory_bytes 2.097152e+08
"""


class Server:
    async def text(self, path: str) -> str:
        assert path == "/metrics"
        return METRICS


def a_count() -> Count:
    return asyncio.run(Count.read(cast(Api, Server())))


def test_requests_for_nodes_and_reports_count() -> None:
    found = a_count()
    assert found.requests == {"GET nodes": 120, "PATCH nodes": 7, "PATCH configmaps": 30, "PATCH configmaps 429": 2}
    assert (found.watches, found.processor_s, found.memory_mib) == (3, 6.5, 200)


def test_a_load_is_what_was_added_in_a_minute_except_what_is_ignored() -> None:
    before: dict[str, Any] = {"requests": {"GET nodes": 20, "PATCH configmaps": 30}, "memory_mib": 100, "watches": 0}
    after = a_count()
    load = Load(Count(at=after.at - 120, processor_s=2.5, **before), after, ["PATCH nodes"])
    assert load.requests == {"GET nodes": 100, "PATCH configmaps 429": 2}
    assert load.per_minute == 51
    assert "51 requests a minute (100 GET nodes, 2 PATCH configmaps 429 in 120 s)" in str(load)
    assert "2.0 s of processor time a minute" in str(load)
