#!/usr/bin/env bash
# Fuzzes every target of the module for a while (first argument, default 2s each), and the readers
# of JSON, which every delivery goes through, for longer (second argument, default 30s).
# `make/fuzz.sh list` names the targets and runs none.
set -euo pipefail
each=${1:-2s}
readers=${2:-30s}
found=0

# ran_out tells the engine's own end of time, which a loaded machine makes it take for a failure
# (https://go.dev/issue/75804, mended in Go 1.27), from a finding: a finding comes with an input.
ran_out() {
  grep -qE '^ *context deadline exceeded$' <<<"$1" && ! grep -qE 'Failing input written|panic:|hung or terminated' <<<"$1"
}

# fuzz runs a target, anew where the engine ran out of time; output holds the last run's.
fuzz() {
  local run
  for run in 1 2 3; do
    output=$(go test -run '^$' -fuzz "^$1\$" -fuzztime "$2" "$3" 2>&1) && return 0
    ran_out "$output" || return 1
    echo "$1: the fuzzing engine ran out of time without a finding (run $run of 3)"
  done
  return 1
}

# targets are all of the module, each as PACKAGE NAME.
targets() {
  local package dir
  go list -f '{{.ImportPath}} {{.Dir}}' ./... | while read -r package dir; do
    grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go 2>/dev/null | awk -v package="$package" '{ print package, $2 }' || true
  done
}

list=$(targets)
if [ "$each" = list ]; then
  echo "$list"
  exit
fi
while read -r package target; do
  [ -n "$target" ] || continue
  found=$((found + 1))
  span=$each
  [ "$target" = FuzzReaders ] && span=$readers
  if ! fuzz "$target" "$span" "$package"; then
    printf '%s\n' "$output"
    if ran_out "$output"; then
      echo "$package: $target never ended in time: an input may hang; run it alone for longer"
    else
      echo "$package: $target failed; the input is in testdata/fuzz of its folder: commit it with the mend"
    fi
    exit 1
  fi
  printf '%-24s %s  %s\n' "$target" "$(grep -oE 'execs: [0-9]+' <<<"$output" | tail -n 1)" "${package#*/kycbridge/}"
done <<<"$list"
[ "$found" -gt 0 ] || { echo "no fuzz target was found"; exit 1; }
echo "$found targets fuzzed"
