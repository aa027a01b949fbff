"""How large a document may be."""

from typing import Final

MAX_BYTES: Final = 1 << 20
"""A ConfigMap holds no more (Kubernetes, core/v1 ConfigMap), so no stack file or mig-parted file needs more."""
MAX_VALUES: Final = 100_000
"""Values with aliases expanded; far beyond any real file."""
MAX_DEPTH: Final = 64
"""Levels of nesting with aliases expanded; far beyond any real file."""
DUMP: Final = 32
"""How many times more bytes and values a list of nodes may have, as ``kubectl get nodes -o yaml`` prints it: a node has
about 20 KiB."""
