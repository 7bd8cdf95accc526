#!/usr/bin/env bash
# A fresh Debian machine: install, build, all tests. Arguments go to ctest (launch/test.sh -R Config).
# The CUDA backend is tested without a GPU: its kernels run on the CPU (docs/gpu.md), in build-emulation/.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
launch/setup.sh --tests || exit
launch/setup.sh --emulation || exit
echo "test.sh: built in $SECONDS s"
status=0
# One more at once than there are CPUs: some wait for timeouts, heartbeats and other ranks.
for build in build build-emulation; do
  ctest --test-dir "$build" --output-on-failure --parallel "$(($(nproc) + 1))" "$@" || status=$?
done
exit "$status"
