"""The types of the values in a stack file: what each accepts, what it is converted to, and its JSON Schema.

A schema accepts everything that its type accepts; where a regular expression cannot say more, it accepts more.
"""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from mig_fleet.confidential import has_password, is_contents
from mig_fleet.model.allocated_by import AllocatedBy
from mig_fleet.model.node_names import LONGEST_NODE_NAME, NODE_NAME, is_node_name
from mig_fleet.model.short_repr import format_value
from mig_fleet.model.strategy import Strategy
from mig_fleet.stack_file.problems import HIDDEN
from mig_fleet.stack_file.regex import verified_regex

LONGEST_INTERVAL_S = 60
"""A verification waits two minutes for a report that differs (`rollout.convergence`), and at least two reports must
arrive in that time."""
SHORTEST_WEDGED_AFTER_S = 1500
"""MIG Manager may wait five minutes for each of five operands (mig-parted v0.15.0, pkg/mig/reconfigure/reconfigure.go),
so a younger state `pending` may be normal."""
SCRAPE_INTERVALS_S = (10, 120)
"""At least the chart's ``scrapeTimeout`` (gpu-operator v26.7.0, values.yaml), which Prometheus refuses to be longer;
one lost scrape must not make a series stale, which it is after five minutes (Prometheus, ``query.lookback-delta``)."""

_NAMESPACE_WORD = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_LABEL_WORD = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"


def _seconds(value: object) -> object:
    match = re.fullmatch(r"(\d+)(s|m|h)", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a duration such as 90s, 45m or 2h")
    return int(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


def _positive(value: int) -> int:
    if value == 0:
        raise ValueError("must be greater than 0s")
    return value


def _node_name(value: str) -> str:
    if not is_node_name(value):
        raise ValueError("must be a node name as `kubectl get nodes` prints it")
    return value


def _some_nodes(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("must name at least one node")
    return value


def _chart_version(value: str) -> str:
    """As Helm reads it (Masterminds/semver, constraints.go)."""
    word = r"-|v?[0-9xX*]+(\.[0-9xX*]+){0,2}(-[-0-9A-Za-z.]+)?(\+[-0-9A-Za-z.]+)?"
    if not all(re.fullmatch(word, each) for each in re.split(r"[\s,|<>=!~^]+", value) if each):
        raise ValueError("must be a version of the chart such as v26.7.0, or a range of versions such as ~26.7")
    return value


def _namespace(value: str) -> str:
    if not re.fullmatch(_NAMESPACE_WORD, value):
        raise ValueError("must be a namespace name: at most 63 of a-z, 0-9 and -, with no - at the start or end")
    return value


def _labels(value: dict[str, str]) -> dict[str, str]:
    """As the API server validates them (apimachinery, IsQualifiedName and IsValidLabelValue)."""
    for key, word in value.items():
        prefix, slash, name = key.rpartition("/")
        fits = re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", prefix) if slash else True
        if not (fits and re.fullmatch(_LABEL_WORD, name)):
            raise ValueError(f"{format_value(key)} is not a label name; names look like release or example.com/team")
        if word and not re.fullmatch(_LABEL_WORD, word):
            required = "at most 63 letters, digits, -, _ and ., with a letter or digit at the start and end"
            raise ValueError(f"{format_value(word)} is not a label value: {required}")
    return value


def _path(value: str) -> str:
    if is_contents(value):
        raise PydanticCustomError(HIDDEN, "must be a path to a kubeconfig, not its contents")
    return value


def _interval(value: int) -> int:
    if value > LONGEST_INTERVAL_S:
        reason = "an update waits two minutes for correct reports"
        raise ValueError(f"must be at most {LONGEST_INTERVAL_S}s: {reason}")
    return value


def _wedged_after(value: int) -> int:
    if value < SHORTEST_WEDGED_AFTER_S:
        reason = "MIG Manager may wait that long for operands before it reconfigures the GPUs"
        raise ValueError(f"must be at least {SHORTEST_WEDGED_AFTER_S // 60}m: {reason}")
    return value


def _scrape_interval(value: int) -> int:
    shortest, longest = SCRAPE_INTERVALS_S
    if not shortest <= value <= longest:
        raise ValueError(f"must be {shortest}s to {longest}s: a scrape may take 10s, and a lost one must leave no gap")
    return value


def _some_labels(value: dict[str, str]) -> dict[str, str]:
    if not value:
        raise ValueError("must name at least one label")
    return value


def _url(value: str) -> str:
    if has_password(value):
        raise PydanticCustomError(HIDDEN, "must not have a password, because every alert would print it")
    if not re.fullmatch(r"https?://[^\s#]+", value):
        raise ValueError("must be the address of a page, such as https://example.com/runbooks")
    return value


def _strategy(value: object) -> object:
    if value == Strategy.NONE:
        raise ValueError("must be mixed or single: under none, GPUs with slices are advertised as whole GPUs")
    if value not in tuple(Strategy):
        raise ValueError("must be mixed or single")
    return value


def _allocation(value: object) -> object:
    if value not in tuple(AllocatedBy):
        raise ValueError("must be devicePlugin or dra")
    return value


def _node_count(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("takes a number of nodes from 0, such as 1, and no share")
    return value


def _share(value: object) -> object:
    """``25%`` stays text, a number of nodes stays a number."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("must be a number of nodes such as 2, or a share of the pool such as 25%")
    percent = re.fullmatch(r"(\d{1,3})%", value) if isinstance(value, str) else None
    number = int(percent[1]) if percent else value
    if not isinstance(number, int) or number < 1 or (percent and number > 100):
        raise ValueError("must be a number of nodes from 1, such as 2, or a share of the pool from 1% to 100%")
    return value


def _json(kind: str, pattern: str = "", **further: Any) -> WithJsonSchema:
    """A JSON Schema: ``kind`` is ``string``, ``integer`` or ``object``; the pattern is for the whole text."""
    return WithJsonSchema({"type": kind, **({"pattern": f"^({pattern})$"} if pattern else {}), **further})


def _labels_json(**further: Any) -> WithJsonSchema:
    names = {"pattern": f"^([a-z0-9]([-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_LABEL_WORD}$"}
    values = {"type": "string", "pattern": f"^({_LABEL_WORD})?$"}
    return _json("object", propertyNames=names, additionalProperties=values, **further)


Duration = Annotated[int, BeforeValidator(_seconds), _json("string", r"[0-9]+[smh]", examples=["90s", "45m", "2h"])]
"""``0s``, ``90s``, ``45m`` or ``2h`` in the stack file, converted to seconds."""
PositiveDuration = Annotated[
    Duration, AfterValidator(_positive), _json("string", "0*[1-9][0-9]*[smh]", examples=["90s", "45m", "2h"])
]
"""A :data:`Duration` greater than 0s."""
Interval = Annotated[
    PositiveDuration, AfterValidator(_interval), _json("string", "0*([1-9]|[1-5][0-9]|60)s|0*1m", examples=["15s"])
]
"""At most :data:`LONGEST_INTERVAL_S`."""
WedgedAfter = Annotated[
    PositiveDuration,
    AfterValidator(_wedged_after),
    _json("string", "0*[1-9][0-9]{3,}s|0*(2[5-9]|[3-9][0-9]|[1-9][0-9]{2,})m|0*[1-9][0-9]*h", examples=["30m"]),
]
"""At least :data:`SHORTEST_WEDGED_AFTER_S`."""
ScrapeInterval = Annotated[
    PositiveDuration,
    AfterValidator(_scrape_interval),
    _json("string", "0*([1-9][0-9]|1[01][0-9]|120)s|0*[12]m", examples=["30s"]),
]
"""Within :data:`SCRAPE_INTERVALS_S`."""
_NODE_NAME_JSON = {"type": "string", "pattern": f"^{NODE_NAME}$", "maxLength": LONGEST_NODE_NAME}
NodeName = Annotated[str, AfterValidator(_node_name), WithJsonSchema(_NODE_NAME_JSON)]
NodeNames = Annotated[
    tuple[NodeName, ...],
    AfterValidator(_some_nodes),
    WithJsonSchema({"type": "array", "items": _NODE_NAME_JSON, "minItems": 1, "examples": [["gpu-node-1"]]}),
]
ChartVersion = Annotated[str, AfterValidator(_chart_version), _json("string", examples=["v26.7.0", "~26.7"])]
"""One version, or a range that Helm understands."""
Namespace = Annotated[str, AfterValidator(_namespace), _json("string", _NAMESPACE_WORD)]
Labels = Annotated[dict[str, str], AfterValidator(_labels), _labels_json()]
LabelSelector = Annotated[Labels, AfterValidator(_some_labels), _labels_json(minProperties=1)]
"""At least one label."""
Path = Annotated[str, AfterValidator(_path)]
Regex = Annotated[str, AfterValidator(verified_regex)]
"""A regular expression of Prometheus."""
Url = Annotated[str, AfterValidator(_url), _json("string", r"https?://[^\s#]+")]
"""The address of a page, without a fragment."""
MigStrategy = Annotated[Strategy, BeforeValidator(_strategy), WithJsonSchema({"enum": ["mixed", "single"]})]
"""``mixed`` or ``single``."""
Allocation = Annotated[AllocatedBy, BeforeValidator(_allocation), WithJsonSchema({"enum": ["devicePlugin", "dra"]})]
"""``devicePlugin`` or ``dra``."""
NodeCount = Annotated[int, BeforeValidator(_node_count), _json("integer", minimum=0)]
"""A number of nodes from 0."""
Share = Annotated[
    int | str,
    BeforeValidator(_share),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": "^(0?0?[1-9]|0?[1-9][0-9]|100)%$"},
            ],
            "examples": ["25%", 2],
        }
    ),
]
"""A number of nodes, or a share of the pool such as ``25%``."""
