#!/usr/bin/env bash
# Run the digits example twice in a copy under .demo/, so that the checkout stays as it is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ ! -f examples/digits/mainspring.toml ]; then
  echo 'error: examples/digits is not there (no mainspring.toml in it)' >&2
  exit 1
fi
mainspring=${MAINSPRING:-.venv/bin/mainspring}

rm -rf .demo/digits
mkdir -p .demo
cp -R examples/digits .demo/digits
rm -rf .demo/digits/.mainspring

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] || say() { printf '\n%s\n' "$*"; }

say '1. Train and judge a classifier of handwritten digits: every step is computed'
"$mainspring" -C .demo/digits run

say '2. The same again: nothing has changed, so nothing is computed'
"$mainspring" -C .demo/digits run

say '3. With another parameter: what would run, and why'
"$mainspring" -C .demo/digits plan -p c=0.5

say 'Where to look next'
cat <<TEXT
  The project is in .demo/digits, a copy of examples/digits. Its run:

    $mainspring -C .demo/digits show                           tasks, checks, results
    $mainspring -C .demo/digits show --graph                   what waited for what
    $mainspring -C .demo/digits why latest/train               why it was computed or reused
    $mainspring -C .demo/digits artifacts open latest package  what the last step made

  Then edit .demo/digits/steps.py, ask for the plan again, and run:

    $mainspring -C .demo/digits plan

  docs/guide/getting-started.md goes on from here.
TEXT
