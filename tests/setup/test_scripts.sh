#!/usr/bin/env bash
# The scripts themselves: they parse, shellcheck has nothing to say (where it is installed), and no address of
# a registry stands in them: packages are named, the clients know where to get them.
# usage: tests/setup/test_scripts.sh
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
scripts=(tools/*.sh tools/setup/*.sh tests/setup/*.sh .ci/run)

for script in "${scripts[@]}"; do bash -n "$script"; done
echo "ok - ${#scripts[@]} scripts parse"

if command -v shellcheck >/dev/null; then
  shellcheck -x -P . "${scripts[@]}"
  echo 'ok - shellcheck'
else
  echo 'skipped - shellcheck is not installed'
fi

scheme='https*:' # written so that this file does not match itself
if grep -nE "$scheme//" "${scripts[@]}" Makefile tools/checksums.txt; then
  echo 'NOT OK - an address stands in the scripts'
  exit 1
fi
echo 'ok - no address in the scripts'
