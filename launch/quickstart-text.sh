#!/usr/bin/env bash
# Quickstart corpus: English prose from Debian packages, one document per line:
#
#   launch/quickstart-text.sh FOLDER     writes FOLDER/dictionary.txt, FOLDER/manuals.txt
#
# The packages are downloaded and unpacked into FOLDER, not installed: no root needed, nothing left elsewhere.
set -euo pipefail
folder=${1:?usage: launch/quickstart-text.sh FOLDER}
mkdir -p "$folder/packages"
folder=$(cd "$folder" && pwd)

stop() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }

unpack() {  # PACKAGE
  local package=$1
  [[ -d $folder/packages/$package ]] && return
  rm -f "$folder/packages/$package"_*.deb
  (cd "$folder/packages" && apt-get download -qq "$package" >/dev/null 2>&1) ||
    stop "The Debian package $package, part of the corpus, could not be downloaded; try \`apt-get update\`."
  rm -rf "$folder/packages/$package.part"
  dpkg-deb -x "$folder/packages/$package"_*.deb "$folder/packages/$package.part"
  mv "$folder/packages/$package.part" "$folder/packages/$package"
}

# Documents from a dictd file: an entry begins in the first column, its text is indented. Cross-reference marks and
# dates are removed; an entry with at least ten words left is a document.
dictionary() {
  awk '
    function flush() {
      gsub(/[{}]/, "", text); gsub(/\([12][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]\)/, "", text)
      gsub(/<[a-z\/ -]+>/, "", text); gsub(/__/, "", text); gsub(/[ \t]+/, " ", text)
      if (split(text, words, " ") >= 10) print head ": " text
      text = ""
    }
    /^[^ \t]/ { if (text != "" || head == "") { flush(); head = $0 } else head = head ", " $0; next }
    { text = text " " $0 }
    END { flush() }' | grep -vE '^(00-database|Free On-line Dictionary|GNU Free)'
}

# Documents from a manual with wrapped paragraphs: paragraphs of prose (at least ten words, a sentence end, no sign of a
# table or a program) are kept and joined into documents of about four thousand characters.
manual() {
  awk '
    function flush() {
      gsub(/[ \t]+/, " ", paragraph); sub(/^ /, "", paragraph)
      if (paragraph ~ /[.?!:]"?\)?$/ && split(paragraph, words, " ") >= 10 && paragraph !~ /[|{};$\\]|--[-+]|^[-*+=#>]/)
        text = text (text == "" ? "" : " ") paragraph
      if (length(text) > 4000) { print text; text = "" }
      paragraph = ""
    }
    /^[ \t]*$/ { flush(); next }
    { paragraph = paragraph " " $0 }
    END { flush(); if (text != "") print text }'
}

# Documents from Perl's manual (POD): paragraphs that begin in the first column are prose; C<this> becomes this.
pod() {
  local file
  for file in "$@"; do
    sed -E -e 's/[A-Z]<<+ +([^<>]*) +>>+/\1/g' -e 's/[CFBISLX]<([^<>|]*\|)?([^<>]*)>/\2/g' \
      -e 's/[CFBISL]<([^<>|]*\|)?([^<>]*)>/\2/g' -e 's/E<lt>/</g; s/E<gt>/>/g' -e '/^=/d' -e 's/^[ \t].*//' "$file" | manual
  done
}

for package in dict-foldoc dict-jargon debian-reference-en debian-policy developers-reference debian-faq perl-doc; do
  unpack "$package"
done
cd "$folder/packages"
{
  zcat dict-foldoc/usr/share/dictd/foldoc.dict.dz | dictionary
  zcat dict-jargon/usr/share/dictd/jargon.dict.dz | dictionary
} >"$folder/dictionary.txt.part"
{
  # By their names: Debian 12, Debian 13 and Ubuntu 24.04 keep them in different folders.
  for text in debian-reference-en/debian-reference.en debian-policy/policy developers-reference/developers-reference \
    debian-faq/debian-faq.en; do
    file=$(find "${text%/*}" -name "${text#*/}.txt.gz")
    [[ $file ]] || stop "the Debian package ${text%/*} holds no ${text#*/}.txt.gz"
    zcat "$file" | manual
  done
  find perl-doc -name '*.pod' ! -name 'perl5*delta.pod' ! -name 'perltoc.pod' | LC_ALL=C sort | while read -r file; do pod "$file"; done
} >"$folder/manuals.txt.part"
[[ -s $folder/dictionary.txt.part && -s $folder/manuals.txt.part ]] || stop "The packages contain no text in the expected files."
mv "$folder/dictionary.txt.part" "$folder/dictionary.txt"
mv "$folder/manuals.txt.part" "$folder/manuals.txt"
