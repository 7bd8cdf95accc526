#!/usr/bin/env bash
# Makes this machine ready: installs the packages of the system, then builds the program at build/nystrom.
#
#   launch/setup.sh              packages and program
#   launch/setup.sh --tests      and all test programs
#   launch/setup.sh --emulation  the CUDA backend and its tests, for a machine without a GPU, in build-emulation/
#   launch/setup.sh --packages   only the packages
#   launch/setup.sh --help       this text
#
# Knows Debian 12 (bookworm), Debian 13 (trixie) and Ubuntu 24.04 (noble). Needs root or sudo where packages are
# missing, and ends in seconds where all is there. On another system it installs nothing, says what to install by
# hand, and builds with what is there.
#
# Installs no CUDA. A toolkit that is there (nvcc in PATH or in /usr/local/cuda/bin) is used as NYSTROM_CUDA says:
#
#   NYSTROM_CUDA=auto  (default) the CUDA backend for the GPUs of this machine; without a GPU no CUDA is compiled
#   NYSTROM_CUDA=on    the CUDA backend for all architectures, which takes several times as long as all the rest
#   NYSTROM_CUDA=off   no CUDA
#
# NYSTROM_CUDA_ARCHITECTURES names other architectures, as CMAKE_CUDA_ARCHITECTURES does: "80-real;90a-real".
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  g++ cmake ninja-build
  openmpi-bin libopenmpi-dev
  libhdf5-dev libdnnl-dev libhwy-dev
  libsentencepiece-dev libicu-dev
  libyaml-cpp-dev libcli11-dev libspdlog-dev libfmt-dev nlohmann-json3-dev
  libssl-dev zlib1g-dev libbz2-dev liblzma-dev libzstd-dev libarchive-dev libxxhash-dev libpng-dev
  libcpp-httplib-dev pkgconf
  libgtest-dev libgmock-dev libbenchmark-dev libboost-context-dev
  zip
)

readonly by_hand='A compiler of C++20 (GCC 12 or later), CMake 3.25 or later, Ninja, an MPI library (Open MPI 4 or 5), the
C library of HDF5 (1.10 or later), oneDNN 2 or 3 for OpenMP, Highway 1.0, SentencePiece 0.1.97, ICU 72, yaml-cpp 0.7,
CLI11 2.1, spdlog 1.10, fmt 9, nlohmann/json 3.11, OpenSSL 3, zlib, bzip2, liblzma, zstd, libarchive 3, xxHash 0.8, libpng 1.6,
and, for `nystrom watch`, cpp-httplib 0.11 with its pkg-config file;
for the tests GoogleTest 1.12 with GoogleMock, Google Benchmark and Boost.Context. Later versions of the libraries
should do as well.'

say() { printf 'setup: %s\n' "$*"; }
stop() { printf 'setup: %s\n' "$*" >&2; exit 1; }
usage() { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' launch/setup.sh; }

os_release() {  # KEY
  # shellcheck source=/dev/null
  (. /etc/os-release 2>/dev/null && printf '%s' "${!1:-}")
}

system_is_known() {
  case "$(os_release ID) $(os_release VERSION_ID)" in
    "debian 12" | "debian 13" | "ubuntu 24.04") ;;
    *) return 1 ;;
  esac
}

is_installed() {
  [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

as_root() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    stop "These packages are missing, and installing them needs root or sudo: ${missing[*]}."
  fi
}

missing=()
install_packages() {
  local package
  for package in "${packages[@]}"; do
    is_installed "$package" || missing+=("$package")
  done
  [[ ${#missing[@]} == 0 ]] && return
  say "installing ${missing[*]}"
  as_root apt-get update -qq || stop "apt-get update failed. Is the network there, and are the sources in /etc/apt right?"
  for package in "${missing[@]}"; do
    apt-cache show "$package" >/dev/null 2>&1 ||
      stop "The package $package is not in this machine's package sources. They need main (Debian) or main and universe (Ubuntu)."
  done
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || true
  for package in "${missing[@]}"; do
    is_installed "$package" || stop "The package $package could not be installed. Try: apt-get install $package"
  done
}

cuda=${NYSTROM_CUDA:-auto}
if [[ $cuda != off ]] && ! command -v nvcc >/dev/null && [[ -x /usr/local/cuda/bin/nvcc ]]; then
  export PATH=$PATH:/usr/local/cuda/bin
fi

configure() {  # PRESET OPTION...
  cmake --preset "$@" >build-setup.log 2>&1 || {
    cat build-setup.log >&2
    stop "cmake could not configure $build/ (see above)."
  }
  rm -f build-setup.log
}

build_program() {
  local launcher=(-DNYSTROM_CUDA="$cuda" -DNYSTROM_UNITY="${NYSTROM_UNITY:-ON}")
  [[ ${NYSTROM_CUDA_ARCHITECTURES:-} ]] && launcher+=(-DNYSTROM_CUDA_ARCHITECTURES="$NYSTROM_CUDA_ARCHITECTURES")
  command -v ccache >/dev/null && launcher+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  # Most libraries have no CUDA code: the emulation takes those of build/.
  if [[ $preset == emulation ]]; then
    configure release "${launcher[@]}"
    launcher=("${launcher[@]/-DNYSTROM_CUDA=*/-DNYSTROM_CUDA=emulation}" -DNYSTROM_LIBRARIES_OF="$PWD/build")
  fi
  configure "$preset" "${launcher[@]}"
  # The compiler wants up to 1.5 GB a job.
  local jobs memory
  jobs=$(nproc)
  memory=$(awk '/MemAvailable/ {print int($2 / 1500000)}' /proc/meminfo)
  (( memory < jobs )) && jobs=$(( memory > 1 ? memory : 1 ))
  if [[ $preset == emulation ]]; then
    cmake --build build --parallel "$jobs" --target nystrom_launch ||
      stop "The program did not build (see above)."
  fi
  cmake --build "$build" --parallel "$jobs" --target "$1" || stop "The program did not build (see above)."
}

target=nystrom preset=release build=build
case "${1:-}" in
  "") ;;
  --tests) target=all ;;
  --emulation) target=all preset=emulation build=build-emulation ;;
  --packages) target= ;;
  --help | -h) usage; exit ;;
  *) stop "Unknown option $1; the options are --tests, --emulation, --packages and --help." ;;
esac

if system_is_known; then
  install_packages
else
  say "This system ($(os_release PRETTY_NAME)) is not supported; supported are Debian 12, Debian 13 and Ubuntu 24.04." >&2
  say "No packages are installed. Install manually:" >&2
  printf '%s\n' "$by_hand" >&2
  [[ $target ]] || exit 1
fi
[[ $target ]] || exit 0

build_program "$target"
say "$("$build/nystrom" --version) is at $build/nystrom, $(sed -n 's/^NYSTROM_CUDA_SUMMARY:INTERNAL=//p' "$build/CMakeCache.txt")."
