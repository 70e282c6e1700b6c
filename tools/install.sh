#!/usr/bin/env bash
# Installs the program and what it needs at run time outside this checkout: the imported models and, where the
# system has none, ONNX Runtime. The prefix is the one of the build (default /usr/local).
# Environment: PREFIX (configures another prefix), DESTDIR (as for meson install), BUILD.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

. tools/setup.sh

PREFIX=${PREFIX:-/usr/local}
DESTDIR=${DESTDIR:-}

install_files() { # install_files FOLDER FILES...
  local folder=$DESTDIR$1
  shift
  if ! mkdir -p "$folder" || ! cp -P "$@" "$folder/"; then
    die "$folder cannot be written: run make install as root, or with PREFIX=\$HOME/.local."
  fi
}

STEPS=7
begin
set_up packages onnxruntime models portrait
# `lib` instead of Debian's lib/<triplet>: the place is then known to this script and to the loader (ldconfig).
# The run path finds ONNX Runtime also below a prefix that the loader does not search. Not for macOS yet.
# shellcheck disable=SC2016 # the loader expands $ORIGIN
step_build build-install --buildtype=release -Dtests=false --prefix "$PREFIX" --libdir lib \
  '-Dc_link_args=-Wl,-rpath,$ORIGIN/../lib'
step_import build-install/src/cli/facemirror
step 'Install' "into $DESTDIR$PREFIX"
run_logged "$LOGS/install.log" 'meson install' meson install -C build-install --no-rebuild
install_files "$PREFIX/share/facemirror/models" "$DEPS"/models/*
if [ -n "$(onnxruntime_pkg_config_path)" ]; then
  install_files "$PREFIX/lib" "$ORT_DIR"/lib/libonnxruntime.*
  install_files "$PREFIX/share/doc/facemirror/onnxruntime" "$ORT_DIR/LICENSE" "$ORT_DIR/ThirdPartyNotices.txt"
fi
if [ -z "$DESTDIR" ] && [ "$(id -u)" = 0 ] && have ldconfig; then ldconfig; fi
