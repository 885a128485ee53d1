#!/bin/sh
# For Telegraf's processors.execd: passes every metric on, and reads a meter once more when one of its values says so.
# usage: trigger-on-value.sh CONFIG REQUEST NAME LEAST: fires the event request REQUEST when the item NAME is LEAST or more.
config=$1 request=$2 name=$3 least=$4
while IFS= read -r line; do
	printf '%s\n' "$line"
	case $line in
	dlms_cosem,*name="$name",*" value="*)
		value=${line##* value=}
		value=${value%% *}
		if awk -v value="$value" -v least="$least" 'BEGIN { exit !(value + 0 >= least + 0) }'; then
			telegraf-dlms trigger "$request" -config "$config" >&2 # one that still runs is not fired again
		fi
		;;
	esac
done
