//go:build linux

package serial

import (
	"errors"
	"fmt"
	"io"
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
	"go.bug.st/serial"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair is a terminal pair: the far end, and the name of the near one.
func pair(t *testing.T) (far *os.File, name string) {
	far, near, err := pty.Open()
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = near.Close()
		_ = far.Close()
	})
	return far, near.Name()
}

func opened(t *testing.T, name string, s Settings) *Port {
	p, err := Open(name, s)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// speed is what the terminal was set to: the code of the speed, as the kernel has it.
func speed(t *testing.T, f *os.File) uint32 {
	var termios syscall.Termios
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), syscall.TCGETS, uintptr(unsafe.Pointer(&termios))) //nolint:gosec // the kernel fills it in
	require.Zero(t, errno)
	return termios.Cflag & 0o10017 // CBAUD
}

func TestReadAndWrite(t *testing.T) {
	far, name := pair(t)
	p := opened(t, name, Settings{})
	require.Equal(t, uint32(syscall.B9600), speed(t, far))
	n, err := p.Write([]byte("\x7E\x00\x0D\x0A\x03\xFF\x11"))
	require.NoError(t, err)
	require.Equal(t, 7, n)
	b := make([]byte, 16)
	n, err = io.ReadFull(far, b[:7])
	require.NoError(t, err)
	require.Equal(t, "\x7E\x00\x0D\x0A\x03\xFF\x11", string(b[:n]), "nothing is translated")
	_, err = far.Write([]byte{0x7E, 0x04, 0x11, 0x13, 0x0D, 0x7F})
	require.NoError(t, err)
	n, err = io.ReadFull(p, b[:6])
	require.NoError(t, err)
	require.Equal(t, []byte{0x7E, 0x04, 0x11, 0x13, 0x0D, 0x7F}, b[:n])
}

func TestDeadlines(t *testing.T) {
	_, name := pair(t)
	p := opened(t, name, Settings{})
	b := make([]byte, 1)
	require.NoError(t, p.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	_, err := p.Read(b)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, p.SetReadDeadline(time.Time{}))
	done := make(chan error)
	go func() { // blocked, and woken from outside
		_, err := p.Read(b)
		done <- err
	}()
	require.NoError(t, p.SetReadDeadline(time.Unix(1, 0)))
	require.ErrorIs(t, <-done, os.ErrDeadlineExceeded)
	require.NoError(t, p.SetWriteDeadline(time.Unix(1, 0)))
	_, err = p.Write(b)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

// TestStuckWrite: a line that takes nothing makes the write end at its deadline
// and the port be given up, with nothing left behind.
func TestStuckWrite(t *testing.T) {
	_, name := pair(t)
	p := opened(t, name, Settings{})
	require.NoError(t, p.SetWriteDeadline(time.Now().Add(200*time.Millisecond)))
	_, err := p.Write(make([]byte, 1<<20)) // nobody reads at the far end
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	_, err = p.Read(make([]byte, 1))
	require.ErrorContains(t, err, "does not leave")
	require.Error(t, p.Configure(Settings{Baud: 300}, false))
	require.NoError(t, p.Close())
}

func TestUnplugged(t *testing.T) {
	far, name := pair(t)
	p := opened(t, name, Settings{})
	done := make(chan error)
	go func() {
		_, err := p.Read(make([]byte, 1))
		done <- err
	}()
	require.NoError(t, far.Close())
	err := <-done
	require.ErrorIs(t, err, io.EOF)
	require.EqualError(t, err, name+": the serial port is gone (unplugged?): EOF")
	_, err = Open(name, Settings{})
	var open *OpenError
	require.ErrorAs(t, err, &open)
}

func TestConfigure(t *testing.T) {
	far, name := pair(t)
	p := opened(t, name, Settings{Baud: 9600})
	_, err := far.Write([]byte("stale"))
	require.NoError(t, err)
	require.NoError(t, p.Configure(Settings{Baud: 300}, false))
	require.Equal(t, uint32(syscall.B300), speed(t, far))
	require.NoError(t, p.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
	_, err = p.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded, "what came before is dropped")
	require.NoError(t, p.Configure(Settings{Baud: 115200}, true))
	require.Equal(t, uint32(syscall.B115200), speed(t, far))
}

func TestOpenErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, want := range map[string]struct {
		text string
		kind OpenKind
	}{
		"/dev/ttyNONE": {"/dev/ttyNONE: there is no such port", OpenMissing},
		file:           {file + ": it is no serial port", OpenNoPort},
		t.TempDir():    {"it is no serial port", OpenNoPort},
		os.DevNull:     {os.DevNull + ": it is no serial port", OpenNoPort},
	} {
		_, err := Open(name, Settings{})
		var open *OpenError
		require.ErrorAs(t, err, &open)
		require.Equal(t, want.kind, open.Kind, "%v", err)
		require.Contains(t, err.Error(), want.text)
	}
}

// TestDescriptors: the library would panic with a descriptor beyond what select takes.
func TestDescriptors(t *testing.T) {
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if limit.Cur < mostDescriptors+64 {
		t.Skipf("this host lets a process have %d files only, so that it cannot come to this", limit.Cur)
	}
	_, name := pair(t)
	var files []*os.File
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	for range mostDescriptors {
		f, err := os.Open(os.DevNull)
		require.NoError(t, err)
		files = append(files, f)
	}
	_, err := Open(name, Settings{})
	require.EqualError(t, err, name+": too many files are open for a port")
}

// recorder is a device that writes down what is done with it.
type recorder struct {
	mu   sync.Mutex
	done []string
	fail map[string]error

	interrupted int // so often the next calls that wait are ended by a signal
}

// signal is a call that is ended by a signal.
func (r *recorder) signal() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.interrupted--
	return r.interrupted >= 0
}

func (r *recorder) note(format string, args ...any) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := fmt.Sprintf(format, args...)
	r.done = append(r.done, s)
	return r.fail[s]
}

func (r *recorder) SetMode(m *serial.Mode) error {
	return r.note("mode %d %d%s%s", m.BaudRate, m.DataBits, map[serial.Parity]string{serial.NoParity: "N", serial.EvenParity: "E", serial.OddParity: "O"}[m.Parity],
		map[serial.StopBits]string{serial.OneStopBit: "1", serial.TwoStopBits: "2"}[m.StopBits])
}
func (r *recorder) SetReadTimeout(time.Duration) error { return nil }
func (r *recorder) Read([]byte) (int, error)           { return 0, r.note("read") }
func (r *recorder) Write(p []byte) (int, error) {
	if r.signal() {
		return -1, syscall.EINTR
	}
	return min(len(p), 2), r.note("write %X", p[:min(len(p), 2)])
}
func (r *recorder) Drain() error {
	if r.signal() {
		return syscall.EINTR
	}
	return r.note("drain")
}
func (r *recorder) ResetInputBuffer() error  { return r.note("drop input") }
func (r *recorder) ResetOutputBuffer() error { return r.note("drop output") }
func (r *recorder) SetDTR(on bool) error     { return r.note("DTR %t", on) }
func (r *recorder) SetRTS(on bool) error     { return r.note("RTS %t", on) }
func (r *recorder) Close() error             { return r.note("close") }

func (r *recorder) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := strings.Join(r.done, ", ")
	r.done = nil
	return s
}

// TestOrder is what a terminal pair cannot show: formats and control lines, and
// the order in which they are set.
func TestOrder(t *testing.T) {
	r := &recorder{}
	p := &Port{name: "COM3", dev: r, settings: Settings{}.Defaulted()}
	require.NoError(t, p.Configure(Settings{}, false))
	require.Empty(t, r.take(), "nothing to change")
	require.NoError(t, p.Configure(Settings{Baud: 300, DataBits: 7, Parity: Even}, false))
	require.Equal(t, "drain, read, mode 300 7E1, drop input", r.take())
	require.NoError(t, p.Configure(Settings{Baud: 2400, Parity: Odd, StopBits: 2, DTR: On, RTS: Off}, false))
	require.Equal(t, "drain, read, mode 2400 8O2, DTR true, RTS false, drop input", r.take())
	require.NoError(t, p.Configure(Settings{Baud: 2400, Parity: Odd, StopBits: 2, DTR: On, RTS: Off}, true))
	require.Equal(t, "drain, read, drop input", r.take(), "a quiet line was asked for")
	_, err := p.Write([]byte{1, 2, 3})
	require.NoError(t, err)
	require.Equal(t, "write 0102, write 03", r.take())

	require.NoError(t, p.Configure(Settings{Baud: 2400, RTS: Send}, false))
	require.Equal(t, "drain, read, mode 2400 8N1, RTS false, drop input", r.take())
	_, err = p.Write([]byte{1, 2, 3})
	require.NoError(t, err)
	require.Equal(t, "RTS true, write 0102, write 03, drain, RTS false", r.take())

	r.interrupted = 3
	_, err = p.Write([]byte{1, 2, 3})
	require.NoError(t, err)
	require.Equal(t, "RTS true, write 0102, write 03, drain, RTS false", r.take(), "signals end no wait")
	r.interrupted = 3
	require.NoError(t, p.Configure(Settings{Baud: 2400, RTS: Send}, true))
	require.Equal(t, "drain, read, drop input", r.take())

	r.fail = map[string]error{"mode 300 8N1": errors.New("no such speed")}
	var open *OpenError
	require.ErrorAs(t, p.Configure(Settings{Baud: 300}, false), &open)
	require.Equal(t, OpenMode, open.Kind)
	r.fail = map[string]error{"write 0102": syscall.EIO}
	_, err = p.Write([]byte{1, 2, 3})
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, p.Close())
}

// TestSwitch: what came meanwhile is not dropped, and what was sent has left
// before.
func TestSwitch(t *testing.T) {
	r := &recorder{}
	p := &Port{name: "COM3", dev: r, settings: Settings{}.Defaulted()}
	require.NoError(t, p.Switch(Settings{Baud: 300, DataBits: 7, Parity: Even}, 0))
	require.Equal(t, "drain, mode 300 7E1", r.take())
	began := time.Now()
	require.NoError(t, p.Switch(Settings{Baud: 9600, DataBits: 7, Parity: Even}, 20*time.Millisecond))
	require.GreaterOrEqual(t, time.Since(began), 20*time.Millisecond)
	require.NoError(t, p.Switch(Settings{Baud: 9600}, 0))
	require.NoError(t, p.Switch(Settings{Baud: 9600}, 0))
	require.Equal(t, "drain, mode 9600 7E1, drain, mode 9600 8N1, drain", r.take())
	r.fail = map[string]error{"mode 300 7E1": errors.New("no such format")}
	var open *OpenError
	require.ErrorAs(t, p.Switch(Settings{Baud: 300, DataBits: 7, Parity: Even}, 0), &open)
	r.fail = map[string]error{"drain": syscall.EIO}
	require.ErrorIs(t, p.Switch(Settings{}, 0), ErrGone)
}
