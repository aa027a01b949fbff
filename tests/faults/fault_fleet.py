"""The simulated fleet of the faults. Each fault begins with the whole installation in a known state."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from mig_fleet.simulator import Fleet
from tests.faults.fault_run import FaultRun
from tests.faults.scenario import FLEET, Scenario
from tests.faults.stack import Stack

MOST_FLEETS = 6
"""In one run of the tests. If so many are spoiled, the product is broken, and more of them would only take time."""


@dataclass
class FaultFleet:
    """A fleet with everything installed, one API server with faults in front of it, and the stack.

    What a failed test leaves behind may be anything: a DaemonSet that mounts another file, a role that is gone, a pod
    that never ends. So the next test gets a new fleet.
    """

    binaries: Path
    folder: Path
    started: int = 0
    """How many fleets."""
    _running: FaultRun | None = None
    _cleanup: ExitStack = field(default_factory=ExitStack)

    def ready(self) -> FaultRun:
        """The pool with the old layout, verified, and an API server without faults."""
        run = self._running or self._start()
        try:
            run.api.reset()
            run.scenario.reset()
        except Exception as exc:
            if self.started >= MOST_FLEETS:
                raise
            print(f"The fleet does not return to the state in which a fault begins; a new one is started: {exc!r}")
            self.stop()
            run = self._start()
        return FaultRun(run.scenario, run.api, run.stack)

    def spoil(self) -> None:
        """A test has failed: the fleet may be in any state."""
        if self.started < MOST_FLEETS:
            self.stop()

    def stop(self) -> None:
        """End the fleet, if one runs."""
        self._running = None
        self._cleanup.close()

    def _start(self) -> FaultRun:
        self.started += 1
        self._running = self._installed()
        return self._running

    def _installed(self) -> FaultRun:
        """A new fleet with everything installed."""
        folder = self.folder / str(self.started)
        folder.mkdir()
        file = folder / "fleet-file.yaml"
        file.write_text(FLEET)
        fleet = Fleet(folder / "fleet")
        self._cleanup.callback(fleet.down)
        fleet.up(self.binaries, file, attached=True)
        scenario = Scenario(fleet)
        scenario.install()
        api = self._cleanup.enter_context(fleet.faulty_api())
        return FaultRun(scenario, api, Stack(api.kubeconfig))
