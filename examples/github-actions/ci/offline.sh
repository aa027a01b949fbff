#!/usr/bin/env bash
# offline.sh FOLDER: checks every stack file of another checkout. It runs nothing of that checkout, and needs no cluster.
# What cannot be proven without a cluster (exit status 3) is left to the preview.
set -euo pipefail

or_unproven() {
    "$@" || [[ $? -eq 3 ]]
}

shopt -s nullglob
files=("$1"/stacks/Pulumi.*.yaml)
config=()
if [[ -f $1/policies.json ]]; then
    config=(--config "$1/policies.json")
fi
or_unproven mig-fleet check "${files[@]}"
for file in "${files[@]}"; do
    echo "== ${file##*/}"
    mig-fleet plan --file "$file"
    or_unproven mig-fleet policies --file "$file" "${config[@]}"
done
