#!/usr/bin/env bash
# Quickstart: the whole pipeline on a fresh Debian machine without a GPU. Installs, builds, and pretrains a small
# Nystromformer on two ranks, on English prose from Debian packages, in about ten minutes. If interrupted, run it again
# to resume. All its files are in quickstart-run/, where it was called if the program is installed: PREFIX/share/nystrom
# has this script too, and then nothing is built.
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
if [[ -f $here/CMakeLists.txt ]]; then
  cd "$here"
  readonly nystrom=build/nystrom config=configs/quickstart.yaml launch=launch
else
  readonly nystrom=$here/../../bin/nystrom config=$here/configs/quickstart.yaml launch=$here/launch
fi
readonly where=quickstart-run
readonly minutes=4  # of training
started=$SECONDS

say() { printf '\n== %s\n' "$*"; }
stop() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }

# Runs a nystrom command on two ranks.
ranks() { "$launch/mpirun.sh" 2 "$nystrom" "$@"; }

number() {  # KEY JSON: the number after "KEY":
  sed -E "s/.*\"$1\":([-+.0-9eE]+).*/\1/" <<<"$2"
}

# Number of training steps that fit into the time, from a trial of thirty steps.
choose_steps() {
  [[ -s $where/steps ]] && return
  rm -rf "$where/trial"
  ranks pretrain "$config" --set "run.directory=$where/trial" --set training.steps=30 --set schedule.warmup_steps=15 \
    --set data.validation=[] --set checkpoint.every_steps=1000000 >"$where/trial.log" 2>&1 || {
    cat "$where/trial.log" >&2
    stop "Training does not run on this machine (see above)."
  }
  # metrics.jsonl has the seconds so far. The lower quartile of the step times is used, since other load may end.
  sed -nE 's/.*"seconds": *([-+.0-9eE]+).*/\1/p' "$where/trial/metrics.jsonl" |
    awk 'NR > 5 { printf "%.6f\n", $1 - last } { last = $1 }' | sort -n |
    awk -v minutes="$minutes" '
      { seconds[NR] = $1 }
      END {
        if (NR < 8) exit 1
        steps = int(60 * minutes / seconds[int(NR / 4)] / 100) * 100
        if (steps < 800) steps = 800
        if (steps > 5000) steps = 5000
        print steps
      }' >"$where/steps.part" || stop "The trial wrote no metrics; see $where/trial.log."
  mv "$where/steps.part" "$where/steps"
  rm -rf "$where/trial"
}

if [[ $launch == launch ]]; then
  say "1/6  install packages and build (launch/setup.sh)"
  launch/setup.sh
else
  say "1/6  $("$nystrom" --version), installed"
fi

say "2/6  text: English prose from Debian packages"
mkdir -p "$where"
[[ -s $where/text/manuals.txt ]] || "$launch/quickstart-text.sh" "$where/text"
wc -lc "$where"/text/*.txt | awk '{printf "%-44s %6d documents %10d bytes\n", $3, $1, $2}'

say "3/6  prepare: tokenizer and shards"
"$nystrom" prepare "$config"

"$nystrom" verify --self | tail -1
choose_steps
steps=$(<"$where/steps")
say "4/6  pretrain: MLM and SOP on two ranks, $steps steps"
status=0
ranks pretrain "$config" --set "training.steps=$steps" || status=$?
if [[ $status == 3 ]]; then
  echo "quickstart: Stopped with a checkpoint; run $launch/quickstart.sh again to resume."
  exit 3
fi
[[ $status == 0 ]] || exit "$status"

say "5/6  evaluate on held-out documents"
result=$(ranks evaluate "$config" --set evaluation.batches=1000 | tail -1)
printf '%s\n' "$result" >"$where/evaluation.json"
mlm=$(number mlm_loss "$result")
entropy=$(number unigram_entropy "$result")
awk -v mlm="$mlm" -v accuracy="$(number mlm_accuracy "$result")" -v sop="$(number sop_accuracy "$result")" -v entropy="$entropy" 'BEGIN {
  printf "masked tokens (MLM):    loss %.3f nats (perplexity %.0f), accuracy %.1f %%\n", mlm, exp(mlm), 100 * accuracy
  printf "unigram baseline:       loss %.3f nats (perplexity %.0f)\n", entropy, exp(entropy)
  printf "sentence order (SOP):   accuracy %.1f %% (chance: 50 %%)\n", 100 * sop
}'

say "6/6  fill masks"
checkpoint=$(find "$where/run/checkpoints" -name 'step-*.h5' | LC_ALL=C sort | tail -1)
cat >"$where/sentences.txt" <<'TEXT'
The operating <mask> manages the memory of the computer.
A file is stored on the hard <mask>.
If you want to install the package, <mask> the following command.
This function returns the number of elements in the <mask>.
TEXT
"$nystrom" predict --model "$where/run" --input "$where/sentences.txt" --top 3 --output "$where/filled.tsv" --force
awk -F '\t' '
  NR == FNR { sentence[FNR] = $0; next }
  FNR > 1 { guesses[$1] = guesses[$1] sprintf("   %s (%.0f %%)", $4, 100 * $6) }
  END { for (i = 1; i in sentence; ++i) print sentence[i] "\n   " guesses[i] }' "$where/sentences.txt" "$where/filled.tsv"

cat <<TEXT

------------------------------------------------------------------------------------------------
Pretrained a Nystromformer from raw text. This call took $(( (SECONDS - started) / 60 )) min $(( (SECONDS - started) % 60 )) s.

  text, tokenizer, shards   $where/text  $where/prepared
  metrics, checkpoints      $where/run  ($checkpoint)
  evaluation                $where/evaluation.json

Next steps:
  your own text             copy $config, change corpus, output and run; then
                              $nystrom prepare my.yaml
                              $launch/mpirun.sh 2 $nystrom pretrain my.yaml
                            (${config%/*}/pretrain-base.yaml is the paper's base model)
  on a cluster              the same command under the scheduler's mpirun, one process per node or socket:
                            docs/operations.md
  export to Hugging Face    $nystrom convert --from $where/run --to my-model
  check the numbers         launch/test.sh;  docs/mathematics.md
  start over                rm -r $where
------------------------------------------------------------------------------------------------
TEXT
