#!/usr/bin/env bash
# Kill and resume test, long form: pretraining on two ranks, killed KILLS times (default: 100) at random moments and
# restarted each time with the same command. About 20 minutes on two cores.
#
#   tests/system/reliability/torture.sh [KILLS]
set -euo pipefail
cd "$(dirname "$0")/../../.."
NYSTROM_KILLS=${1:-100} exec build/tests/torture_test
