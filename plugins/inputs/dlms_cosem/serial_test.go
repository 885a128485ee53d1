//go:build linux

package dlms_cosem

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/serial"
)

// terminal is the far end of a serial line as a connection of the meter's. It
// notes the speed at which each piece came.
type terminal struct {
	*os.File
	echo bool

	mu     sync.Mutex
	speeds []uint32
}

func (t *terminal) LocalAddr() net.Addr  { return nil }
func (t *terminal) RemoteAddr() net.Addr { return nil }

func (t *terminal) Read(b []byte) (int, error) {
	n, err := t.File.Read(b)
	if n > 0 {
		var termios syscall.Termios
		if raw, err := t.SyscallConn(); err == nil { // Fd would make reads block for good
			_ = raw.Control(func(fd uintptr) {
				_, _, _ = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TCGETS, uintptr(unsafe.Pointer(&termios))) //nolint:gosec // the kernel fills it in
			})
		}
		t.mu.Lock()
		t.speeds = append(t.speeds, termios.Cflag&0o10017)
		t.mu.Unlock()
		if t.echo {
			_, _ = t.Write(b[:n])
		}
	}
	return n, err
}

// serialLineTo connects meters to a serial line, and returns the name of its
// port. cut pulls the adapter out.
func serialLineTo(t *testing.T, m *dlmstest.Meter, echo bool) (far *terminal, port string, cut func()) {
	blocking, near, err := pty.Open()
	require.NoError(t, err)
	port = near.Name()
	fd, err := syscall.Dup(int(blocking.Fd()))
	require.NoError(t, err)
	require.NoError(t, blocking.Close())
	require.NoError(t, syscall.SetNonblock(fd, true)) // so that Close ends a Read
	f := os.NewFile(uintptr(fd), "far end")
	far = &terminal{File: f, echo: echo}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = m.ServeConn(ctx, far)
	}()
	var once sync.Once
	cut = func() {
		once.Do(func() {
			cancel()
			_ = near.Close()
			_ = f.Close()
			<-done
		})
	}
	t.Cleanup(cut)
	return far, port, cut
}

func onSerial(t *testing.T, conf string) (*DLMS, *sink) {
	d, _ := plugin(t, nil, conf)
	require.NoError(t, d.Init())
	return d, &sink{}
}

// TestSerialLine reads meters at two speeds on one port that echoes, one of
// them dead.
func TestSerialLine(t *testing.T) {
	m := meter(t, strings.Replace(hdlcMeter, "%s", "17, 18", 1))
	far, port, _ := serialLineTo(t, m, true)
	c := conf("endpoint = \"file://"+port+"\"\nreply_timeout = \"300ms\"\nretries = 0",
		"name = \"slow\"\nphysical_address = 17\nbaud_rate = 300", "name = \"dead\"\nphysical_address = 19", "name = \"fast\"\nphysical_address = 18\nbaud_rate = 115200")
	d, acc := onSerial(t, c)
	failed, err := d.RunOnce(context.Background(), acc, "")
	require.NoError(t, err)
	require.Equal(t, 1, failed)
	require.Equal(t, []string{"success"}, acc.results("request", "slow"), "%q", acc.errors())
	require.Equal(t, []string{"timeout"}, acc.results("request", "dead"))
	require.Equal(t, []string{"success"}, acc.results("request", "fast"))
	require.Equal(t, port, acc.values("meter", "slow")[0].tags["source"])
	require.Contains(t, acc.errors()[0], "only our own message comes back")
	far.mu.Lock()
	defer far.mu.Unlock()
	var order []uint32
	for _, s := range far.speeds {
		if len(order) == 0 || order[len(order)-1] != s {
			order = append(order, s)
		}
	}
	require.Equal(t, []uint32{syscall.B300, syscall.B9600, syscall.B115200}, order, "each message at the speed of its request")
}

// TestUnplugged pulls the adapter out and plugs it in again, under another name
// of the kernel's.
func TestUnplugged(t *testing.T) {
	m := meter(t, strings.Replace(hdlcMeter, "%s", "17", 1))
	name := filepath.Join(t.TempDir(), "meter")
	_, port, cut := serialLineTo(t, m, false)
	require.NoError(t, os.Symlink(port, name))
	d, acc := onSerial(t, conf("endpoint = \"file://"+name+"\"\nphysical_address = 17\nreply_timeout = \"2s\"", "name = \"a\""))
	runs := make(chan string, 100)
	d.OnRun = func(r Run) { runs <- r.Result }
	require.NoError(t, d.Start(acc))
	defer d.Stop()
	idle := func() bool { // a run is reported a moment before its request can be due again
		l := d.links[0]
		l.mu.Lock()
		defer l.mu.Unlock()
		return !l.queue[0].running
	}
	gather := func() string {
		require.Eventually(t, idle, time.Minute, time.Millisecond)
		require.NoError(t, d.Gather(acc))
		select {
		case r := <-runs:
			return r
		case <-time.After(time.Minute):
			t.Fatal("no run")
			return ""
		}
	}
	require.Equal(t, "success", gather())
	cut()
	require.NoError(t, os.Remove(name))
	require.Equal(t, "connect", gather())
	require.Contains(t, acc.errors()[0], "there is no such port: is the adapter plugged in?")
	_, port, _ = serialLineTo(t, m, false)
	require.NoError(t, os.Symlink(port, name))
	require.Equal(t, "success", gather())
	require.Len(t, acc.values(), 2)
}

// fakePort is a network connection that is set up like a serial port.
type fakePort struct {
	dlms.Transport
	mu   *sync.Mutex
	sets *[]serial.Settings
}

func (p fakePort) Configure(s serial.Settings, _ bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	*p.sets = append(*p.sets, s)
	return nil
}

func (p fakePort) Switch(s serial.Settings, _ time.Duration) error { return p.Configure(s, false) }

// TestSerialSettings has what the keys say arrive at the port, which stays open.
func TestSerialSettings(t *testing.T) {
	c := conf("endpoint = \"file:///dev/meters\"\nmethod = \"polling\"", "name = \"a\"\ninterval = \"10m\"\nphysical_address = 17\nbaud_rate = 2400\nparity = \"even\"\nstop_bits = 2\ndtr = \"on\"\nrts = \"send\"",
		"name = \"b\"\ninterval = \"10m\"\nphysical_address = 18\nparity = \"odd\"\nrts = \"off\"", "name = \"c\"\ninterval = \"10m\"\nphysical_address = 18\nbaud_rate = 300")
	bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		var mu sync.Mutex
		var sets []serial.Settings
		n.set("", &host{meter: meter(t, strings.Replace(hdlcMeter, "%s", "17, 18", 1))})
		d.Dial = func(ctx context.Context, address string) (dlms.Transport, error) {
			tr, err := n.dial(ctx, address)
			return fakePort{tr, &mu, &sets}, err
		}
		require.NoError(t, d.Start(acc))
		later(25 * time.Minute)
		require.Equal(t, 1, n.dialed(), "the port stays open: it may power the head")
		require.Len(t, acc.values(), 9)
		require.Equal(t, []serial.Settings{
			{Baud: 2400, Parity: serial.Even, StopBits: 2, DTR: serial.On, RTS: serial.Send}, {Parity: serial.Odd, RTS: serial.Off}, {Baud: 300},
		}, sets[:3])
		require.Equal(t, 15*time.Second, d.requests[2].replyTimeout, "a slow line")
		require.Equal(t, 5*time.Second, d.requests[0].replyTimeout)
		require.Equal(t, dlms.HDLC, d.requests[0].framing)
	})
}

func TestPortHints(t *testing.T) {
	for kind, want := range map[serial.OpenKind]string{
		serial.OpenMissing: "is the adapter plugged in?", serial.OpenBusy: "end the other program", serial.OpenPermission: "dialout",
		serial.OpenNoPort: "check endpoint", serial.OpenMode: "check baud_rate", serial.OpenDescriptors: "programs of their own",
	} {
		err := &connectError{endpoint: "/dev/ttyUSB0", err: &serial.OpenError{Name: "/dev/ttyUSB0", Kind: kind}}
		require.Contains(t, Hint(err), want)
		require.Equal(t, resultConnect, classify(err))
	}
	require.Contains(t, Hint(serial.ErrGone), "plug it in again")
}

func TestParsePort(t *testing.T) {
	for in, want := range map[string]string{
		"file:///dev/ttyUSB0": "/dev/ttyUSB0", "file:///dev/serial/by-id/usb-FTDI_x-if00": "/dev/serial/by-id/usb-FTDI_x-if00",
		"file://COM3": "COM3", "file://com12": "COM12", "FILE:///dev//ttyS0": "/dev/ttyS0",
	} {
		e, err := parseEndpoint(in)
		require.NoError(t, err, in)
		require.True(t, e.serial())
		require.Equal(t, want, e.address)
	}
	for _, in := range []string{"file://", "file://ttyUSB0", "file://dev/ttyUSB0", "file://COM", "file://COMX", "file:///", "file:///dev/", "file:///dev/tty\nUSB0"} {
		_, err := parseEndpoint(in)
		require.ErrorContains(t, err, "not the name of a serial port", in)
	}
}
