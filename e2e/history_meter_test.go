//go:build e2e

package e2e

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter/history"
)

// paced is a clock whose speed can be changed. It goes up to its end.
type paced struct {
	mu    sync.Mutex
	show  func() time.Time
	speed float64
	end   time.Time
}

func newPaced(start, end time.Time) *paced {
	return &paced{show: history.Accelerated(start, 0), end: end}
}

func (c *paced) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.show(); t.Before(c.end) {
		return t
	}
	return c.end
}

// until is when the clock will show t, at the speed that it has now.
func (c *paced) until(t time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(float64(t.Sub(c.show())) / max(c.speed, 1))
}

// prolong moves the end.
func (c *paced) prolong(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end = c.end.Add(d)
}

// run goes on from what the clock shows with another speed, and returns the one
// before.
func (c *paced) run(speed float64) (before float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before = c.speed
	c.speed, c.show = speed, history.Accelerated(c.show(), speed)
	return before
}

// remembering is a meter with a memory behind a TCP port that can be taken away,
// and whose connections can be cut in the middle of an answer.
type remembering struct {
	*history.Meter

	ctx     context.Context //nolint:containedctx // ends what is served
	served  *dlmstest.Meter
	address string

	mu       sync.Mutex
	wg       sync.WaitGroup
	listener net.Listener // nil: connections are refused
	open     map[net.Conn]bool

	lossy func() int         // how many messages until the next cut; nil: nothing is cut
	left  int                // messages until the cut; 0: none is planned
	cuts  int                // so far
	asked map[obis.Code]bool // profiles whose rows were read since the last cut, or since the last connection was opened
	reads map[cosem.Attribute]int
}

// startRemembering serves a meter until the end of the test.
func startRemembering(ctx context.Context, t *testing.T, cfg history.Config) *remembering {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	r := &remembering{
		Meter: history.New(cfg), ctx: ctx, open: map[net.Conn]bool{},
		asked: map[obis.Code]bool{}, reads: map[cosem.Attribute]int{},
	}
	r.served = dlmstest.NewMeter(dlmstest.Config{}, r)
	// Nobody but these tests uses the host: the port is still free when the meter comes back.
	r.address = "127.0.47.10:0"
	r.plug(t)
	t.Cleanup(func() {
		cancel()
		r.unplug()
		r.wg.Wait()
	})
	return r
}

// Get is that of dlmstest.Objects.
func (r *remembering) Get(client uint16, at cosem.Attribute, sel *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
	r.mu.Lock()
	r.reads[at]++
	if at.ID == 2 && at.Class == cosem.ProfileGeneric {
		r.asked[at.Instance] = true
	}
	r.mu.Unlock()
	return r.Meter.Get(client, at, sel, b)
}

// read is how often an attribute was read.
func (r *remembering) read(at cosem.Attribute) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reads[at]
}

// plug lets the meter be reached.
func (r *remembering) plug(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", r.address)
	require.NoError(t, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.address, r.listener = l.Addr().String(), l
	r.wg.Go(func() { r.accept(l) })
}

// unplug breaks all connections. New ones are refused.
func (r *remembering) unplug() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listener != nil {
		_ = r.listener.Close()
	}
	r.listener = nil
	for c := range r.open {
		_ = c.Close()
	}
}

func (r *remembering) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		if r.listener != l {
			_ = c.Close()
		}
		r.open[c] = true
		clear(r.asked)
		r.left = 0
		r.mu.Unlock()
		r.wg.Go(func() {
			_ = r.served.ServeConn(r.ctx, &cuttable{c, r}) // how it ends is its client's affair
			r.mu.Lock()
			delete(r.open, c)
			r.mu.Unlock()
		})
	}
}

// lose has connections cut, each after some messages, in the middle of one;
// nil: no more. The next cut is planned once both profiles were read in full
// over the connection that came after the last one. Otherwise no run might
// succeed between two, and the plugin would leave the meter alone for a minute:
// that is the time of the host, and for this meter the longer part of its life.
func (r *remembering) lose(after func() int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lossy, r.left = after, 0
	clear(r.asked)
}

// cutNow reports whether the message that is to be written is where the
// connection is cut.
func (r *remembering) cutNow() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.lossy == nil:
	case r.left > 1:
		r.left--
	case r.left == 1:
		r.left = 0
		r.cuts++
		clear(r.asked)
		return true
	case len(r.asked) == 2: // the later one was asked for when the earlier one had come
		r.left = 1 + r.lossy()
	default:
	}
	return false
}

var errCut = errors.New("the connection is cut in the middle of a message")

// cuttable is a connection of the meter.
type cuttable struct {
	net.Conn
	r *remembering
}

func (c *cuttable) Write(b []byte) (int, error) {
	if !c.r.cutNow() {
		return c.Conn.Write(b)
	}
	n, _ := c.Conn.Write(b[:len(b)/2])
	_ = c.Conn.Close()
	return n, errCut
}
