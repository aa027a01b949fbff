#!/usr/bin/env bash
# drift.sh FOLDER: previews as preview.sh does, and prints found=drift or found=none, for GITHUB_OUTPUT.
# Fails if a preview fails, because then nothing is known.
set -euo pipefail

status=0
EXPECT_NO_CHANGES=yes "${BASH_SOURCE%/*}/preview.sh" "$1" >&2 || status=$?
case $status in
0) echo found=none ;;
7) echo found=drift ;;
*) exit "$status" ;;
esac
