"""A rule of a role, and the single rights that it consists of."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Use(StrEnum):
    """What only some stacks do, by the setting that decides it."""

    EVICTION = "onUserPods: evict"
    RECOVERY = "recovery: true"
    OPERATOR = "operator.managed: true"
    MODEL_LABELS = "selector"
    TAKE_OVER = "cluster.takeOver"
    ALERT_RULES = "monitoring.rules: prometheusRule"
    DASHBOARDS = "monitoring.dashboards: grafanaOperator"
    SERVICE_MONITOR = "monitoring.serviceMonitor: true"
    """It needs no right: the GPU Operator creates the object."""
    DRA = "operator.allocation: dra"
    CLAIM_TEMPLATES = "operator.claimTemplates"


class Step(StrEnum):
    """What fails without a right."""

    PREVIEW = "preview"
    """A preview, and so an update."""
    UPDATE = "update"
    """An update or a destroy."""
    OPTIONAL = "nothing"
    """Nothing; less is checked or explained."""


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on one resource, as the API server decides about it."""

    verb: str
    resource: str
    """The plural with its API group, and with a subresource: ``daemonsets.apps``, ``pods/exec``."""
    namespace: str = ""
    """Empty: the whole cluster."""
    name: str = ""
    """Empty: any object."""

    @property
    def where(self) -> str:
        """``pods/exec in namespace gpu-operator``, ``clusterroles.rbac.authorization.k8s.io mig-probe``"""
        name = f" {self.name}" if self.name else ""
        return f"{self.resource}{name}" + (f" in namespace {self.namespace}" if self.namespace else "")

    def __str__(self) -> str:
        return f"{self.verb} {self.where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Verbs on resources that belong together."""

    verbs: tuple[str, ...]
    resources: tuple[str, ...]
    """As in :class:`Right`."""
    why: str
    step: Step
    namespace: str = ""
    names: tuple[str, ...] = ()
    """The only objects; empty: any. RBAC cannot limit `create` and `list` to names."""
    use: Use | None = None
    """Needed only by stacks that do this."""

    def rights(self) -> Iterator[Right]:
        for resource in self.resources:
            for name in self.names or ("",):
                for verb in self.verbs:
                    yield Right(verb, resource, self.namespace, name)
