#!/usr/bin/env bash
# Data race check with ThreadSanitizer, for the threads next to the training loop: the loader's prefetch thread, the
# checkpoint writer, the team that computes ops, and, on two ranks, the asynchronous all-reduce. Built without OpenMP (preset `threads`,
# build-threads/).
set -euo pipefail
cd "$(dirname "$0")/../../.."
source tests/support/builds.sh
build_preset threads threads_test ranks_test
export OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export TSAN_OPTIONS="suppressions=$PWD/tests/system/threads/thread-suppressions.txt ignore_noninstrumented_modules=1 exitcode=66"
build-threads/tests/threads_test --gtest_brief=1
mpirun --oversubscribe --bind-to none -n 2 build-threads/tests/ranks_test --gtest_brief=1
echo "threads.sh: no data races"
