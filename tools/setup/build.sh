# shellcheck shell=bash
# Step 5 and the builds of `make check`: one function that configures when needed and compiles quietly.

# build DIR MESON_OPTIONS...: the compiler is $CC. DIR gets a note of how it was configured; another
# configuration (or a checkout that moved) makes it anew, the same one leaves it to ninja.
build() {
  local dir=$1 wanted path setup
  shift
  path=$(onnxruntime_pkg_config_path)
  setup=("-Dmodels_dir=$PWD/$DEPS/models" "-Dportrait=$PWD/$PORTRAIT" "$@")
  wanted=$(printf '%s\n' "source=$PWD" "CC=${CC:-}" "CFLAGS=${CFLAGS:-}" "PKG_CONFIG_PATH=$path:${PKG_CONFIG_PATH:-}" "${setup[@]}")
  if [ -f "$dir/.configured" ] && [ -f "$dir/build.ninja" ] && [ "$(cat "$dir/.configured")" = "$wanted" ]; then
    :
  else
    if [ -e "$dir" ] && [ ! -e "$dir/meson-private" ] && [ -n "$(ls -A "$dir")" ]; then
      die "$dir is there but is no build folder: move it away or name another with BUILD=..."
    fi
    rm -rf "$dir"
    run_logged "$LOGS/$(basename "$dir")-setup.log" "meson setup $dir" \
      env PKG_CONFIG_PATH="$path${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}" meson setup "$dir" "${setup[@]}"
    printf '%s\n' "$wanted" >"$dir/.configured"
  fi
  run_logged "$LOGS/$(basename "$dir").log" "the build in $dir" meson compile -C "$dir"
}

build_is_current() { # build_is_current DIR: whether ninja has nothing to do
  [ -f "$1/.configured" ] && ninja -C "$1" -n 2>/dev/null | grep -q 'no work to do'
}

step_build() { # step_build DIR MESON_OPTIONS...
  local dir=$1
  if build_is_current "$dir"; then step 'Build' "$dir is up to date"; else step 'Build' "meson and ninja, in $dir"; fi
  build "$@"
}
