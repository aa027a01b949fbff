#!/usr/bin/env bash
# Installs mig-fleet from requirements.lock into .venv, and Pulumi with its Kubernetes plugin at the tested versions.
# Every file is compared with a SHA-256 sum in this repository. Prints the folders for PATH, one a line.
set -euo pipefail

make setup >&2
# Without the rest of PATH: runners come with a Pulumi of another version.
paths=$(PATH=/usr/bin:/bin .venv/bin/mig-fleet toolchain engine provider --paths)
pulumi=$(sed -n 's/^pulumi=//p' <<<"$paths")
plugin=$(sed -n 's/^pulumi-resource-kubernetes=//p' <<<"$paths")
version=$(.venv/bin/python -c 'from importlib.metadata import version; print(version("pulumi-kubernetes"))')
"$pulumi" plugin install resource kubernetes "v$version" --file "$plugin" --reinstall >&2
dirname "$pulumi"
echo "$PWD/.venv/bin"
