package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// asProgram makes the test binary the program.
const asProgram = "DLMS_TEST_PROGRAM"

// countdown kills a process when the meter has heard from it so many times.
type countdown struct {
	left atomic.Int64
	kill atomic.Pointer[os.Process]
}

func (c *countdown) heard() {
	if c.left.Add(-1) == 0 {
		if p := c.kill.Load(); p != nil {
			_ = p.Kill()
		}
	}
}

type heardListener struct {
	net.Listener
	c *countdown
}

func (l heardListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return heardConn{conn, l.c}, nil
}

type heardConn struct {
	net.Conn
	c *countdown
}

func (h heardConn) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	if n > 0 {
		h.c.heard()
	}
	return n, err
}

// oneRegister has energy.
type oneRegister struct{}

func (oneRegister) Get(_ uint16, at cosem.Attribute, _ *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
	switch {
	case at.Instance != obis.Code{1, 0, 1, 8, 0, 255}:
		return b, xdlms.ObjectUndefined
	case at.ID == 2:
		return axdr.AppendDoubleLongUnsigned(b, 12345), xdlms.Success
	case at.ID == 3:
		return axdr.AppendEnum(axdr.AppendInteger(axdr.AppendStructure(b, 2), 0), 30), xdlms.Success
	default:
		return b, xdlms.ObjectUndefined
	}
}

// rig is a meter that is to be read with keys, and one without, which are asked
// all the time; and the configuration for it.
type rig struct {
	t          *testing.T
	meter      *dlmstest.Meter // with keys
	countdown  countdown       // of what both hear
	home, file string
	state      string
	binary     string               // of the program; empty: this one
	as         *syscall.SysProcAttr // who it runs as; nil: we
}

const killedRequest = `
  [[inputs.dlms_cosem.request]]
    name = %q
    endpoint = "tcp://%s"
    framing = "wrapper"
    method = "polling"
    interval = %q
    keep_open = "never"
%s
    [[inputs.dlms_cosem.request.item]]
      name = "energy"
      obis = "1.0.1.8.0.255"
`

func newRig(t *testing.T, home string) *rig {
	t.Helper()
	setSecrets(t)
	keys := security.Keys{
		EncryptionKey:     []byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F"),
		AuthenticationKey: []byte("\xD0\xD1\xD2\xD3\xD4\xD5\xD6\xD7\xD8\xD9\xDA\xDB\xDC\xDD\xDE\xDF"),
	}
	r := &rig{t: t, home: home, file: filepath.Join(home, "dlms.toml"), state: filepath.Join(home, "state")}
	r.meter = dlmstest.NewMeter(dlmstest.Config{
		Framing: dlmstest.FramingWrapper, Title: [8]byte{'M', 'M', 'M', 0, 0, 0xBC, 0x61, 0x4E}, ClientCounter: 1000,
		Clients: map[uint16]dlmstest.Client{
			dlmstest.PublicClient: {},
			1:                     {Mechanism: acse.HLSGMAC, Keys: keys, Policy: security.Authenticated | security.Encrypted},
		},
	}, oneRegister{})
	plain := dlmstest.NewMeter(dlmstest.Config{Framing: dlmstest.FramingWrapper, Clients: map[uint16]dlmstest.Client{dlmstest.PublicClient: {}}}, oneRegister{})
	const secured = "    client_address = 1\n    authentication = \"high-gmac\"\n" +
		"    encryption_key = \"env:DLMS_TEST_EK\"\n    authentication_key = \"env:DLMS_TEST_AK\""
	text := fmt.Sprintf("[[inputs.dlms_cosem]]\n  state_dir = %q\n", r.state) +
		fmt.Sprintf(killedRequest, "a", r.serve(r.meter), "1ms", secured) + fmt.Sprintf(killedRequest, "plain", r.serve(plain), "7ms", "")
	require.NoError(t, os.WriteFile(r.file, []byte(text), 0o644))
	return r
}

// serve has a meter answer, and returns where.
func (r *rig) serve(m *dlmstest.Meter) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(r.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Serve(ctx, heardListener{l, &r.countdown}) }()
	r.t.Cleanup(func() { cancel(); require.NoError(r.t, <-done) })
	return l.Addr().String()
}

// kills is how often the program is killed: a share of DLMS_KILLS, if that is
// set.
func kills(usual, share int) int {
	if n, err := strconv.Atoi(os.Getenv("DLMS_KILLS")); err == nil {
		return max(1, n/share)
	}
	return usual
}

// TestKilledPolling: the program is killed at any point of ciphered polling, 50
// times, or DLMS_KILLS. No invocation counter is ever used twice, and each start reads on.
func TestKilledPolling(t *testing.T) {
	r := newRig(t, t.TempDir())
	times, values := kills(50, 1), 0
	for range times {
		r.countdown.left.Store(1 + rand.Int64N(150))
		p := r.start()
		p.killedSoon()
		for p.next() {
			if p.is("value=12345", "meter=a") {
				values++
			}
		}
		p.requireKilled()
		require.Zero(t, r.meter.Counters().RepeatedCounters)
	}
	require.Positive(t, values, "it has read nothing before it was killed")
	p := r.start()
	p.await(3, "value=12345", "meter=a")
	p.kill()
	require.Zero(t, r.meter.Counters().RepeatedCounters)
	require.Greater(t, r.meter.Counters().Authentications, times)
}

// polling is the program while it polls.
type polling struct {
	*rig
	cmd   *exec.Cmd
	lines *bufio.Scanner
	errs  said
}

// said is what a program has written so far, which it may go on to do.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (x *said) Write(b []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.text.Write(b)
}

func (x *said) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.text.String()
}

// start starts the program; more is for its environment.
func (r *rig) start(more ...string) *polling {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	r.t.Cleanup(cancel)
	p := &polling{rig: r, cmd: exec.CommandContext(ctx, cmp.Or(r.binary, os.Args[0]), "dump", "-config", r.file)}
	p.cmd.Env = append(append(os.Environ(), asProgram+"=1"), more...)
	p.cmd.Dir, p.cmd.Stderr, p.cmd.SysProcAttr = r.home, &p.errs, r.as
	out, err := p.cmd.StdoutPipe()
	require.NoError(r.t, err)
	require.NoError(r.t, p.cmd.Start())
	p.read(out)
	return p
}

func (p *polling) read(out io.Reader) { p.lines = bufio.NewScanner(out) }

func (p *polling) next() bool { return p.lines.Scan() }

// is reports whether the line has all of these.
func (p *polling) is(parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(p.lines.Text(), part) {
			return false
		}
	}
	return true
}

// await reads on to the nth line that has all of these. It reports whether there
// was one before the end.
func (p *polling) await(n int, parts ...string) bool {
	for n > 0 && p.next() {
		if p.is(parts...) {
			n--
		}
	}
	return n == 0
}

// killedSoon has it killed at the end of the countdown.
func (p *polling) killedSoon() {
	p.countdown.kill.Store(p.cmd.Process)
	if p.countdown.left.Load() <= 0 {
		_ = p.cmd.Process.Kill() // it was faster than we
	}
}

// requireKilled waits for the end, which is to be ours.
func (p *polling) requireKilled() {
	p.t.Helper()
	for p.next() {
		continue
	}
	require.Error(p.t, p.cmd.Wait())
	require.False(p.t, p.cmd.ProcessState.Exited(), "it ended by itself: %s", &p.errs)
	require.LessOrEqual(p.t, p.countdown.left.Load(), int64(0), "it has read no more for a minute: %s", &p.errs)
}

// kill kills it now.
func (p *polling) kill() {
	p.t.Helper()
	p.countdown.left.Store(0)
	require.NoError(p.t, p.cmd.Process.Kill())
	p.requireKilled()
}
