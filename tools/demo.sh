#!/usr/bin/env bash
# The whole program on a clip that it makes itself: set-up, demo clip, run, list of what came out.
# Environment: OUT (default out/demo), BUILD and the rest as for tools/setup.sh; PORTRAIT_PNG: another still.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

. tools/setup.sh

OUT=${OUT:-out/demo}
PORTRAIT_PNG=${PORTRAIT_PNG:-}

meaning() { # meaning FILE: what one output is, in one line
  case "$(basename "$1")" in
    demo.mp4) echo 'the input: a still portrait, animated' ;;
    demo_truth.csv) echo 'where each landmark truly is in each frame of the input' ;;
    *left*.mp4) echo 'left half of the face and its mirror image' ;;
    *right*.mp4) echo 'right half of the face and its mirror image' ;;
    *debug*.mp4) echo 'the input with landmarks, midline and head pose' ;;
    *left*.csv) echo 'action units of the left-mirrored face, frame by frame' ;;
    *right*.csv) echo 'action units of the right-mirrored face, frame by frame' ;;
    *landmarks*.csv) echo 'the landmarks, frame by frame' ;;
    *.txt) echo 'the report: where the time went, what to do about it' ;;
    *.html) echo 'the report with graphs, for a browser' ;;
    *.json | *.fmprof) echo 'the profile as data: all figures of the report' ;;
    *.csv) echo 'a table' ;;
    *) echo 'further output' ;;
  esac
}

list_outputs() {
  local file
  printf '\nIn %s:\n' "$PWD/$OUT"
  for file in "$OUT"/*; do
    printf '  %-34s %s\n' "$(basename "$file")" "$(meaning "$file")"
  done
  printf 'The report of the run (where the time went, what to do about it) stands above this list.\n'
}

make_clip() {
  if [ -s "$OUT/demo.mp4" ] && [ -s "$OUT/demo_truth.csv" ] && [ -z "$PORTRAIT_PNG" ]; then
    step 'Demo clip' "already there ($OUT/demo.mp4)"
    return
  fi
  [ -n "$PORTRAIT_PNG" ] || portrait_ready ||
    die "the demo needs a portrait: put scikit-image's astronaut.png at $PORTRAIT, or say make demo PORTRAIT_PNG=FILE."
  step 'Demo clip' "animating the portrait into $OUT/demo.mp4"
  mkdir -p "$OUT"
  rm -f "$OUT/demo.mp4" "$OUT/demo_truth.csv" # one without the other is of no use
  run_logged "$LOGS/demo-clip.log" 'the demo clip' "$BUILD/src/cli/facemirror" demo-clip -o "$OUT/demo.mp4" \
    --truth "$OUT/demo_truth.csv" ${PORTRAIT_PNG:+--portrait "$PORTRAIT_PNG"}
}

STEPS=8
begin
set_up packages onnxruntime models portrait build import
make_clip
step 'Run' "facemirror run $OUT/demo.mp4 -o $OUT --overwrite"
"$BUILD/src/cli/facemirror" run "$OUT/demo.mp4" -o "$OUT" --overwrite 9>&- ||
  die "facemirror run ended with status $?: its message is above; 'make distclean demo' starts from nothing."
list_outputs
