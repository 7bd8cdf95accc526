#!/usr/bin/env bash
# Fuzzing with libFuzzer: every parser of external files, for a limited time.
#
#   tests/fuzz/run.sh [--seconds S] [--runs N] [TARGET...]     default: 5 seconds per target
#
# Installs clang if it is missing and builds build-fuzz/. Crashing inputs are stored in build-fuzz/findings/; reproduce
# one with `FUZZ_TARGET=TARGET build-fuzz/nystrom_fuzz FILE`. Exit status 77: skipped, clang is not available.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/support/builds.sh
need_packages clang-14 libclang-rt-14-dev libomp-14-dev

seconds=5 runs=-1 targets=()
while (( $# )); do
  case $1 in
    --seconds) seconds=$2; shift 2 ;;
    --runs) runs=$2; seconds=0; shift 2 ;;
    -*) echo "run.sh: unknown option $1" >&2; exit 2 ;;
    *) targets+=("$1"); shift ;;
  esac
done

build_preset fuzz nystrom_fuzz
fuzzer=build-fuzz/nystrom_fuzz
[[ ${#targets[@]} -gt 0 ]] || mapfile -t targets < <(FUZZ_LIST=1 "$fuzzer")
mkdir -p build-fuzz/findings build-fuzz/corpus

# One target; its result is one line, and the status.
fuzz() {  # TARGET
  local target=$1 corpus=build-fuzz/corpus/$1 log=build-fuzz/findings/$1.log dictionary=()
  export FUZZ_TARGET=$target
  FUZZ_SEEDS=$corpus "$fuzzer"
  if [[ -s $corpus.dict ]]; then dictionary=(-dict="$corpus.dict"); fi
  if "$fuzzer" -runs="$runs" -max_total_time="$seconds" -max_len=65536 -timeout=25 -rss_limit_mb=3072 \
       "${dictionary[@]}" -artifact_prefix="build-fuzz/findings/$target-" -print_final_stats=1 "$corpus" \
       >"$log" 2>&1 </dev/null; then
    echo "$target: $(grep -oP 'stat::number_of_executed_units: *\K\d+' "$log") inputs, no findings"
  else
    echo "$target: FAILED, see $log"
    grep -m3 -E 'ERROR: |runtime error|terminate|what\(\)' "$log" || tail -n 3 "$log"
    return 1
  fi
}

# As many at once as there are CPUs.
status=0 running=0
for target in "${targets[@]}"; do
  if (( running >= $(nproc) )); then
    wait -n || status=1
    running=$((running - 1))
  fi
  fuzz "$target" &
  running=$((running + 1))
done
while (( running-- )); do wait -n || status=1; done
exit $status
