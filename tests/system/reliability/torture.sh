#!/usr/bin/env bash
# The long form of the torture test: a pretraining on two ranks, killed so many times at random moments (100 by
# default), each time started again with the same command. About 20 minutes on two cores.
#
#   tests/system/reliability/torture.sh [KILLS]
set -euo pipefail
cd "$(dirname "$0")/../../.."
NYSTROM_KILLS=${1:-100} exec build/tests/torture_test
