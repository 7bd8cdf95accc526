#!/usr/bin/env bash
# The completions in their shells, and the manual page by its formatter. What a shell that is missing would test is
# skipped, and reported.
#
#   tests/launch/cli/shells.sh build/nystrom
set -euo pipefail
nystrom=$(realpath "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export PATH=$folder:$PATH
ln -s "$nystrom" "$folder/nystrom"
failed=0
wrong() { printf 'wrong: %s\n' "$*"; failed=1; }

# ---- bash: the function is called as readline would
nystrom --help-completion bash >"$folder/bash"
complete_in_bash() {  # WORD...: the last one is completed
  bash --norc -c '
    . "$1"; shift
    compopt() { :; }  # there is no completion under way
    COMP_WORDS=(nystrom "$@"); COMP_CWORD=$#
    _nystrom
    printf "%s\n" "${COMPREPLY[@]}"' bash "$folder/bash" "$@"
}
expect() {  # WORDS-AS-ONE-LINE WORD...
  local expected=$1 got
  shift
  got=$(complete_in_bash "$@" | sort | tr '\n' ' ')
  [[ $got == "$expected " ]] || wrong "bash: $*: $got, not $expected"
}
expect "predict prepare pretrain" pre
expect "--help --help-completion --help-config --help-man --help-messages --help-schema" --help
expect "bash fish zsh" --help-completion ""
expect "--takeover" pretrain my.yaml --t
expect "auto never" pretrain my.yaml --resume ""
expect "auto" pretrain my.yaml --resume = a
expect "training.steps=" pretrain my.yaml --set training.st
expect "csv" table runs --format c
expect "" pretrain my.y
expect "" convert --from ""
# The completion is bound to the word `nystrom`.
bash --norc -c '. "$1"; complete -p nystrom' bash "$folder/bash" | grep -q -- '-F _nystrom' || wrong "bash: not bound"

# ---- zsh
if command -v zsh >/dev/null; then
  nystrom --help-completion zsh >"$folder/_nystrom"
  zsh -f -n "$folder/_nystrom" || wrong "zsh: syntax"
  # A shell in a pseudo-terminal, in which the line is typed and completed by TAB until the word appears.
  cat >"$folder/zsh.zsh" <<'ZSH'
zmodload zsh/zpty
wait_for() {  # WORD: prints what came until then, for at most a minute. It may come in pieces, as lines
  local line all=
  repeat 300 {
    while zpty -r -t z line; do all+=${line//[$'\r\n']/}; [[ $all == *$1* ]] && { print -r -- "$all"; return } done
    sleep 0.2
  }
  print -r -- "$all"
}
zpty -b z zsh -f -i
zpty -w z "PS1=; fpath=($1 \$fpath); autoload -U compinit; compinit -u -D; setopt no_list_beep; stty columns 200; print rea''dy"
wait_for ready
zpty -n -w z "$2"$'\t\t'
wait_for $3
zpty -d z
ZSH
  complete_in_zsh() {  # LINE WORD
    zsh -f "$folder/zsh.zsh" "$folder" "$1" "$2" >"$folder/zsh.out" 2>&1 || true
    grep -q -- "$2" "$folder/zsh.out" || { wrong "zsh: $1: no $2"; cat -v "$folder/zsh.out"; }
  }
  complete_in_zsh "nystrom pretrain my.yaml --tak" --takeover
  complete_in_zsh "nystrom pretrain my.yaml --set training.global_b" training.global_batch=
  complete_in_zsh "nystrom pretrain my.yaml --resume nev" never
else
  echo "zsh is not installed: its completion was not tried"
fi

# ---- fish
if command -v fish >/dev/null; then
  nystrom --help-completion fish >"$folder/nystrom.fish"
  complete_in_fish() {
    HOME=$folder XDG_CONFIG_HOME=$folder fish --no-config -c "source $folder/nystrom.fish; complete -C '$1'" | cut -f1 | sort | tr '\n' ' '
  }
  expect_fish() {  # WORDS LINE
    local got
    got=$(complete_in_fish "$2")
    [[ $got == "$1 " ]] || wrong "fish: $2: $got, not $1"
  }
  expect_fish "predict prepare pretrain" "nystrom pre"
  expect_fish "--takeover" "nystrom pretrain my.yaml --tak"
  expect_fish "csv" "nystrom table --format c"
  expect_fish "training.global_batch=" "nystrom pretrain my.yaml --set training.global_b"
else
  echo "fish is not installed: its completion was not tried"
fi

# ---- colours
if command -v script >/dev/null; then
  on_terminal() { TERM=xterm script -qec "$1" /dev/null || true; }
  on_terminal "nystrom nonsense" | grep -q $'\e\[31mnystrom:\e\[0m Unknown command' || wrong "no colour on a terminal"
  on_terminal "NO_COLOR=1 nystrom nonsense" | grep -q $'^nystrom: Unknown command' || wrong "NO_COLOR has no effect"
  { nystrom nonsense 2>&1 || true; } | grep -q '^nystrom: Unknown command' || wrong "a colour in a file"
else
  echo "script is not installed: colours were not tried"
fi

# ---- manual page
nystrom --help-man >"$folder/nystrom.1"
if command -v man >/dev/null; then
  warnings=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings=w -E UTF-8 -l -Tutf8 -Z "$folder/nystrom.1" 2>&1 >/dev/null)
  [[ -z $warnings ]] || wrong "man: $warnings"
  LC_ALL=C.UTF-8 MANWIDTH=80 man -E UTF-8 -l "$folder/nystrom.1" 2>/dev/null | col -b >"$folder/page"
  for heading in NAME SYNOPSIS COMMANDS "EXIT STATUS" ENVIRONMENT; do
    grep -q "^$heading" "$folder/page" || wrong "man: no section $heading"
  done
  grep -q -- '--takeover' "$folder/page" || wrong "man: no --takeover"
else
  echo "man is not installed: the manual page was not formatted"
fi
exit $failed
