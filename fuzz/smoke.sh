#!/bin/sh
# smoke.sh TARGET SEED: a short run of a fuzz target from one seed file and its pieces.
# 77 (skipped) when the seed is not there.
set -eu
target=$1 seed=$2
if [ ! -f "$seed" ]; then
  echo "SKIP: $seed is not there; 'make setup' fetches it"
  exit 77
fi
corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT
for size in 64 4096 20000; do
  head -c "$size" "$seed" >"$corpus/head$size"
  tail -c "$size" "$seed" >"$corpus/tail$size"
done
cp "$seed" "$corpus/whole"
"$target" -seed=1 -runs=2000 -max_total_time=30 -rss_limit_mb=1024 -malloc_limit_mb=256 \
  -artifact_prefix="$corpus/" "$corpus"
