#!/usr/bin/env bash
# update.sh FOLDER: updates the stacks in STACKS, separated by blanks, in this order, each with FOLDER/STACK.json.
#
# Pulumi does nothing that the plan does not have: an update that differs from the preview fails at the first resource
# that differs. The first failure ends the script; later stacks stay as they are.
set -euo pipefail

folder=$1
read -ra names <<<"$STACKS"
for stack in "${names[@]}"; do
    if [[ ! -s $folder/$stack.json ]]; then
        echo "No plan of stack '$stack' in $folder: preview it first, with ci/preview.sh." >&2
        exit 1
    fi
done
export PULUMI_EXPERIMENTAL=true # for --plan
pack=(--policy-pack policy)
if [[ -f policies.json ]]; then
    pack+=(--policy-pack-config policies.json)
fi
for stack in "${names[@]}"; do
    flags=(--stack "$stack" --non-interactive --yes --skip-preview)
    pulumi up "${flags[@]}" "${pack[@]}" --plan "$folder/$stack.json"
    # Layouts that no node has any more leave MIG Manager's file and the rules of Prometheus. No node can change: the
    # targets are the file, the rules and dashboards, and the list of our objects.
    pulumi up "${flags[@]}" --target '**::layouts-file' --target '**::monitoring-*' --target '**::supporting-objects'
done
