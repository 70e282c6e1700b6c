#!/usr/bin/env bash
# Makes the picture of the README from the outputs of `make demo`: the clip, both mirrored videos and the debug
# video at one moment, side by side. usage: tools/picture.sh [DEMO_FOLDER] [SECONDS]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
demo=${1:-out/demo}
at=${2:-4.4}
ffmpeg -v error -y -ss "$at" -i "$demo/demo.mp4" -ss "$at" -i "$demo/demo_left_mirrored.mp4" \
  -ss "$at" -i "$demo/demo_right_mirrored.mp4" -ss "$at" -i "$demo/demo_debug.mp4" \
  -filter_complex '[0][1][2][3]hstack=inputs=4,scale=1200:-2:flags=lanczos' -frames:v 1 -q:v 4 docs/img/outputs.jpg
