#!/bin/sh
# Runs every fuzz target of the module: fuzz.sh 20000x, or fuzz.sh 1m. One line for each; the whole output of those that
# fail, and then status 1. The failing input is in testdata/fuzz of the package.
#
# It does what `go test -fuzz` does for one target, but builds a package once for all its targets. A number of executions
# is made by one worker, for as many targets at a time as there are processors; a time is given to one target after the
# other, with a worker for each processor.
set -eu
cd "$(dirname "$0")/.."

# fuzz.sh -target PACKAGE NUMBER NAME runs one target of the package's test binary, for the script itself.
if [ "${1:-}" = -target ]; then
	package=$2 binary=$dir/$3.test name=$4
	log=$binary.$name
	status=ok
	(cd ".${package#"$module"}" && "$binary" -test.run='^$' -test.fuzz="^$name\$" -test.fuzztime="$amount" \
		-test.fuzzminimizetime=200x -test.parallel="$workers" -test.paniconexit0 -test.timeout=0 \
		-test.fuzzcachedir="$cache/$package") >"$log" 2>&1 </dev/null || status=FAILED
	executions=$(sed -n 's/.*execs: \([0-9]*\).*/\1/p' "$log" | tail -n 1)
	printf 'fuzz  %-9s %9s executions  %s %s\n' "$status" "${executions:-0}" "${package#"$module"/}" "$name"
	if [ "$status" != ok ]; then
		cat "$log"
		mv "$log" "$log.failed"
		exit 1
	fi
	exit
fi

amount=${1:?usage: fuzz.sh AMOUNT (like 20000x or 1m)}
processors=$(getconf _NPROCESSORS_ONLN)
case $amount in
*x) together=$processors workers=1 ;;
*) together=1 workers=$processors ;;
esac
module=$(go list -m)
cache=$(go env GOCACHE)/fuzz
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export amount workers module cache dir

go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./... >"$dir/packages"
number=0
while read -r package; do
	grep -q '^func Fuzz' ".${package#"$module"}"/*_test.go || continue
	number=$((number + 1))
	go test -c -fuzz=. -vet=off -ldflags='-s -w' -o "$dir/$number.test" "$package"
	names=$("$dir/$number.test" -test.list='^Fuzz')
	for name in $names; do
		echo "$package $number $name"
	done
done <"$dir/packages" >"$dir/targets"

status=0
xargs -L 1 -P "$together" sh scripts/fuzz.sh -target <"$dir/targets" || status=1
failed=$(find "$dir" -name '*.failed' | wc -l)
echo "fuzz: $(wc -l <"$dir/targets") targets, $failed failed"
exit "$status"
