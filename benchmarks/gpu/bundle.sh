#!/usr/bin/env bash
# Self-contained bundle for GPU machines, in one command: builds for Hopper where no build is named, and packs what
# benchmarks/gpu/run.sh needs into .gpu-bundle/bundle.tar.xz (ignored by git; at most 48 MiB): the program, the tests of
# the CUDA backend, kernel_benchmark, their shared libraries, Open MPI's plugins, and reference cases: those of the
# published architecture, one of each other attention kind, and the trajectory.
#
#   benchmarks/gpu/bundle.sh [BUILD] [GOLDEN] [BUNDLE]     default: build-cuda ../shared/golden .gpu-bundle
#   NYSTROM_CUDA_ARCHITECTURES=80-real benchmarks/gpu/bundle.sh      for other GPUs than Hopper's (90a-real)
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build-cuda}
golden=${2:-../shared/golden}
target=${3:-.gpu-bundle}
max_kibibytes=$((48 * 1024))

say() { printf 'bundle: %s\n' "$*"; }
stop() { printf 'bundle: %s\n' "$*" >&2; exit 1; }
[[ -d $golden ]] || stop "$golden does not exist. Pass the directory of reference values as the second argument."
if (( $# == 0 )); then
  launcher=()
  if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_CUDA_COMPILER_LAUNCHER=ccache); fi
  cmake --preset cuda "-DNYSTROM_CUDA_ARCHITECTURES=${NYSTROM_CUDA_ARCHITECTURES:-90a-real}" "${launcher[@]}"
  cmake --build build-cuda --target nystrom cuda_ops_test cuda_attention_test kernel_benchmark
fi
[[ -x $build/nystrom ]] || stop "$build/nystrom does not exist."

bundle=$(mktemp -d)
trap 'rm -rf "$bundle"' EXIT
mkdir -p "$bundle/bin" "$bundle/lib" "$bundle/lib-gcc" "$bundle/golden/kinds"
programs=("$build/nystrom")
for program in "$build"/tests/cuda_ops_test "$build"/tests/cuda_attention_test "$build"/kernel_benchmark; do
  if [[ -x $program ]]; then programs+=("$program"); fi
done
cp "${programs[@]}" "$bundle/bin/"
strip "$bundle"/bin/* || true
for case in "$golden"/*/case.h5; do cp -r "$(dirname "$case")" "$bundle/golden/"; done
cp -r "$golden/trajectory" "$bundle/golden/"
for kind in none linear linformer longformer performer reformer; do
  if [[ -d $golden/kinds/kind-$kind ]]; then cp -r "$golden/kinds/kind-$kind" "$bundle/golden/kinds/"; fi
done
chmod -R u+w "$bundle/golden"

# Shared libraries, except those of the C library, which must match the machine, and of the CUDA driver. The compiler's
# own are for machines that have older ones.
libraries_of() { ldd "$@" | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u; }
copy_libraries() {
  local library
  while IFS= read -r library; do
    case ${library##*/} in
      ld-linux* | libc.so* | libm.so* | libpthread.so* | libdl.so* | librt.so* | libcuda.so*) ;;
      libstdc++.so* | libgcc_s.so*) cp -nL "$library" "$bundle/lib-gcc/" ;;
      *) cp -nL "$library" "$bundle/lib/" ;;
    esac
  done < <(libraries_of "$@")
}
copy_libraries "$bundle"/bin/*

# Open MPI: mpirun, its daemon, and the plugins that it loads by name.
if command -v mpirun >/dev/null; then
  cp -L "$(command -v mpirun)" "$bundle/bin/mpirun"
  orted=$(command -v orted || true)
  if [[ $orted ]]; then cp -L "$orted" "$bundle/bin/"; fi
  plugins=$(find /usr/lib -type d -path '*openmpi/lib/openmpi3' | head -1)
  if [[ $plugins ]]; then
    mkdir -p "$bundle/openmpi/bin"
    cp -rL "$plugins" "$bundle/openmpi/plugins"
    if [[ $orted ]]; then ln -s ../../bin/orted "$bundle/openmpi/bin/orted"; fi  # below OPAL_PREFIX
    # For a single machine: without network fabrics and OpenSHMEM.
    (cd "$bundle/openmpi/plugins" && rm -f -- *_ofi.so *_psm*.so *_ucx.so *_uct.so *_openib.so *_usnic.so \
      mca_atomic_* mca_memheap_* mca_scoll_* mca_spml_* mca_sshmem_*)
    copy_libraries "$bundle/bin/mpirun" "$bundle"/openmpi/plugins/*.so
  fi
  share=$(find /usr/share -maxdepth 1 -name openmpi | head -1)
  if [[ $share ]]; then
    mkdir -p "$bundle/openmpi/share"
    cp -rL "$share" "$bundle/openmpi/share/openmpi"
  fi
fi

commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
emulation=false
if grep -q '^NYSTROM_CUDA_BUILD:INTERNAL=emulation' "$build/CMakeCache.txt"; then emulation=true; fi
printf '{"commit": "%s", "emulation": %s}\n' "$commit" "$emulation" >"$bundle/bundle.json"

rm -rf "$target"
mkdir -p "$target"
python3 - "$bundle" "$target/unfinished" <<'PYTHON'
import sys
import tarfile

# Preset 9 has a window that spans all programs, which contain the same kernels.
with tarfile.open(sys.argv[2], "w:xz", preset=9) as archive:
    archive.add(sys.argv[1], arcname=".")
PYTHON
mv "$target/unfinished" "$target/bundle.tar.xz"
kibibytes=$(du -k --apparent-size "$target/bundle.tar.xz" | cut -f1)
(( kibibytes <= max_kibibytes )) || stop "$target/bundle.tar.xz has $kibibytes KiB, but the limit is $max_kibibytes. Build for one architecture: -DNYSTROM_CUDA_ARCHITECTURES=90a-real"
say "wrote $target/bundle.tar.xz ($((kibibytes / 1024)) MiB). Next: benchmarks/gpu/run.sh on the GPU machine."
