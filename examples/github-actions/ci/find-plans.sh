#!/usr/bin/env bash
# find-plans.sh COMMIT FOLDER: downloads the plans of the pull request that was merged as COMMIT.
# gh needs GH_TOKEN with `actions: read` and `pull-requests: read`, and GITHUB_REPOSITORY.
set -euo pipefail

commit=$1 folder=$2
repository=repos/$GITHUB_REPOSITORY
head=$(gh api "$repository/commits/$commit/pulls" --jq 'map(select(.merged_at)) | .[0].head.sha // empty')
if [[ -z $head ]]; then
    echo "Commit $commit is of no pull request, so nothing was previewed. Change stacks with pull requests." >&2
    exit 1
fi
# A fork's run may upload an artifact with any name: only those of branches of this repository are used.
artifact=$(gh api "$repository/actions/artifacts?name=mig-fleet-plans-$head&per_page=100" --jq '
    .artifacts | map(select((.expired | not) and .workflow_run.head_repository_id == .workflow_run.repository_id))
    | sort_by(.created_at) | last | .id // empty')
if [[ -z $artifact ]]; then
    echo "No plans of commit $head: its preview failed, or the plans expired, or its branch is in a fork." >&2
    echo "Run the preview of its pull request again, then this job. For a fork, push the branch to this repository." >&2
    exit 1
fi
mkdir -p "$folder"
gh api "$repository/actions/artifacts/$artifact/zip" >"$folder/plans.zip"
python3 -m zipfile --extract "$folder/plans.zip" "$folder"
