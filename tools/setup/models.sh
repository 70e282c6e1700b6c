# shellcheck shell=bash
# Step 3: the default models, as their makers publish them (TFLite). Step 6: the same as a pack of ONNX models.

MODELS_PACKAGE=@mediapipe/face_mesh
MODELS_PACKAGE_VERSION=0.4.1657299874
MODELS_ARCHIVE=mediapipe-face_mesh-$MODELS_PACKAGE_VERSION.tgz
MODELS='face_detection_short_range face_landmark face_landmark_with_attention'

models_ready() { tree_ok "$DEPS" deps/tflite/; }

step_models() {
  if models_ready; then
    step 'Models' "already there ($DEPS/tflite)"
    return
  fi
  step 'Models' "downloading $MODELS_PACKAGE $MODELS_PACKAGE_VERSION (npm, 7 MB)"
  npm_fetch "$MODELS_PACKAGE" "$MODELS_PACKAGE_VERSION" "$MODELS_ARCHIVE"
  mkdir -p "$TMP/face_mesh" "$TMP/new/tflite"
  tar -xzf "$TMP/npm/$MODELS_ARCHIVE" -C "$TMP/face_mesh" package/face_mesh_solution_packed_assets.data \
    package/face_mesh_solution_packed_assets_loader.js 2>"$LOGS/unpack.log" ||
    die "$MODELS_ARCHIVE cannot be unpacked (see $LOGS/unpack.log): check the free space, then run the same command again."
  local model
  for model in $MODELS; do cut_model "$model.tflite"; done
  replace_dir "$TMP/new/tflite" "$DEPS/tflite"
  rm -rf "$TMP/npm" "$TMP/face_mesh"
}

# The package keeps its models in one file; the loader script beside it says from which byte to which.
cut_model() {
  local packed=$TMP/face_mesh/package/face_mesh_solution_packed_assets range start end
  range=$(grep -o "\"filename\": *\"[^\"]*/$1\", *\"start\": *[0-9]*, *\"end\": *[0-9]*" "${packed}_loader.js" |
    sed 's/.*"start": *\([0-9]*\), *"end": *\([0-9]*\)/\1 \2/')
  start=${range% *}
  end=${range#* }
  if [ -z "$range" ] || [ "$end" -le "$start" ]; then
    die "$MODELS_PACKAGE does not say where $1 lies: tools/setup/models.sh is written for version $MODELS_PACKAGE_VERSION."
  fi
  head -c "$end" "$packed.data" | tail -c "$((end - start))" >"$TMP/new/tflite/$1"
  sum_ok "$TMP/new/tflite/$1" "deps/tflite/$1" ||
    die "$1 out of $MODELS_PACKAGE differs from $CHECKSUMS, so nothing was kept: try again, and distrust the source if it stays so."
}

# pack_ready PROGRAM: whether the pack is whole, by its own hashes, and not older than the program or a TFLite file.
pack_ready() {
  local program=$1 pack=$DEPS/models/pack.json model
  [ -f "$pack" ] && ! [ "$program" -nt "$pack" ] || return 1
  for model in $MODELS; do
    ! [ "$DEPS/tflite/$model.tflite" -nt "$pack" ] || return 1
  done
  "$program" models verify "$DEPS/models" >/dev/null 2>&1
}

# step_import PROGRAM: makes the default pack.
step_import() {
  local program=$1
  [ -x "$program" ] || die "$program is not there though the build went well: run 'make clean', then the same command again."
  if pack_ready "$program"; then
    step 'Import' "already there ($DEPS/models)"
    return
  fi
  step 'Import' "TFLite to ONNX, checked, as a model pack ($DEPS/models)"
  mkdir -p "$TMP/new"
  run_logged "$LOGS/import.log" 'making the model pack' "$program" models add "$DEPS/tflite" --to "$TMP/new/models"
  replace_dir "$TMP/new/models" "$DEPS/models"
}
