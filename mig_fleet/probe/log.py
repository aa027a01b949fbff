"""The probe's log: one line on standard error for each event."""

import sys


def log(text: str) -> None:
    print(f"mig-probe: {text}", file=sys.stderr, flush=True)
