# For scripts that need more than the project's own packages, or a build of their own. To be sourced.

# need_packages PACKAGE...: installs what is missing, where that is possible; else the script ends with status 77,
# "skipped".
need_packages() {
  local package missing=()
  command -v dpkg-query >/dev/null || { echo "$(basename "$0"): skipped: this is no Debian system"; exit 77; }
  for package in "$@"; do
    [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
      missing+=("$package")
  done
  (( ${#missing[@]} )) || return 0
  if [[ $(id -u) == 0 ]] && apt-get update -qq >/dev/null 2>&1 &&
     DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1; then
    return 0
  fi
  echo "$(basename "$0"): skipped: the Debian packages ${missing[*]} are not installed, and could not be"
  exit 77
}

# build_preset PRESET TARGET...: configures build-PRESET/ and builds; prints nothing but what went wrong.
build_preset() {
  local preset=$1 log
  shift
  log=$(mktemp)
  if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER:-ccache}; fi
  if ! { cmake --preset "$preset" && cmake --build "build-$preset" --parallel "$(nproc)" --target "$@"; } >"$log" 2>&1; then
    cat "$log"
    rm -f "$log"
    echo "$(basename "$0"): preset $preset did not build (see above)"
    exit 1
  fi
  rm -f "$log"
}
