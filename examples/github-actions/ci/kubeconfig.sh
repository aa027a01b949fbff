#!/usr/bin/env bash
# Writes the secret KUBECONFIG_CONTENT to the file KUBECONFIG, which only this user can read.
set -euo pipefail

if [[ -z $KUBECONFIG_CONTENT ]]; then
    echo "The secret MIG_FLEET_KUBECONFIG is empty or not in this job's environment: set it." >&2
    exit 1
fi
umask 077
printf '%s\n' "$KUBECONFIG_CONTENT" >"$KUBECONFIG"
