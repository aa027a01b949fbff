#!/usr/bin/env bash
# drift-issue.sh drift|none FILE: one open issue with the label mig-fleet-drift while there is drift.
# Opens it, updates its text, or closes it. gh needs GH_TOKEN with `issues: write`, and GITHUB_REPOSITORY.
set -euo pipefail

found=$1 file=$2
issues=repos/$GITHUB_REPOSITORY/issues
number=$(gh api "$issues?state=open&labels=mig-fleet-drift&per_page=100" \
    --jq 'map(select(.pull_request | not)) | .[0].number // empty')
if [[ $found == drift && -z $number ]]; then
    gh api --silent --method POST "$issues" --raw-field "title=The GPU fleet differs from its stacks" \
        --raw-field "labels[]=mig-fleet-drift" --field "body=@$file"
elif [[ $found == drift ]]; then
    gh api --silent --method PATCH "$issues/$number" --field "body=@$file"
elif [[ -n $number ]]; then
    gh api --silent --method PATCH "$issues/$number" --raw-field state=closed
fi
