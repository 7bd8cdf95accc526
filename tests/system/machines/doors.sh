#!/usr/bin/env bash
# The environment of a process: a log whose reader goes away, a limit on the size of files, a CPU that is too old, shards
# that are made again from another text between stop and resume.
#
#   tests/system/machines/doors.sh [build/nystrom]          half a minute; the check of CPU features needs qemu-user
. "$(dirname "$0")/machine.sh" doors "$@"
prepare_case
run=("$nystrom" pretrain config.yaml --set run.threads=1)

# pretrain 2>&1 | tee log, and tee goes away: the run continues, and saves.
{ "${run[@]}" "${endless[@]}" --set run.directory=piped --set run.stop_after=4s 2>&1; echo $? >piped.status; } | head -2 >/dev/null
wait_for 30 test -s piped.status
[[ $(<piped.status) == 3 ]] || wrong "a log without a reader: status $(<piped.status) instead of 3"
ls piped/checkpoints/*.h5 >/dev/null 2>&1 || wrong "a log without a reader: no checkpoint"
[[ ! -e piped/lock ]] || wrong "a log without a reader: the lock was left"
"${run[@]}" --set run.directory=full 2>/dev/full || wrong "a log on a full disk: status $?"
"$nystrom" prepare config.yaml --set output.directory=again 2>&1 >/dev/null | head -c 1 >/dev/null
[[ ${PIPESTATUS[0]} == 0 && -e again/manifest.json ]] || wrong "prepare, whose log has no reader, is not done"

# The reader of results ends the program in silence, as ever.
for ((i = 0; i < 20000; ++i)); do echo "The river <mask> the stone."; done >masks.txt
"${run[@]}" >run.log 2>&1 || { tail -3 run.log; wrong "the run"; }
"$nystrom" predict --model run --input masks.txt --task tokens 2>predict.log | head -1 >/dev/null
status=${PIPESTATUS[0]}
(( status == 141 || status == 0 )) || wrong "predict | head: status $status"
hasnt predict.log 'rror'

# ulimit -f: a sentence for the checkpoint that cannot be written, and for prepare.
(ulimit -f 100; exec "${run[@]}" --set run.directory=limited) >limited.log 2>&1
status=$?
(( status == 1 )) || wrong "ulimit -f: status $status of pretrain"
has limited.log 'could not be written: .*File too large'
(ulimit -f 4; exec "$nystrom" prepare config.yaml --set output.directory=small) >small.log 2>&1
status=$?
(( status == 1 )) || wrong "ulimit -f: status $status of prepare: $(tail -1 small.log)"
has small.log '^nystrom: '

# Shards made again from another text: refused, or accepted on demand and reported. The same ones elsewhere are the same.
sed 's/stone/glass/g' text.txt >other.txt
"$nystrom" prepare config.yaml --set 'corpus=[{kind: lines, path: other.txt}]' --set tokenizer.path=prepared/tokenizer.model \
  --set output.directory=other >other.log 2>&1 || wrong "the other text: $(tail -1 other.log)"
cp -r prepared kept
rm prepared/train/*
cp other/train/* prepared/train/
"${run[@]}" --set training.steps=14 >replaced.log 2>&1
(( $? == 2 )) || wrong "other shards under the same names: not refused: $(tail -1 replaced.log)"
has replaced.log 'was trained on other data under the same names: data.shards_content'
"${run[@]}" --set training.steps=14 --set 'data.shards=[kept/train/*.h5]' >kept.log 2>&1 || wrong "the same shards elsewhere: $(tail -1 kept.log)"
has kept.log 'steps 13 to 14'

# A CPU without AVX2.
if command -v qemu-x86_64 >/dev/null; then
  for arguments in --help doctor; do
    timeout 100 qemu-x86_64 -cpu Nehalem "$nystrom" $arguments >old.log 2>&1
    (( $? == 2 )) || wrong "$arguments on an old CPU: not refused: $(tail -1 old.log)"
    has old.log 'This CPU lacks instructions that this program is compiled for'
  done
  timeout 100 qemu-x86_64 -cpu Haswell "$nystrom" --version >new.log 2>&1 || wrong "a CPU that is just new enough: $(tail -1 new.log)"
else
  echo "doors: not tried here: an old CPU (apt-get install qemu-user)"
fi
finish
