#!/usr/bin/env bash
# Makes this machine ready: Debian packages, then the program at build/nystrom.
#
#   launch/setup.sh            packages and program
#   launch/setup.sh --tests    and all test programs
#   launch/setup.sh --emulation  the CUDA backend and its tests, for a machine without a GPU, in build-emulation/
#   launch/setup.sh --packages nothing but the packages
#
# As root, or as a user who may sudo. Installs no CUDA, and uses a toolkit that is there (nvcc in PATH or in
# /usr/local/cuda/bin): the CUDA backend is then built too, which takes several times as long; NYSTROM_CUDA=off leaves
# it out, NYSTROM_CUDA=on insists on it. Ends in seconds where all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  g++ cmake ninja-build
  openmpi-bin libopenmpi-dev
  libhdf5-dev libdnnl-dev libhwy-dev
  libsentencepiece-dev libicu-dev
  libyaml-cpp-dev libcli11-dev libspdlog-dev libfmt-dev nlohmann-json3-dev
  libssl-dev zlib1g-dev libbz2-dev liblzma-dev libzstd-dev
  libgtest-dev libgmock-dev libbenchmark-dev libboost-context-dev
)

say() { printf 'setup: %s\n' "$*"; }
stop() { printf 'setup: %s\n' "$*" >&2; exit 1; }

is_installed() {
  [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

as_root() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    stop "these packages are missing, and installing them needs root or sudo: ${missing[*]}"
  fi
}

missing=()
install_packages() {
  command -v dpkg-query >/dev/null || stop "this is no Debian system (there is no dpkg-query); install by hand what launch/setup.sh lists"
  local package
  for package in "${packages[@]}"; do
    is_installed "$package" || missing+=("$package")
  done
  [[ ${#missing[@]} == 0 ]] && return
  say "installing ${missing[*]}"
  as_root apt-get update -qq || stop "apt-get update failed; is the network there, and is /etc/apt/sources.list right?"
  for package in "${missing[@]}"; do
    apt-cache show "$package" >/dev/null 2>&1 ||
      stop "the Debian package $package cannot be had from the sources of this machine (its component main is needed; Debian 12 has it)"
  done
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || true
  for package in "${missing[@]}"; do
    is_installed "$package" || stop "the Debian package $package could not be installed; try: apt-get install $package"
  done
}

# The CUDA backend: off, auto (where nvcc is found) or on.
cuda=${NYSTROM_CUDA:-auto}
if [[ $cuda != off ]] && ! command -v nvcc >/dev/null && [[ -x /usr/local/cuda/bin/nvcc ]]; then
  export PATH=$PATH:/usr/local/cuda/bin
fi

build_program() {
  local launcher=(-DNYSTROM_CUDA="$cuda")
  [[ ${NYSTROM_CUDA_ARCHITECTURES:-} ]] && launcher+=(-DNYSTROM_CUDA_ARCHITECTURES="$NYSTROM_CUDA_ARCHITECTURES")
  command -v ccache >/dev/null && launcher+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  [[ $preset == emulation ]] && launcher=("${launcher[@]/-DNYSTROM_CUDA=*/-DNYSTROM_CUDA=emulation}")
  cmake --preset "$preset" "${launcher[@]}" >build-setup.log 2>&1 || {
    cat build-setup.log >&2
    stop "cmake could not configure $build/ (see above)"
  }
  rm -f build-setup.log
  # The compiler wants up to 1.5 GB a job.
  local jobs memory
  jobs=$(nproc)
  memory=$(awk '/MemAvailable/ {print int($2 / 1500000)}' /proc/meminfo)
  (( memory < jobs )) && jobs=$(( memory > 1 ? memory : 1 ))
  cmake --build "$build" --parallel "$jobs" --target "$1" || stop "the program did not build (see above)"
}

target=nystrom preset=release build=build
case "${1:-}" in
  "") ;;
  --tests) target=all ;;
  --emulation) target=all preset=emulation build=build-emulation ;;
  --packages) target= ;;
  *) stop "there is no option $1; there are --tests, --emulation and --packages" ;;
esac

install_packages
[[ -z $target ]] && exit
build_program "$target"
if [[ $preset == emulation ]]; then
  with="with the CUDA backend, whose kernels the processor runs"
elif grep -q '^NYSTROM_CUDA_BUILD:INTERNAL=on' build/CMakeCache.txt; then
  with="with the CUDA backend ($(nvcc --version | grep -o 'release [0-9.]*'))"
elif [[ $cuda == off ]]; then
  with="without CUDA (NYSTROM_CUDA=off)"
else
  with="without CUDA: no nvcc was found"
fi
say "$("$build/nystrom" --version) is at $build/nystrom, $with"
