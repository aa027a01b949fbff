"""Settings as Pulumi passes them: every value is text, and some values are secret."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime.config import set_all_config

from mig_fleet.cluster.errors import ClusterUnreachable
from mig_fleet.cluster.session import session
from mig_fleet.components.gpu_operator import component
from mig_fleet.components.gpu_operator.release import Release
from mig_fleet.stack_file import fleet
from mig_fleet.stack_file.problems import InvalidSettings
from mig_fleet.stacks import program

POOL = {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": ["n1"], "layout": "dense"}
STACK = {
    "cluster": {"useCurrentContext": True},
    "layouts": {"dense": {"gpu": "H100-80GB", "all": {"1g.10gb": 7}}},
    "pools": {"p": POOL},
}
Configured = Callable[..., None]


@pytest.fixture
def configured() -> Iterator[Configured]:
    """Sets the running program's config; ``secret`` names the sections with a value that was set with ``--secret``."""

    def use(*secret: str, **sections: Any) -> None:
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in sections.items()}
        config = {f"mig-fleet:{name}": text for name, text in texts.items()}
        set_all_config({**config, "other:key": "x"}, [f"mig-fleet:{name}" for name in secret])

    yield use
    set_all_config({}, [])


def problems() -> list[str]:
    with pytest.raises(InvalidSettings) as refused:
        fleet.from_pulumi()
    return [str(problem) for problem in refused.value.problems]


def test_a_key_in_the_wrong_place_is_one_sentence(configured: Configured) -> None:
    configured(**STACK, onUnreachable="warn")
    (found,) = problems()
    assert found.startswith("onUnreachable: unknown key; known: cluster, layouts,")


def test_text_instead_of_a_section_is_one_sentence(configured: Configured) -> None:
    configured(**STACK | {"cluster": "~/.kube/config"})
    (found,) = problems()
    assert found.startswith("cluster: ") and found.endswith("(found '~/.kube/config')")


def test_a_secret_that_would_be_stored_in_plain_text_is_refused_and_not_printed(configured: Configured) -> None:
    configured("cluster", "odd", **STACK | {"cluster": {"context": "s3cret"}, "odd": "s3cret"})
    text = "has a value set with --secret, but is stored and printed in plain text; only operator may have secrets"
    assert problems() == [f"cluster: {text}", f"odd: {text}"]


@pytest.mark.parametrize("key", ["chart", "repository"])
@pytest.mark.parametrize(
    "address",
    [
        "https://me:s3cret@charts.example.com",
        "https://me:a/s3cret@charts.example.com/x",
        "me:s3cret@charts.example.com/x",
    ],
    ids=["plain", "with a slash", "without a scheme"],
)
def test_a_password_of_the_chart_in_plain_text_is_refused_and_not_printed(
    configured: Configured, key: str, address: str
) -> None:
    configured(**STACK, operator={key: address})
    advice = f"set it with `pulumi config set --secret --path mig-fleet:operator.{key}`"
    assert problems() == [f"operator.{key}: has a password in plain text; {advice}"]
    configured("operator", **STACK, operator={key: address})
    assert fleet.from_pulumi().secrets == {"operator"}


@pytest.mark.parametrize("contents", ["apiVersion: v1\nusers: [s3cret]\n", '{"users": ["s3cret"]}'])
def test_a_kubeconfigs_contents_in_its_variable_are_refused_and_not_printed(
    configured: Configured, contents: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(**STACK)
    monkeypatch.setenv("KUBECONFIG", contents)
    assert problems() == [
        "cluster.kubeconfig: the variable KUBECONFIG must be a path to a kubeconfig, not its contents"
    ]


@pytest.mark.parametrize("chart", ["oci://h:5000/charts/op:1.0@sha256:0a1b", "https://h/@team/op.tgz", "./op", "op"])
def test_a_digest_and_a_folder_with_an_at_are_no_password(configured: Configured, chart: str) -> None:
    configured(**STACK, operator={"chart": chart})
    assert fleet.from_pulumi().settings.operator.chart == chart


def provider_reads(declared: fleet.Fleet) -> str | None:
    """The kubeconfig of the Kubernetes provider."""
    engine = Echo()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    pulumi.runtime.set_mocks(engine, preview=False)
    pulumi.runtime.test(lambda: program.deploy(declared))()  # type: ignore[no-untyped-call]  # not annotated in the SDK
    asyncio.set_event_loop(None)
    loop.close()
    found: str | None = engine.providers[0].get("kubeconfig")
    return found


@pytest.mark.parametrize("variable", [True, False], ids=["in $KUBECONFIG", "in the stack file"])
def test_a_kubeconfig_in_the_home_folder_is_a_path_for_the_provider_too(
    configured: Configured, monkeypatch: pytest.MonkeyPatch, variable: bool
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("KUBECONFIG", "~/kube" if variable else "/other")
    configured(**STACK | ({} if variable else {"cluster": {"kubeconfig": "~/kube"}}))
    assert provider_reads(fleet.from_pulumi()) == "/home/me/kube"


def test_of_a_list_of_kubeconfigs_the_only_file_that_exists_is_used(
    configured: Configured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "b").touch()
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'a'}:{tmp_path / 'b'}:")
    configured(**STACK)
    assert provider_reads(fleet.from_pulumi()) == str(tmp_path / "b")


@pytest.mark.parametrize("exist", [True, False])
def test_a_list_of_kubeconfigs_is_refused_with_what_to_set(
    configured: Configured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, exist: bool
) -> None:
    paths = [tmp_path / name for name in "ab"]
    for path in paths if exist else ():
        path.touch()
    monkeypatch.setenv("KUBECONFIG", ":".join(map(str, paths)))
    configured(**STACK)
    expected = (
        "the variable KUBECONFIG is a list of 2 files and must be one; "
        "write one with `kubectl config view --flatten --raw > FILE` and set cluster.kubeconfig to FILE"
    )
    assert problems() == [f"cluster.kubeconfig: {expected}"]
    with pytest.raises(ClusterUnreachable, match=re.escape(expected)):
        session({})


@pytest.mark.parametrize("secret", [False, True])
def test_what_the_section_operator_says_of_the_chart_stays_secret_in_the_release(
    configured: Configured, monkeypatch: pytest.MonkeyPatch, secret: bool
) -> None:
    operator = {
        "values": {"driver": {"token": "s3cret"}},
        "repository": "https://charts.example.com/s3cret",
        "chart": "s3cret",
        "version": "v1-s3cret",
    }
    configured(*(["operator"] if secret else []), **STACK, operator=operator)
    declared, is_secret, checks = fleet.from_pulumi(), dict[str, bool](), list[asyncio.Future[None]]()

    async def check(**given: Any) -> None:
        for name, value in given.items():
            is_secret[name] = isinstance(value, pulumi.Output) and await value.is_secret()

    def registered(name: str, opts: pulumi.ResourceOptions, /, **kwargs: Any) -> Any:
        given = {name: kwargs[name] for name in ("values", "chart", "version")}
        checks.append(asyncio.ensure_future(check(repository=kwargs["repositoryOpts"]["repo"], **given)))
        hidden = opts.additional_secret_outputs or ()
        assert (set(hidden) >= {*given, "repositoryOpts", "manifest", "status"}) is secret, "the outputs repeat them"
        return Release(name, opts, **kwargs)

    monkeypatch.setattr(component, "Release", registered)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    pulumi.runtime.set_mocks(Echo(), preview=False)
    pulumi.runtime.test(lambda: program.deploy(declared))()  # type: ignore[no-untyped-call]  # not annotated in the SDK
    asyncio.set_event_loop(None)
    loop.close()
    assert is_secret == dict.fromkeys(("values", "repository", "chart", "version"), secret)


class Echo(pulumi.runtime.Mocks):
    """An engine that registers every resource with its inputs."""

    def __init__(self) -> None:
        self.providers: list[dict[Any, Any]] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[Any, Any]]:
        if args.typ == "pulumi:providers:kubernetes":
            self.providers.append(dict(args.inputs))
        return f"{args.name}-id", dict(args.inputs)

    def call(self, _args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        return {}, None
