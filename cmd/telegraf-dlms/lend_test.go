package main

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/internal/state"
)

// oneByOne lets one connection in at a time, as serial servers do: others wait.
type oneByOne struct {
	net.Listener
	free chan struct{}
}

func (l oneByOne) Accept() (net.Conn, error) {
	l.free <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &lone{Conn: c, free: l.free}, nil
}

type lone struct {
	net.Conn
	once sync.Once
	free chan struct{}
}

func (c *lone) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { <-c.free })
	return err
}

// titles are the system titles of those who log in.
type titles struct {
	mu   sync.Mutex
	seen map[string]int
}

func (x *titles) look(apdu []byte) ([]byte, bool) {
	if q, err := acse.ParseAARQ(apdu); err == nil && q.Mechanism == acse.HLSGMAC {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.seen[fmt.Sprintf("%X", q.CallingTitle)]++
	}
	return nil, false
}

// all returns them, and how often each was there.
func (x *titles) all() map[string]int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return maps.Clone(x.seen)
}

// oneAtATime is a meter with keys that has one client at a time, and the
// configuration of an instance that polls it all the time.
func oneAtATime(t *testing.T, counter uint32) (m *dlmstest.Meter, x *titles, endpoint, dir, file string) {
	t.Helper()
	setSecrets(t)
	x = &titles{seen: map[string]int{}}
	keys := security.Keys{
		EncryptionKey:     []byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F"),
		AuthenticationKey: []byte("\xD0\xD1\xD2\xD3\xD4\xD5\xD6\xD7\xD8\xD9\xDA\xDB\xDC\xDD\xDE\xDF"),
	}
	m = dlmstest.NewMeter(dlmstest.Config{
		Framing: dlmstest.FramingHDLC, Title: [8]byte{'M', 'M', 'M', 0, 0, 0xBC, 0x61, 0x4E}, ClientCounter: counter,
		Faults: &dlmstest.Faults{Raw: x.look},
		Clients: map[uint16]dlmstest.Client{
			dlmstest.PublicClient: {},
			1:                     {Mechanism: acse.HLSGMAC, Keys: keys, Policy: security.Authenticated | security.Encrypted},
		},
	}, oneRegister{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Serve(ctx, oneByOne{l, make(chan struct{}, 1)}) }()
	t.Cleanup(func() { cancel(); require.NoError(t, <-done) })

	dir, err = os.MkdirTemp("", "l") // a short name: a socket is in it
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	endpoint, file = "tcp://"+l.Addr().String(), filepath.Join(dir, "dlms.toml")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `
[[inputs.dlms_cosem]]
  endpoint = %q
  framing = "hdlc"
  client_address = 1
  authentication = "high-gmac"
  encryption_key = "env:DLMS_TEST_EK"
  authentication_key = "env:DLMS_TEST_AK"
  state_dir = %q
  [[inputs.dlms_cosem.request]]
    name = "a"
    method = "polling"
    interval = "20ms"
    keep_open = "never"
    [[inputs.dlms_cosem.request.item]]
      name = "energy"
      obis = "1.0.1.8.0.255"
`, endpoint, dir), 0o600))
	return m, x, endpoint, dir, file
}

// another runs the program as a process of its own.
func another(t *testing.T, args ...string) (out, errs string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, os.Args[0], args...)
	c.Env = append(os.Environ(), asProgram+"=1")
	var o, e strings.Builder
	c.Stdout, c.Stderr = &o, &e
	_ = c.Run() // the status tells
	return o.String(), e.String(), c.ProcessState.ExitCode()
}

// TestLendCounters: while an instance polls a meter with keys, get, objects and
// dump read it under the title and with the counter of that instance: the meter
// sees one client, and no counter twice.
func TestLendCounters(t *testing.T) {
	m, x, endpoint, dir, file := oneAtATime(t, 1000)
	r := &rig{t: t, home: dir, file: file}
	p := r.start()
	require.True(t, p.await(3, "value=12345"))
	read := make(chan int)
	go func() {
		n := 0
		for p.next() {
			if p.is("value=12345") {
				n++
			}
		}
		read <- n
	}()
	keys := append(strings.Fields("-framing hdlc -client_address 1 -authentication high-gmac -state_dir "+dir), strings.Fields(simulatedKeys)...)
	for range 20 {
		out, errs, status := another(t, append([]string{"get", endpoint, "1.0.1.8.0.255"}, keys...)...)
		require.Equal(t, exitOK, status, errs)
		require.Empty(t, errs)
		require.Contains(t, out, "12345")
	}
	out, errs, status := another(t, "dump", "-config", file, "-once")
	require.Equal(t, exitOK, status, errs)
	require.Contains(t, out, "value=12345")
	require.Contains(t, errs, "is in use by a running instance: what this one learns about meters is forgotten at its end")
	_, errs, status = another(t, append([]string{"objects", endpoint}, keys...)...)
	require.Equal(t, exitFailed, status, "this meter has no list")
	require.NotContains(t, errs, "counter")

	require.NoError(t, p.cmd.Process.Signal(os.Interrupt))
	require.Positive(t, <-read, "polling went on")
	require.NoError(t, p.cmd.Wait(), "%s", &p.errs)
	require.NotContains(t, p.errs.String(), "it is raised", "nobody has overtaken it")
	require.Zero(t, m.Counters().RepeatedCounters)
	require.Zero(t, m.Counters().Rejections)
	require.Len(t, x.all(), 1, "one title")
	list, err := filepath.Glob(filepath.Join(dir, "*.sock"))
	require.NoError(t, err)
	require.Empty(t, list)
}

// TestLendCountersExhausted: the last values are used by whoever asks first; then
// all are told that there are none.
func TestLendCountersExhausted(t *testing.T) {
	m, x, endpoint, dir, file := oneAtATime(t, 0)
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	const last = `"1ms"` + "\n    invocation_counter = 4294967000"
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(b), `"20ms"`, last, 1)), 0o600))
	r := &rig{t: t, home: dir, file: file}
	p := r.start()
	require.True(t, p.await(1, "result=auth"), "%s", &p.errs)
	keys := append(strings.Fields("-framing hdlc -client_address 1 -authentication high-gmac -state_dir "+dir), strings.Fields(simulatedKeys)...)
	_, errs, status := another(t, append([]string{"get", endpoint, "1.0.1.8.0.255"}, keys...)...)
	require.Equal(t, exitFailed, status)
	require.Contains(t, errs, "invocation counter: it is used up (0xffffffff): the meter needs a new key, nothing can be sent with this one any more")
	require.Contains(t, errs, "hint: nothing is sent with these keys any more: ask the utility for new keys")
	p.kill()
	require.Equal(t, 1, strings.Count(p.errs.String(), "values are left; the meter needs new keys"))
	require.Equal(t, 1, strings.Count(p.errs.String(), "ask the utility for new keys"))
	require.Zero(t, m.Counters().RepeatedCounters)
	require.Len(t, x.all(), 1)
}

// TestLendRefused: without the instance that has the file nothing is sent with a
// key.
func TestLendRefused(t *testing.T) {
	m, x, _, dir, file := oneAtATime(t, 1000)
	s, err := state.Open(dir, file) // somebody who answers nobody
	require.NoError(t, err)
	out, errs, status := another(t, "dump", "-config", file, "-once")
	require.Equal(t, exitFailed, status)
	require.Contains(t, out, "result=auth")
	require.Contains(t, errs, "invocation counter: the counters of its keys are with the running instance that has the state: no running instance answers at "+filepath.Join(dir, state.Name(file)+".sock"))
	require.Contains(t, errs, "wait until it has ended, or end it")
	require.Zero(t, m.Counters().Associations)
	require.Empty(t, x.all())
	require.NoError(t, s.Close())
	_, errs, status = another(t, "dump", "-config", file, "-once")
	require.Equal(t, exitOK, status, errs)
}
