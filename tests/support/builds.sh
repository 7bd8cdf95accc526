# Helpers, to be sourced, for scripts that need additional packages or a separate build.

# need_packages PACKAGE...: installs the missing packages. If that is not possible, ends the script with exit status 77
# (skipped).
need_packages() {
  local package missing=()
  command -v dpkg-query >/dev/null || { echo "$(basename "$0"): skipped: not a Debian system"; exit 77; }
  for package in "$@"; do
    [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
      missing+=("$package")
  done
  (( ${#missing[@]} )) || return 0
  if [[ $(id -u) == 0 ]] && apt-get update -qq >/dev/null 2>&1 &&
     DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1; then
    return 0
  fi
  echo "$(basename "$0"): skipped: the Debian packages ${missing[*]} are missing and could not be installed"
  exit 77
}

# build_preset PRESET TARGET...: configures and builds in build-PRESET/. Prints only errors.
build_preset() {
  local preset=$1 log
  shift
  log=$(mktemp)
  if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER:-ccache}; fi
  if ! { cmake --preset "$preset" -DNYSTROM_UNITY="${NYSTROM_UNITY:-ON}" &&
         cmake --build "build-$preset" --parallel "$(nproc)" --target "$@"; } >"$log" 2>&1; then
    cat "$log"
    rm -f "$log"
    echo "$(basename "$0"): building preset $preset failed (see above)"
    exit 1
  fi
  rm -f "$log"
}
