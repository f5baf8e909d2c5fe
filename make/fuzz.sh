#!/usr/bin/env bash
# Fuzzes every target of the module for a while (first argument, default 2s each), and the readers
# of JSON, which every delivery goes through, for longer (second argument, default 30s).
set -euo pipefail
each=${1:-2s}
readers=${2:-30s}
found=0
for package in $(go list ./...); do
  dir=$(go list -f '{{.Dir}}' "$package")
  for target in $(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go 2>/dev/null | awk '{ print $2 }'); do
    found=$((found + 1))
    span=$each
    [ "$target" = FuzzReaders ] && span=$readers
    if ! output=$(go test -run '^$' -fuzz "^$target\$" -fuzztime "$span" "$package" 2>&1); then
      printf '%s\n' "$output"
      echo "$package: $target failed; the input is in testdata/fuzz of its folder: commit it with the mend"
      exit 1
    fi
    printf '%-24s %s  %s\n' "$target" "$(grep -oE 'execs: [0-9]+' <<<"$output" | tail -n 1)" "${package#*/kycbridge/}"
  done
done
[ "$found" -gt 0 ] || { echo "no fuzz target was found"; exit 1; }
echo "$found targets fuzzed"
