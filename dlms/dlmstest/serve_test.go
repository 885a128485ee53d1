package dlmstest_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
)

func TestClientsOfOneConnection(t *testing.T) {
	t.Parallel()
	c := connect(t, dlmstest.Config{Clients: map[uint16]dlmstest.Client{16: {}, 32: {Mechanism: acse.Low, Password: []byte("x")}}})
	c.ask(aarqNone, aareNone)
	c.exchange("0001 0020 0001 000D"+getWh, "0001 0001 0020 0003 D80102")
	c.ask(getWh, gotWh)
}

func TestMaxSessions(t *testing.T) {
	t.Parallel()
	c := connect(t, dlmstest.Config{MaxSessions: 1})
	c.ask(aarqNone, aareNone)
	near, far := net.Pipe()
	require.ErrorIs(t, c.meter.ServeConn(context.Background(), far), dlmstest.ErrBusy)
	_, err := near.Read(make([]byte, 1))
	require.ErrorContains(t, err, "EOF")
	_ = c.conn.Close()
	c.pipe() // the first one is gone
	c.ask(aarqNone, aareNone)
	require.Equal(t, 1, c.meter.Counters().Refused)
}

func TestOnRelease(t *testing.T) {
	t.Parallel()
	released := make(chan uint16, 1)
	c := open(t, dlmstest.Config{OnRelease: func(client uint16) { released <- client }})
	c.ask("6200", "6303800100")
	require.Equal(t, uint16(16), <-released)
}

func TestResponseDelayAndInactivity(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		meter := dlmstest.NewMeter(dlmstest.Config{
			ResponseDelay: 3 * time.Second,
			Faults:        &dlmstest.Faults{LateAnswers: 1, LateBy: 4 * time.Second},
		}, objects())
		near, far := net.Pipe()
		c := &client{t: t, conn: near, meter: meter}
		done := make(chan error, 1)
		go func() { done <- meter.ServeConn(t.Context(), far) }()

		start := time.Now()
		c.ask(aarqNone, aareNone)
		require.Equal(t, 3*time.Second, time.Since(start))
		c.ask(getWh, gotWh)
		require.Equal(t, 10*time.Second, time.Since(start))
		c.ask(getWh, gotWh)
		require.Equal(t, 13*time.Second, time.Since(start))
		c.closedWithin(dlmstest.DefaultWrapperInactivity)
		require.NoError(t, <-done)
		require.Equal(t, 1, meter.Counters().Aborts)
	})
}

// closedWithin waits until the meter closes the connection.
func (c *client) closedWithin(within time.Duration) {
	c.t.Helper()
	require.NoError(c.t, c.conn.SetReadDeadline(time.Now().Add(within+time.Second)))
	_, err := c.conn.Read(make([]byte, 1))
	require.ErrorContains(c.t, err, "EOF")
}

// A client that goes away does not keep its session until late answers are due.
func TestClientGoesAway(t *testing.T) {
	t.Parallel()
	meter := dlmstest.NewMeter(dlmstest.Config{ResponseDelay: time.Hour}, objects())
	near, far := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- meter.ServeConn(context.Background(), far) }()
	c := &client{t: t, conn: near, meter: meter}
	c.send(wrapped(t, aarqNone))
	_ = near.Close()
	require.NoError(t, <-done)
}

func TestListener(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	meter := dlmstest.NewMeter(dlmstest.Config{}, objects())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- meter.Serve(ctx, l) }()
	for range 3 { // all at once
		conn, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		c := &client{t: t, conn: conn, meter: meter}
		c.ask(aarqNone, aareNone)
		c.ask(getWh, gotWh)
	}
	cancel()
	require.NoError(t, <-done)
	require.Equal(t, 3, meter.Counters().Associations)
	_, err = net.Dial("tcp", l.Addr().String())
	require.Error(t, err)
}

func TestPacketConn(t *testing.T) {
	t.Parallel()
	for _, framing := range []string{dlmstest.FramingWrapper, dlmstest.FramingHDLC} {
		t.Run(framing, func(t *testing.T) {
			t.Parallel()
			pc, err := net.ListenPacket("udp", "127.0.0.1:0")
			require.NoError(t, err)
			meter := dlmstest.NewMeter(dlmstest.Config{Framing: framing, BareUA: true}, objects())
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- meter.ServePacket(ctx, pc) }()
			for range 2 {
				conn, err := net.Dial("udp", pc.LocalAddr().String())
				require.NoError(t, err)
				defer conn.Close()
				c := &client{t: t, conn: datagrams{conn}, meter: meter}
				if framing == dlmstest.FramingHDLC {
					c.exchange(snrm, ua)
					c.exchange(disc, ua)
					continue
				}
				c.send("0001 0010 0001 00FF C0") // a datagram cut off is forgotten
				c.send(wrapped(t, aarqNone))
				c.expect("0001 0001 0010 002B" + aareNone)
				c.send(wrapped(t, getWh))
				c.expect("0001 0001 0010 0009" + gotWh)
			}
			require.Equal(t, 2, meter.Counters().Connections)
			cancel()
			require.NoError(t, <-done)
		})
	}
}

// datagrams reads whole datagrams only, as a client has to.
type datagrams struct{ net.Conn }

func (d datagrams) Read(b []byte) (int, error) {
	whole := make([]byte, 2048)
	n, err := d.Conn.Read(whole)
	return copy(b, whole[:n]), err
}

func TestNilObjects(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	meter := dlmstest.NewMeter(dlmstest.Config{}, nil)
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { done <- meter.ServeConn(ctx, far) }()
	c := &client{t: t, conn: near, meter: meter}
	c.ask(aarqNone, aareNone)
	c.ask(getWh, "C401C1 01 04")
	cancel()
	require.NoError(t, <-done)
}
