# What the tests of this folder share. Sourced:  . "$(dirname "$0")/machine.sh" NAME [PROGRAM]
# Works in its own folder. $nystrom and $mpirun (launch/mpirun.sh) are absolute.
set -uo pipefail
test_name=$1
root=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../../..")
nystrom=$(realpath "${2:-$root/build/nystrom}")
mpirun=$root/launch/mpirun.sh
folder=$(mktemp -d "/tmp/nystrom-$test_name-XXXXXX")
chmod 755 "$folder"
cleanups=()
clean_up() {
  local each
  for each in "${cleanups[@]}"; do eval "$each"; done
  [[ -n ${KEEP:-} ]] && echo "$test_name: kept $folder" || rm -rf "$folder"
}
trap clean_up EXIT
cd "$folder" || exit 1
unset OMP_NUM_THREADS NYSTROM_HOSTFILE
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

wrong=0
wrong() { echo "$test_name: $*"; wrong=1; }
skip() { echo "$test_name: skipped: $*"; exit 77; }
finish() {
  (( wrong )) || echo "$test_name: passed"
  exit "$wrong"
}
has() { grep -q -e "$2" "$1" || wrong "$1 lacks \"$2\": $(tail -5 "$1" | cut -c1-300)"; }
hasnt() { ! grep -q -e "$2" "$1" || wrong "$1 has: $(grep -m1 -e "$2" "$1" | cut -c1-300)"; }
is_root() { [[ $(id -u) == 0 ]]; }
wait_for() {  # SECONDS COMMAND...: until it succeeds
  local end=$(( SECONDS + $1 ))
  shift
  until "$@"; do
    (( SECONDS < end )) || return 1
    sleep 0.2
  done
}
ended() { ! kill -0 "$1" 2>/dev/null; }

# config.yaml of twelve steps, its text, and its shards.
prepare_case() {
  . "$root/tests/system/compatibility/case.sh"
  "$nystrom" prepare config.yaml >prepare.log 2>&1 || { cat prepare.log; exit 1; }
}
# Steps without end, for jobs that something happens to.
endless=(--set training.steps=1000000000 --set schedule.kind=constant --set checkpoint.every_steps=500
  --set evaluation.every_steps=1000000000)
