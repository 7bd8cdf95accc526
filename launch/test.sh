#!/usr/bin/env bash
# A fresh Debian machine: install, build, all tests. Arguments go to ctest (launch/test.sh -R Config).
set -euo pipefail
cd "$(dirname "$0")/.."
launch/setup.sh --tests
exec ctest --test-dir build --output-on-failure --parallel "$(nproc)" "$@"
