#!/usr/bin/env bash
# The set-up with the test tools, then the checks that are named:
#   setup     the set-up's own tests
#   tests     the test suite, on a build by gcc in which every warning is an error
#   clang     the same sources (with the fuzz targets, if any) by clang, every warning an error
#   sanitize  the test suite under AddressSanitizer and UndefinedBehaviorSanitizer
# usage: tools/check.sh [CHECK...]   (default: all)
# Environment: FACEMIRROR_SHARED (folder of the test media; default ../shared if it is there).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

. tools/setup.sh

find_shared() {
  if [ -z "${FACEMIRROR_SHARED:-}" ] && [ -d ../shared ]; then
    FACEMIRROR_SHARED=$(cd ../shared && pwd)
  fi
  if [ -n "${FACEMIRROR_SHARED:-}" ]; then
    export FACEMIRROR_SHARED
    SHARED_NOTE="test media in $FACEMIRROR_SHARED"
  else
    SHARED_NOTE='no test media (FACEMIRROR_SHARED), tests that need them are skipped'
  fi
}

# suite DIR NAME MESON_OPTIONS...: runs the tests and shows meson's own summary.
suite() {
  local dir=$1 name=$2
  shift 2
  meson test -C "$dir" --no-rebuild --print-errorlogs "$@" 9>&- ||
    die "$name failed: the tests' output is above and in $dir/meson-logs/testlog.txt."
}

check_setup() {
  local test
  step "Set-up's own tests" 'tests/setup, without network'
  for test in tests/setup/test_*.sh; do
    # The tests run the set-up in copies of their own, so they must not see our lock or our settings.
    env -u STEPS -u CHECKSUMS -u BUILD bash "$test" 9>&- || die "$test failed: its output is above."
  done
}

check_tests() {
  step 'Tests' "build by gcc -Werror, $SHARED_NOTE"
  suite "$STRICT_BUILD" 'the test suite'
}

check_clang() {
  local fuzz=()
  if [ -f fuzz/meson.build ]; then fuzz=(-Dfuzz=true); fi
  step 'clang' "build by clang -Werror${fuzz[0]+, with the fuzz targets}, in build-clang"
  CC=clang build build-clang --buildtype=release -Dwerror=true -Db_lundef=false ${fuzz[0]+"${fuzz[@]}"}
  # The fuzz targets' smoke runs are meson tests of the suite `fuzz`, which only this build has.
  if [ -n "${fuzz[0]+there}" ] && meson test -C build-clang --list --suite fuzz 2>/dev/null | grep -q fuzz; then
    suite build-clang 'the fuzz smoke test' --suite fuzz
  fi
}

check_sanitize() {
  step 'Sanitizers' 'tests under AddressSanitizer and UndefinedBehaviorSanitizer, in build-sanitize'
  CC=gcc build build-sanitize --buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false
  # The path is quoted for the sanitizer's own option parser. Without halt_on_error UBSan prints its finding and the test still passes.
  ASAN_OPTIONS="halt_on_error=1:abort_on_error=1:detect_leaks=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}" \
  LSAN_OPTIONS="suppressions='$PWD/tools/lsan.supp':print_suppressions=0${LSAN_OPTIONS:+:$LSAN_OPTIONS}" \
  UBSAN_OPTIONS="halt_on_error=1:abort_on_error=1:print_stacktrace=1${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}" \
    suite build-sanitize 'the test suite under the sanitizers' --timeout-multiplier 5
}

if [ $# -eq 0 ]; then set -- setup tests clang sanitize; fi
for check in "$@"; do
  case "$check" in
    setup | tests | clang | sanitize) ;;
    *) die "there is no check '$check': name setup, tests, clang or sanitize." ;;
  esac
done
STEPS=$((8 + $#))
begin
find_shared
set_up packages-tests onnxruntime models portrait consumers ep build-strict import-strict
for check in "$@"; do "check_$check"; done
printf '\nAll checks passed: %s.\n' "$*"
