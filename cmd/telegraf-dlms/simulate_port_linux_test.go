package main

import (
	"io"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
)

// nullModem connects two serial ports, and returns their names.
func nullModem(t *testing.T) (one, other string) {
	t.Helper()
	var ends [2]*os.File
	var names [2]string
	var near [2]*os.File
	for i := range ends {
		blocking, tty, err := pty.Open()
		require.NoError(t, err)
		fd, err := syscall.Dup(int(blocking.Fd()))
		require.NoError(t, err)
		require.NoError(t, blocking.Close())
		require.NoError(t, syscall.SetNonblock(fd, true)) // so that Close ends a Read
		ends[i], near[i], names[i] = os.NewFile(uintptr(fd), "end"), tty, tty.Name()
	}
	var all sync.WaitGroup
	all.Go(func() { _, _ = io.Copy(ends[0], ends[1]) })
	all.Go(func() { _, _ = io.Copy(ends[1], ends[0]) })
	t.Cleanup(func() {
		for i := range ends {
			_ = near[i].Close()
			_ = ends[i].Close()
		}
		all.Wait()
	})
	return names[0], names[1]
}

// TestSimulateOnAPort reads a simulated meter at a serial port, with and without
// a sign-on, and as a preset.
func TestSimulateOnAPort(t *testing.T) {
	for name, flags := range map[string][]string{
		"dlms":     {"-baud_rate", "9600"},
		"dlms-iec": {"-protocol_mode", "dlms-iec", "-baud_rate", "19200"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("STATE_DIRECTORY", t.TempDir())
			ours, theirs := nullModem(t)
			url := simulated(t, append([]string{"-listen", "file://" + theirs}, flags...)...)
			require.Equal(t, "file://"+theirs, url)
			r := execute(t, append([]string{"get", "file://" + ours, "1.0.1.8.0.255", "0.0.42.0.0.255"}, flags...)...)
			require.Equal(t, exitOK, r.status, r.err)
			require.Contains(t, r.out, "SIM0000010203040")
			r = execute(t, append([]string{"objects", "file://" + ours, "-no-values", "-format", "csv"}, flags...)...)
			require.Equal(t, exitOK, r.status, r.err)
			require.Contains(t, r.out, "active energy import, total")
		})
	}
}

func TestSimulatePortUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
		code int
	}{
		{[]string{"-listen", "file:///nonexistent"}, "telegraf-dlms simulate: /nonexistent: there is no such port\n", exitFailed},
		{[]string{"-listen", "file://"}, `-listen "file://": the name of a port is missing`, exitUsage},
		{[]string{"-listen", "file:///dev/x", "-framing", "wrapper"}, "-framing wrapper: serial ports carry hdlc", exitUsage},
		{[]string{"-listen", "file:///dev/x", "-baud_rate", "1"}, "-baud_rate 1: out of range", exitUsage},
		{[]string{"-protocol_mode", "dlms-iec"}, "-protocol_mode is of no use without a serial port", exitUsage},
		{[]string{"-protocol_mode", "iec"}, `-protocol_mode "iec": allowed are dlms and dlms-iec`, exitUsage},
	} {
		r := execute(t, append([]string{"simulate"}, c.args...)...)
		require.Equal(t, c.code, r.status, "%v: %s", c.args, r.err)
		require.Contains(t, r.err, c.want)
	}
}
