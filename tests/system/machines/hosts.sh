#!/usr/bin/env bash
# A job on two hosts: network name spaces with a cable between them, and a launch agent that enters them. The ranks get
# the cores of their hosts; the cable is drawn in a step; the time-out names the rank, everything ends, and the same
# command resumes on the host that is left.
#
#   tests/system/machines/hosts.sh [build/nystrom]          half a minute; needs root and iproute2
. "$(dirname "$0")/machine.sh" hosts "$@"
is_root || skip "network name spaces need root"
command -v ip >/dev/null || skip "there is no ip (apt-get install iproute2)"
unshare --net --uts true 2>/dev/null || skip "this machine makes no network name spaces"

new_host() { unshare --net --uts bash -c "hostname $1; exec sleep 600" & }
on() { nsenter --target "$1" --net --uts "${@:2}"; }  # HOST COMMAND...
processes_of() {  # HOST: all but the one that keeps the name space
  local process net
  net=$(readlink "/proc/$1/ns/net") && [[ $net != "$(readlink /proc/self/ns/net)" ]] || return 0
  for process in /proc/[0-9]*; do
    [[ $(readlink "$process/ns/net") == "$net" && ${process#/proc/} != "$1" ]] && echo "${process#/proc/}"
  done 2>/dev/null
  return 0
}
is_empty() { [[ -z $(processes_of "$1") ]]; }
new_host near
near=$!
new_host far
far=$!
cleanups+=('kill -KILL $(processes_of $near) $(processes_of $far) $near $far 2>/dev/null')
sleep 0.5
on $near ip link add near-end type veth peer name far-end netns $far 2>/dev/null || skip "this machine has no veth"
on $near sh -c 'ip link set lo up; ip addr add 10.9.0.1/24 dev near-end; ip link set near-end up'
on $far sh -c 'ip link set lo up; ip addr add 10.9.0.2/24 dev far-end; ip link set far-end up'

# As ssh: AGENT HOST COMMAND...
cat >agent <<END
#!/usr/bin/env bash
shift
exec nsenter --target $far --net --uts setsid bash -c "export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; \$*"
END
chmod +x agent
export OMPI_MCA_plm_rsh_agent=$folder/agent OMPI_MCA_plm=rsh              # Open MPI 4
export PRTE_MCA_plm_ssh_agent=$folder/agent PRTE_MCA_plm=ssh              # Open MPI 5
export NYSTROM_HOSTFILE=$folder/hosts NYSTROM_END_SECONDS=5
printf '10.9.0.1 slots=1\n10.9.0.2 slots=1\n' >hosts

prepare_case
cores=$(nproc)
on $near timeout 60 "$mpirun" 2 "$nystrom" doctor >doctor.log 2>&1 || { cat doctor.log; skip "Open MPI does not start on two hosts here"; }
for host in near far; do has doctor.log "1 rank with $cores threads\? on $host, which has $cores core"; done
hasnt doctor.log '^warning'

on $near "$mpirun" 2 "$nystrom" pretrain config.yaml "${endless[@]}" --set run.threads=1 --set communication.timeout=6 >cut.log 2>&1 &
job=$!
wait_for 60 test -e run/checkpoints/step-00000500.h5 || wrong "no checkpoint: $(tail -3 cut.log)"
on $far ip link set far-end down
cut=$SECONDS
wait_for 60 ended $job || { wrong "the job has not ended a minute after the cut"; kill -KILL $job; }
wait $job
status=$?
(( status == 1 )) || wrong "status $status"
has cut.log 'rank 1 on far did not take part'
wait_for 30 is_empty $near || wrong "left on this host: $(ps -o args= $(processes_of $near) | cut -c1-80)"
wait_for 30 is_empty $far || wrong "left on the far host: $(ps -o args= $(processes_of $far) | cut -c1-80)"
echo "hosts: all had ended $(( SECONDS - cut )) s after the cut, with a time-out of 6 s"

sed -i '/10.9.0.2/d' hosts
on $near timeout 120 "$mpirun" 1 "$nystrom" pretrain config.yaml "${endless[@]}" --set run.stop_after=8s >left.log 2>&1
status=$?
(( status == 3 )) || wrong "the command on the host that is left: status $status, $(tail -3 left.log)"
has left.log 'resum'
finish
