#!/usr/bin/env bash
# The whole program on a clip that it makes itself: set-up, demo clip, run, list of what came out.
# Environment: OUT (default out/demo), BUILD and the rest as for tools/setup.sh; PORTRAIT_PNG: another still.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

. tools/setup.sh

OUT=${OUT:-out/demo}
PORTRAIT_PNG=${PORTRAIT_PNG:-}

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
"$BUILD/src/cli/facemirror" run "$OUT/demo.mp4" -o "$OUT" --overwrite 9>&- | tee "$OUT/demo_report.txt" ||
  die "facemirror run failed: its message is above; 'make distclean demo' starts from nothing."
cat <<END

The outputs and the report stand above; all of it is in $PWD/$OUT:
  demo.mp4          the input: a still portrait, animated
  demo_truth.csv    where each landmark truly is in each frame of the input
  demo_report.txt   the report above
Look at demo_debug.mp4 first, then at demo_left_mirrored.mp4: the patient smiles on her left side only.
Next: $BUILD/src/cli/facemirror YOUR_CLIP.mp4 -o results
and to see what the machine did meanwhile: the same with --system
END
