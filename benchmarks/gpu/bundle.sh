#!/usr/bin/env bash
# Self-contained bundle for GPU machines: packs everything that benchmarks/gpu/run.sh needs into
# .gpu-bundle/bundle.tar.xz (ignored by git; at most 40 MiB): the program, the tests of the CUDA backend, their shared
# libraries, Open MPI's plugins, and the directory of reference values.
#
#   benchmarks/gpu/bundle.sh [BUILD] [GOLDEN] [BUNDLE]     default: build-cuda ../shared/golden .gpu-bundle
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build-cuda}
golden=${2:-../shared/golden}
target=${3:-.gpu-bundle}
max_kibibytes=$((40 * 1024))

say() { printf 'bundle: %s\n' "$*"; }
stop() { printf 'bundle: %s\n' "$*" >&2; exit 1; }
[[ -x $build/nystrom ]] || stop "$build/nystrom does not exist. Run: cmake --preset cuda && cmake --build build-cuda"
[[ -d $golden ]] || stop "$golden does not exist. Pass the directory of reference values as the second argument."

bundle=$(mktemp -d)
trap 'rm -rf "$bundle"' EXIT
mkdir -p "$bundle/bin" "$bundle/lib" "$bundle/golden"
programs=("$build/nystrom")
for program in "$build"/tests/cuda_ops_test "$build"/tests/cuda_attention_test "$build"/kernel_benchmark; do
  if [[ -x $program ]]; then programs+=("$program"); fi
done
cp "${programs[@]}" "$bundle/bin/"
strip "$bundle"/bin/* || true
cp -r "$golden"/. "$bundle/golden/"
chmod -R u+w "$bundle/golden"

# Shared libraries, except those of the C library, which must match the machine, and of the CUDA driver.
libraries_of() { ldd "$@" | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u; }
copy_libraries() {
  local library
  while IFS= read -r library; do
    case ${library##*/} in
      ld-linux* | libc.so* | libm.so* | libpthread.so* | libdl.so* | librt.so* | libcuda.so*) ;;
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
    mkdir -p "$bundle/openmpi"
    cp -rL "$plugins" "$bundle/openmpi/plugins"
    # For a single machine: without network fabrics and OpenSHMEM.
    (cd "$bundle/openmpi/plugins" && rm -f -- *_ofi.so *_psm*.so *_ucx.so *_uct.so *_openib.so *_usnic.so \
      mca_atomic_* mca_memheap_* mca_scoll_* mca_spml_* mca_sshmem_*)
    copy_libraries "$bundle/bin/mpirun" "$bundle"/openmpi/plugins/*.so
  fi
  share=$(find /usr/share -maxdepth 1 -name openmpi | head -1)
  if [[ $share ]]; then cp -rL "$share" "$bundle/openmpi/share"; fi
fi

rm -rf "$target"
mkdir -p "$target"
python3 - "$bundle" "$target/bundle.tar.xz" <<'PYTHON'
import sys
import tarfile

# Preset 9 has a window that spans all programs, which contain the same kernels.
with tarfile.open(sys.argv[2], "w:xz", preset=9) as archive:
    archive.add(sys.argv[1], arcname=".")
PYTHON
kibibytes=$(du -k --apparent-size "$target/bundle.tar.xz" | cut -f1)
(( kibibytes <= max_kibibytes )) || stop "$target/bundle.tar.xz has $kibibytes KiB, but the limit is $max_kibibytes. Build for one architecture: -DNYSTROM_CUDA_ARCHITECTURES=90a-real"
say "wrote $target/bundle.tar.xz ($((kibibytes / 1024)) MiB). Next: benchmarks/gpu/run.sh on the GPU machine."
