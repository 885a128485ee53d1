package main

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
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

// TestKilledPolling: the program is killed at any point of ciphered polling, 50
// times, or DLMS_KILLS. No invocation counter is ever used twice, and each start reads on.
func TestKilledPolling(t *testing.T) {
	setSecrets(t)
	keys := security.Keys{
		EncryptionKey:     []byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F"),
		AuthenticationKey: []byte("\xD0\xD1\xD2\xD3\xD4\xD5\xD6\xD7\xD8\xD9\xDA\xDB\xDC\xDD\xDE\xDF"),
	}
	meter := dlmstest.NewMeter(dlmstest.Config{
		Framing: dlmstest.FramingWrapper, Title: [8]byte{'M', 'M', 'M', 0, 0, 0xBC, 0x61, 0x4E}, ClientCounter: 1000,
		Clients: map[uint16]dlmstest.Client{
			dlmstest.PublicClient: {},
			1:                     {Mechanism: acse.HLSGMAC, Keys: keys, Policy: security.Authenticated | security.Encrypted},
		},
	}, oneRegister{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var c countdown
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- meter.Serve(ctx, heardListener{l, &c}) }()
	t.Cleanup(func() { cancel(); require.NoError(t, <-done) })

	dir := t.TempDir()
	file := filepath.Join(dir, "dlms.toml")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `
[[inputs.dlms_cosem]]
  endpoint = "tcp://%s"
  framing = "wrapper"
  client_address = 1
  authentication = "high-gmac"
  encryption_key = "env:DLMS_TEST_EK"
  authentication_key = "env:DLMS_TEST_AK"
  state_dir = %q
  [[inputs.dlms_cosem.request]]
    name = "a"
    method = "polling"
    interval = "1ms"
    keep_open = "never"
    [[inputs.dlms_cosem.request.item]]
      name = "energy"
      obis = "1.0.1.8.0.255"
`, l.Addr(), filepath.Join(dir, "state")), 0o600))

	times, err := strconv.Atoi(os.Getenv("DLMS_KILLS"))
	if err != nil {
		times = 50
	}
	values := 0
	for range times {
		c.left.Store(1 + rand.Int64N(150))
		values += killed(t, &c, file)
		require.Zero(t, meter.Counters().RepeatedCounters)
	}
	c.left.Store(-1)
	require.Positive(t, values, "it has read nothing before it was killed")
	require.Equal(t, 3, readOn(t, file, 3), "it does not read on")
	require.Zero(t, meter.Counters().RepeatedCounters)
	require.Greater(t, meter.Counters().Authentications, times)
}

// program starts the program with a configuration.
func program(t *testing.T, file string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], "dump", "-config", file)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, bufio.NewScanner(out)
}

// killed runs the program until it is killed, and counts the values.
func killed(t *testing.T, c *countdown, file string) (values int) {
	t.Helper()
	cmd, lines := program(t, file)
	c.kill.Store(cmd.Process)
	if c.left.Load() <= 0 {
		_ = cmd.Process.Kill() // it was faster than we
	}
	for lines.Scan() {
		if strings.Contains(lines.Text(), "value=12345") {
			values++
		}
	}
	require.Error(t, cmd.Wait())
	require.False(t, cmd.ProcessState.Exited(), "it ended by itself")
	require.LessOrEqual(t, c.left.Load(), int64(0), "it has read no more for a minute")
	return values
}

// readOn runs the program until it has read so many values.
func readOn(t *testing.T, file string, most int) (values int) {
	t.Helper()
	cmd, lines := program(t, file)
	for values < most && lines.Scan() {
		if strings.Contains(lines.Text(), "value=12345") {
			values++
		}
	}
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	return values
}
