"""An API server with bad days: a proxy before the real one, for whoever uses its kubeconfig and for nobody else."""

from mig_fleet.simulator.bad_api.proxy import BadApi
from mig_fleet.simulator.bad_api.rules import Call

__all__ = ["BadApi", "Call"]
