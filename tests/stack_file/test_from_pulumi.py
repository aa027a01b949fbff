"""Settings as Pulumi passes them: every value is text, and some values are secret."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest
from pulumi.runtime.config import set_all_config

from mig_fleet.stack_file import fleet
from mig_fleet.stack_file.problems import InvalidSettings
from mig_fleet.stacks import program

POOL = {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": ["n1"], "layout": "dense"}
STACK = {"layouts": {"dense": {"gpu": "H100-80GB", "all": {"1g.10gb": 7}}}, "pools": {"p": POOL}}
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
    configured(**STACK, cluster="~/.kube/config")
    (found,) = problems()
    assert found.startswith("cluster: ") and found.endswith("(found '~/.kube/config')")


def test_a_secret_that_would_be_stored_in_plain_text_is_refused_and_not_printed(configured: Configured) -> None:
    configured("cluster", "odd", **STACK, cluster={"context": "s3cret"}, odd="s3cret")
    text = "has a value set with --secret, but is stored and printed in plain text; only operator may have secrets"
    assert problems() == [f"cluster: {text}", f"odd: {text}"]


@pytest.mark.parametrize("secret", [False, True])
def test_secret_chart_values_stay_secret_in_the_release(
    configured: Configured, monkeypatch: pytest.MonkeyPatch, secret: bool
) -> None:
    operator = {"values": {"driver": {"token": "s3cret"}}, "repository": "https://me:s3cret@charts.example.com"}
    configured(*(["operator"] if secret else []), **STACK, operator=operator)
    declared, is_secret, checks = fleet.from_pulumi(), dict[str, bool](), list[asyncio.Future[None]]()
    release = k8s.helm.v3.Release

    async def check(values: Any, repository: Any) -> None:
        for name, value in (("values", values), ("repository", repository)):
            is_secret[name] = isinstance(value, pulumi.Output) and await value.is_secret()

    def registered(*args: Any, **kwargs: Any) -> Any:
        checks.append(asyncio.ensure_future(check(kwargs["values"], kwargs["repository_opts"].repo)))
        return release(*args, **kwargs)

    monkeypatch.setattr(k8s.helm.v3, "Release", registered)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    pulumi.runtime.set_mocks(Echo(), preview=False)
    pulumi.runtime.test(lambda: program.deploy(declared))()  # type: ignore[no-untyped-call]  # not annotated in the SDK
    asyncio.set_event_loop(None)
    loop.close()
    assert is_secret == {"values": secret, "repository": secret}


class Echo(pulumi.runtime.Mocks):
    """An engine that registers every resource with its inputs."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[Any, Any]]:
        return f"{args.name}-id", dict(args.inputs)

    def call(self, _args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        return {}, None
