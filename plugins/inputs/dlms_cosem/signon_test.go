//go:build linux

package dlms_cosem

import (
	"context"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
)

// speeds are the numbers of the kernel.
var speeds = map[uint32]int{syscall.B300: 300, syscall.B600: 600, syscall.B1200: 1200, syscall.B2400: 2400, syscall.B4800: 4800, syscall.B9600: 9600, syscall.B19200: 19200}

// signOnLine is a pty with a meter at its far end that has to be asked to speak
// HDLC. It understands nothing that comes at another speed than it has. A pty
// has no parity: only the speed can be seen.
func signOnLine(t *testing.T, s dlmstest.SignOn, objects dlmstest.Objects) (port string, events func() []string) {
	t.Helper()
	blocking, near, err := pty.Open()
	require.NoError(t, err)
	fd, err := syscall.Dup(int(blocking.Fd()))
	require.NoError(t, err)
	require.NoError(t, blocking.Close())
	require.NoError(t, syscall.SetNonblock(fd, true)) // so that Close ends a Read
	far := &terminal{File: os.NewFile(uintptr(fd), "far end")}
	dataBits := 7
	s.Switch = func(_, bits int) error { dataBits = bits; return nil }
	s.Line = func() (int, int) {
		var termios syscall.Termios
		if raw, err := far.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) {
				_, _, _ = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TCGETS, uintptr(unsafe.Pointer(&termios))) //nolint:gosec // the kernel fills it in
			})
		}
		return speeds[termios.Cflag&0o10017], dataBits
	}
	var mu sync.Mutex
	var log []string
	s.Trace = func(event string) {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, event)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = dlmstest.ServeSignOn(ctx, far, dlmstest.Config{}, objects, s)
	}()
	t.Cleanup(func() {
		cancel()
		_ = near.Close()
		_ = far.Close()
		<-done
	})
	return near.Name(), func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Compact(slices.Clone(log))
	}
}

// TestSignOnOnAPort reads meters through real ports: with the speed changed at
// the right moment, limited, and after a session that was left open.
func TestSignOnOnAPort(t *testing.T) {
	session := []string{"request", "identification", "acknowledgement", "session", "end"}
	for name, c := range map[string]struct {
		meter dlmstest.SignOn
		keys  string
		want  []string
	}{
		"speed of the meter": {dlmstest.SignOn{}, "", session},
		"upper limit":        {dlmstest.SignOn{Identification: "/SIM6\\2X"}, "max_baud = 2400", session},
		"quick meter":        {dlmstest.SignOn{Identification: "/SIm5\\2X"}, "", session},
		"software parity":    {dlmstest.SignOn{Parity: true}, "software_7e1 = true", session},
		"with an address":    {dlmstest.SignOn{Address: "4711"}, "iec_address = \"4711\"", session},
		"woken":              {dlmstest.SignOn{Sleeps: 20}, "wakeup = \"700ms\"", session},
		"left in a session": {dlmstest.SignOn{Session: 9600}, "",
			append([]string{"session", "wrong speed", "end"}, session...)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port, events := signOnLine(t, c.meter, newChanging("METER1", -1))
			top := "endpoint = \"file://" + port + "\"\nprotocol_mode = \"dlms-iec\"\nbaud_rate = 19200\n" + c.keys
			d, acc := onSerial(t, registersConf(top, "", 5))
			failed, err := d.RunOnce(context.Background(), acc, "")
			require.NoError(t, err)
			require.Zero(t, failed, "%v %v", acc.errors(), events())
			require.Equal(t, 5, requireTrue(t, acc))
			require.Eventually(t, func() bool {
				got := slices.DeleteFunc(events(), func(e string) bool { return e == "wrong speed" || e == "break" })
				want := slices.DeleteFunc(slices.Clone(c.want), func(e string) bool { return e == "wrong speed" })
				return slices.Equal(want, got)
			}, 10*time.Second, 10*time.Millisecond, "%v", events)
		})
	}
}

// TestSignOnHints: what went wrong is told with what to do.
func TestSignOnHints(t *testing.T) {
	for name, c := range map[string]struct {
		meter  dlmstest.SignOn
		result string
		want   []string
	}{
		"silence":       {dlmstest.SignOn{Address: "1"}, "timeout", []string{"sign-on: no answer within", "nothing was received", "check where the optical head sits"}},
		"readout":       {dlmstest.SignOn{Identification: "/SIM0\\2X", Readout: true}, "protocol", []string{"sends an ASCII readout", "the meter speaks text at this port"}},
		"not announced": {dlmstest.SignOn{Identification: "/SIM5X"}, "protocol", []string{`("/SIM5X") does not announce mode E`, "set workarounds.force_mode_e = true"}},
		"noise":         {dlmstest.SignOn{Identification: "hello"}, "timeout", []string{"first octets 68656C6C6F", "what arrives is no identification"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port, _ := signOnLine(t, c.meter, newChanging("METER1", -1))
			d, acc := onSerial(t, registersConf("endpoint = \"file://"+port+"\"\nprotocol_mode = \"dlms-iec\"\nbaud_rate = 300\niec_address = \"2\"", "", 1))
			if name != "silence" {
				d, acc = onSerial(t, registersConf("endpoint = \"file://"+port+"\"\nprotocol_mode = \"dlms-iec\"\nbaud_rate = 300", "", 1))
			}
			_, err := d.RunOnce(context.Background(), acc, "")
			require.NoError(t, err)
			require.Equal(t, []string{c.result}, acc.results())
			for _, want := range c.want {
				require.Contains(t, acc.errors()[0], want)
			}
		})
	}
}

// TestSignOnOverTCP: through a converter that stays at one speed.
func TestSignOnOverTCP(t *testing.T) {
	c := registersConf(hdlcTop+"\nprotocol_mode = \"dlms-iec\"\nfixed_baud = 300\nsoftware_7e1 = true", everyTen, 5)
	bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		n.set("", &host{serve: func(ctx context.Context, conn net.Conn) {
			_ = dlmstest.ServeSignOn(ctx, conn, dlmstest.Config{}, newChanging("METER1", -1), dlmstest.SignOn{Identification: "/SIM0\\2X", Parity: true})
		}})
		require.NoError(t, d.Start(acc))
		later(25 * time.Second)
		require.Equal(t, 3*5, requireTrue(t, acc), "%v", acc.errors())
	})
}
