#!/bin/sh
# GLUE leaderboard submission: packs leaderboard/*.tsv of the given runs into one flat zip file, as required there.
#   launch/leaderboard.sh glue.zip runs/*
set -eu
[ $# -ge 2 ] || { echo "usage: launch/leaderboard.sh OUT.zip RUN..." >&2; exit 2; }
out=$1
shift
[ ! -e "$out" ] || { echo "$out already exists; choose another file or remove it first." >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for run in "$@"; do
  [ -d "$run/leaderboard" ] || [ ! -d "$run/best/leaderboard" ] || run=$run/best  # of a grid its best run
  for file in "$run"/leaderboard/*.tsv; do
    [ -e "$file" ] || continue
    name=$(basename "$file")
    [ ! -e "$folder/$name" ] || { echo "Two of the runs have a $name; name one run per task." >&2; exit 2; }
    cp "$file" "$folder/$name"
  done
done
[ -n "$(ls "$folder")" ] || { echo "None of the runs has predictions in leaderboard/." >&2; exit 2; }
for name in CoLA SST-2 MRPC QQP STS-B MNLI-m MNLI-mm QNLI RTE WNLI AX; do
  [ -e "$folder/$name.tsv" ] || echo "missing: $name.tsv; the leaderboard requires all eleven files." >&2
done
case $out in /*) ;; *) out=$PWD/$out ;; esac
cd "$folder"
if command -v zip >/dev/null; then
  zip -q "$out" ./*.tsv
elif command -v python3 >/dev/null; then
  python3 -m zipfile -c "$out" ./*.tsv
else
  echo "There is neither zip nor python3 to pack with. Install one (apt-get install zip)." >&2
  exit 1
fi
echo "$out: $(ls | wc -l) files."
