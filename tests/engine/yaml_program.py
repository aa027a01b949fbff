"""A program in YAML that takes its fleet from the plugin: no line of Python is the user's."""

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from mig_fleet import toolchain
from mig_fleet.simulator import Fleet
from tests.engine.deployment import ROOT, STACK, Deployment, baseline, engine
from tests.forked_python import forked_python

RESOURCE = "gpus"
OUTPUTS = ("strategy", "configs", "capacity", "slices")


class YamlProgram(Deployment):
    """The sections of the stack file are the properties of one resource."""

    def write_program(self) -> None:
        properties: dict[str, Any] = copy.deepcopy(self.config)
        # As a program has them that creates its cluster.
        properties["cluster"] = {"kubeconfig": {"fn::secret": {"fn::readFile": str(self.fleet.kubeconfig)}}}
        program = {
            "name": "shop",
            "runtime": "yaml",
            "packages": {"mig-fleet": str(self.folder / "plugin")},
            "resources": {RESOURCE: {"type": "mig-fleet:Fleet", "properties": properties}},
            "outputs": {name: f"${{{RESOURCE}.{name}}}" for name in OUTPUTS},
        }
        (self.folder / "Pulumi.yaml").write_text(yaml.safe_dump(program, sort_keys=False))

    def state(self) -> list[dict[str, Any]]:
        """The resources in the state."""
        exported = json.loads(self.run("stack", "export").text)
        found: list[dict[str, Any]] = exported["deployment"].get("resources") or []
        return found


def create(folder: Path, fleet: Fleet) -> YamlProgram:
    """A program with a stack and a backend of its own, not yet deployed."""
    (folder / "state").mkdir()
    # The plugin with its environment, as `pulumi install` makes it.
    plugin = folder / "plugin"
    plugin.mkdir()
    for name in ("PulumiPlugin.yaml", "__main__.py"):
        shutil.copy(ROOT / "plugin" / name, plugin / name)
    (plugin / "venv").symlink_to(forked_python())
    environment, pulumi = engine(folder)
    install_yaml_host(Path(environment["PULUMI_HOME"]))
    program = YamlProgram(folder, fleet, environment, pulumi, baseline(fleet), STACK)
    # Paths are those of the program, and not of the plugin's folder.
    chart = Path(program.config["operator"]["chart"])
    (folder / "charts").symlink_to(chart.parent)
    program.config["operator"] = {**program.config["operator"], "chart": f"./charts/{chart.name}"}
    created = program.run("stack", "init", "--secrets-provider", "passphrase")
    assert created.status == 0, created.text
    return program


def install_yaml_host(home: Path) -> None:
    """The language host of YAML beside the plugins that are there, and that of Python beside it: it reads the schema of
    a plugin itself, and searches for other hosts in the folder of its own file.
    """
    family = toolchain.family("yaml")
    host = toolchain.ensure([family]).path("pulumi-language-yaml")
    shared, plugins = (home / "plugins").resolve(), home / "plugins"
    plugins.unlink()
    plugins.mkdir()
    for each in filter(Path.is_dir, shared.iterdir()):  # the engine finds no links to folders
        (plugins / each.name).mkdir()
        for file in each.iterdir():
            (plugins / each.name / file.name).symlink_to(file)
    folder = plugins / f"language-yaml-v{family.version}"
    folder.mkdir()
    shutil.copy2(host, folder / host.name)
    for each in toolchain.workspace(ROOT).bin.glob("pulumi-language-python*"):
        (folder / each.name).symlink_to(each)
