#!/usr/bin/env bash
# A fresh Debian machine: install, build, all tests. Arguments go to ctest (launch/test.sh -R Config).
# The CUDA backend is tested without a GPU: its kernels run on the CPU (docs/gpu.md), in build-emulation/.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
launch/setup.sh --tests || exit
launch/setup.sh --emulation || exit
echo "test.sh: built in $SECONDS s"
status=0
for build in build build-emulation; do
  ctest --test-dir "$build" --output-on-failure --parallel "$(nproc)" "$@" || status=$?
done
exit "$status"
