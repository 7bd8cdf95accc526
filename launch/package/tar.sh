#!/usr/bin/env bash
# A tar that runs without installing anything: program, launchers, configurations, documents, all shared libraries except
# the C library's, and an Open MPI for one machine or for several over TCP. It can be unpacked anywhere, by any user.
#
#   launch/package/tar.sh [BUILD [FOLDER]]       default: build .; writes FOLDER/nystrom-VERSION-x86_64.tar.gz
#
# Needs patchelf and objdump. The last line says which C library the result needs.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build}
target=$(realpath "${2:-.}")
stop() { printf 'tar: %s\n' "$*" >&2; exit 1; }
[[ -x $build/nystrom ]] || stop "$build/nystrom does not exist. Run launch/setup.sh."
for tool in patchelf objdump mpirun; do
  command -v "$tool" >/dev/null || stop "There is no $tool (apt-get install $([[ $tool == objdump ]] && echo binutils || echo "$tool"))."
done

version=$("$build/nystrom" --version)
name=nystrom-$(cut -d ' ' -f 2 <<<"$version")-$(uname -m)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/$name own=$work/$name/lib/nystrom
cmake --install "$build" --prefix "$prefix" --strip >"$work/log" || { cat "$work/log" >&2; stop "cmake --install failed."; }
mkdir -p "$own/openmpi/bin" "$own/openmpi/plugins"

# Open MPI: mpirun, its daemons, and the plugins that it loads by name; not those for network fabrics, whose libraries
# must match the machine, nor OpenSHMEM's.
for program in mpirun orted prted prterun; do
  path=$(command -v "$program") && cp -L "$path" "$own/openmpi/bin/"
done || true
plugins=$(dirname "$(find /usr/lib /usr/local/lib -name 'mca_btl_tcp.so' 2>/dev/null | head -1)")
if [[ $plugins == /* ]]; then
  cp -L "$plugins"/*.so "$own/openmpi/plugins/"
  (cd "$own/openmpi/plugins" && rm -f -- *_ofi.so *_psm*.so *_ucx.so *_uct.so *_openib.so *_usnic.so *_portals4.so \
    mca_atomic_* mca_memheap_* mca_scoll_* mca_spml_* mca_sshmem_*)
fi
for share in /usr/share/openmpi /usr/share/pmix /usr/share/prte; do
  [[ -d $share ]] && cp -rL "$share" "$own/openmpi/"
done

# Libraries, without the C library's own and the driver's.
copy_libraries() {
  local library
  while IFS= read -r library; do
    case ${library##*/} in
      ld-linux* | libc.so* | libm.so* | libpthread.so* | libdl.so* | librt.so* | libutil.so* | libresolv.so* | libcuda.so*) ;;
      *) cp -nL "$library" "$own/" ;;
    esac
  done < <(ldd "$@" 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u)
}
mv "$prefix/bin/nystrom" "$own/nystrom"
copy_libraries "$own/nystrom" "$own"/openmpi/bin/* "$own"/openmpi/plugins/*.so
# PMIx has its own plugins.
pmix=$(dirname "$(find /usr/lib /usr/local/lib -path '*pmix*' -name 'mca_ptl_*.so' -o -path '*pmix*' -name 'pmix_mca_ptl_*.so' 2>/dev/null | head -1)")
if [[ $pmix == /* && $pmix != "$plugins" ]]; then
  mkdir "$own/pmix"
  cp -L "$pmix"/*.so "$own/pmix/"
  copy_libraries "$own"/pmix/*.so
fi
# RPATH, not RUNPATH: it holds for the libraries of libraries, and for plugins.
patchelf --force-rpath --set-rpath '$ORIGIN' "$own/nystrom" "$own"/*.so*
for folder in openmpi/bin openmpi/plugins; do
  patchelf --force-rpath --set-rpath '$ORIGIN/../..' "$own/$folder"/*
done
if [[ -d $own/pmix ]]; then patchelf --force-rpath --set-rpath '$ORIGIN/..' "$own"/pmix/*; fi

# Sourced by bin/nystrom and by nystrom-mpirun.
cat >"$own/environment" <<'SHELL'
# Open MPI's own files, wherever this tree is. $nystrom_own is lib/nystrom.
nystrom_own=${nystrom_own:-$(cd "$(dirname "$(readlink -f "$0")")/../../../lib/nystrom" && pwd)}
export OPAL_PREFIX="$nystrom_own/openmpi"
export OMPI_MCA_mca_base_component_path="$nystrom_own/openmpi/plugins"
export OPAL_PKGDATADIR="$nystrom_own/openmpi/openmpi"
if [ -d "$nystrom_own/pmix" ]; then export PMIX_MCA_mca_base_component_path="$nystrom_own/pmix"; fi
export PATH="$nystrom_own/openmpi/bin:$PATH"
export PMIX_MCA_pcompress_base_silence_warning=1
# Without ssh mpirun would not start ranks on this machine either.
command -v ssh >/dev/null || export OMPI_MCA_plm_rsh_agent=false
SHELL
cat >"$prefix/bin/nystrom" <<'SHELL'
#!/bin/sh
nystrom_own=$(cd "$(dirname "$(readlink -f "$0")")/../lib/nystrom" && pwd)
. "$nystrom_own/environment"
exec "$nystrom_own/nystrom" "$@"
SHELL
chmod 755 "$prefix/bin/nystrom"

glibc=$(find "$own" -type f \( -name '*.so*' -o -perm -u+x \) -exec objdump -T {} + 2>/dev/null |
  grep -oE 'GLIBC_2\.[0-9]+' | sort -uV | tail -1)
mkdir -p "$target"
tar --create --gzip --file "$target/$name.tar.gz" --sort=name --owner=0 --group=0 --numeric-owner -C "$work" "$name"
printf 'tar: %s (%s MiB), for glibc %s or later\n' "$target/$name.tar.gz" \
  "$(( $(stat -c %s "$target/$name.tar.gz") / 1048576 ))" "${glibc#GLIBC_}"
