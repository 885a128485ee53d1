#!/bin/sh
# The unit tests and golden files. Where the race detector runs, all tests run with it, and without it only those of the
# packages that have files for one of the two: what counts allocations, or does less where the detector makes it slow.
# `make vet` has vetted them all.
set -eu
cd "$(dirname "$0")/.."
packages=./...
if sh scripts/race.sh -possible; then
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	files='{{.ImportPath}} {{.GoFiles}} {{.TestGoFiles}} {{.XTestGoFiles}}'
	go list -f "$files" ./... >"$dir/plain"
	CGO_ENABLED=1 go list -race -f "$files" ./... >"$dir/race"
	packages=$(grep -vxFf "$dir/race" "$dir/plain" | cut -d ' ' -f 1)
	: "${packages:?no package has files for the race detector, or for its absence: that is not so}"
fi
echo go test -vet=off -timeout 4m $packages
go test -vet=off -timeout 4m $packages
sh scripts/race.sh -vet=off -timeout 8m
