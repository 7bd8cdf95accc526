#!/usr/bin/env bash
# Fuzzes every reader of foreign files for a while.
#
#   tests/fuzz/run.sh [--seconds S] [--runs N] [TARGET...]     default: 5 seconds each
#
# Installs clang where it is missing; builds build-fuzz/. What is found lies in build-fuzz/findings/;
# `build-fuzz/nystrom_fuzz FILE` with FUZZ_TARGET set runs one again. Status 77: skipped, there is no clang.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/support/builds.sh
need_packages clang-14 libclang-rt-14-dev libomp-14-dev

seconds=5 runs=-1 targets=()
while (( $# )); do
  case $1 in
    --seconds) seconds=$2; shift 2 ;;
    --runs) runs=$2; seconds=0; shift 2 ;;
    -*) echo "run.sh: there is no option $1" >&2; exit 2 ;;
    *) targets+=("$1"); shift ;;
  esac
done

build_preset fuzz nystrom_fuzz
fuzzer=build-fuzz/nystrom_fuzz
[[ ${#targets[@]} -gt 0 ]] || mapfile -t targets < <(FUZZ_LIST=1 "$fuzzer")
mkdir -p build-fuzz/findings build-fuzz/corpus
status=0
for target in "${targets[@]}"; do
  export FUZZ_TARGET=$target
  corpus=build-fuzz/corpus/$target
  FUZZ_SEEDS=$corpus "$fuzzer"
  log=build-fuzz/findings/$target.log
  dictionary=()
  if [[ -s $corpus.dict ]]; then dictionary=(-dict="$corpus.dict"); fi
  if "$fuzzer" -runs="$runs" -max_total_time="$seconds" -max_len=65536 -timeout=25 -rss_limit_mb=3072 \
       "${dictionary[@]}" -artifact_prefix="build-fuzz/findings/$target-" -print_final_stats=1 "$corpus" \
       >"$log" 2>&1 </dev/null; then
    echo "$target: $(grep -oP 'stat::number_of_executed_units: *\K\d+' "$log") inputs, no finding"
  else
    echo "$target: FOUND SOMETHING, see $log"
    grep -m3 -E 'ERROR: |runtime error|terminate|what\(\)' "$log" || tail -n 3 "$log"
    status=1
  fi
done
exit $status
