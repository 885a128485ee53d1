package record

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/rfc2217"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/serial"
)

var (
	_ Transport             = dlms.Transport(nil)
	_ dlms.Transport        = Transport(nil)
	_ Port[serial.Settings] = (*serial.Port)(nil)
	_ Port[serial.Settings] = (*rfc2217.Port)(nil)
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func created(t *testing.T) (*Recorder, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "r")
	r, err := Create(path)
	require.NoError(t, err)
	return r, path
}

// lines reads a record in which there is no mistake.
func lines(t *testing.T, text string) []Line {
	t.Helper()
	var out []Line
	for l, err := range Read(strings.NewReader(text), MaxLine) {
		require.NoError(t, err)
		out = append(out, l)
	}
	return out
}

func fileLines(t *testing.T, path string) []Line {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return lines(t, string(b))
}

// told is what lines say without the time.
func told(list []Line) []string {
	out := make([]string, len(list))
	for i := range list {
		text := string(list[i].append(nil))
		out[i] = strings.TrimSuffix(text[strings.Index(text, " ")+1:], "\n")
	}
	return out
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	r, path := created(t)
	ours, meter := net.Pipe()
	before := time.Now().Truncate(time.Microsecond)
	w := r.Wrap(ours, "tcp://10.0.0.5:4059")
	_, isPort := w.(Port[serial.Settings])
	require.False(t, isPort)
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 9)
		_, _ = io.ReadFull(meter, b)
		_, _ = meter.Write([]byte{0x7E, 0xA0})
		_, _ = meter.Write([]byte{0x07})
		_ = meter.Close()
	}()
	_, err := w.Write([]byte("\x7Epass\x00\xFF\x80\x01"))
	require.NoError(t, err)
	got, err := io.ReadAll(w)
	require.NoError(t, err)
	require.Equal(t, []byte{0x7E, 0xA0, 0x07}, got)
	require.NoError(t, w.Close())
	<-done
	require.NoError(t, r.Close())
	require.NoError(t, r.Close())

	list := fileLines(t, path)
	require.Equal(t, []string{
		"tcp://10.0.0.5:4059 = opened",
		"tcp://10.0.0.5:4059 > 7E7061737300FF8001",
		"tcp://10.0.0.5:4059 < 7EA0",
		"tcp://10.0.0.5:4059 < 07",
		"tcp://10.0.0.5:4059 = closed by the other side",
		"tcp://10.0.0.5:4059 = closed",
	}, told(list))
	for _, l := range list {
		require.WithinRange(t, l.Time, before, time.Now())
	}
	require.True(t, list[1].Sent && !list[1].Received)
	require.True(t, list[2].Received && !list[2].Sent)
}

// failing is a transport, or a file, that has errors.
type failing struct {
	net.Conn
	err error
}

func (f *failing) Read(b []byte) (int, error)  { return copy(b, "ab"), f.err }
func (f *failing) Write(b []byte) (int, error) { return len(b) / 2, f.err }
func (f *failing) Close() error                { return nil }

func TestErrorsAreNoted(t *testing.T) {
	t.Parallel()
	r, path := created(t)
	b := make([]byte, 4)
	for _, err := range []error{os.ErrDeadlineExceeded, net.ErrClosed, syscall.ECONNRESET, errors.New("line\nbroken \x1b")} {
		w := r.Wrap(&failing{err: err}, "file:///dev/my port")
		n, got := w.Read(b)
		require.Equal(t, 2, n)
		require.Equal(t, err, got)
	}
	n, err := r.Wrap(&failing{err: os.ErrDeadlineExceeded}, "e").Write(b)
	require.Equal(t, 2, n)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, r.Close())
	require.Equal(t, []string{
		"file:///dev/my%20port = opened", "file:///dev/my%20port < 6162",
		"file:///dev/my%20port = opened", "file:///dev/my%20port < 6162",
		"file:///dev/my%20port = opened", "file:///dev/my%20port < 6162", "file:///dev/my%20port = closed by the other side",
		"file:///dev/my%20port = opened", "file:///dev/my%20port < 6162", "file:///dev/my%20port = error: read: line?broken ?",
		"e = opened", "e > 6162", "e = error: write: i/o timeout",
	}, told(fileLines(t, path)))
}

func TestSeveralLinks(t *testing.T) {
	t.Parallel()
	r, path := created(t)
	const links, writes = 8, 50
	long := bytes.Repeat([]byte{0xA5}, maxOctets+1)
	var all sync.WaitGroup
	for i := range links {
		all.Go(func() {
			ours, meter := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, meter) }()
			w := r.Wrap(ours, "tcp://meter:"+string(rune('0'+i)))
			for range writes {
				_, _ = w.Write([]byte{byte(i)})
			}
			_, _ = w.Write(long)
			_ = w.Close()
		})
	}
	all.Wait()
	require.NoError(t, r.Close())
	list := fileLines(t, path)
	require.Len(t, list, links*(writes+4))
	for i, l := range list {
		require.False(t, i > 0 && l.Time.Before(list[i-1].Time))
		if len(l.Octets) == 1 && l.Octets[0] != 0xA5 {
			require.Equal(t, "tcp://meter:"+string('0'+rune(l.Octets[0])), l.Endpoint)
		}
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	r, path := created(t)
	require.NoError(t, r.Close())
	if runtime.GOOS != "windows" {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
	_, err := Create(path)
	require.EqualError(t, err, path+" is there already, and a record needs a new file: choose another name, or remove it")
	none := filepath.Join(path, "x")
	_, err = Create(none)
	require.ErrorContains(t, err, "cannot create "+none+": ")
}

// TestFullDisk: the traffic goes on, and the error is told once.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	r, path := created(t)
	require.NoError(t, r.file.Close())
	r.file = &failing{err: syscall.ENOSPC}
	w := r.Wrap(&failing{}, "e")
	for range 3 {
		n, err := w.Read(make([]byte, 2))
		require.Equal(t, 2, n)
		require.NoError(t, err)
	}
	err := r.Close()
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorContains(t, err, "the record "+path+" ends at 2")
	require.NoError(t, r.Close())
	n, err := w.Read(make([]byte, 2))
	require.Equal(t, 2, n)
	require.NoError(t, err)
}

// aPort is a serial port without hardware.
type aPort struct {
	failing
	calls []string
	err   error
}

func (p *aPort) Configure(serial.Settings, bool) error {
	p.calls = append(p.calls, "configure")
	return p.err
}

func (p *aPort) Switch(_ serial.Settings, delay time.Duration) error {
	p.calls = append(p.calls, "switch "+delay.String())
	return p.err
}

// TestSerialPort: a serial port that is recorded is still known as one, by the
// methods that the plugin looks for.
func TestSerialPort(t *testing.T) {
	t.Parallel()
	r, path := created(t)
	p := &aPort{}
	var w dlms.Transport = WrapPort(r, Port[serial.Settings](p), "file:///dev/ttyUSB0")
	line, ok := w.(interface {
		Configure(s serial.Settings, settle bool) error
		Switch(s serial.Settings, delay time.Duration) error
	})
	require.True(t, ok)
	require.NoError(t, line.Configure(serial.Settings{Baud: 300, DataBits: 7}, true))
	p.err = errors.New("unplugged")
	require.ErrorIs(t, line.Switch(serial.Settings{Baud: 9600}, time.Second), p.err)
	require.Equal(t, []string{"configure", "switch 1s"}, p.calls)
	_, err := w.Read(make([]byte, 2))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, r.Close())
	got := told(fileLines(t, path))
	require.Len(t, got, 5)
	require.Contains(t, got[1], "= port set to {Baud:300 DataBits:7 ")
	require.Contains(t, got[2], "= error: port not set to {Baud:9600 ")
	require.Equal(t, "file:///dev/ttyUSB0 < 6162", got[3])
}
