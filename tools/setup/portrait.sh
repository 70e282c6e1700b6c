# shellcheck shell=bash
# Step 4: the face of the demo, astronaut.png (NASA, public domain) out of Debian's python3-skimage.
# The package is downloaded and unpacked, not installed: that needs no root.

PORTRAIT_PACKAGE=python3-skimage
PORTRAIT=$DEPS/portrait/astronaut.png

portrait_ready() { tree_ok "$DEPS" deps/portrait/; }

step_portrait() {
  local sudo='' package
  if portrait_ready; then
    step 'Portrait' "already there ($PORTRAIT)"
    return
  fi
  if ! have apt-get || ! have dpkg-deb; then
    step 'Portrait' "not available without apt-get; for the demo put scikit-image's astronaut.png at $PORTRAIT"
    return
  fi
  step 'Portrait' "unpacking astronaut.png out of $PORTRAIT_PACKAGE (apt-get download, 20 MB)"
  mkdir -p "$TMP/deb" "$TMP/new/portrait"
  if ! download_deb; then
    # Most likely the package lists are missing or old. Only reading them anew needs root.
    if [ "$(id -u)" != 0 ]; then sudo=sudo; fi
    if [ -n "$sudo" ] && ! have sudo; then
      die "apt-get could not download $PORTRAIT_PACKAGE (see $LOGS/apt-download.log): run 'apt-get update' as root, then the same make command again."
    fi
    if ! apt "$sudo" update || ! download_deb; then
      die "apt-get could not download $PORTRAIT_PACKAGE (see $LOGS/apt-download.log): check the network, run 'apt-get update' as root, then the same make command again."
    fi
  fi
  package=$(find "$TMP/deb" -name "${PORTRAIT_PACKAGE}_*.deb")
  dpkg-deb --fsys-tarfile "$package" 2>"$LOGS/unpack.log" |
    tar -xO --wildcards '*/skimage/data/astronaut.png' >"$TMP/new/portrait/astronaut.png" 2>>"$LOGS/unpack.log" ||
    die "astronaut.png cannot be unpacked out of $(basename "$package") (see $LOGS/unpack.log): put scikit-image's astronaut.png at $PORTRAIT, then run the same command again."
  sum_ok "$TMP/new/portrait/astronaut.png" deps/portrait/astronaut.png ||
    die "astronaut.png out of $(basename "$package") differs from $CHECKSUMS, so it was thrown away: try again, and distrust the source if it stays so."
  replace_dir "$TMP/new/portrait" "$DEPS/portrait"
  rm -rf "$TMP/deb"
}

download_deb() {
  # As root, apt would fetch as its own user, who may not write into our folder, and warn about that.
  local sandbox=''
  if [ "$(id -u)" = 0 ]; then sandbox='APT::Sandbox::User=root'; fi
  (
    log=$(cd "$LOGS" && pwd)/apt-download.log
    cd "$TMP/deb" && apt-get -q -o Acquire::Retries=3 ${sandbox:+-o "$sandbox"} download "$PORTRAIT_PACKAGE" >"$log" 2>&1
  ) && [ -n "$(find "$TMP/deb" -name "${PORTRAIT_PACKAGE}_*.deb")" ]
}
