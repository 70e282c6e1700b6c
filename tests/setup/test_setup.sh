#!/usr/bin/env bash
# The set-up's downloads without network: the real scripts run in a copy of tools/ whose path has a space, with
# an npm and an apt-get that hand out small packages made here and count how often they are asked.
# Prints one line a test; ends non-zero when one failed. usage: tests/setup/test_setup.sh
set -u
source_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

root="$work/a check out"
bin=$work/bin
search_path=$bin:$PATH
failed=0
mkdir -p "$root" "$bin" "$work/archives"

say() { printf '%s - %s\n' "$1" "$2"; }

expect() { # expect NAME COMMAND...
  local name=$1
  shift
  if "$@"; then
    say ok "$name"
  else
    say 'NOT OK' "$name"
    if [ -s "$work/output" ]; then sed 's/^/    | /' "$work/output"; fi
    failed=1
  fi
}

# --- what the fake registries hand out ----------------------------------------------------------------------

case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) key=deps/onnxruntime/lib/libonnxruntime.so.1@linux-x86_64 ;;
  *) echo 'skipped: these tests are written for Linux on x86-64'; exit 0 ;;
esac
for tool in dpkg-deb flock; do
  command -v "$tool" >/dev/null || { echo "skipped: no $tool here"; exit 0; }
done

make_packages() {
  local p=$work/runtime/package h m=$work/mesh/package start
  h=$p/Plugins/iOS~/onnxruntime.xcframework/ios-arm64/onnxruntime.framework/Headers
  mkdir -p "$h" "$p/Plugins/Linux/x64" "$m" "$work/deb/usr/lib/python3/dist-packages/skimage/data" "$work/deb/DEBIAN"
  printf '#define ORT_API_VERSION 29\n' >"$h/onnxruntime_c_api.h"
  echo library >"$p/Plugins/Linux/x64/libonnxruntime.so"
  echo licence >"$p/LICENSE"
  echo notices >"$p/ThirdPartyNotices.txt"
  tar -czf "$work/archives/com.github.asus4.onnxruntime-0.4.9.tgz" -C "$work/runtime" package

  printf 'attention|landmark-model|detector!' >"$m/face_mesh_solution_packed_assets.data"
  start='"start"' # the loader is one line of JavaScript
  printf 'load({"files": [{"filename": "/a/face_landmark_with_attention.tflite", %s: 0, "end": 9}, {"filename": "/a/face_landmark.tflite", %s: 10, "end": 24}, {"filename": "/b/face_detection_short_range.tflite", %s: 25, "end": 33}]});\n' \
    "$start" "$start" "$start" >"$m/face_mesh_solution_packed_assets_loader.js"
  tar -czf "$work/archives/mediapipe-face_mesh-0.4.1657299874.tgz" -C "$work/mesh" package

  echo portrait >"$work/deb/usr/lib/python3/dist-packages/skimage/data/astronaut.png"
  printf 'Package: python3-skimage\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <nobody@localhost>\nDescription: test\n' \
    >"$work/deb/DEBIAN/control"
  dpkg-deb --root-owner-group --build "$work/deb" "$work/archives/python3-skimage_1_all.deb" >/dev/null
}

sum() { sha256sum | cut -d ' ' -f 1; }

make_checksums() {
  local name
  {
    for name in com.github.asus4.onnxruntime-0.4.9.tgz mediapipe-face_mesh-0.4.1657299874.tgz; do
      echo "$(sum <"$work/archives/$name")  archive/$name"
    done
    echo "$(echo library | sum)  $key"
    echo "$(echo licence | sum)  deps/onnxruntime/LICENSE"
    echo "$(echo notices | sum)  deps/onnxruntime/ThirdPartyNotices.txt"
    echo "$(printf '#define ORT_API_VERSION 29\n' | sum)  deps/onnxruntime/include/onnxruntime_c_api.h"
    echo "$(printf attention | sum)  deps/tflite/face_landmark_with_attention.tflite"
    echo "$(printf landmark-model | sum)  deps/tflite/face_landmark.tflite"
    echo "$(printf 'detector' | sum)  deps/tflite/face_detection_short_range.tflite"
    echo "$(echo portrait | sum)  deps/portrait/astronaut.png"
  } >"$work/checksums.txt"
}

# The fakes read FAKE_NPM and FAKE_APT: ok (default), offline, slow.
make_fakes() {
  cat >"$bin/npm" <<END
#!/bin/sh
echo "\$@" >>"$work/npm.calls"
[ "\${FAKE_NPM:-ok}" = slow ] && sleep 1
[ "\${FAKE_NPM:-ok}" = offline ] && { echo 'npm error network' >&2; echo half >half.tgz; exit 1; }
case "\$*" in
  *onnxruntime@*) cp "$work/archives/com.github.asus4.onnxruntime-0.4.9.tgz" . ;;
  *face_mesh@*) cp "$work/archives/mediapipe-face_mesh-0.4.1657299874.tgz" . ;;
  *) exit 1 ;;
esac
END
  cat >"$bin/apt-get" <<END
#!/bin/sh
echo "\$@" >>"$work/apt.calls"
[ "\${FAKE_APT:-ok}" = offline ] && { echo 'E: Failed to fetch' >&2; exit 100; }
case "\$*" in
  *update*) touch "$work/lists" ;;
  *download*) [ -e "$work/lists" ] || exit 100; cp "$work/archives/python3-skimage_1_all.deb" . ;;
  *install*) exit 100 ;;
esac
END
  # shellcheck disable=SC2016 # the fakes expand these
  printf '#!/bin/sh\nfor p; do :; done\ncase " ${FAKE_ABSENT:-} " in *" $p "*) exit 1 ;; *) echo installed ;; esac\n' >"$bin/dpkg-query"
  # shellcheck disable=SC2016
  printf '#!/bin/sh\ncase "$*" in *onnxruntime*) exit 1 ;; *) exit 0 ;; esac\n' >"$bin/pkg-config"
  # Above: everything is installed except what FAKE_ABSENT names, and there is no system ONNX Runtime.
  # shellcheck disable=SC2016
  printf '#!/bin/sh\n[ "${FAKE_SUDO:-ok}" = ok ] && exec "$@"\nexit 1\n' >"$bin/sudo"
  for tool in cc gcc meson ninja ffmpeg; do printf '#!/bin/sh\nexit 0\n' >"$bin/$tool"; done
  chmod +x "$bin"/*
}

fresh() { # a new copy without deps/
  rm -rf "$root" "$work/npm.calls" "$work/apt.calls" "$work/lists"
  mkdir -p "$root"
  cp -R "$source_root/tools" "$root/"
  cp "$work/checksums.txt" "$root/tools/checksums.txt"
  : >"$work/npm.calls"
  : >"$work/apt.calls"
}

setup() { # setup STEP...: the real script; output into $work/output
  PATH=$search_path "$root/tools/setup.sh" "$@" >"$work/output" 2>&1
}

fails_saying() { # fails_saying TEXT STEP...: status 1 and one sentence that holds TEXT
  local text=$1
  shift
  ! setup "$@" && grep -q "stopped: .*$text" "$work/output" && [ "$(grep -c stopped: "$work/output")" = 1 ]
}

npm_calls() { [ "$(wc -l <"$work/npm.calls")" = "$1" ]; }
nothing_left() { [ -z "$(find "$root/deps" -mindepth 1 -not -path '*/log*' -not -name .lock)" ]; }
no_temporary() { [ -z "$(find "$root/deps" -name '.tmp.*')" ]; }
lines() { [ "$(wc -l <"$work/output")" = "$1" ]; }
holds() { [ "$(cat "$root/deps/$1")" = "$2" ]; }
says() { grep -q "$1" "$work/output"; }

make_packages
make_checksums
make_fakes

# --- the tests ----------------------------------------------------------------------------------------------

fresh
expect 'downloads end well' setup onnxruntime models portrait
expect 'one line a step' lines 3
expect 'the library is there' holds onnxruntime/lib/libonnxruntime.so library
expect 'models are cut at the right bytes: first' holds tflite/face_landmark_with_attention.tflite attention
expect 'models are cut at the right bytes: middle' holds tflite/face_landmark.tflite landmark-model
expect 'models are cut at the right bytes: last' holds tflite/face_detection_short_range.tflite detector
expect 'the portrait is there' holds portrait/astronaut.png portrait
expect 'absent package lists were read first' grep -q update "$work/apt.calls"
expect 'pkg-config finds the runtime below a path with a space' \
  env PKG_CONFIG_PATH="$root/deps/onnxruntime/lib/pkgconfig" pkg-config --exists 'libonnxruntime >= 1.29'
expect 'no temporary folder stays' no_temporary

: >"$work/npm.calls"
: >"$work/apt.calls"
export FAKE_NPM=offline FAKE_APT=offline
expect 'the second run ends well without network' setup onnxruntime models portrait
expect 'the second run asks npm for nothing' npm_calls 0
expect 'the second run asks apt for nothing' [ ! -s "$work/apt.calls" ]
expect 'the second run says so' says 'ONNX Runtime: already there'

echo damaged >"$root/deps/tflite/face_landmark.tflite"
expect 'a damaged model is noticed, and needs the network' fails_saying 'could not download @mediapipe' models
unset FAKE_NPM FAKE_APT
expect 'a damaged model is fetched anew' setup models
expect 'the new model is right' holds tflite/face_landmark.tflite landmark-model

fresh
export FAKE_NPM=offline FAKE_APT=offline
expect 'no network: npm' fails_saying 'check the network' onnxruntime
expect 'no network: nothing is left' nothing_left
expect 'no network: apt-get' fails_saying 'check the network' portrait
expect 'no network: still nothing is left' nothing_left
unset FAKE_NPM FAKE_APT

fresh
sed -i 's/^[0-9a-f]*\(  archive\)/0000\1/' "$root/tools/checksums.txt"
expect 'wrong checksum of an archive' fails_saying 'checksum' onnxruntime
expect 'wrong checksum: nothing is left' nothing_left

fresh
sed -i 's/^[0-9a-f]*\(  deps.tflite.face_landmark.tflite\)/0000\1/' "$root/tools/checksums.txt"
expect 'wrong checksum of a model' fails_saying 'face_landmark.tflite.*differs' models
expect 'wrong checksum of a model: nothing is left' nothing_left

fresh
sed -i "\\|$key|d" "$root/tools/checksums.txt"
expect 'a sum that is not recorded stops the set-up' fails_saying 'has no line for' onnxruntime
expect 'a sum that is not recorded: nothing is left' nothing_left

# From here the path has the fakes and a few ordinary tools only, so that npm and sudo can be absent.
fresh
mv "$bin/npm" "$bin/sudo" "$work/"
for tool in bash sh env dirname uname id mktemp mkdir rm mv cp cat cut awk sed grep find head tail tar gzip ln \
  sha256sum flock basename wc dpkg-deb sleep touch; do
  ln -s "$(command -v "$tool")" "$bin/$tool"
done
search_path=$bin
expect 'no npm: one sentence' fails_saying 'npm is needed' models
expect 'no npm: nothing is left' nothing_left
# shellcheck disable=SC2016
printf '#!/bin/sh\n[ "$*" = -u ] && echo 1000 || echo somebody\n' >"$work/id"
chmod +x "$work/id"
ln -sf "$work/id" "$bin/id"
expect 'no root, no sudo: the command to run' fails_saying 'no sudo, so run as root: apt-get update && apt-get install --no-install-recommends npm;' packages
mv "$work/sudo" "$bin/"
export FAKE_SUDO=refuses
expect 'sudo refuses: the command to run' fails_saying 'run as root: apt-get update && apt-get install' packages
expect 'sudo refuses: apt-get is not called' [ ! -s "$work/apt.calls" ]
unset FAKE_SUDO
rm "$bin/id"
ln -s "$(command -v id)" "$bin/id"
mv "$work/npm" "$bin/"
search_path=$bin:$PATH

fresh
expect 'no packages missing: apt-get is not called' setup onnxruntime models packages
expect 'no packages missing: it says so' says 'System packages: already there'
expect 'no packages missing: no call' [ ! -s "$work/apt.calls" ]
export FAKE_ABSENT=libc6-dev
expect 'a missing package is named' fails_saying 'install --no-install-recommends libc6-dev' packages
unset FAKE_ABSENT

# A program that adds a pack and verifies it by a mark; FAKE_ADD=fails leaves half a pack.
fresh
mkdir -p "$root/build/src/cli" "$root/deps/models"
cat >"$root/build/src/cli/facemirror" <<'END'
#!/bin/sh
case "$1 $2" in
  'models verify') grep -q whole "$3/pack.json" ;;
  'models add') [ -f "$3/face_landmark.tflite" ] && mkdir "$5" && echo "${FAKE_ADD:-whole}" >"$5/pack.json" && [ -z "$FAKE_ADD" ] ;;
  *) exit 2 ;;
esac
END
chmod +x "$root/build/src/cli/facemirror"
echo old >"$root/deps/models/face_landmark.onnx"
expect 'models from before there were packs are made anew' setup models import
expect 'the pack is there' holds models/pack.json whole
expect 'what was there before is not' [ ! -e "$root/deps/models/face_landmark.onnx" ]
expect 'a whole pack is not made again' setup import
expect 'a whole pack: it says so' says 'Import: already there'
echo damaged >"$root/deps/models/pack.json"
export FAKE_ADD=fails
expect 'a damaged pack is noticed, and needs the program' fails_saying 'making the model pack failed' import
expect 'a failure leaves the pack that was there' holds models/pack.json damaged
unset FAKE_ADD
expect 'a damaged pack is made anew' setup import
expect 'the new pack is whole' holds models/pack.json whole
sleep 0.01
touch "$root/build/src/cli/facemirror"
expect 'a newer program makes it anew' setup import
expect 'a newer program: it says so' says 'Import: TFLite to ONNX'
expect 'packs: no temporary folder stays' no_temporary

fresh
export FAKE_NPM=slow
PATH="$bin:$PATH" "$root/tools/setup.sh" models >"$work/first" 2>&1 &
first=$!
sleep 0.3
expect 'two at once: the second waits and ends well' setup models
expect 'two at once: the second says that it waits' says 'waiting'
expect 'two at once: the first ends well' wait "$first"
expect 'two at once: one download' npm_calls 1
unset FAKE_NPM

fresh
export FAKE_NPM=slow
PATH="$bin:$PATH" "$root/tools/setup.sh" models >"$work/output" 2>&1 &
first=$!
sleep 0.4
kill -TERM "$first"
wait "$first"
expect 'a terminated run leaves nothing' nothing_left
unset FAKE_NPM

[ "$failed" = 0 ]
