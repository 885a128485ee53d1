package dlmstest_test

import (
	"context"
	"encoding/hex"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for octets, quiet how long for none.
const (
	patience = 10 * time.Second
	quiet    = 30 * time.Millisecond
)

// values are encoded attributes by "class code attribute".
type values map[string][]byte

func (v values) Get(_ uint16, at cosem.Attribute, sel *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
	if value, ok := v[key(at.Class, at.Instance, at.ID)]; ok {
		b = append(b, value...)
		if sel != nil { // shows that it came here: the value stands for the selection
			b = append(b[:len(b)-len(value)], byte(axdr.TagUnsigned), sel.Selector)
		}
		return b, xdlms.Success
	}
	return b, xdlms.ObjectUndefined
}

func key(class cosem.ClassID, code obis.Code, id int8) string {
	return string([]byte{byte(class >> 8), byte(class)}) + string(code[:]) + string([]byte{byte(id)})
}

var (
	energy = obis.Code{1, 0, 1, 8, 0, 255}
	name   = obis.Code{0, 0, 42, 0, 0, 255}
	listed = obis.Code{0, 0, 128, 0, 0, 255}
)

// objects holds what the worked examples read.
func objects() values {
	fifty := make([]byte, 50)
	for i := range fifty {
		fifty[i] = byte((i+1)/10<<4 | (i+1)%10)
	}
	return values{
		key(3, energy, 2): axdr.AppendDoubleLongUnsigned(nil, 11125746),
		key(3, energy, 3): {2, 2, 0x0f, 0xff, 0x16, 30},
		key(1, name, 2):   axdr.AppendOctetString(nil, []byte("SIM0000010203040")),
		key(1, listed, 2): axdr.AppendOctetString(nil, fifty),
		key(1, obis.Code{0, 0, 128, 1, 0, 255}, 2): axdr.AppendVisibleString(nil, "000"),
		key(1, obis.Code{0, 0, 1, 0, 0, 255}, 2):   axdr.AppendOctetString(nil, make([]byte, 600)),
	}
}

// client is the other end of a connection to a meter, in octets.
type client struct {
	t     testing.TB
	conn  net.Conn
	meter *dlmstest.Meter
}

// connect serves a pipe by a meter.
func connect(t *testing.T, cfg dlmstest.Config) *client {
	t.Helper()
	c := &client{t: t, meter: dlmstest.NewMeter(cfg, objects())}
	c.pipe()
	return c
}

// pipe makes a new connection to the same meter.
func (c *client) pipe() {
	near, far := net.Pipe()
	c.conn = near
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.meter.ServeConn(ctx, far) // may be an error, after noise
	}()
	c.t.Cleanup(func() {
		cancel()
		_ = near.Close()
		<-done
	})
}

func octets(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return b
}

// mustHex is octets for seeds, where there is no test yet; they may be nil.
func mustHex(s string) []byte {
	b, _ := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	return b
}

func (c *client) send(s string) {
	c.t.Helper()
	require.NoError(c.t, c.conn.SetWriteDeadline(time.Now().Add(patience)))
	_, err := c.conn.Write(octets(c.t, s))
	require.NoError(c.t, err)
}

// expect reads exactly these octets.
func (c *client) expect(s string) {
	c.t.Helper()
	want := octets(c.t, s)
	got := c.read(len(want), patience)
	require.Equal(c.t, hex.EncodeToString(want), hex.EncodeToString(got))
}

// silence expects nothing for a moment.
func (c *client) silence() {
	c.t.Helper()
	require.Empty(c.t, hex.EncodeToString(c.read(1, quiet)))
}

// read returns n octets, or those that came in time.
func (c *client) read(n int, wait time.Duration) []byte {
	c.t.Helper()
	require.NoError(c.t, c.conn.SetReadDeadline(time.Now().Add(wait)))
	got := make([]byte, 0, n)
	for len(got) < n {
		k, err := c.conn.Read(got[len(got):n])
		got = got[:len(got)+k]
		if err != nil {
			break
		}
	}
	return got
}

// closed expects the end of the connection.
func (c *client) closed() {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(patience)) // fails if it is closed already
	_, err := c.conn.Read(make([]byte, 1))
	require.ErrorContains(c.t, err, "EOF")
}

func (c *client) exchange(request, answer string) {
	c.t.Helper()
	c.send(request)
	c.expect(answer)
}

// Counting what a meter has seen is not part of an answer: it may be a moment
// later.
func (c *client) counted(want func(n dlmstest.Counters) bool) {
	c.t.Helper()
	require.Eventually(c.t, func() bool { return want(c.meter.Counters()) }, patience, time.Millisecond)
}
