#!/usr/bin/env bash
# Packs what benchmarks/gpu/run.sh needs on a bare machine into .gpu-bundle/bundle.tar.xz (ignored by git; at most
# 40 MiB): the program, the tests of the CUDA backend, the libraries beside them, Open MPI's plugins, and the folder of
# reference numbers.
#
#   benchmarks/gpu/bundle.sh [BUILD] [GOLDEN] [BUNDLE]     by default build-cuda, ../shared/golden and .gpu-bundle
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build-cuda}
golden=${2:-../shared/golden}
target=${3:-.gpu-bundle}
most_kibibytes=$((40 * 1024))

say() { printf 'bundle: %s\n' "$*"; }
stop() { printf 'bundle: %s\n' "$*" >&2; exit 1; }
[[ -x $build/nystrom ]] || stop "there is no $build/nystrom; cmake --preset cuda && cmake --build build-cuda"
[[ -d $golden ]] || stop "there is no folder of reference numbers at $golden; name it as the second argument"

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

# Every library but the C library's own, which must be the machine's, and the driver's.
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

# Open MPI: mpirun, its daemon, and the plugins that it opens by name.
if command -v mpirun >/dev/null; then
  cp -L "$(command -v mpirun)" "$bundle/bin/mpirun"
  orted=$(command -v orted || true)
  if [[ $orted ]]; then cp -L "$orted" "$bundle/bin/"; fi
  plugins=$(find /usr/lib -type d -path '*openmpi/lib/openmpi3' | head -1)
  if [[ $plugins ]]; then
    mkdir -p "$bundle/openmpi"
    cp -rL "$plugins" "$bundle/openmpi/plugins"
    # One machine: no fabrics, and no OpenSHMEM.
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

# A window as wide as the programs together: their kernels are the same.
with tarfile.open(sys.argv[2], "w:xz", preset=9) as archive:
    archive.add(sys.argv[1], arcname=".")
PYTHON
kibibytes=$(du -k --apparent-size "$target/bundle.tar.xz" | cut -f1)
(( kibibytes <= most_kibibytes )) || stop "$target/bundle.tar.xz takes $kibibytes KiB; at most $most_kibibytes travel. Build for one kind of GPU: -DNYSTROM_CUDA_ARCHITECTURES=90a-real"
say "$target/bundle.tar.xz, $((kibibytes / 1024)) MiB; run benchmarks/gpu/run.sh on the machine with the GPU"
