#!/bin/sh
# The unit tests with the race detector, which needs cgo and with it a C compiler; without one it says so and passes.
# race.sh -possible only tells by its status whether there is one.
set -eu
cd "$(dirname "$0")/.."
compiler=$(go env CC)
possible=true
command -v "${compiler%% *}" >/dev/null 2>&1 || possible=false
if [ "${1:-}" = -possible ]; then
	exec $possible
fi
if ! $possible; then
	echo "race detector: skipped, there is no C compiler ($compiler)"
	exit 0
fi
# The plugin takes longest, alone on one processor at the end: so its tests run as two halves, beside all others.
export CGO_ENABLED=1
plugin=./plugins/inputs/dlms_cosem
others=$(go list ./... | grep -v '/plugins/inputs/dlms_cosem$')
echo "go test -race $* ./..."
go test -race "$@" -skip '^TestProfile' $plugin &
rest=$!
status=0
go test -race "$@" -run '^TestProfile' $plugin || status=$?
go test -race "$@" $others || status=$?
wait $rest || status=$?
exit "$status"
