#!/usr/bin/env bash
# launch/mpirun.sh and the number of threads on machines that are unlike this one: hardware threads, masks, quotas,
# variables of the site, another MPI's mpirun, a temporary folder that is full.
#
#   tests/system/machines/launcher.sh [build/nystrom]          a minute; some parts need root, and say so
. "$(dirname "$0")/machine.sh" launcher "$@"
without() { echo "launcher: not tried here: $*"; }

cores=$("$nystrom" doctor | sed -n 's/^cores *\([0-9]*\) available.*/\1/p')
(( cores > 1 )) || skip "this machine has one core"
two() { "$mpirun" 2 "$nystrom" doctor >"$1" 2>&1 || wrong "$1: status $?: $(tail -3 "$1")"; }

# What a site sets does not change the binding.
two two.log
has two.log "2 ranks with $(( cores / 2 )) threads\? each on "
hasnt two.log '^warning'
OMP_NUM_THREADS=1 two one_thread.log
has one_thread.log "^cores *$(( cores / 2 )) available"
OMP_NUM_THREADS=$(( 2 * cores )) two many_threads.log
has many_threads.log "^cores *$(( cores / 2 )) available"
has many_threads.log "^warning .* lower OMP_NUM_THREADS"
OMP_NUM_THREADS= two empty.log
has empty.log "2 ranks with $(( cores / 2 )) threads\? each on "
hasnt empty.log '^warning'

# A mask that the launcher itself runs under.
taskset -c "$(taskset -pc $$ | sed 's/.*: //; s/[,-].*//')" "$mpirun" 1 "$nystrom" doctor >mask.log 2>&1
has mask.log '1 rank with 1 thread on .*, which has 1 core$'

# More ranks than CPUs share them all.
"$mpirun" $(( cores + 1 )) "$nystrom" doctor >crowd.log 2>&1 || wrong "$(( cores + 1 )) ranks: $(tail -3 crowd.log)"
has crowd.log "^warning .* share "

# Plain mpirun binds a rank to a core: that is reported.
mpirun --map-by core --bind-to core -n 1 "$nystrom" doctor >plain.log 2>&1
(( cores < 2 )) || has plain.log "^warning .* each rank is bound to 1 core; start the job by launch/mpirun.sh"

# An mpirun of another MPI, and ranks that do not know each other.
mkdir other
printf '#!/bin/sh\necho "HYDRA build details:"\n' >other/mpirun
chmod +x other/mpirun
PATH=$PWD/other:$PATH "$mpirun" 2 "$nystrom" doctor >hydra.log 2>&1
(( $? == 2 )) || wrong "another mpirun: not refused"
has hydra.log "is not Open MPI's (HYDRA build details:)"
SLURM_STEP_NUM_TASKS=2 "$nystrom" doctor >srun.log 2>&1
(( $? == 2 )) || wrong "tasks of srun without MPI: not refused"
has srun.log 'srun --mpi=pmix'
PMI_RANK=0 PMI_SIZE=2 "$nystrom" doctor >strangers.log 2>&1
(( $? == 2 )) || wrong "ranks of another MPI: not refused"
has strangers.log '2 ranks were started, but MPI sees one'
for arguments in "" "0 true" "two true" "2"; do
  # shellcheck disable=SC2086
  "$mpirun" $arguments >usage.log 2>&1 && wrong "launch/mpirun.sh $arguments: not refused"
done

# The statuses of ranks are passed on.
for status in 0 2 3; do
  "$mpirun" 2 sh -c "exit $status" >status.log 2>&1
  (( $? == status )) || wrong "status $status became another"
done

# Two hardware threads a core: the files of /sys that say so, for CPUs 0 and 1.
with_hardware_threads() {
  unshare --mount bash -c '
    echo 3 >mask; echo 0-1 >list; echo 0 >core
    for folder in /sys/devices/system/cpu/cpu[01]/topology; do
      for name in core_cpus thread_siblings; do
        [[ -e $folder/$name ]] && mount --bind mask "$folder/$name"
        [[ -e $folder/${name}_list ]] && mount --bind list "$folder/${name}_list"
      done
      mount --bind core "$folder/core_id"
    done
    exec "$@"' - "$@"
}
if [[ $cores == 2 ]] && is_root && with_hardware_threads true 2>/dev/null; then
  for ranks in 1 2 3; do
    with_hardware_threads "$mpirun" $ranks "$nystrom" doctor >"threads$ranks.log" 2>&1 || wrong "$ranks ranks on a core with two threads: $(tail -3 threads$ranks.log)"
    has threads$ranks.log "with 1 thread.* on .*, which has 1 core$"
  done
  has threads1.log '^cores *1 available to this process, with 2 hardware threads'
else
  without "hardware threads (needs root, name spaces for mounts and two cores)"
fi

# The quota of a control group.
group=
if is_root && [[ -w /sys/fs/cgroup/cpu/cpu.cfs_quota_us || $(stat -fc %T /sys/fs/cgroup/cpu 2>/dev/null) == cgroupfs ]]; then
  group=/sys/fs/cgroup/cpu/nystrom-test-$$
  mkdir "$group" && echo 100000 >"$group/cpu.cfs_period_us" && echo 150000 >"$group/cpu.cfs_quota_us" || group=
elif is_root && grep -qsw cpu /sys/fs/cgroup/cgroup.subtree_control; then
  group=/sys/fs/cgroup/nystrom-test-$$
  mkdir "$group" && echo "150000 100000" >"$group/cpu.max" || group=
fi
if [[ $group ]]; then
  cleanups+=("rmdir $group")
  bash -c "echo \$\$ >$group/cgroup.procs; exec $nystrom doctor" >quota.log 2>&1
  has quota.log "1 rank with 1 thread on .*, which has 1 core$"
  has quota.log "quota is 1.5 CPUs"
else
  without "quotas (needs root and control groups that can be written)"
fi

# MPI cannot start where the temporary folder is full: everything ends all the same.
if is_root && unshare --mount true 2>/dev/null; then
  mkdir small
  NYSTROM_END_SECONDS=5 timeout -k 5 60 unshare --mount bash -c 'mount -t tmpfs -o size=64k none small && TMPDIR=$PWD/small exec "$@"' - "$mpirun" 2 "$nystrom" doctor >full.log 2>&1
  status=$?
  (( status != 124 && status != 137 && status != 0 )) || wrong "with a full temporary folder: status $status"
else
  without "a full temporary folder (needs root and name spaces for mounts)"
fi
finish

# Open MPI's banner of a process that failed is left out of a stop that was asked for, and only of that.
"$mpirun" 2 bash -c 'echo words >&2; exit 3' >banner.log 2>&1
has banner.log '^words$'
has banner.log 'non-zero'
"$mpirun" 2 bash -c 'trap "echo saved; exit 3" XCPU; echo ready; while :; do sleep 0.1; done' >stop.log 2>&1 &
job=$!
for (( i = 0; i < 100; ++i )); do
  grep -q ready stop.log && break
  sleep 0.2
done
kill -TERM $job
wait $job
(( $? == 3 )) || wrong "a stop on request: another status than 3"
has stop.log '^saved$'
hasnt stop.log 'non-zero'
hasnt stop.log '^-----'
