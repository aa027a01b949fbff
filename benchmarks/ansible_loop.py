"""An Ansible loop that writes the config label of each node (``kubernetes.core.k8s``), and waits for nothing."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from mig_fleet.cluster.connection import Connection
from mig_fleet.model import labels

TIMEOUT_S = 3600
PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars: {{ansible_python_interpreter: "{python}"}}
  tasks:
    - kubernetes.core.k8s:
        kubeconfig: {kubeconfig}
        state: patched
        kind: Node
        name: "{{{{ item }}}}"
        definition: {{metadata: {{labels: {{nvidia.com/mig.config: {config}}}}}}}
      loop: {nodes}
"""


def ansible(program: Path, folder: Path, kubeconfig: Path, nodes: list[str]) -> float:
    """Seconds of the loop; the label keeps its value, so that no node is reconfigured."""
    carried = Connection({"kubeconfig": str(kubeconfig)}).get(f"/api/v1/nodes/{nodes[0]}")["metadata"]["labels"]
    text = PLAYBOOK.format(
        python=program.parent / "python",
        kubeconfig=kubeconfig,
        config=carried[labels.CONFIG],
        nodes=json.dumps(nodes),
    )
    playbook = folder / "playbook.yaml"
    playbook.write_text(text)
    started = time.perf_counter()
    done = subprocess.run(
        [program, playbook],
        env={**os.environ, "LC_ALL": "C.UTF-8", "ANSIBLE_LOCALHOST_WARNING": "False"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        sys.exit(f"ansible-playbook failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    return time.perf_counter() - started
