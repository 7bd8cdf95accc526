#!/usr/bin/env bash
# cmake --install into a prefix that is then moved: program, launchers, configurations and documents are there and find
# each other, and a run can be made with nothing else.
#
#   tests/system/install/install.sh BUILD
set -euo pipefail
build=$(realpath "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
stop() { printf 'wrong: %s\n' "$*"; exit 1; }

cmake --install "$build" --prefix "$folder/first" >"$folder/log" 2>&1 || { cat "$folder/log"; stop "cmake --install"; }
mv "$folder/first" "$folder/a prefix"
prefix="$folder/a prefix"
for file in bin/nystrom bin/nystrom-mpirun share/nystrom/configs/quickstart.yaml share/nystrom/launch/mpirun.sh \
    share/nystrom/launch/slurm/pretrain.sbatch share/nystrom/contrib/to_wandb.py share/doc/nystrom/copyright \
    share/doc/nystrom/docs/operations.md share/man/man1/nystrom.1 share/bash-completion/completions/nystrom \
    share/zsh/site-functions/_nystrom share/fish/vendor_completions.d/nystrom.fish; do
  [[ -s $prefix/$file ]] || stop "$file is not installed"
done
grep -rIl "$build" "$prefix" && stop "these files name the folder of the build"

# Nothing of the sources is in reach: neither PATH nor the working directory leads there.
mkdir "$folder/work"
cd "$folder/work"
export PATH="$prefix/bin:/usr/local/bin:/usr/bin:/bin"
[[ $(command -v nystrom) == "$prefix/bin/nystrom" ]] || stop "another nystrom is found"
nystrom --version
awk 'BEGIN { split("river stone walks under light seven birds and the slow", w, " "); s = 1
  for (d = 0; d < 60; ++d) { for (i = 0; i < 5; ++i) { line = "The"
    for (k = 0; k < 7; ++k) { s = (s * 1103515245 + 12345) % 2147483648; line = line " " w[int(s / 65536) % 10 + 1] }
    printf "%s. ", line } print "" } }' >my.txt
cp "$prefix/share/nystrom/configs/quickstart.yaml" my.yaml
sets=(--set 'corpus=[{kind: lines, path: my.txt}]' --set tokenizer.vocabulary_size=100 --set output.directory=data
  --set run.directory=run --set training.steps=1
  --set schedule.warmup_steps=0 --set training.global_batch=2 --set model.layers=1 --set data.sequence_length=64
  --set model.attention.landmarks=8)
nystrom prepare my.yaml "${sets[@]}" >prepare.log 2>&1 || { cat prepare.log; stop "prepare"; }
nystrom check my.yaml "${sets[@]}" --steps 0 >check.log 2>&1 || { cat check.log; stop "check"; }
# `nystrom` is the program next to the launcher, whatever PATH says.
PATH=/usr/local/bin:/usr/bin:/bin "$prefix/bin/nystrom-mpirun" 2 nystrom pretrain my.yaml "${sets[@]}" >run.log 2>&1 ||
  { cat run.log; stop "pretrain under nystrom-mpirun"; }
[[ -s run/checkpoints/step-00000001.h5 ]] || stop "no checkpoint"
grep -q '2 ranks' run.log || { cat run.log; stop "not two ranks"; }
if command -v man >/dev/null; then
  man -l "$prefix/share/man/man1/nystrom.1" >/dev/null || stop "man"
fi
echo "installed, moved, and a run of one step on two ranks made"
