#!/usr/bin/env bash
# preview.sh FOLDER: previews the stacks in STACKS, separated by blanks, with the policy pack, and reviews the previews.
# policies.json, if it exists, is the configuration of the policies.
#
# Writes FOLDER/review.md and review.html, and for each stack FOLDER/plans/STACK.json, which update.sh needs.
# Exit status: 1 if a preview fails, a policy denies it, or the update will be refused; 7 if EXPECT_NO_CHANGES is set
# and something would change; otherwise 0. There is a review in each case, of every stack whose preview began.
set -euo pipefail

folder=$1
read -ra names <<<"$STACKS"
mkdir -p "$folder/plans" "$folder/raw"
export PULUMI_EXPERIMENTAL=true   # for --save-plan
export PULUMI_DEBUG_COMMANDS=true # for --event-log: the JSON of a preview lacks the results of policies
pack=(--policy-pack policy)
if [[ -f policies.json ]]; then
    pack+=(--policy-pack-config policies.json)
fi
status=0 previews=()
for stack in "${names[@]}"; do
    json=$folder/raw/$stack.json events=$folder/raw/$stack.events ended=0
    pulumi preview --json --non-interactive --stack "$stack" "${pack[@]}" \
        --save-plan "$folder/plans/$stack.json" --event-log "$events" ${EXPECT_NO_CHANGES:+--expect-no-changes} \
        >"$json" || ended=$?
    if [[ -s $json && -s $events ]]; then
        previews+=(--events "$events" "$json")
    fi
    if [[ $ended -ne 0 && $status -ne 1 ]]; then
        status=$((ended == 7 ? 7 : 1)) # a failure is worse than a change
    fi
done
if [[ ${#previews[@]} -eq 0 ]]; then
    exit 1 # Pulumi printed why
fi
for format in html md; do
    reviewed=0
    mig-fleet review --format "${format/#md/markdown}" "${previews[@]}" >"$folder/review.$format" || reviewed=$?
    if [[ $reviewed -gt 1 ]]; then
        exit "$reviewed"
    fi
done
# 1 is an update that will be refused. A drift check reports that as drift.
exit $((status == 0 ? reviewed : status))
