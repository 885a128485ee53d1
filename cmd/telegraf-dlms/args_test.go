package main

import (
	"bytes"
	"flag"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSplitArgs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args string
		rest string
		name string
		on   bool
		err  string
	}{
		{args: ""},
		{args: "a b", rest: "a b"},
		{args: "-name x a b", rest: "a b", name: "x"},
		{args: "a -name x b", rest: "a b", name: "x"},
		{args: "a b -name x", rest: "a b", name: "x"},
		{args: "a b --name=x -on", rest: "a b", name: "x", on: true},
		{args: "-on a", rest: "a", on: true},
		{args: "-on=false a", rest: "a"},
		{args: "-name -on a", rest: "a", name: "-on"},
		{args: "-name -- -on a", rest: "a", name: "--", on: true},
		{args: "a -- -name x", rest: "a -name x"},
		{args: "-- --", rest: "--"},
		{args: "- a", rest: "- a"},
		{args: "-name - a", rest: "a", name: "-"},
		{args: "a -name", err: "-name string: the value is missing"},
		{args: "a -nam x", err: "unknown flag -nam; did you mean -name?"},
		{args: "-on=maybe", err: `-on "maybe": must be true or false`},
		{args: "---name x", err: "unknown flag --name; did you mean -name?"},
		{args: "-=x", err: "unknown flag -"},
		{args: "a -h", err: flag.ErrHelp.Error()},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			fs := (&command{}).newFlags()
			name := fs.String("name", "", "")
			on := fs.Bool("on", false, "")
			rest, err := splitArgs(fs, strings.Fields(c.args))
			if c.err != "" {
				require.EqualError(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.rest, strings.Join(rest, " "))
			require.Equal(t, c.name, *name)
			require.Equal(t, c.on, *on)
			require.Equal(t, c.name != "", isSet(fs, "name"))
		})
	}
}

// result is what a command line gave.
type result struct {
	status   int
	out, err string
}

func execute(t *testing.T, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	status := run(t.Context(), args, strings.NewReader(""), &out, &errs)
	return result{status, out.String(), errs.String()}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args   string
		status int
		err    string // what standard error begins with
	}{
		{"", 2, "telegraf-dlms reads DLMS/COSEM meters. It cannot write to them.\n"},
		{"help", 0, "telegraf-dlms reads DLMS/COSEM meters. It cannot write to them.\n"},
		{"-h", 0, "telegraf-dlms reads DLMS/COSEM meters."},
		{"--help", 0, "telegraf-dlms reads DLMS/COSEM meters."},
		{"help dump", 0, "usage: telegraf-dlms dump -config FILE [-once | -count N] [-request NAME]\npoll without Telegraf, line protocol to standard output\n\nflags:\n  -config FILE         configuration FILE\n  -count N             exit after N finished runs\n"},
		{"dump -help", 0, "usage: telegraf-dlms dump "},
		{"-config x -help", 0, "usage: telegraf-dlms -config FILE"},
		{"help version", 0, "usage: telegraf-dlms version\n"},
		{"help decode", 0, "usage: telegraf-dlms decode "},
		{"help write", 2, `telegraf-dlms: unknown command "write"; telegraf-dlms help lists them`},
		{"help dump get", 2, `telegraf-dlms help: stray argument "get"`},
		{"read", 2, `telegraf-dlms: unknown command "read"; telegraf-dlms help lists them`},
		{"version x", 2, "telegraf-dlms version: stray argument \"x\"\nusage: telegraf-dlms version\n"},
		{"version -x", 2, "telegraf-dlms version: unknown flag -x\n"},
		{"-config x dump", 2, `telegraf-dlms: stray argument "dump": a command stands before the flags`},
		{"-once", 2, "telegraf-dlms: unknown flag -once\nusage: telegraf-dlms -config FILE [-poll_interval 10s]\ntelegraf-dlms help shows all flags\n"},
		{"-debug", 2, "E! -config FILE is missing\n"},
		{"-config none.conf", 2, "E! none.conf: cannot read the configuration: no such file or directory\n"},
		{"-config x -poll_interval -1s", 2, "E! -poll_interval -1s: must not be negative\n"},
		{"-config x -poll_interval 10", 2, "telegraf-dlms: -poll_interval \"10\": not a duration: a number with its unit is expected, as in 500ms, 10s or 15m\n"},
		{"check", 2, "E! -config FILE is missing\n"},
		{"check -config x y", 2, `telegraf-dlms check: stray argument "y"`},
		{"dump", 2, "E! -config FILE is missing\n"},
		{"dump -config x -once -count 1", 2, "E! -once and -count do not go together\n"},
		{"dump -config x -count 0", 2, "E! -count 0: must be at least 1\n"},
		{"dump -config x -poll_interval -1s", 2, "E! -poll_interval -1s: must not be negative\n"},
		{"get", 2, "telegraf-dlms get: arguments are missing, as in telegraf-dlms get tcp://10.0.0.5:4059 1.0.1.8.0.255\nusage: telegraf-dlms get ENDPOINT OBIS[:ATTRIBUTE]... [flags]\n"},
		{"get tcp://x:1", 2, "telegraf-dlms get: arguments are missing, as in "},
		{"get tcp://x:1 1.0.1.8.0.255 -format csv", 2, "telegraf-dlms get: -format \"csv\": allowed are table and json\n"},
		{"get tcp://x:4059 1.0.1.8.0.255:x", 2, `telegraf-dlms get: "1.0.1.8.0.255:x": after the last colon the number of an attribute is expected, as in 1.0.1.8.0.255:3`},
		{"get tcp://x:4059 1.0.1.8.0.255 -client_address many", 2, "telegraf-dlms get: -client_address \"many\": must be a whole number\n"},
		{"get tcp://x:4059 1.0.1.8.0.255 -authentication low -password hunter22", 2, "telegraf-dlms get: -password takes file:PATH, env:NAME, credential:NAME or - (ask on the terminal): what stands in the arguments can be read by others\n"},
		{"simulate x", 2, `telegraf-dlms simulate: stray argument "x"`},
		{"simulate -framing mbus", 2, "telegraf-dlms simulate: -framing \"mbus\": allowed are wrapper and hdlc\n"},
		{"simulate -framing hdlc -listen udp://127.0.0.1:0", 2, "telegraf-dlms simulate: -framing hdlc does not go over UDP\n"},
		{"simulate -referencing sn -listen udp://127.0.0.1:0", 2, "telegraf-dlms simulate: -referencing sn does not go over UDP\n"},
		{"simulate -referencing short", 2, "telegraf-dlms simulate: -referencing \"short\": allowed are ln and sn\n"},
		{"simulate -listen http://127.0.0.1:0", 2, "telegraf-dlms simulate: -listen \"http://127.0.0.1:0\": allowed are HOST:PORT, tcp://HOST:PORT and udp://HOST:PORT\n"},
		{"simulate -authentication low", 2, "telegraf-dlms simulate: -authentication low needs -password\n"},
		{"simulate -authentication high", 2, "telegraf-dlms simulate: -authentication high needs -password\n"},
		{"simulate -authentication low -password hunter22", 2, "telegraf-dlms simulate: -password takes file:PATH, env:NAME, credential:NAME or - "},
		{"simulate -authentication low -password env:NOT_SET_HERE", 2, "telegraf-dlms simulate: -password: environment variable NOT_SET_HERE is not set\n"},
		{"simulate -password env:X", 2, "telegraf-dlms simulate: -password is of no use with -authentication none\n"},
		{"simulate -logical_address 0", 2, "telegraf-dlms simulate: -logical_address 0: out of range, allowed are 1 to 16382\n"},
		{"simulate -framing hdlc -client_address 128", 2, "telegraf-dlms simulate: -client_address 128: out of range, allowed are 1 to 127\n"},
		{"simulate -address_size 3", 2, "telegraf-dlms simulate: -address_size \"3\": allowed are auto, 1, 2 and 4\n"},
		{"simulate -physical_address 1,x", 2, "telegraf-dlms simulate: -physical_address \"1,x\": a list of numbers is expected, as in 1,2,3\n"},
		{"simulate -physical_address 99999", 2, "telegraf-dlms simulate: -physical_address 99999: out of range, allowed are 1 to 16383\n"},
		{"simulate -max_info 9999", 2, "telegraf-dlms simulate: -max_info 9999: out of range, allowed are 32 to 2030\n"},
		{"simulate -physical_address 3", 2, "telegraf-dlms simulate: -physical_address is of no use without -framing hdlc\n"},
		{"simulate -framing hdlc -physical_address 3 -address_size 1", 2, "telegraf-dlms simulate: -address_size 1 has no room for logical address 1 and physical address 3\n"},
		{"simulate -framing hdlc -physical_address 200 -address_size 2", 2, "telegraf-dlms simulate: -address_size 2 has no room for logical address 1 and physical address 200\n"},
		{"simulate -client_address 0", 2, "telegraf-dlms simulate: -client_address 0: out of range, allowed are 1 to 65535\n"},
		{"simulate -listen 4059", 2, "telegraf-dlms simulate: -listen \"4059\": HOST:PORT is expected, as in 127.0.0.1:4059\n"},
		{"simulate -listen 127.0.0.1:99999", 2, "telegraf-dlms simulate: -listen \"127.0.0.1:99999\": port \"99999\" is not a number from 0 to 65535\n"},
		{"chek", 2, "telegraf-dlms: unknown command \"chek\"; did you mean telegraf-dlms check?\n"},
		{"args_test.go", 2, "telegraf-dlms: unknown command \"args_test.go\"; a configuration file comes with -config args_test.go\n"},
		{"check x.conf", 2, "telegraf-dlms check: stray argument \"x.conf\"; did you mean -config x.conf?\n"},
		{"get tcp://x:1 1.0.1.8.0.255 -frming hdlc", 2, "telegraf-dlms get: unknown flag -frming; did you mean -framing?\n"},
		{"get tcp://x:1 1.0.1.8.0.255 -client-address 17", 2, "telegraf-dlms get: unknown flag -client-address; did you mean -client_address?\n"},
		{"dump -config", 2, "telegraf-dlms dump: -config FILE: the value is missing\n"},
		{"dump -config x -once=maybe", 2, "telegraf-dlms dump: -once \"maybe\": must be true or false\n"},
		{"simulate -block_window 64", 2, "telegraf-dlms simulate: -block_window 64: out of range, allowed are 0 to 63\n"},
		{"simulate -max_pdu 1", 2, "telegraf-dlms simulate: -max_pdu 1: out of range, allowed are 64 to 65535\n"},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			r := execute(t, strings.Fields(c.args)...)
			require.Equal(t, c.status, r.status, r.err)
			require.Empty(t, r.out, "standard output is Telegraf's")
			require.True(t, strings.HasPrefix(r.err, c.err), r.err)
			require.NotContains(t, r.err, "hunter22")
		})
	}
}

func TestHelpListsEveryCommand(t *testing.T) {
	t.Parallel()
	text := execute(t, "help").err
	for _, c := range commands() {
		require.Contains(t, text, "  "+strings.TrimSpace(c.title()+" "+c.synopsis)+" ")
	}
	require.Contains(t, text, "Exit status: 0 success, 1 some reads failed, 2 wrong usage or configuration.\n")
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{"version", "-version", "--version"} {
		r := execute(t, arg)
		require.Zero(t, r.status)
		require.Regexp(t, `^telegraf-dlms \S+ go1\.\S+ \w+/\w+\n$`, r.out)
		require.Empty(t, r.err)
	}
}

func TestSplitAttribute(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		arg, code string
		attribute int64
	}{
		{"1.0.1.8.0.255", "1.0.1.8.0.255", 2},
		{"1.0.1.8.0.255:3", "1.0.1.8.0.255", 3},
		{"1-0:1.8.0*255", "1-0:1.8.0*255", 2},
		{"1-0:1.8.0*255:3", "1-0:1.8.0*255", 3},
		{"1-0:1.8.0", "1-0:1.8.0", 2},
		{"1-0:1.8.0:-1", "1-0:1.8.0", -1},
	} {
		code, attribute, err := splitAttribute(c.arg)
		require.NoError(t, err, c.arg)
		require.Equal(t, c.code, code, c.arg)
		require.Equal(t, c.attribute, attribute, c.arg)
	}
	for _, arg := range []string{"1.0.1.8.0.255:", "1.0.1.8.0.255:128", "1.0.1.8.0.255:value"} {
		_, _, err := splitAttribute(arg)
		require.Error(t, err, arg)
	}
}
