# shellcheck shell=bash
# Step 2: ONNX Runtime with its C API. The system's where it is new enough, else headers and library out of
# npm packages, into deps/onnxruntime (a prefix of its own, found by pkg-config).

ORT_VERSION=1.29.0
ORT_API=29
ORT_PACKAGE=com.github.asus4.onnxruntime
ORT_PACKAGE_VERSION=0.4.9
ORT_DIR=$DEPS/onnxruntime

# The system's runtime, looked up without what lies in deps/.
onnxruntime_of_system() { have pkg-config && pkg-config --atleast-version=1.29 libonnxruntime; }

onnxruntime_library() { # the library's file name on this platform
  case "$1" in
    macos-*) echo libonnxruntime.1.dylib ;;
    *) echo libonnxruntime.so.1 ;;
  esac
}

# onnxruntime_unpacked ROOT: whether ROOT (in place of deps/) holds a whole and right runtime.
onnxruntime_unpacked() {
  local system library
  system=$(platform)
  [ -n "$system" ] || return 1
  library=onnxruntime/lib/$(onnxruntime_library "$system")
  [ -f "$1/onnxruntime/lib/pkgconfig/libonnxruntime.pc" ] &&
    { [ -e "$1/onnxruntime/lib/libonnxruntime.so" ] || [ -e "$1/onnxruntime/lib/libonnxruntime.dylib" ]; } &&
    sum_ok "$1/$library" "deps/$library@$system" &&
    tree_ok "$1" deps/onnxruntime/
}

onnxruntime_ready() { onnxruntime_of_system || onnxruntime_unpacked "$DEPS"; }

# The pkg-config path that meson needs, empty with the system's runtime.
onnxruntime_pkg_config_path() {
  if ! onnxruntime_of_system; then echo "$PWD/$ORT_DIR/lib/pkgconfig"; fi
}

step_onnxruntime() {
  local system new
  if onnxruntime_of_system; then
    step 'ONNX Runtime' "the system's, $(pkg-config --modversion libonnxruntime)"
    return
  fi
  if onnxruntime_unpacked "$DEPS"; then
    step 'ONNX Runtime' "already there ($ORT_VERSION in $ORT_DIR)"
    return
  fi
  system=$(platform)
  [ -n "$system" ] ||
    die "no ONNX Runtime is known for $(uname -s) on $(uname -m): install one that pkg-config finds as libonnxruntime 1.29 or newer."
  case "$system" in
    linux-aarch64) step 'ONNX Runtime' "downloading $ORT_PACKAGE $ORT_PACKAGE_VERSION and onnxruntime-node $ORT_VERSION (npm, 260 MB)" ;;
    *) step 'ONNX Runtime' "downloading $ORT_PACKAGE $ORT_PACKAGE_VERSION (npm, 150 MB)" ;;
  esac
  new=$TMP/new/onnxruntime
  mkdir -p "$new/include" "$new/lib/pkgconfig" "$TMP/unpack"
  npm_fetch "$ORT_PACKAGE" "$ORT_PACKAGE_VERSION" "$ORT_PACKAGE-$ORT_PACKAGE_VERSION.tgz"
  unpack_runtime "$system" "$new"
  write_pkg_config "$new/lib/pkgconfig/libonnxruntime.pc"
  grep -q "^#define ORT_API_VERSION $ORT_API\$" "$new/include/onnxruntime_c_api.h" ||
    die "the ONNX Runtime headers are not those of API version $ORT_API: the versions in tools/setup/onnxruntime.sh do not fit together."
  onnxruntime_unpacked "$TMP/new" ||
    die "a file of ONNX Runtime differs from $CHECKSUMS, so nothing was kept: try again, and distrust the source if it stays so."
  replace_dir "$new" "$ORT_DIR"
  rm -rf "$TMP/npm" "$TMP/unpack"
}

# unpack_runtime SYSTEM NEW: headers, library and licences out of the archives in $TMP/npm.
unpack_runtime() {
  local archive=$TMP/npm/$ORT_PACKAGE-$ORT_PACKAGE_VERSION.tgz from=$TMP/unpack/package library
  # The package has the C headers only inside its iOS framework; they are the same for all systems.
  local headers='Plugins/iOS~/onnxruntime.xcframework/ios-arm64/onnxruntime.framework/Headers'
  case "$1" in
    linux-x86_64) library=Plugins/Linux/x64/libonnxruntime.so ;;
    macos-arm64) library=Plugins/macOS/arm64/libonnxruntime.dylib ;; # not tried on a Mac yet
    linux-aarch64) library='' ;;
  esac
  untar "$archive" "package/$headers" package/LICENSE package/ThirdPartyNotices.txt ${library:+"package/$library"}
  if [ -z "$library" ]; then # 64-bit ARM: the library comes from the official Node package
    npm_fetch onnxruntime-node "$ORT_VERSION" "onnxruntime-node-$ORT_VERSION.tgz"
    library=bin/napi-v6/linux/arm64/libonnxruntime.so.1
    untar "$TMP/npm/onnxruntime-node-$ORT_VERSION.tgz" "package/$library"
  fi
  mv "$from/$headers"/*.h "$2/include/"
  mv "$from/LICENSE" "$from/ThirdPartyNotices.txt" "$2/"
  mv "$from/$library" "$2/lib/$(onnxruntime_library "$1")"
  case "$1" in
    macos-*) ln -s "$(onnxruntime_library "$1")" "$2/lib/libonnxruntime.dylib" ;;
    *) ln -s "$(onnxruntime_library "$1")" "$2/lib/libonnxruntime.so" ;;
  esac
}

untar() { # untar ARCHIVE MEMBERS...
  local archive=$1
  shift
  tar -xzf "$archive" -C "$TMP/unpack" "$@" 2>"$LOGS/unpack.log" ||
    die "$(basename "$archive") cannot be unpacked (see $LOGS/unpack.log): check the free space, then run the same command again."
}

write_pkg_config() {
  cat >"$1" <<END
prefix=\${pcfiledir}/../..
Name: onnxruntime
Description: ONNX Runtime
Version: $ORT_VERSION
Libs: -L\${prefix}/lib -lonnxruntime
Cflags: -I\${prefix}/include
END
}
