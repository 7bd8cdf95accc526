#!/usr/bin/env bash
# Soak test for memory and file descriptor leaks: a run on two ranks with frequent checkpoints, evaluation and logging,
# sampled from outside.
#
#   tests/system/endurance/soak.sh [MINUTES] [PROGRAM]       default: 30 minutes of build/nystrom; 0.5 is the short form
#
# Prints, for the second half of the run, how far the median of the last third of the samples is above that of the
# first third, and the maximum. Exit status 1 if that is more than 2.5 MiB and more than 256 KiB per minute (an
# allocator's single step is neither), or if a rank gains a descriptor.
set -euo pipefail
cd "$(dirname "$0")/../../.."
minutes=${1:-30} program=$(realpath "${2:-build/nystrom}")
folder=$(mktemp -d)
job=
finish() {
  [[ -z $job ]] || kill -TERM "$job" 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT

awk 'BEGIN { srand(7); split("river garden letter window forest bridge teacher engine morning harbour", noun, " ")
  split("follows paints carries crosses remembers builds answers walks", verb, " ")
  for (i = 0; i < 20000; ++i) {
    printf "The %s %s the %s.", noun[1 + int(rand() * 10)], verb[1 + int(rand() * 8)], noun[1 + int(rand() * 10)]
    printf i % 8 == 7 ? "\n\n" : " "
  } }' >"$folder/text.txt"
cat >"$folder/run.yaml" <<YAML
corpus: [{kind: lines, path: $folder/text.txt}]
tokenizer: {kind: unigram, vocabulary_size: 100}
output: {directory: $folder/prepared, validation_fraction: 0.05}
run: {directory: $folder/run}
model: {hidden_size: 64, layers: 2, heads: 2, intermediate_size: 128, max_positions: 64,
        attention: {landmarks: 8, convolution: 9}}
data: {shards: [$folder/prepared/train/*.h5], validation: [$folder/prepared/validation/*.h5], sequence_length: 64}
training: {steps: 100000000, global_batch: 16, micro_batch: 4}
checkpoint: {every_steps: 5, keep: 3, keep_best: 2}
evaluation: {every_steps: 10, batches: 2}
YAML
"$program" prepare "$folder/run.yaml" >"$folder/prepare.log" 2>&1 || { cat "$folder/prepare.log"; exit 1; }

OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
  mpirun --oversubscribe --bind-to none -n 2 "$program" pretrain "$folder/run.yaml" >"$folder/run.log" 2>&1 &
job=$!

# Lines "SECONDS RANK RSS_KIB DESCRIPTORS"; ranks are numbered by process id.
samples=$folder/samples
end=$(awk -v now="$SECONDS" -v minutes="$minutes" 'BEGIN { printf "%d", now + minutes * 60 }')
while (( SECONDS < end )); do
  kill -0 "$job" 2>/dev/null || { cat "$folder/run.log"; echo "soak: the run ended early"; exit 1; }
  rank=0
  for pid in $(pgrep -P "$job" | sort -n); do
    rss=$(awk '/^VmRSS/ {print $2}' "/proc/$pid/status" 2>/dev/null) || continue
    descriptors=$(find "/proc/$pid/fd" -mindepth 1 2>/dev/null | wc -l)
    [[ -n $rss ]] && echo "$SECONDS $rank $rss $descriptors" >>"$samples"
    rank=$((rank + 1))
  done
  sleep 1
done
steps=$(tail -1 "$folder/run/metrics.jsonl" | grep -oP '"step": \K\d+')
saved=$(grep -c "saved " "$folder/run.log" || true)
kill -TERM "$job"
wait "$job" || true
job=

echo "soak: $minutes minutes, $steps steps, $saved checkpoints in the log"
awk -v half="$(awk 'NR == 1 {a = $1} {b = $1} END {print (a + b) / 2}' "$samples")" '
  function median(rank, first, last,    i, j, value, sorted) {  # of the values first..last, by insertion
    for (i = first; i <= last; ++i) {
      value = memory[rank, i]
      for (j = i - first; j > 0 && sorted[j - 1] > value; --j) sorted[j] = sorted[j - 1]
      sorted[j] = value
    }
    return sorted[int((last - first) / 2)]
  }
  { if ($3 > most[$2]) most[$2] = $3; if ($4 > files[$2]) files[$2] = $4 }
  # The checkpoint writer opens its file briefly, so the minimum of ten samples counts as open.
  $1 >= half { memory[$2, n[$2] + 0] = $3; at[$2, n[$2] + 0] = $1; n[$2]++
               k = int(n[$2] / 10); if (!((($2), k) in least) || $4 < least[$2, k]) least[$2, k] = $4; last[$2] = k }
  END {
    for (rank in n) {
      third = int(n[rank] / 3)
      growth = median(rank, n[rank] - third, n[rank] - 1) - median(rank, 0, third - 1)
      minutes = (at[rank, n[rank] - third] - at[rank, 0]) / 60
      gained = (last[rank] > 1 ? least[rank, last[rank] - 1] : least[rank, 0]) - least[rank, 0]
      printf "rank %s: memory %+d KiB in %.1f minutes (max %.1f MiB), descriptors %+d (max %d)\n",
             rank, growth, minutes, most[rank] / 1024, gained, files[rank]
      if ((growth > 2560 && growth > 256 * minutes) || gained > 0) bad = 1
    }
    exit bad
  }' "$samples"
