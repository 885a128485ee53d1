package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRecordAPort: a serial port that is recorded is still set as is configured,
// and what was recorded can be played at one.
func TestRecordAPort(t *testing.T) {
	t.Parallel()
	ours, theirs := nullModem(t)
	simulated(t, "-listen", "file://"+theirs, "-protocol_mode", "dlms-iec", "-baud_rate", "19200")
	more := "protocol_mode = \"dlms-iec\"\nmax_baud = 4800\nparity = \"even\"\n"
	file := filepath.Join(t.TempDir(), "traffic")
	r := execute(t, "dump", "-once", "-config", configFile(t, config("file://"+ours, "hdlc", more)), "-record", file)
	require.Equal(t, exitOK, r.status, r.err)
	want := values(t, r.out)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(text), "Z file://"+ours+" = port set to {Baud:300 DataBits:7 ")
	require.Contains(t, string(text), " = port set to {Baud:4800 DataBits:8 ")

	ours, theirs = nullModem(t)
	require.Equal(t, "file://"+theirs, simulated(t, "-listen", "file://"+theirs, "-replay", file, "-speed", "full"))
	r = execute(t, "dump", "-once", "-config", configFile(t, config("file://"+ours, "hdlc", more)))
	require.Equal(t, exitOK, r.status, r.err)
	require.Equal(t, want, values(t, r.out))
}
