package dlms_cosem

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
)

// guestMeter is a meter over the wrapper with a name.
func guestMeter(t testing.TB, name string, energy int) *dlmstest.Meter {
	return meter(t, fmt.Sprintf(`[server]
framing = "wrapper"

[[object]]
class = 1
obis = "0.0.42.0.0.255"
value = { visible-string = %q }

[[object]]
class = 3
obis = "1.0.1.8.0.255"
value = { double-long-unsigned = %d }
scaler = 0
unit = "Wh"
`, name, energy))
}

// shared is a connection on which the meter also pushes.
type shared struct {
	net.Conn
	mu sync.Mutex
}

func (s *shared) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Conn.Write(b)
}

const dialIn = `[[inputs.dlms_cosem]]
endpoint = "tcp-listen://:4059"
[[inputs.dlms_cosem.request]]
name = "one"
identity = "GUEST1*"
method = "polling"
interval = "10s"
[[inputs.dlms_cosem.request.item]]
name = "energy"
obis = "1.0.1.8.0.255"
[[inputs.dlms_cosem.request]]
name = "two"
identity = "GUEST2*"
method = "polling"
interval = "10s"
[[inputs.dlms_cosem.request.item]]
name = "energy"
obis = "1.0.1.8.0.255"
[[inputs.dlms_cosem.request]]
name = "pushed"
send_requests = false
`

// TestMetersThatDialIn are told apart by their logical device name, asked what
// is for them, and heard meanwhile.
func TestMetersThatDialIn(t *testing.T) {
	hear(t, dialIn, func(h *hearing) {
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		dial := func(from, name string, energy int) *shared {
			c := &shared{Conn: h.tcp.connect(from)}
			m := guestMeter(t, name, energy)
			wg.Go(func() { _ = m.ServeConn(ctx, c) })
			return c
		}
		first := dial("10.1.0.7:1", "GUEST1", 1000)
		second := dial("10.1.0.7:2", "GUEST2", 2000)
		stranger := dial("10.1.0.9:2", "OTHER", 3000)
		time.Sleep(35 * time.Second)
		_, err := first.Write(inWrapper(h.t, pushOf("GUEST1", 77)))
		require.NoError(h.t, err)
		time.Sleep(20 * time.Second)
		polled := func(device string) int { return len(h.acc.values("device", device, "name", "energy")) }
		require.InDelta(h.t, 6, polled("GUEST1"), 1)
		require.InDelta(h.t, 6, polled("GUEST2"), 1)
		require.Zero(h.t, polled("OTHER"))
		require.Zero(h.t, polled("10.1.0.9"))
		for _, p := range h.acc.values("device", "GUEST2", "name", "energy") {
			require.Equal(h.t, 2000., p.fields["value"])
			require.Equal(h.t, "two", p.tags["meter"])
		}
		require.Equal(h.t, 77., h.acc.values("meter", "pushed", "device", "GUEST1", "obis", "1.0.1.8.0.255")[0].fields["value"])
		require.NotContains(h.t, h.acc.results("request", "one"), "timeout")
		require.Len(h.t, h.acc.errors(), 1)
		require.Contains(h.t, h.acc.errors()[0], "device OTHER has dialed in, and no request is for it")
		_ = first.Close()
		time.Sleep(30 * time.Second)
		gone := polled("GUEST1")
		time.Sleep(30 * time.Second)
		require.Equal(h.t, gone, polled("GUEST1"), "it has hung up")
		require.InDelta(h.t, 11, polled("GUEST2"), 2, "which costs the other nothing")
		again := dial("10.1.0.7:3", "GUEST1", 1001)
		time.Sleep(30 * time.Second)
		require.Greater(h.t, polled("GUEST1"), gone)
		for _, c := range []*shared{second, stranger, again} {
			_ = c.Close()
		}
	})
}

// TestGuestThatPushesFirst need not be asked who it is; event requests run when
// it does.
func TestGuestThatPushesFirst(t *testing.T) {
	conf := "[[inputs.dlms_cosem]]\nendpoint = \"tcp-listen://:4059\"\nmeter = \"m\"\n" +
		"[[inputs.dlms_cosem.request]]\nname = \"pushed\"\nsend_requests = false\n" +
		"[[inputs.dlms_cosem.request]]\nname = \"asked\"\nmethod = \"event\"\n[[inputs.dlms_cosem.request.item]]\nname = \"energy\"\nobis = \"1.0.1.8.0.255\"\n"
	hear(t, conf, func(h *hearing) {
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		c := &shared{Conn: h.tcp.connect("10.1.0.7:1")}
		m := guestMeter(t, "GUEST1", 1000)
		wg.Go(func() { _ = m.ServeConn(ctx, c) })
		_, err := c.Write(inWrapper(h.t, pushOf("GUEST1", 1)))
		require.NoError(h.t, err)
		time.Sleep(20 * time.Second)
		require.Empty(h.t, h.acc.values("name", "energy"), "nothing was asked before it was known")
		for n := range 3 {
			_, err := c.Write(inWrapper(h.t, pushOf("GUEST1", uint32(n))))
			require.NoError(h.t, err)
			time.Sleep(20 * time.Second)
		}
		require.Len(h.t, h.acc.values("name", "energy", "device", "GUEST1"), 3)
		require.Error(h.t, h.d.Trigger("nobody"))
		require.NoError(h.t, h.d.Trigger("asked"))
		synctest.Wait()
		time.Sleep(time.Second)
		require.Len(h.t, h.acc.values("name", "energy", "device", "GUEST1"), 4)
		_ = c.Close()
		time.Sleep(time.Second)
		require.ErrorContains(h.t, h.d.Trigger("asked"), "no meter that it is for has dialed in")
	})
}

func TestInboxDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newInbox()
		require.NoError(t, i.setDeadline(time.Now().Add(time.Hour)))
		done := make(chan error, 1)
		go func() {
			_, err := i.read(make([]byte, 10))
			done <- err
		}()
		synctest.Wait()
		require.NoError(t, i.setDeadline(time.Now())) // wakes the reader
		require.ErrorContains(t, <-done, "timeout")
		require.NoError(t, i.setDeadline(time.Time{}))
		i.put([]byte("abcdef"))
		b := make([]byte, 4)
		n, err := i.read(b)
		require.NoError(t, err)
		require.Equal(t, "abcd", string(b[:n]))
		n, err = i.read(b)
		require.NoError(t, err)
		require.Equal(t, "ef", string(b[:n]))
		i.put([]byte("x"))
		i.close()
		n, err = i.read(b)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		_, err = i.read(b)
		require.ErrorIs(t, err, net.ErrClosed)
	})
}
