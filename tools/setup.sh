#!/usr/bin/env bash
# Gets and builds everything that facemirror needs, in six steps. Steps that are done are not done again:
# what counts is the files with the right checksums, not a mark. A complete set-up needs no network.
#
# usage: tools/setup.sh [all | STEP...]
#   STEP is packages, onnxruntime, models, portrait, build or import; `packages-tests` and `build-strict`
#   are the variants of `make check`.
# Environment: BUILD (build folder), CC, CFLAGS, PKG_CONFIG_PATH as for meson.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

. tools/setup/lib.sh
. tools/setup/onnxruntime.sh
. tools/setup/models.sh
. tools/setup/portrait.sh
. tools/setup/consumers.sh
. tools/setup/packages.sh
. tools/setup/build.sh

BUILD=${BUILD:-build}
STRICT_BUILD=build-strict


set_up() { # set_up STEP...
  local name
  for name in "$@"; do
    case "$name" in
      packages) step_packages ;;
      packages-tests) step_packages tests ;;
      onnxruntime) step_onnxruntime ;;
      models) step_models ;;
      portrait) step_portrait ;;
      consumers) step_consumers ;;
      ep) step_ep ;;
      build) step_build "$BUILD" --buildtype=release -Dtests=false ;;
      build-strict) CC=gcc step_build "$STRICT_BUILD" --buildtype=release -Dwerror=true ;;
      import) step_import "$BUILD/src/cli/facemirror" ;;
      import-strict) step_import "$STRICT_BUILD/src/cli/facemirror" ;;
      *) die "there is no set-up step '$name': see the head of tools/setup.sh." ;;
    esac
  done
}

# Sourced by demo.sh and check.sh, which go on after the set-up under the same lock.
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  if [ $# -eq 0 ] || [ "$1" = all ]; then set -- packages onnxruntime models portrait build import; fi
  STEPS=$#
  begin
  set_up "$@"
fi
