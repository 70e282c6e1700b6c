# shellcheck shell=bash
# Step 1: what the system must have. Debian and its children get it by apt-get, others are told.
# No network and no root as long as everything is there.

MISSING=''      # Debian package names
MISSING_WHAT='' # the same in words that fit every system

missing() { # missing PACKAGES WHAT
  MISSING="$MISSING $1"
  MISSING_WHAT="$MISSING_WHAT${MISSING_WHAT:+, }$2"
}

need_tool() { # need_tool COMMAND PACKAGES
  have "$1" || missing "$2" "$1"
}

installed() { # installed PACKAGE
  have dpkg-query && [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# A library counts when its Debian package is installed, or when pkg-config finds one from elsewhere.
need_library() { # need_library PKG_CONFIG_NAME PACKAGE
  installed "$2" || { have pkg-config && pkg-config --exists "$1"; } || missing "$2" "$1"
}

need_header() { # need_header HEADER PACKAGE
  installed "$2" || { have cc && printf '#include <%s>\n' "$1" | cc -E - >/dev/null 2>&1; } || missing "$2" "$1"
}

# need_packages [tests]: fills MISSING.
need_packages() {
  local library
  if ! have cc; then
    missing 'gcc libc6-dev' 'a C17 compiler'
  elif have dpkg-query && ! installed libc6-dev; then
    missing libc6-dev 'the C headers' # gcc only recommends them
  fi
  need_tool meson meson
  need_tool ninja ninja-build
  need_tool pkg-config pkg-config
  for library in avformat avcodec avfilter avutil swscale swresample; do
    need_library "lib$library" "lib$library-dev"
  done
  need_library jansson libjansson-dev
  need_library libzip libzip-dev
  need_library libdw libdw-dev # call stacks with names, files and lines
  need_library libunwind libunwind-dev # exact allocations at a fraction of the cost
  need_header sys/sdt.h systemtap-sdt-dev # scopes that perf, bpftrace and gdb can watch
  need_tool ffmpeg ffmpeg
  if ! onnxruntime_ready || ! models_ready; then need_tool npm npm; fi
  if [ "${1:-}" = tests ]; then
    need_library cmocka libcmocka-dev
    need_tool g++ g++ # the public headers are compiled as C++ as well
    need_tool djpeg libjpeg-turbo-progs
    need_tool python3 python3
    # What our own figures are compared with.
    need_tool strace strace
    need_tool heaptrack heaptrack
    need_tool valgrind valgrind
    need_tool gdb gdb
    need_tool node nodejs # Perfetto's and speedscope's own readers run in it
    if have python3 && ! python3 -m pip --version >/dev/null 2>&1; then missing python3-pip pip; fi
    if have python3 && ! python3 -c 'import jsonschema' 2>/dev/null; then missing python3-jsonschema jsonschema; fi
    if have cc; then need_tool gcc gcc; fi
    if ! have clang || ! clang_runtime_there; then missing 'clang libclang-rt-dev' 'clang with its sanitizer and fuzzer runtime'; fi
  fi
}

# The fuzz targets link libFuzzer, which Debian packages apart from clang (libclang-rt-dev follows its version).
clang_runtime_there() {
  local dir
  # Not -print-runtime-dir: clang 19 of Debian names a folder there that does not exist.
  dir=$(clang -print-resource-dir 2>/dev/null) &&
    [ -n "$(find "$dir/lib" -name 'libclang_rt.fuzzer*' 2>/dev/null | head -n 1)" ]
}

step_packages() { # step_packages [tests]
  local command sudo=''
  need_packages "$@"
  MISSING=${MISSING# }
  if [ -z "$MISSING" ]; then
    step 'System packages' 'already there'
    return
  fi
  if ! have apt-get || ! have dpkg-query; then
    if have pkg-config && pkg-config --exists libavformat libavcodec libavfilter libavutil libswscale libswresample jansson libzip &&
      have cc && have meson && have ninja; then
      step 'System packages' "no apt-get here; going on without: $MISSING_WHAT"
      return
    fi
    die "this system has no apt-get, so install these by hand and run the same command again: $MISSING_WHAT."
  fi
  command="apt-get update && apt-get install --no-install-recommends $MISSING"
  if [ "$(id -u)" != 0 ]; then
    have sudo || die "Debian packages are missing and there is no sudo, so run as root: $command; then run the same make command again."
    sudo=sudo
  fi
  step 'System packages' "installing $MISSING (${sudo:+sudo }apt-get)"
  apt "$sudo" update || die "apt-get update did not work (see $LOGS/apt.log): check the network and your sudo rights, or run as root: $command; then run the same make command again."
  # shellcheck disable=SC2086 # the list is split on purpose
  apt "$sudo" install --yes --no-install-recommends $MISSING ||
    die "apt-get could not install the packages (see $LOGS/apt.log): run as root: $command; then run the same make command again."
  hash -r
}

# apt SUDO ARGUMENTS...: apt-get without questions, into the log. Waits for another apt (a fresh machine often
# updates itself at first boot) instead of failing.
apt() {
  local sudo=$1
  shift
  # shellcheck disable=SC2086 # $sudo is one word or nothing
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 -q "$@" \
    >"$LOGS/apt.log" 2>&1 9>&-
}
