"""One pool's resources and what the engine would do with them: check, diff, create or update, and delete at the end.

The engine itself takes half a minute for what takes a second here. What it does with a dynamic resource is little: it
keeps the inputs and outputs of the last success, shows both to the provider, stops behind a failure, and deletes what
the program no longer has once everything else is done (pulumi v3.259.0, pkg/resource/deploy/step_generator.go).
"""

import copy
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulumi.dynamic import ResourceProvider

from mig_fleet.components.assignment import AssignmentProvider
from mig_fleet.components.layout_file import LayoutFileProvider
from mig_fleet.components.layouts import MigLayouts
from mig_fleet.components.pool import Pool, PoolArgs
from mig_fleet.components.verification import VerificationProvider
from mig_fleet.failures import CleanError
from mig_fleet.model.layouts import Layout
from mig_fleet.model.strategy import Strategy
from mig_fleet.observed.snapshot import forget
from mig_fleet.rollout.wave import NEWS
from tests.faults.ground import FILE, GPU, GPUS, NAME, POOL
from tests.faults.installed import REPORTS
from tests.faults.recorded import Inputs, recorded
from tests.simulator.site import NAMESPACE

PROVIDERS: dict[str, type[ResourceProvider]] = {
    "pulumi-python:dynamic/mig:LayoutFile": LayoutFileProvider,
    "pulumi-python:dynamic/mig:Assignment": AssignmentProvider,
    "pulumi-python:dynamic/mig:Verification": VerificationProvider,
}


@dataclass(frozen=True)
class Known:
    """A resource as the state file has it."""

    type: str
    id: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]


@dataclass
class Update:
    """What a user reads of one `pulumi preview` or `pulumi up`."""

    errors: list[str] = field(default_factory=list)
    news: list[str] = field(default_factory=list)
    """What a preview shows beside the change itself: drift, prunes, whom it disturbs."""
    recovered: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    """The resources that were created or updated, in order."""

    @property
    def error(self) -> str:
        return "\n\n".join(self.errors)


@dataclass
class Stack:
    """A pool in two waves, and its layout file."""

    kubeconfig: Path
    state: dict[str, Known] = field(default_factory=dict)
    programs: dict[str, Inputs] = field(default_factory=dict)
    """What was recorded already."""
    adopted: dict[str, dict[str, Known]] = field(default_factory=dict)
    """States with which an update began already."""

    def program(self, wish: Layout | None, rollout: Mapping[str, Any] | None = None, **changes: Any) -> Inputs:
        """The resources of the pool; ``None`` is a stack without it. ``changes`` are other arguments of the pool."""
        key = json.dumps([wish and wish.config_name, dict(rollout or {}), changes], default=str)
        if key not in self.programs:
            self.programs[key] = self._recorded(wish, rollout or {}, changes)
        return self.programs[key]

    def _recorded(self, wish: Layout | None, rollout: Mapping[str, Any], changes: dict[str, Any]) -> Inputs:
        cluster = {"kubeconfig": str(self.kubeconfig), **changes.pop("cluster", {})}

        def program() -> None:
            MigLayouts("layouts", {"cluster": cluster, "namespace": NAMESPACE, "reports": REPORTS, "file": FILE})
            if wish is not None:
                args: dict[str, Any] = {
                    "cluster": cluster,
                    "namespace": NAMESPACE,
                    "reports": REPORTS,
                    "gpu": GPU,
                    "gpus_per_node": GPUS,
                    "nodes": list(POOL),
                    "layout": wish,
                    "strategy": Strategy("mixed"),
                    "rollout": {"max_unavailable": 2, "timeout_s": 20, **rollout},
                }
                Pool(NAME, PoolArgs(**{**args, **changes}))  # type: ignore[typeddict-item]

        return {name: found for name, found in recorded(program).items() if found[0] in PROVIDERS}

    def adopt(self, wish: Layout, rollout: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
        """The state of a stack that was verified as the nodes are now, from an update or from one like it before."""
        key = json.dumps([wish.config_name, dict(rollout), dict(changes)], default=str)
        if key not in self.adopted:
            self.state = {}
            update = self.up(self.program(wish, rollout, **changes))
            assert not update.error, update.error
            self.adopted[key] = self.state
        self.state = dict(self.adopted[key])

    def preview(self, program: Inputs) -> Update:
        """One preview, which asks every resource and changes nothing."""
        forget()
        preview = Update()
        with own_process():
            for name, (kind, inputs) in program.items():
                news = self._checked(preview, name, kind, inputs) or {}
                preview.news += [f"{key}: {line}" for key in NEWS if key != "capacity" for line in news.get(key) or ()]
        return preview

    def up(self, program: Inputs) -> Update:
        """One update; every one has a provider process of its own, which begins by looking."""
        forget()
        update = Update()
        with own_process():
            try:
                for name, (kind, inputs) in program.items():
                    self._register(update, name, kind, inputs)
                for name in reversed([name for name in self.state if name not in program]):
                    if not update.error:
                        self._delete(name)
            except CleanError as exc:
                update.errors.append(str(exc))
        return update

    def _delete(self, name: str) -> None:
        known = self.state[name]
        PROVIDERS[known.type]().delete(known.id, copy.deepcopy(known.outputs))
        del self.state[name]

    def _register(self, update: Update, name: str, kind: str, inputs: dict[str, Any]) -> None:
        try:
            self._do(update, name, kind, inputs)
        except CleanError as exc:
            update.errors.append(str(exc))

    def _checked(self, update: Update, name: str, kind: str, inputs: dict[str, Any]) -> dict[str, Any] | None:
        """The inputs with what the check adds; ``None`` where it fails."""
        olds = self.state[name].inputs if name in self.state else {}
        # A wave behind a failed one is registered all the same (components/pool.py).
        behind = {"blocked": True} if update.error and "wave" in inputs else {}
        checked = PROVIDERS[kind]().check(copy.deepcopy(olds), copy.deepcopy({**inputs, **behind}))
        update.errors += [failure.reason for failure in checked.failures]
        return None if checked.failures else checked.inputs

    def _do(self, update: Update, name: str, kind: str, inputs: dict[str, Any]) -> None:
        provider, known = PROVIDERS[kind](), self.state.get(name)
        news = self._checked(update, name, kind, inputs)
        if news is None:
            return
        if known is None:
            made = provider.create(copy.deepcopy(news))
            self._keep(update, name, Known(kind, made.id, news, made.outs or {}))
        elif provider.diff(known.id, copy.deepcopy(known.outputs), copy.deepcopy(news)).changes:
            outs = provider.update(known.id, copy.deepcopy(known.outputs), copy.deepcopy(news)).outs
            self._keep(update, name, Known(kind, known.id, news, outs or {}))
        else:
            # The engine keeps the new inputs of a resource that is the same.
            self.state[name] = Known(kind, known.id, news, known.outputs)

    def _keep(self, update: Update, name: str, known: Known) -> None:
        self.state[name] = known
        update.changed.append(name)
        update.recovered += known.outputs.get("recovered") or []


@contextmanager
def own_process() -> Iterator[None]:
    """Our providers shorten tracebacks for the rest of their process, which is this one here."""
    before = getattr(sys, "tracebacklimit", None)
    try:
        yield
    finally:
        if before is None:
            vars(sys).pop("tracebacklimit", None)
        else:
            sys.tracebacklimit = before
