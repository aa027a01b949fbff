"""Building blocks of queries in PromQL.

:func:`exported` is the only place that reads series of dcgm-exporter. It accepts both names of a field, converts the
unit, and gives the labels their names of :mod:`mig_fleet.monitoring.series`, whichever version of the exporter wrote
them.
"""

import re
from collections.abc import Iterable
from typing import Final

from mig_fleet.monitoring.exporter.fields import Field

EXPORTED: Final = {
    "uuid": "UUID",
    "model": "modelName",
    "profile": "GPU_I_PROFILE",
    "slice": "GPU_I_ID",
    # With `honorLabels: false` the exporter's own pod has the labels namespace, pod and container.
    "namespace": "exported_namespace",
    "pod": "exported_pod",
    "container": "exported_container",
}
"""Our label → the exporter's (dcgm-exporter internal/pkg/rendermetrics/render_metrics.go)."""
HOST: Final = ("node", "hostname", "Hostname")
"""The labels that may have the node's name; the first that is present wins. ``node`` comes from a relabeling,
``hostname`` from dcgm-exporter 4.8.3 and later (dcgm-exporter #655), ``Hostname`` from older ones."""


def exported(field: Field, labels: Iterable[str], job: str, *matchers: str) -> str:
    """The largest value of a field by ``labels``, in the unit of the recorded series; more ``matchers`` select rows.

    The maximum drops what differs between duplicates: the pod of the exporter, or a second exporter of the same node.
    It is taken before the labels get their names, because that is expensive, and after, because the spellings differ.
    """
    labels = tuple(labels)
    rows = " or ".join(
        f"{spelling.name}{braces(f'job=~{text(job)}', *matchers)}{_times(spelling.unit.factor)}"
        for spelling in field.spellings
    )
    rows = f"max{by((*HOST, *(EXPORTED.get(label, label) for label in labels if label not in HOST)))} ({rows})"
    for ours, theirs in EXPORTED.items():
        if ours in labels:
            # Without a separator this copies a label, at half the cost of label_replace.
            rows = f'label_join({rows}, "{ours}", "", "{theirs}")'
    return f"max{by(labels)} ({_with_node(rows)})"


def by(labels: Iterable[str]) -> str:
    """The clause of an aggregation, with a space in front."""
    return f" by ({', '.join(labels)})"


def braces(*matchers: str) -> str:
    """The matchers of a selector."""
    return f"{{{','.join(matchers)}}}"


def in_pools(names: Iterable[str]) -> str:
    """The matcher of some pools."""
    pools = sorted(names)
    return f"pool={text(pools[0])}" if len(pools) == 1 else f"pool=~{text(one_of(pools))}"


def one_of(words: Iterable[str]) -> str:
    """A regular expression that matches exactly these words."""
    return "|".join(literal(word) for word in words)


def literal(word: str) -> str:
    """A regular expression that matches exactly this word, which has none of ``[]{}^$`` and no backslash."""
    return re.sub(r"[.+*?()|]", lambda special: f"[{special[0]}]", word)


def text(value: str) -> str:
    """A string of PromQL."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def number(value: float) -> str:
    """A number of PromQL, exact."""
    return repr(float(value)).removesuffix(".0")


def _with_node(rows: str) -> str:
    """Two rows with the same labels are an error, so the labels that ``node`` is made of stay in ``host``."""
    joined = f'label_join({rows}, "host", ";", {", ".join(text(label) for label in HOST)})'
    return f'label_replace({joined}, "node", "$1", "host", ";*([^;]*).*")'


def _times(factor: float) -> str:
    return "" if factor == 1 else f" * {number(factor)}"
