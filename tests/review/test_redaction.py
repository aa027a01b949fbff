"""A review names no kubeconfig, no server and no token: a comment of a pull request may be public."""

import pytest

from mig_fleet.review.as_json import to_json
from mig_fleet.review.html import to_html
from mig_fleet.review.markdown import to_markdown
from mig_fleet.review.preview import read_previews
from mig_fleet.review.reader import review_all
from mig_fleet.review.redaction import shown
from mig_fleet.review.text import to_text
from tests.review.previews_by_hand import CHANGE, a_preview, a_wave, an_error

SECRETS = ("infra/kube.conf", "prod-cluster.example.com", "10.1.2.3", "6443", "/home/ci", "hunter2", "s3cr3t-context")
MESSAGES = (
    "the cluster at https://prod-cluster.example.com:6443 does not answer",
    "HTTPSConnectionPool(host='prod-cluster.example.com', port=443): Max retries exceeded",
    "dial tcp 10.1.2.3:6443: connect: connection refused",
    "10.1.2.3 refuses; prod-cluster.example.com:6443 too",
    "cannot read /home/ci/project/kubeconfig and infra/kube.conf of context s3cr3t-context",
    "https://me:hunter2@prod-cluster.example.com/path refuses Bearer hunter2",
    "<{%fg 1%}>failed<{%reset%}>",
)


@pytest.mark.parametrize("form", [to_markdown, to_text, to_html, to_json])
@pytest.mark.parametrize("severity", ["error", "warning"])
def test_no_format_shows_where_the_cluster_is(form: object, severity: str) -> None:
    cluster = {"kubeconfig": "infra/kube.conf", "context": "s3cr3t-context"}
    drift = [f"config changed: node-1: {message}" for message in MESSAGES]
    diagnostics = [{**an_error(message), "severity": severity} for message in MESSAGES]
    text = a_preview(*a_wave(plannedChanges=CHANGE, cluster=cluster, drift=drift), diagnostics=diagnostics)
    page = form(review_all(read_previews("preview", text)))  # type: ignore[operator]
    assert "refuses" in page, "the messages are in it"
    assert not [secret for secret in SECRETS if secret in page]


@pytest.mark.parametrize(
    "text",
    [
        "default/web-5d8f7c9b6-kq2mz (Deployment web) holds 2x mig-1g.10gb on GPU 0-3",
        "0/12 nodes fit: 8 without mig-1g.10gb, 4 with taint dedicated=batch:NoSchedule",
        "nvidia.com/mig-1g.10gb: 56 → 0",
        "`kubectl taint nodes gpu-node-1 mig-fleet.dev/reconfiguring:NoSchedule-` restores its scheduling by hand",
        "driver 580.126.09 of gpu-node-1.internal.example",
    ],
)
def test_what_a_reviewer_needs_is_not_hidden(text: str) -> None:
    assert shown(text) == text
