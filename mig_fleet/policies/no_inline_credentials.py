"""mig-no-inline-credentials: no resource has a password, a token or a kubeconfig's contents in plain text."""

import re

from mig_fleet.confidential import is_contents, masked
from mig_fleet.model.finding import Finding
from mig_fleet.policies.credential_facts import PlainTexts
from mig_fleet.policies.policy import Policy, Severity, without_parameters
from mig_fleet.policies.rule import Rule

_CREDENTIAL = re.compile(r"""\b(token|password|client-key-data|id-token|refresh-token)["']?\s*:""")


def check(plain: PlainTexts) -> list[Finding]:
    """The path of each text, and never the text itself. A kubeconfig that gets its credentials from a command, as those
    of EKS and GKE do, has none.
    """
    found = [path for path, text in plain.texts if masked(text) != text or "PRIVATE KEY-----" in text]
    found += plain.passwords
    text = "{} must not have a password, token or key in plain text at {}; set it as a secret of the stack"
    contents = [path for path, value in plain.kubeconfigs if _has_credentials(value)]
    kubeconfig = "{} must not have a kubeconfig's credentials in plain text at {}; use its path, or a secret"
    return [
        *(Finding(path, text.format(plain.label, path), Rule.CREDENTIALS) for path in found),
        *(Finding(path, kubeconfig.format(plain.label, path), Rule.CREDENTIALS) for path in contents),
    ]


def _has_credentials(kubeconfig: str) -> bool:
    """Contents in base64 are not decoded: they count as credentials."""
    is_base64 = not any(sign in kubeconfig for sign in ("\n", "{", ":"))
    return is_contents(kubeconfig) and (is_base64 or bool(_CREDENTIAL.search(kubeconfig)))


POLICY = Policy(
    name=Rule.CREDENTIALS,
    title="No inline credentials",
    sentence="No resource of mig-fleet, no release of the GPU Operator and no Kubernetes provider may have "
    "credentials in plain text: the state and previews would have them, too.",
    facts=PlainTexts,
    check=without_parameters(check),
    remedy="Use `pulumi config set --secret`, or a path instead of contents.",
    unknown="decided in the update, before the resource is created or changed",
    severity=Severity.CRITICAL,
    tags=("security",),
)
