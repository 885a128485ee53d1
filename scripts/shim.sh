#!/bin/sh
# Runs the plugin under Telegraf's stock shim against the simulated meter: what
# works under our own host must work there too.
#
#   scripts/shim.sh SHIMTEST TELEGRAF-DLMS
set -eu

shim=$1
program=$2
dir=$(mktemp -d "${TMPDIR:-/tmp}/telegraf-dlms.XXXXXX")
meter=
cleanup() {
	if [ -n "$meter" ]; then
		kill "$meter" 2>/dev/null || :
		wait "$meter" 2>/dev/null || :
	fi
	rm -rf "$dir"
}
trap cleanup EXIT
mkfifo "$dir/url"
"$program" simulate -listen 127.0.0.1:0 >"$dir/url" &
meter=$!
read -r url <"$dir/url"
cat >"$dir/dlms.conf" <<END
[[inputs.dlms_cosem]]
  endpoint = "$url"
  framing = "wrapper"
  state_dir = "$dir"
  [[inputs.dlms_cosem.request]]
    name = "shim"
    link = "local"
    timeout = "20s"
    address_size = "auto"
    authentication = "none"
    workarounds = { list_max = 2 }
    [[inputs.dlms_cosem.request.item]]
      name = "energy_import"
      obis = "1.0.1.8.0.255"
      scale = 1
    [[inputs.dlms_cosem.request.item]]
      name = "clock"
      obis = "0.0.1.0.0.255"
END
# The shim reads standard input, and ends with it.
sleep 4 | "$shim" -config "$dir/dlms.conf" -poll_interval 500ms >"$dir/out" 2>"$dir/err" || :
values=$(grep -c '^dlms_cosem,meter=shim,name=energy_import,obis=1.0.1.8.0.255,source=127.0.0.1:[0-9]*,unit=Wh value=' "$dir/out" || :)
clocks=$(grep -c '^dlms_cosem,meter=shim,name=clock,.*text="20' "$dir/out" || :)
good=$(grep -c '^dlms_cosem_status,.*result=success' "$dir/out" || :)
if [ "$values" -lt 2 ] || [ "$clocks" -lt 2 ] || [ "$good" -lt 2 ]; then
	echo "shim: $values values, $clocks clocks and $good good runs in 4 s, at least 2 of each are expected"
	tail -n 20 "$dir/out" "$dir/err"
	exit 1
fi
echo "shim: passed: $values values and $good good runs under Telegraf's stock shim"
