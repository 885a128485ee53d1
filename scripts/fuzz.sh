#!/bin/sh
# Runs every fuzz target of the module, one after the other: fuzz.sh 20000x, or fuzz.sh 1m. One line for each; the whole
# output of those that fail, and then status 1. The failing input is in testdata/fuzz of the package.
set -eu
cd "$(dirname "$0")/.."
module=$(go list -m)
amount=${1:?usage: fuzz.sh AMOUNT (like 20000x or 1m)}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
targets=0
failed=0
for package in $(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...); do
	go test -list '^Fuzz' "$package" >"$log" 2>&1 || { cat "$log"; exit 1; }
	names=$(grep '^Fuzz' "$log" || true)
	for name in $names; do
		targets=$((targets + 1))
		if go test -run='^$' -fuzz="^$name\$" -fuzztime="$amount" -fuzzminimizetime=200x "$package" >"$log" 2>&1; then
			executions=$(sed -n 's/.*execs: \([0-9]*\).*/\1/p' "$log" | tail -n 1)
			printf 'fuzz  %-9s %9s executions  %s %s\n' ok "${executions:-0}" "${package#"$module"/}" "$name"
		else
			failed=$((failed + 1))
			printf 'fuzz  %-9s %20s  %s %s\n' FAILED "" "${package#"$module"/}" "$name"
			cat "$log"
		fi
	done
done
echo "fuzz: $targets targets, $failed failed"
[ "$failed" -eq 0 ]
