# shellcheck shell=bash
# Shared by the set-up's scripts: messages, the lock, the temporary folder, checksums, downloads.
#
# Works with bash 3.2 too (macOS). Every script runs with the checkout as its working folder.
# Convention: a step prints one line, "[2/6] ONNX Runtime: ..."; a failure prints one sentence that says
# what failed and what to do, on standard error, and ends the whole run.

DEPS=deps
LOGS=$DEPS/log
CHECKSUMS=${CHECKSUMS:-tools/checksums.txt}
TMP=''         # this run's folder below deps/, on the same file system, so that mv is atomic
STEP=0
STEPS=${STEPS:-6}

step() { # step NAME TEXT
  STEP=$((STEP + 1))
  printf '[%d/%d] %s: %s\n' "$STEP" "$STEPS" "$1" "$2"
}

die() {
  printf 'stopped: %s\n' "$*" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

cleanup() {
  if [ -n "$TMP" ]; then rm -rf "$TMP"; fi
}

# Creates deps/, takes the lock (where flock exists) and the temporary folder.
begin() {
  mkdir -p "$LOGS" 2>/dev/null || true
  if [ ! -w "$DEPS" ] || [ ! -w "$LOGS" ]; then
    die "$PWD/$DEPS cannot be written by $(id -un): run as its owner, or take it over with 'chown -R'."
  fi
  if have flock; then
    [ -e "$DEPS/.lock" ] || : >"$DEPS/.lock"
    exec 9<"$DEPS/.lock" # reading is enough for a lock, so it may be another user's file
    if ! flock -n 9; then
      printf 'Another make works in this checkout; waiting until it is done.\n'
      flock 9
    fi
    rm -rf "$DEPS"/.tmp.* # left by a run that was killed; nobody else can be using them
  fi
  rm -f "$LOGS"/*.log # also those of another user, as after `sudo make install`
  trap cleanup EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  TMP=$(mktemp -d "$DEPS/.tmp.XXXXXX") || die "no folder can be made in $PWD/$DEPS: check space and rights."
}

sha256_of() {
  if have sha256sum; then sha256sum <"$1" | cut -d ' ' -f 1; else shasum -a 256 <"$1" | cut -d ' ' -f 1; fi
}

# recorded_sum NAME: the sum in checksums.txt.
recorded_sum() {
  awk -v name="$1" '$2 == name { print $1; found = 1 } END { exit !found }' "$CHECKSUMS" ||
    die "$CHECKSUMS has no line for $1: restore the file with 'git checkout $CHECKSUMS'."
}

# sum_ok FILE NAME: whether FILE is there with the sum recorded for NAME.
sum_ok() {
  local sum
  sum=$(recorded_sum "$2") || exit 1 # said why already
  [ -f "$1" ] && [ "$(sha256_of "$1")" = "$sum" ]
}

# tree_ok ROOT PREFIX: whether all files recorded below PREFIX (without those bound to a system) lie
# below ROOT, which stands for deps/.
tree_ok() {
  local name
  while read -r name; do
    sum_ok "$1/${name#deps/}" "$name" || return 1
  done <<<"$(awk -v p="$2" 'index($2, p) == 1 && $2 !~ /@/ { print $2 }' "$CHECKSUMS")"
}

# replace_dir NEW OLD: puts the finished folder NEW in the place of OLD.
replace_dir() {
  if [ -e "$2" ]; then mv "$2" "$TMP/replaced.$(basename "$2")"; fi
  mv "$1" "$2" || die "$1 cannot be moved to $2: check space and rights, then run the same command again."
}

# npm_fetch PACKAGE VERSION NAME: downloads one package and checks it; the archive is then $TMP/npm/NAME.
# The cache lies in the temporary folder too: no copy of the archive stays in the home folder.
npm_fetch() {
  local log=$LOGS/npm.log
  have npm || die "npm is needed to download $1: install npm (Debian: apt-get install npm), then run the same command again."
  mkdir -p "$TMP/npm"
  if ! (
    cache=$(cd "$TMP" && pwd)/npm-cache
    cd "$TMP/npm" && npm pack --silent --cache "$cache" --no-update-notifier --fetch-retries 3 \
      --fetch-retry-mintimeout 2000 --fetch-retry-maxtimeout 10000 "$1@$2"
  ) >"$log" 2>&1; then
    die "npm could not download $1@$2 (see $log): check the network and npm's registry setting, then run the same command again."
  fi
  rm -rf "$TMP/npm-cache"
  [ -f "$TMP/npm/$3" ] || die "npm downloaded $1@$2 but not as $3 (see $log): update npm, then run the same command again."
  sum_ok "$TMP/npm/$3" "archive/$3" ||
    die "the download of $1@$2 has the checksum $(sha256_of "$TMP/npm/$3") instead of the one in $CHECKSUMS, so it was thrown away: try again, and distrust the source if it stays so."
}

# platform: the name of this system in checksums.txt, or nothing where no runtime is known for it.
platform() {
  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) echo linux-x86_64 ;;
    Linux-aarch64 | Linux-arm64) echo linux-aarch64 ;;
    Darwin-arm64) echo macos-arm64 ;;
  esac
}

# run_logged LOG WHAT COMMAND...: runs quietly; on failure shows the log's end and stops with a sentence.
run_logged() {
  local log=$1 what=$2
  shift 2
  if ! "$@" >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    die "$what failed; the last lines are above, the whole log is $log."
  fi
}
