#!/usr/bin/env bash
# Integration test of launch/slurm/pretrain.sbatch with a real Slurm: a single-node cluster in a temporary directory
# (munged, slurmctld and slurmd on private ports). The job's time limit is too short for its steps; it gets the signal
# before the limit, is requeued, resumes and completes. Skipped (status 77) without Slurm or root.
#
#   apt-get install slurm-wlm && tests/system/slurm.sh [build/nystrom]          about five minutes
set -euo pipefail
cd "$(dirname "$0")/../.."
nystrom=$(realpath "${1:-build/nystrom}")
skip() { echo "slurm: skipped: $*"; exit 77; }
for program in munged slurmctld slurmd sbatch scontrol squeue; do
  command -v "$program" >/dev/null || skip "$program is not installed (apt-get install slurm-wlm)"
done
[[ $(id -u) == 0 ]] || skip "slurmd needs root"

folder=$(mktemp -d /tmp/nystrom-slurm-XXXXXX)
chmod 755 "$folder"
pids=()
clean_up() {
  (( ${#pids[@]} )) && kill "${pids[@]}" 2>/dev/null || true
  sleep 1
  [[ -n ${KEEP:-} ]] && echo "slurm: kept $folder" || rm -rf "$folder"
}
trap clean_up EXIT

# Authentication with a private key.
mkdir -m 700 "$folder/munge"
mkdir -m 755 "$folder/socket"
head -c 64 /dev/urandom >"$folder/munge/key"
chmod 400 "$folder/munge/key"
munged --foreground --force --key-file="$folder/munge/key" --socket="$folder/socket/munge" \
  --pid-file="$folder/munge/pid" --log-file="$folder/munge/log" --seed-file="$folder/munge/seed" 2>"$folder/munge/out" &
pids+=($!)

host=$(hostname -s)
port=$(( 20000 + RANDOM % 20000 ))
cat >"$folder/slurm.conf" <<CONF
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$(( port + 1 ))
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/socket/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
KillWait=30
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$folder/slurm.conf
mkdir -p "$folder/state" "$folder/spool"
sleep 1
slurmctld -D -f "$SLURM_CONF" >"$folder/slurmctld.out" 2>&1 &
pids+=($!)
slurmd -D -f "$SLURM_CONF" -N "$host" >"$folder/slurmd.out" 2>&1 &
pids+=($!)
for _ in $(seq 30); do
  sinfo -h -o %T 2>/dev/null | grep -q idle && break
  sleep 1
done
sinfo -h -o %T | grep -q idle || { tail -5 "$folder"/slurm*.log "$folder"/*.out; echo "slurm: the cluster did not start"; exit 1; }
echo "slurm: $(scontrol --version) is up"

# Ranks that Slurm starts itself, through PMIx; without it they would be separate jobs, which is refused.
if srun --mpi=pmix --ntasks=1 true >/dev/null 2>&1; then
  srun --mpi=pmix --ntasks=2 --overcommit "$nystrom" doctor >"$folder/pmix.log" 2>&1 || { tail -5 "$folder/pmix.log"; echo "slurm: srun --mpi=pmix failed"; exit 1; }
  grep -q '^ranks *2, 2 on this machine' "$folder/pmix.log" || { cat "$folder/pmix.log"; echo "slurm: the ranks of srun --mpi=pmix do not know each other"; exit 1; }
  srun --mpi=none --ntasks=2 --overcommit "$nystrom" doctor >"$folder/none.log" 2>&1 && { echo "slurm: srun --mpi=none was not refused"; exit 1; }
  grep -q 'srun --mpi=pmix' "$folder/none.log" || { tail -5 "$folder/none.log"; echo "slurm: srun --mpi=none says nothing of PMIx"; exit 1; }
  echo "slurm: two ranks by srun --mpi=pmix; --mpi=none is refused"
else
  echo "slurm: srun --mpi=pmix is not tried: this Slurm finds no PMIx (apt-get install libpmix-dev)"
fi

# Text, shards, and a run whose steps exceed the time limit.
cd "$folder"
for i in $(seq 400); do
  echo "The river $i walks under the stone. Seven birds and the light are slow. The stone walks under birds $i."
done >text.txt
steps=${STEPS:-4000}
cat >run.yaml <<YAML
corpus: [{kind: lines, path: $folder/text.txt}]
tokenizer: {kind: bpe, vocabulary_size: 150}
output: {directory: $folder/prepared, validation_fraction: 0}
run: {directory: $folder/run}
model: {hidden_size: 64, layers: 2, heads: 2, intermediate_size: 128, max_positions: 64,
        attention: {landmarks: 8, convolution: 3}}
data: {shards: [$folder/prepared/train/*.h5]}
training: {steps: $steps, global_batch: 64, precision: fp32}
schedule: {kind: constant}
checkpoint: {every_steps: 1000000}
YAML
"$nystrom" prepare run.yaml >prepare.log 2>&1
cd - >/dev/null

# Time limit two minutes, signal one minute before. (Slurm may send it up to a minute earlier.)
job=$(sbatch --parsable --time=2 --signal=B:USR1@60 --ntasks-per-node=2 --output="$folder/job.log" \
  --export="ALL,NYSTROM=$nystrom,CONFIG=$folder/run.yaml,MPIRUN=$PWD/launch/mpirun.sh" launch/slurm/pretrain.sbatch)
echo "slurm: submitted job $job"
last=""
for _ in $(seq 1500); do
  state=$(squeue -h -j "$job" -o %T 2>/dev/null || true)
  [[ $state != "$last" ]] && echo "slurm: $SECONDS s: ${state:-gone}, at step $(tail -1 "$folder/run/metrics.jsonl" 2>/dev/null | sed -nE 's/.*"step": ([0-9]+).*/\1/p')"
  last=$state
  # A requeued job waits two minutes by default, which is pointless here.
  [[ $state == PENDING ]] && scontrol update JobId="$job" StartTime=now 2>/dev/null || true
  [[ -z $state || $state == COMPLETED ]] && break
  sleep 1
done
cat "$folder/job.log" | grep -E "nystrom ended|stopping|resumed|locked" || true
restarts=$(grep -c "nystrom ended with status 3" "$folder/job.log" || true)
ended=$(grep -c "nystrom ended with status 0" "$folder/job.log" || true)
lines=$(grep -c '"loss"' "$folder/run/metrics.jsonl")
[[ $restarts -ge 1 ]] || { echo "slurm: the time limit did not stop the job; raise STEPS"; exit 1; }
[[ $ended == 1 && $lines == "$steps" ]] || { echo "slurm: the job did not complete as expected (ended: $ended, metrics lines: $lines of $steps)"; tail -20 "$folder/job.log"; exit 1; }
echo "slurm: stopped by the time limit and requeued $restarts time(s), completed $lines of $steps steps, none twice"
