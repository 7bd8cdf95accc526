#!/usr/bin/env bash
# Runs what launch/container/Dockerfile and nystrom.def would run, without an engine: for each stage a bare chroot
# (debootstrap's minbase in the place of debian:bookworm-slim), in it each RUN line, with the ARG and ENV values that are
# in force; COPY copies. Then, in one more, %post, %test and %runscript of nystrom.def with the package of the first stage.
# A manual test: needs root, debootstrap, a network, and the time of a build (NYSTROM_BUILD=FOLDER: a build folder
# instead, from which only the package is made; the first stage's RUN lines are skipped then).
#
#   launch/container/chroot.sh [FOLDER]        keeps the chroots in FOLDER (default: a temporary folder, removed)
#
# APT_CONF: a folder with sources.list.d and apt.conf.d to use in the chroots, as /etc/apt of this machine.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
stop() { printf 'chroot: %s\n' "$*" >&2; exit 1; }
[[ $(id -u) == 0 ]] || stop "A chroot needs root."
command -v debootstrap >/dev/null || stop "There is no debootstrap."
folder=${1:-}
if [[ -z $folder ]]; then folder=$(mktemp -d); keep=no; else mkdir -p "$folder"; folder=$(realpath "$folder"); keep=yes; fi

unmount() {
  local mount
  while read -r mount; do umount "$mount" 2>/dev/null || umount -l "$mount"; done \
    < <(awk -v at="$folder/" 'index($2, at) == 1 {print $2}' /proc/mounts | sort -r)
}
clean_up() {
  unmount
  [[ $keep == yes ]] || rm -rf --one-file-system "$folder"
}
trap clean_up EXIT

make_base() {  # DIRECTORY
  if [[ ! -d $folder/base ]]; then
    debootstrap --variant=minbase bookworm "$folder/base.part" >"$folder/debootstrap.log" 2>&1 ||
      { tail -5 "$folder/debootstrap.log" >&2; stop "debootstrap failed."; }
    if [[ ${APT_CONF:-} ]]; then
      rm -f "$folder/base.part/etc/apt/sources.list"
      cp -r "$APT_CONF"/sources.list.d "$APT_CONF"/apt.conf.d "$folder/base.part/etc/apt/"
    fi
    mv "$folder/base.part" "$folder/base"
  fi
  cp -a "$folder/base" "$1"
}
enter() {  # DIRECTORY COMMAND
  local at=$1
  for each in dev proc; do
    mkdir -p "$at/$each"
    mountpoint -q "$at/$each" || mount --rbind "/$each" "$at/$each"
  done
  cp /etc/resolv.conf "$at/etc/resolv.conf" 2>/dev/null || true
  chroot "$at" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    DEBIAN_FRONTEND=noninteractive http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" \
    "${environment[@]}" /bin/sh -c "cd '$directory' && $2"
}

remove() {  # DIRECTORY in the folder
  unmount
  rm -rf --one-file-system "${folder:?}/$1"
}

stage="" stages=0 lines=0 environment=() directory=/
declare -A value=()
expand() {  # ${NAME}: the value of an ARG
  local text=$1 key
  for key in "${!value[@]}"; do text=${text//\$\{$key\}/${value[$key]}}; done
  printf '%s' "$text"
}
while IFS= read -r line; do
  case $line in
    "ARG "*)
      key=${line#ARG }
      value[${key%%=*}]=${key#*=} ;;
    "FROM "*)
      read -r _ base _ name <<<"$(expand "$line")"
      [[ $name ]] || continue  # the last line names the default target
      printf '== stage %s\n' "$name"
      stage=$name stages=$((stages + 1)) directory=/
      remove "$stage"
      if [[ -d $folder/$base ]]; then unmount; cp -a "$folder/$base" "$folder/$stage"; else make_base "$folder/$stage"; environment=(); fi ;;
    "WORKDIR "*)
      directory=${line#WORKDIR }
      mkdir -p "$folder/$stage$directory" ;;
    "COPY . .")
      [[ ${NYSTROM_BUILD:-} ]] || git ls-files -z | xargs -0 cp --parents -t "$folder/$stage$directory" ;;
    "COPY --from="*)
      read -r _ from what target <<<"$line"
      mkdir -p "$folder/$stage$target"
      # shellcheck disable=SC2086
      cp "$folder/${from#--from=}"$what "$folder/$stage$target" ;;
    "ENV "*)
      # shellcheck disable=SC2206
      environment+=(${line#ENV }) ;;
    "RUN "*)
      command=$(expand "${line#RUN }")
      if [[ ${NYSTROM_BUILD:-} && $stage == build ]]; then
        [[ $command == cpack* ]] || { printf '   skipped: %s\n' "$command"; continue; }
        mkdir -p "$folder/build/packages"
        cpack --config "$NYSTROM_BUILD/CPackConfig.cmake" -B "$folder/build/packages" >"$folder/cpack.log" || stop "cpack failed."
        rm -rf "$folder/build/packages/_CPack_Packages"
      else
        printf '   RUN %s\n' "$command"
        enter "$folder/$stage" "$command" || stop "stage $stage: RUN $command failed."
      fi
      lines=$((lines + 1)) ;;
    "" | "#"* | "CMD "*) ;;
    *) stop "This script does not know the line: $line" ;;
  esac
done < <(sed -e ':a' -e '/\\$/N; s/\\\n//; ta' "$root/launch/container/Dockerfile")
printf 'chroot: %s stages, %s RUN lines: all succeeded\n' "$stages" "$lines"

section() {  # NAME: of nystrom.def
  awk -v name="%$1" '/^%/ { inside = $1 == name; next } inside' "$root/launch/container/nystrom.def"
}
printf '== nystrom.def\n'
remove apptainer
make_base "$folder/apptainer"
environment=() directory=/
while read -r what target; do
  [[ $what ]] || continue
  [[ $what == packages/* ]] || stop "This script does not know the file: $what"
  mkdir -p "$folder/apptainer$target"
  # shellcheck disable=SC2086
  cp "$folder/build/"$what "$folder/apptainer$target"
done < <(section files)
enter "$folder/apptainer" "set -e
$(section post)" || stop "nystrom.def: %post failed."
enter "$folder/apptainer" "set -e
$(section environment)
$(section test)" || stop "nystrom.def: %test failed."
enter "$folder/apptainer" "set -- inspect --help
$(section environment)
$(section runscript)" | grep -q 'nystrom inspect' || stop "nystrom.def: %runscript failed."
printf 'chroot: %%post, %%test and %%runscript of nystrom.def: all succeeded\n'
