"""An API server with faults: a proxy for the real one, which affects only the clients that use its kubeconfig."""

from mig_fleet.simulator.faulty_api.proxy import FaultyApi
from mig_fleet.simulator.faulty_api.rules import Call

__all__ = ["Call", "FaultyApi"]
