#!/bin/sh
# Runs a Python script with transformers installed: with $NYSTROM_PYTHON or python3 if they have it, else in a virtual
# environment below build/, which is created on first use (several GB; needs network access).
#   tests/exchange/with_transformers.sh tests/exchange/parity.py build/nystrom
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
for python in "${NYSTROM_PYTHON:-python3}" "$here/build/transformers-venv/bin/python"; do
  if "$python" -c 'import torch, transformers, h5py' 2>/dev/null; then exec "$python" "$@"; fi
done
python3 -m venv "$here/build/transformers-venv"
"$here/build/transformers-venv/bin/pip" install --quiet torch transformers h5py scikit-learn sentence-transformers accelerate \
  onnxruntime onnxscript
exec "$here/build/transformers-venv/bin/python" "$@"
