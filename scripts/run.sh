#!/bin/sh
# Starts the simulated meter, polls it every 2 s and prints line protocol until
# Ctrl-C, or COUNT polls.
#
#   scripts/run.sh [PROGRAM]      PROGRAM: the built telegraf-dlms
#   COUNT=3 scripts/run.sh        three polls, then exit 0
set -eu

program=${1:-${TELEGRAF_DLMS:-$(dirname "$0")/../bin/telegraf-dlms}}
if ! [ -x "$program" ]; then
	echo "run.sh: $program is not there; make build" >&2
	exit 2
fi
if [ -n "${COUNT:-}" ]; then
	case $COUNT in
	*[!0-9]* | 0) echo "run.sh: COUNT=$COUNT: a number from 1 is expected" >&2; exit 2 ;;
	esac
fi

dir=$(mktemp -d "${TMPDIR:-/tmp}/telegraf-dlms.XXXXXX")
meter=
cleanup() {
	trap - EXIT INT TERM HUP
	if [ -n "$meter" ]; then
		kill "$meter" 2>/dev/null || :
		wait "$meter" 2>/dev/null || :
	fi
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'cleanup; exit 0' INT
trap 'cleanup; exit 143' TERM
trap 'cleanup; exit 129' HUP

mkfifo "$dir/url"
"$program" simulate -listen 127.0.0.1:0 >"$dir/url" &
meter=$!
url=
read -r url <"$dir/url" || :
if [ -z "$url" ]; then
	echo "run.sh: the simulated meter did not start" >&2
	exit 1
fi

cat >"$dir/dlms.conf" <<END
[[inputs.dlms_cosem]]
  endpoint = "$url"
  framing = "wrapper"
  method = "polling"
  state_dir = "$dir"

  [[inputs.dlms_cosem.request]]
    name = "simulated meter"
    interval = "2s"

    [[inputs.dlms_cosem.request.item]]
      name = "power_import"
      obis = "1.0.1.7.0.255"
    [[inputs.dlms_cosem.request.item]]
      name = "energy_import"
      obis = "1.0.1.8.0.255"
    [[inputs.dlms_cosem.request.item]]
      name = "voltage_l1"
      obis = "1.0.32.7.0.255"
    [[inputs.dlms_cosem.request.item]]
      name = "voltage_l2"
      obis = "1.0.52.7.0.255"
    [[inputs.dlms_cosem.request.item]]
      name = "voltage_l3"
      obis = "1.0.72.7.0.255"
    [[inputs.dlms_cosem.request.item]]
      name = "frequency"
      obis = "1.0.14.7.0.255"
    [[inputs.dlms_cosem.request.item]]
      name = "clock"
      obis = "0.0.1.0.0.255"
    [[inputs.dlms_cosem.request.item]]
      name = "serial_number"
      obis = "0.0.96.1.0.255"
END

echo "# simulated meter at $url, polled every 2 s; Ctrl-C ends" >&2
if [ -n "${COUNT:-}" ]; then
	"$program" dump -config "$dir/dlms.conf" -count "$COUNT"
else
	"$program" dump -config "$dir/dlms.conf"
fi
