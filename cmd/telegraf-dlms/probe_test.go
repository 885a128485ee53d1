package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestProbe: what a probe ends with can be run as it is.
func TestProbe(t *testing.T) {
	t.Setenv("DLMS_TEST_PW", "12345678")
	t.Setenv("STATE_DIRECTORY", t.TempDir())
	for name, c := range map[string]struct {
		simulate, probe []string
		want            []string
	}{
		"wrapper":     {nil, nil, []string{`framing = "wrapper"`, "client_address = 16", "maker                SIM"}},
		"short names": {[]string{"-referencing", "sn"}, nil, []string{`referencing = "sn"`}},
		"low": {[]string{"-framing", "hdlc", "-physical_address", "17", "-authentication", "low", "-password", "env:DLMS_TEST_PW"},
			[]string{"-physical_address", "17", "-password", "env:DLMS_TEST_PW"}, []string{"physical_address = 17", `password = "env:DLMS_TEST_PW"`, "client 32            reads with the password"}},
	} {
		t.Run(name, func(t *testing.T) {
			url := simulated(t, c.simulate...)
			r := execute(t, append([]string{"probe", url, "-reply_timeout", "2s"}, c.probe...)...)
			require.Equal(t, exitOK, r.status, r.out+r.err)
			for _, want := range c.want {
				require.Contains(t, r.out, want)
			}
			_, config, ok := strings.Cut(r.out, "For the configuration:\n\n")
			require.True(t, ok)
			r = execute(t, "dump", "-once", "-config", configFile(t, config))
			require.Equal(t, exitOK, r.status, r.err)
			require.Len(t, points(t, r.out), 2)
		})
	}
}

// TestProbeFails: what is wrong is told, with what to do.
func TestProbeFails(t *testing.T) {
	t.Setenv("DLMS_TEST_PW", "12345678")
	r := execute(t, "probe", "tcp://127.0.0.1:1")
	require.Equal(t, exitFailed, r.status)
	require.Contains(t, r.out, "connection refused")
	require.Contains(t, r.out, "nothing listens on this port")
	require.Contains(t, r.out, "No meter was found.")
	r = execute(t, "probe", "file:///nonexistent")
	require.Equal(t, exitFailed, r.status)
	require.Contains(t, r.out, "there is no such port\n    is the adapter plugged in?")

	url := simulated(t, "-framing", "hdlc", "-authentication", "low", "-password", "env:DLMS_TEST_PW")
	r = execute(t, "probe", url)
	require.Equal(t, exitFailed, r.status, "there is no way to read it")
	require.Contains(t, r.out, "client 32  wants a password, or another one")
	require.NotContains(t, r.out, "For the configuration")

	for args, want := range map[string]string{
		"":                              "arguments are missing",
		"tcp://x:4059 -max-time 0s":     "-max-time 0s: must be more than 0",
		"tcp://x":                       "the port is missing",
		"tcp://x:1 -client_address 0":   "-client_address = 0: out of range",
		"tcp://x:1 -password hunter":    "-password takes file:PATH, env:NAME, credential:NAME or - ",
		"tcp://x:1 -password env:UNSET": "environment variable UNSET is not set",
	} {
		r := execute(t, append([]string{"probe"}, strings.Fields(args)...)...)
		require.Equal(t, exitUsage, r.status, args)
		require.Contains(t, r.err, "telegraf-dlms probe: ", args)
		require.Contains(t, r.err, want, args)
	}
}
