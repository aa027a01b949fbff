"""How a wave is changed: preflight, isolation, drain, propagation, label, convergence, recovery, rollback."""
