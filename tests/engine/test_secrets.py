"""What is secret is in no output of the engine, in no plain text of the state, and in no object but Helm's Secret."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.engine.deployment import ROOT, Deployment

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

SECRET = "s3cr3tMARKER"
API = "client.authentication.k8s.io/v1"


@pytest.fixture
def with_secrets(deployed: Deployment, tmp_path: Path) -> Iterator[Deployment]:
    """The baseline with a secret chart value, and with a user whose exec plugin gets a secret and repeats it."""
    kubeconfig = yaml.safe_load(deployed.fleet.kubeconfig.read_text())
    (entry,) = kubeconfig["users"]
    pair = {name: base64.b64decode(entry["user"][f"client-{name}-data"]).decode() for name in ("certificate", "key")}
    status = {"clientCertificateData": pair["certificate"], "clientKeyData": pair["key"]}
    credential = {"apiVersion": API, "kind": "ExecCredential", "status": status}
    (tmp_path / "credential").write_text(json.dumps(credential))
    script = f'echo "$PLUGIN_TOKEN" >&2; cat "{tmp_path}/credential"; [ ! -e "{tmp_path}/fails" ]'
    environment = [{"name": "PLUGIN_TOKEN", "value": SECRET}]
    plugin = {"apiVersion": API, "command": "sh", "args": ["-c", script], "env": environment}
    entry["user"] = {"exec": {**plugin, "interactiveMode": "Never"}}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    deployed.config["cluster"] = {"kubeconfig": str(tmp_path / "kubeconfig")}
    chosen = deployed.run("config", "set", "--secret", "--path", "mig-fleet:operator.values.unused", SECRET)
    assert chosen.status == 0, chosen.text
    document = yaml.safe_load((deployed.folder / "stacks" / f"Pulumi.{deployed.stack}.yaml").read_text())
    deployed.config = {key.removeprefix("mig-fleet:"): value for key, value in document["config"].items()}
    yield deployed
    (tmp_path / "fails").unlink(missing_ok=True)  # the next test's update deletes waves with this kubeconfig


def test_a_secret_is_nowhere_in_plain_text(with_secrets: Deployment, tmp_path: Path) -> None:
    preview = with_secrets.preview("--diff", "--policy-pack", str(ROOT / "policy"))
    update = with_secrets.up()
    assert (preview.status, update.status) == (0, 0), update.text
    (tmp_path / "fails").touch()
    failed = with_secrets.preview()
    assert failed.status != 0
    assert "the exec plugin 'sh' exited with status 1: ***" in failed
    state = "".join(file.read_text() for file in (with_secrets.folder / "state").rglob("*.json*"))
    assert "mig-fleet-layouts" in state, "the files are those of the state"
    cluster = "".join(json.dumps(with_secrets.cluster.get(f"/api/v1/{kind}")) for kind in ("configmaps", "nodes"))
    key = json.loads((tmp_path / "credential").read_text())["status"]["clientKeyData"].splitlines()[1]
    for text in (preview.text, update.text, failed.text, state, cluster):
        assert SECRET not in text
        assert key not in text
