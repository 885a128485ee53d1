package fault_test

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// arrival is what one read of the peer gave, and when.
type arrival struct {
	Data string
	At   time.Duration
}

// collect reads until the stream ends.
func collect(t *testing.T, c net.Conn, start time.Time) []arrival {
	t.Helper()
	var got []arrival
	buf := make([]byte, 1000)
	for {
		n, err := c.Read(buf)
		if n > 0 {
			got = append(got, arrival{string(buf[:n]), time.Since(start)})
		}
		if err != nil {
			assert.ErrorIs(t, err, io.EOF)
			return got
		}
	}
}

// faults are the cases for both directions: what comes of three messages, "one",
// "two" and "three", of which each is written a second after the one before.
var faults = []struct {
	name   string
	faults []fault.Fault
	octets int // CloseAfter
	want   []arrival
}{
	{name: "none", want: []arrival{{"one", 0}, {"two", 1}, {"three", 2}}},
	{name: "drop", faults: []fault.Fault{{Message: 2, Drop: true}}, want: []arrival{{"one", 0}, {"three", 2}}},
	{name: "drop from the second on", faults: []fault.Fault{{Message: 2, Onward: true, Drop: true}}, want: []arrival{{"one", 0}}},
	{name: "silence", faults: []fault.Fault{{Message: 2, Silence: true}}, want: []arrival{{"one", 0}}},
	{name: "silence from the start", faults: []fault.Fault{{Silence: true}}},
	{name: "delay", faults: []fault.Fault{{Message: 1, Delay: 500 * time.Millisecond}}, want: []arrival{{"one", 500}, {"two", 1}, {"three", 2}}},
	{name: "delay that holds up the next", faults: []fault.Fault{{Message: 1, Delay: 1500 * time.Millisecond}}, want: []arrival{{"one", 1500}, {"two", 1500}, {"three", 2}}},
	{name: "delay of all", faults: []fault.Fault{{Delay: 700 * time.Millisecond}}, want: []arrival{{"one", 700}, {"two", 1700}, {"three", 2700}}},
	{name: "duplicate", faults: []fault.Fault{{Message: 2, Duplicate: 2}}, want: []arrival{{"one", 0}, {"twotwotwo", 1}, {"three", 2}}},
	{name: "corrupt", faults: []fault.Fault{{Message: 3, Corrupt: []int{0, -1, 9, -9}, Mask: 0x20}}, want: []arrival{{"one", 0}, {"two", 1}, {"ThreE", 2}}},
	{name: "corrupt all bits", faults: []fault.Fault{{Message: 1, Corrupt: []int{1}}}, want: []arrival{{"o\x91e", 0}, {"two", 1}, {"three", 2}}},
	{name: "corrupt twice", faults: []fault.Fault{{Corrupt: []int{0}, Mask: 0x20}, {Message: 2, Corrupt: []int{-1}, Mask: 0x01}}, want: []arrival{{"One", 0}, {"Twn", 1}, {"Three", 2}}},
	{name: "noise", faults: []fault.Fault{{Message: 2, Noise: []byte("xx")}}, want: []arrival{{"one", 0}, {"xxtwo", 1}, {"three", 2}}},
	{name: "noise instead", faults: []fault.Fault{{Message: 2, Noise: []byte("xx"), Drop: true}}, want: []arrival{{"one", 0}, {"xx", 1}, {"three", 2}}},
	{name: "torn", faults: []fault.Fault{{Message: 3, Torn: 2}}, want: []arrival{{"one", 0}, {"two", 1}, {"th", 2}, {"re", 2}, {"e", 2}}},
	{name: "torn with gaps", faults: []fault.Fault{{Message: 1, Torn: 2, Gap: 1200 * time.Millisecond}}, want: []arrival{{"on", 0}, {"e", 1200}, {"two", 1200}, {"three", 2}}},
	{name: "close", faults: []fault.Fault{{Message: 2, Close: true}}, want: []arrival{{"one", 0}}},
	{name: "close within", faults: []fault.Fault{{Message: 2, Close: true, After: 1}}, want: []arrival{{"one", 0}, {"t", 1}}},
	{name: "close behind", faults: []fault.Fault{{Message: 2, Close: true, After: 99}}, want: []arrival{{"one", 0}, {"two", 1}}},
	{name: "close late", faults: []fault.Fault{{Message: 2, Close: true, After: 1, Delay: 500 * time.Millisecond}}, want: []arrival{{"one", 0}, {"t", 1500}}},
	{name: "close after octets", octets: 5, want: []arrival{{"one", 0}, {"tw", 1}}},
	{name: "close after a message", octets: 6, want: []arrival{{"one", 0}, {"two", 1}}},
	{name: "all at once", faults: []fault.Fault{{Message: 2, Duplicate: 1, Torn: 3, Noise: []byte("x"), Delay: 500 * time.Millisecond, Corrupt: []int{0}, Mask: 0x20}},
		want: []arrival{{"one", 0}, {"xTw", 1500}, {"oTw", 1500}, {"o", 1500}, {"three", 2}}},
}

// times turns the numbers of the table, seconds or milliseconds, to durations.
func times(in []arrival) []arrival {
	var out []arrival
	for _, a := range in {
		unit := time.Millisecond
		if a.At < 10 {
			unit = time.Second
		}
		out = append(out, arrival{a.Data, a.At * unit})
	}
	return out
}

// speak writes the three messages, and closes the connection when all of them
// must have come. What is written to a broken connection is lost.
func speak(c net.Conn, start time.Time) {
	for n, message := range []string{"one", "two", "three"} {
		<-time.After(time.Until(start.Add(time.Duration(n) * time.Second)))
		_, _ = c.Write([]byte(message))
	}
	<-time.After(10 * time.Second)
	_ = c.Close()
}

func TestFaultsOfWrite(t *testing.T) {
	t.Parallel()
	for _, tt := range faults {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				inner, peer := net.Pipe()
				c := fault.Wrap(inner, fault.Plan{Write: tt.faults, CloseAfterWrite: tt.octets})
				start := time.Now()
				var wg sync.WaitGroup
				wg.Go(func() { speak(c, start) })
				require.Equal(t, times(tt.want), collect(t, peer, start))
				require.NoError(t, peer.Close())
				wg.Wait()
			})
		})
	}
}

func TestFaultsOfRead(t *testing.T) {
	t.Parallel()
	for _, tt := range faults {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				inner, peer := net.Pipe()
				c := fault.Wrap(inner, fault.Plan{Read: tt.faults, CloseAfterRead: tt.octets})
				start := time.Now()
				var wg sync.WaitGroup
				wg.Go(func() { speak(peer, start) })
				require.Equal(t, times(tt.want), collect(t, c, start))
				require.NoError(t, c.Close())
				wg.Wait()
			})
		})
	}
}

func TestEchoOfWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner, peer := net.Pipe()
		c := fault.Wrap(inner, fault.Plan{
			Write: []fault.Fault{{Echo: true}, {Message: 2, Drop: true}},
			Read:  []fault.Fault{{Message: 1, Delay: time.Second}},
		})
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			buf := make([]byte, 10)
			n, err := peer.Read(buf)
			assert.NoError(t, err)
			assert.Equal(t, "ask", string(buf[:n]))
			_, err = peer.Write([]byte("answer"))
			assert.NoError(t, err)
			<-time.After(5 * time.Second)
			assert.NoError(t, peer.Close())
		})
		wg.Go(func() { // a read that waits already is woken
			assert.Equal(t, []arrival{
				{"ask", 500 * time.Millisecond},
				{"again", 700 * time.Millisecond},
				{"answer", 1500 * time.Millisecond},
			}, collect(t, c, start))
		})
		<-time.After(500 * time.Millisecond)
		_, err := c.Write([]byte("ask"))
		require.NoError(t, err)
		<-time.After(200 * time.Millisecond)
		_, err = c.Write([]byte("again"))
		require.NoError(t, err)
		wg.Wait()
		require.NoError(t, c.Close())
	})
}

// Wrapped at the meter's side, the client hears itself.
func TestEchoOfRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner, peer := net.Pipe()
		c := fault.Wrap(inner, fault.Plan{Read: []fault.Fault{{Echo: true}}})
		var wg sync.WaitGroup
		wg.Go(func() {
			buf := make([]byte, 10)
			n, err := c.Read(buf)
			assert.NoError(t, err)
			assert.Equal(t, "ask", string(buf[:n]))
			_, err = c.Write([]byte("answer"))
			assert.NoError(t, err)
			assert.NoError(t, c.Close())
		})
		_, err := peer.Write([]byte("ask"))
		require.NoError(t, err)
		got := collect(t, peer, time.Now())
		require.Equal(t, []arrival{{"ask", 0}, {"answer", 0}}, got)
		wg.Wait()
	})
}

func TestErrorsAfterClose(t *testing.T) {
	t.Parallel()
	b := []byte("x")
	t.Run("by the plan", func(t *testing.T) {
		t.Parallel()
		for _, read := range []bool{false, true} {
			inner, peer := net.Pipe()
			plan := fault.Plan{Write: []fault.Fault{{Close: true}}}
			if read {
				plan.Read = []fault.Fault{{Message: 9, Drop: true}}
			}
			c := fault.Wrap(inner, plan)
			_, err := c.Write(b)
			require.ErrorIs(t, err, io.ErrClosedPipe)
			_, err = c.Write(b)
			require.ErrorIs(t, err, io.ErrClosedPipe)
			require.NoError(t, c.SetWriteDeadline(time.Now().Add(time.Hour)))
			_, err = c.Read(b)
			require.ErrorIs(t, err, io.EOF)
			require.NoError(t, c.Close())
			_, err = peer.Read(b)
			require.ErrorIs(t, err, io.EOF)
			require.NoError(t, peer.Close())
		}
	})
	t.Run("by its owner", func(t *testing.T) {
		t.Parallel()
		inner, peer := net.Pipe()
		c := fault.Wrap(inner, fault.Plan{Read: []fault.Fault{{Delay: time.Hour}}, Write: []fault.Fault{{Delay: time.Hour}}})
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := c.Read(make([]byte, 1))
			assert.ErrorIs(t, err, net.ErrClosed)
		})
		_, err := c.Write(b)
		require.NoError(t, err)
		_, err = peer.Write(b) // the reader runs, and holds it back
		require.NoError(t, err)
		require.NoError(t, c.Close())
		require.NoError(t, c.Close())
		wg.Wait()
		_, err = c.Read(b)
		require.ErrorIs(t, err, net.ErrClosed)
		_, err = c.Write(b)
		require.ErrorIs(t, err, net.ErrClosed)
		require.ErrorIs(t, c.SetReadDeadline(time.Time{}), net.ErrClosed)
		require.NoError(t, peer.Close())
	})
}

func TestReadDeadline(t *testing.T) {
	t.Parallel()
	for _, plan := range []fault.Plan{{}, {Read: []fault.Fault{{Delay: 3 * time.Second}}}} {
		synctest.Test(t, func(t *testing.T) {
			inner, peer := net.Pipe()
			c := fault.Wrap(inner, plan)
			buf := make([]byte, 10)
			start := time.Now()

			require.NoError(t, c.SetReadDeadline(start.Add(time.Second)))
			for range 2 {
				_, err := c.Read(buf)
				require.ErrorIs(t, err, os.ErrDeadlineExceeded)
				var netErr net.Error
				require.True(t, errors.As(err, &netErr) && netErr.Timeout())
				require.Equal(t, time.Second, time.Since(start))
			}

			// Another goroutine wakes a read.
			require.NoError(t, c.SetReadDeadline(time.Time{}))
			go func() {
				<-time.After(time.Second)
				assert.NoError(t, c.SetDeadline(time.Now()))
			}()
			_, err := c.Read(buf)
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.Equal(t, 2*time.Second, time.Since(start))

			require.NoError(t, c.SetDeadline(time.Time{}))
			go func() {
				_, err := peer.Write([]byte("late"))
				assert.NoError(t, err)
			}()
			if len(plan.Read) > 0 {
				// A message that is held back is not lost by a deadline.
				require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Second)))
				_, err := c.Read(buf)
				require.ErrorIs(t, err, os.ErrDeadlineExceeded)
				require.NoError(t, c.SetReadDeadline(time.Time{}))
			}
			n, err := c.Read(buf[:2])
			require.NoError(t, err)
			require.Equal(t, "la", string(buf[:n]))
			n, err = c.Read(buf)
			require.NoError(t, err)
			require.Equal(t, "te", string(buf[:n]))
			require.NoError(t, c.Close())
		})
	}
}

func TestWriteDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner, peer := net.Pipe()
		c := fault.Wrap(inner, fault.Plan{Write: []fault.Fault{{Message: 2, Delay: 3 * time.Second}}})
		start := time.Now()
		require.NoError(t, c.SetWriteDeadline(start.Add(time.Second)))
		_, err := c.Write([]byte("nobody reads"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))

		// A delayed message outlives the deadline it was written under.
		require.NoError(t, c.SetWriteDeadline(time.Now().Add(time.Second)))
		n, err := c.Write([]byte("late"))
		require.NoError(t, err)
		require.Equal(t, 4, n)
		<-time.After(2 * time.Second)
		_, err = c.Write([]byte("while it is under way"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, c.SetWriteDeadline(time.Now().Add(3*time.Second)))
		buf := make([]byte, 10)
		n, err = peer.Read(buf)
		require.NoError(t, err)
		require.Equal(t, "late", string(buf[:n]))
		require.Equal(t, 4*time.Second, time.Since(start))

		// From here on the deadline holds again.
		synctest.Wait()
		_, err = c.Write([]byte("nobody reads"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, 6*time.Second, time.Since(start))
		require.NoError(t, c.Close())
		require.NoError(t, peer.Close())
	})
}

// Close ends a delayed message, a write that is blocked, and all goroutines: a
// bubble waits for them.
func TestCloseWhileWriting(t *testing.T) {
	t.Parallel()
	for _, delay := range []time.Duration{time.Hour, time.Nanosecond} {
		synctest.Test(t, func(t *testing.T) {
			inner, peer := net.Pipe()
			c := fault.Wrap(inner, fault.Plan{Write: []fault.Fault{{Message: 1, Delay: delay, Torn: 1}}})
			start := time.Now()
			_, err := c.Write([]byte("late"))
			require.NoError(t, err)
			<-time.After(time.Second)
			require.NoError(t, c.Close())
			require.Equal(t, time.Second, time.Since(start))
			_, err = peer.Read(make([]byte, 1))
			require.ErrorIs(t, err, io.EOF)
		})
	}
}

// A peer that never stops cannot fill the memory.
func TestReadAheadIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner, peer := net.Pipe()
		c := fault.Wrap(inner, fault.Plan{Read: []fault.Fault{{Message: 1, Drop: true}}})
		sent := 0
		var wg sync.WaitGroup
		wg.Go(func() {
			noise := make([]byte, 64<<10)
			for {
				n, err := peer.Write(noise)
				sent += n
				if err != nil {
					return
				}
			}
		})
		buf := make([]byte, 1)
		_, err := c.Read(buf)
		require.NoError(t, err)
		synctest.Wait()
		require.NoError(t, c.Close())
		wg.Wait()
		require.LessOrEqual(t, sent, 2<<20)
	})
}

func TestOverTCP(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		inner, err := l.Accept()
		if !assert.NoError(t, err) {
			return
		}
		c := fault.Wrap(inner, fault.Plan{
			Read:  []fault.Fault{{Echo: true}},
			Write: []fault.Fault{{Message: 1, Torn: 1}, {Message: 2, Corrupt: []int{0}, Mask: 0x20, Delay: time.Millisecond}, {Message: 3, Close: true, After: 2}},
		})
		defer c.Close()
		buf := make([]byte, 100)
		for {
			n, err := c.Read(buf)
			if err != nil {
				assert.ErrorIs(t, err, io.EOF)
				return
			}
			if _, err := c.Write(buf[:n]); err != nil {
				assert.ErrorIs(t, err, io.ErrClosedPipe)
			}
		}
	})
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
	for _, want := range []string{"askask", "askAsk", "askas"} {
		_, err := c.Write([]byte("ask"))
		require.NoError(t, err)
		got := make([]byte, len(want))
		_, err = io.ReadFull(c, got)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	_, err = c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	wg.Wait()
}
