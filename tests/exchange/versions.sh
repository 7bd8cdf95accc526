#!/bin/sh
# Exported folders with the oldest and the newest transformers that docs/exchange.md names: remote_code.py, kinds.py and
# usage.py with both, deployment.py (torch.compile, ONNX) with the newest.
#   tests/exchange/versions.sh build/nystrom
# The newest is what with_transformers.sh finds or installs. The oldest goes into its own virtual environment below
# build/, which shares all other packages with it. Says that it was skipped where there is no package index.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
newest=$("$here/with_transformers.sh" -c 'import sys; print(sys.executable)') ||
  { echo "skipped: torch and transformers cannot be installed, because no package index can be reached"; exit 0; }

oldest="$here/../../build/transformers-oldest-venv"
if [ ! -e "$oldest/complete" ]; then
  rm -rf "$oldest"
  "$newest" -m venv "$oldest"
  purelib='import sysconfig; print(sysconfig.get_path("purelib"))'
  echo "import site; site.addsitedir('$("$newest" -c "$purelib")')" >"$("$oldest/bin/python" -c "$purelib")/shared.pth"
  "$oldest/bin/pip" install --quiet --no-deps transformers==4.45.0 tokenizers==0.20.3 huggingface_hub==0.25.2 \
    sentence-transformers==3.1.1 accelerate==0.34.2 requests urllib3 idna charset-normalizer certifi psutil pillow ||
    { echo "skipped: transformers 4.45.0 cannot be installed, because no package index can be reached"; exit 0; }
  touch "$oldest/complete"
fi

status=0
for python in "$newest" "$oldest/bin/python"; do
  for test in remote_code kinds usage; do
    "$python" "$here/$test.py" "$1" || status=1
  done
done
"$newest" "$here/deployment.py" "$1" || status=1
exit $status
