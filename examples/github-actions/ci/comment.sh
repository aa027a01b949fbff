#!/usr/bin/env bash
# comment.sh NUMBER FILE: writes the review as a comment of a pull request; later runs update the same comment.
# gh needs GH_TOKEN with `pull-requests: write`, and GITHUB_REPOSITORY.
set -euo pipefail

number=$1 file=$2
repository=repos/$GITHUB_REPOSITORY
# The review has an invisible marker. Other people's comments may quote it; only those of a bot are updated.
ids=$(gh api --paginate "$repository/issues/$number/comments?per_page=100" \
    --jq '.[] | select(.user.type == "Bot" and (.body | contains("<!-- mig-fleet review"))) | .id')
id=${ids%%$'\n'*}
if [[ -n $id ]]; then
    gh api --silent --method PATCH "$repository/issues/comments/$id" --field "body=@$file"
else
    gh api --silent --method POST "$repository/issues/$number/comments" --field "body=@$file"
fi
