"""A language host loads the messages of Pulumi's protocol alone."""

import subprocess
import sys

HOST = """
import sys
from mig_fleet.language_host import servicer
sdk = sorted(name for name in sys.modules if name.split(".")[0] == "pulumi")
assert sdk and all(name.startswith("pulumi.runtime.proto") for name in sdk), sdk
import pulumi, pulumi.dynamic
from pulumi.runtime.proto import language_pb2
assert language_pb2 is servicer.language_pb2 and pulumi.dynamic.Resource
"""


def test_a_host_loads_the_messages_without_the_sdk_which_can_be_loaded_later() -> None:
    done = subprocess.run([sys.executable, "-c", HOST], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
