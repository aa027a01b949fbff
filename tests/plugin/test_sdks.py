"""The SDKs for TypeScript, Go and Python compile, and their types refuse what the plugin would refuse."""

import shutil
from pathlib import Path

import pytest

from tests.plugin.sdks import ROOT, generate, go_build, mypy, tsc

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

EXAMPLE = ROOT / "examples" / "simulated-typescript"

PYTHON = """
import pulumi
import mig_fleet_mig_fleet as mig

cluster: mig.ClusterSectionArgsDict = {"kubeconfig": pulumi.Output.secret("users: []"), "on_unreachable": "warn"}
chat: mig.PoolSectionArgsDict = {"gpu": "H100-80GB", "gpus_per_node": 8, "nodes": ["n1"], "layout": "dense"}
dense: mig.LayoutArgsDict = {"gpu": "H100-80GB", "all": {"1g.10gb": 7}}
fleet = mig.Fleet("gpus", cluster=cluster, layouts={"dense": dense}, pools={"chat": chat})
slices: pulumi.Output[object] = fleet.slices
"""

GO = """
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	mig "github.com/mig-fleet/mig-fleet/sdk/go/mig-fleet"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		kubeconfig := pulumi.ToSecret(pulumi.String("users: []")).(pulumi.StringOutput)
		fleet, err := mig.NewFleet(ctx, "gpus", &mig.FleetArgs{
			Cluster: mig.ClusterSectionArgs{Kubeconfig: kubeconfig},
			Layouts: mig.LayoutMap{
				"dense": mig.LayoutArgs{Gpu: pulumi.String("H100-80GB"), All: pulumi.IntMap{"1g.10gb": pulumi.Int(7)}},
			},
			Pools: mig.PoolSectionMap{"chat": mig.PoolSectionArgs{
				Gpu: pulumi.String("H100-80GB"), GpusPerNode: pulumi.Int(8),
				Nodes: pulumi.StringArray{pulumi.String("n1")}, Layout: pulumi.String("dense"),
			}},
		})
		if err != nil {
			return err
		}
		ctx.Export("slices", fleet.Slices)
		return nil
	})
}
"""


@pytest.fixture(scope="module")
def sdks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("sdks"))


def typescript_project(sdks: Path, folder: Path) -> Path:
    """The example's program with the SDK as `pulumi install` places it."""
    for name in ("index.ts", "tsconfig.json"):
        shutil.copy(EXAMPLE / name, folder / name)
    shutil.copytree(sdks / "nodejs", folder / "sdk")
    (folder / "check.json").write_text(
        '{"extends": "./tsconfig.json", "compilerOptions": {"noImplicitAny": false,'
        ' "paths": {"@mig-fleet/mig-fleet": ["./sdk"]}}}'
    )
    return folder


def test_the_example_in_typescript_compiles_against_the_generated_sdk(sdks: Path, tmp_path: Path) -> None:
    project = typescript_project(sdks, tmp_path)
    done = tsc(project, "--project", "check.json")
    assert done.returncode == 0, done.stdout


def test_typescript_refuses_a_misspelled_key_and_a_value_of_the_wrong_type(sdks: Path, tmp_path: Path) -> None:
    project = typescript_project(sdks, tmp_path)
    program = (project / "index.ts").read_text()
    (project / "index.ts").write_text(program.replace("gpusPerNode: 8", 'gpusPerNod: "8"'))
    done = tsc(project, "--project", "check.json")
    assert done.returncode != 0 and "gpusPerNod" in done.stdout, done.stdout


def test_a_program_in_go_compiles_against_the_generated_sdk(sdks: Path, tmp_path: Path) -> None:
    (source,) = {file.parent for file in (sdks / "go").rglob("fleet.go")}
    shutil.copytree(source, tmp_path / "go" / "mig-fleet")
    (tmp_path / "main.go").write_text(GO.lstrip())
    go_build(tmp_path, "github.com/mig-fleet/mig-fleet/sdk")


def test_a_program_in_python_is_typed_by_the_generated_sdk(sdks: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PYTHON)
    assert mypy(program, sdks / "python").returncode == 0, mypy(program, sdks / "python").stdout
    program.write_text(PYTHON.replace('"gpus_per_node": 8', '"gpus_per_nod": 8'))
    refused = mypy(program, sdks / "python")
    assert refused.returncode != 0 and "gpus_per_nod" in refused.stdout, refused.stdout
