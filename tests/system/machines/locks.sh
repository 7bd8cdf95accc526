#!/usr/bin/env bash
# One run directory, two jobs: another user's lock that cannot be read, /proc that hides other users' processes, a job that
# is suspended while another takes over. A living job is never taken for dead, and no step is written twice to metrics.jsonl.
#
#   tests/system/machines/locks.sh [build/nystrom]          a minute; parts need root, to be two users
. "$(dirname "$0")/machine.sh" locks "$@"
prepare_case
chmod -R a+rX .
train() { "$nystrom" pretrain config.yaml "${endless[@]}" --set run.threads=1 "$@"; }
steps_twice() { sed -nE '/"loss"/s/.*"step": *([0-9]+).*/\1/p' "$1/metrics.jsonl" | sort | uniq -d | wc -l; }
started() { [[ -s $1/metrics.jsonl ]]; }
expect_status() { (( $1 == $2 )) || wrong "$4: status $1 instead of $2: $(tail -2 "$3" | cut -c1-300)"; }

# A job that is suspended, and continues after another has taken over.
train --set run.directory=asleep --set run.stop_after=90s >asleep.log 2>&1 &
first=$!
wait_for 60 started asleep || wrong "no step: $(tail -2 asleep.log)"
kill -STOP $first
train --set run.directory=asleep --set run.stop_after=3s >refused.log 2>&1
expect_status $? 2 refused.log "while a suspended job holds the lock"
train --set run.directory=asleep --set run.stop_after=6s --takeover >awake.log 2>&1
expect_status $? 3 awake.log "--takeover"
has awake.log 'which may be alive; this job takes the lock over'
kill -CONT $first
wait $first
expect_status $? 1 asleep.log "the job that lost its lock"
has asleep.log 'The lock of asleep was taken over by'
(( $(steps_twice asleep) == 0 )) || wrong "$(steps_twice asleep) steps were written twice after a suspension"

# A job that lives when another takes over.
train --set run.directory=awake --set run.stop_after=90s >first.log 2>&1 &
first=$!
wait_for 60 started awake || wrong "no step: $(tail -2 first.log)"
train --set run.directory=awake --set run.stop_after=6s --takeover >second.log 2>&1
expect_status $? 3 second.log "--takeover of a living job"
wait $first
expect_status $? 1 first.log "the living job"
(( $(steps_twice awake) == 0 )) || wrong "$(steps_twice awake) steps were written twice after a takeover"
"$nystrom" inspect --verify awake >verify.log 2>&1 || wrong "a checkpoint is damaged: $(tail -2 verify.log)"

other=(setpriv --reuid 65534 --regid 65534 --clear-groups)
is_root && "${other[@]}" "$nystrom" --version >/dev/null 2>&1 && "${other[@]}" test -r "$folder/config.yaml" || {
  echo "locks: not tried here: two users (needs root, and a program that others may run)"
  finish
}
mkdir secret hidden
chmod 777 secret hidden

(umask 077; exec "$nystrom" pretrain config.yaml "${endless[@]}" --set run.threads=1 --set run.directory=secret --set run.stop_after=20s) >secret.log 2>&1 &
first=$!
wait_for 60 test -e secret/lock
"${other[@]}" "$nystrom" pretrain config.yaml --set run.directory=secret >unread.log 2>&1
expect_status $? 2 unread.log "a lock that cannot be read"
has unread.log 'secret/lock cannot be read (Permission denied)'
wait $first
expect_status $? 3 secret.log "the owner of a lock that cannot be read"

if unshare --mount mount -t proc -o hidepid=2 proc /proc 2>/dev/null; then
  (umask 000; exec "$nystrom" pretrain config.yaml "${endless[@]}" --set run.threads=1 --set run.directory=hidden --set run.stop_after=25s) >hidden.log 2>&1 &
  first=$!
  wait_for 60 started hidden
  unshare --mount bash -c 'mount -t proc -o hidepid=2 proc /proc && exec "$@"' - "${other[@]}" "$nystrom" pretrain config.yaml "${endless[@]}" --set run.directory=hidden --set run.stop_after=4s >blind.log 2>&1
  expect_status $? 2 blind.log "a job that /proc hides"
  has blind.log 'is in use by process'
  wait $first
  expect_status $? 3 hidden.log "the job that /proc hides"
  (( $(steps_twice hidden) == 0 )) || wrong "$(steps_twice hidden) steps were written twice"
else
  echo "locks: not tried here: /proc with hidepid (needs name spaces for mounts)"
fi
finish
