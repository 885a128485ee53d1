package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSimulateDevices: a meter with two logical devices, and one behind a gateway.
func TestSimulateDevices(t *testing.T) {
	for _, framing := range []string{"hdlc", "wrapper"} {
		url := simulated(t, "-framing", framing, "-logical_address", "1,20")
		for address, name := range map[string]string{"1": "SIM0000010203040", "20": "SIM0000010203041"} {
			r := execute(t, "get", url, "-framing", framing, "-logical_address", address, "0.0.42.0.0.255", "0.0.41.0.0.255")
			require.Equal(t, exitOK, r.status, r.err)
			require.Contains(t, r.out, name)
			require.Contains(t, r.out, `structure(2){long-unsigned 20, octet-string "SIM0000010203041"}`)
		}
		url = simulated(t, "-framing", framing, "-gateway_network", "2", "-gateway_device", "hex:0102")
		r := execute(t, "get", url, "-framing", framing, "-gateway_network", "2", "-gateway_device", "hex:01 02", "0.0.42.0.0.255")
		require.Equal(t, exitOK, r.status, r.err)
		require.Contains(t, r.out, "SIM0000010203040")
		r = execute(t, "get", url, "-framing", framing, "0.0.42.0.0.255")
		require.Equal(t, exitFailed, r.status)
		require.Contains(t, r.err, "exception-response: service-not-allowed, operation-not-possible")
	}
	for _, c := range []struct{ flags, want string }{
		{"-logical_address=1,x", `-logical_address "1,x": a list of numbers is expected, as in 1,2,3`},
		{"-logical_address=", `-logical_address "": a list of numbers is expected, as in 1,20`},
		{"-logical_address=16383", "-logical_address 16383: out of range"},
		{"-gateway_device=hex:1", `-gateway_device "hex:1": after "hex:" an even number of hexadecimal digits is expected`},
		{"-gateway_network=1", "-gateway_network is of no use without -gateway_device"},
	} {
		r := execute(t, "simulate", "-listen", "127.0.0.1:0", c.flags)
		require.Equal(t, exitUsage, r.status)
		require.Contains(t, r.err, c.want)
	}
}
