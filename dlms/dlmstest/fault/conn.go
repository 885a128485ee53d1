package fault

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	readSize   = 64 << 10 // largest message from the peer
	queueLimit = 1 << 20  // octets that are read ahead of Read
)

// conn is a connection with a plan. A goroutine that reads ahead runs from the
// first Read on, if there is a plan for reading; another one writes while there
// is something that is due later. Both end with the connection.
type conn struct {
	net.Conn
	plan Plan
	done chan struct{}
	once sync.Once
	wg   sync.WaitGroup
	in   inbox
	out  outbox
}

// inbox is what has come from the peer, or as an echo, and was not read yet.
type inbox struct {
	mu       sync.Mutex
	changed  chan struct{} // closed, and replaced, at every change
	track    track
	queue    []piece
	queued   int   // octets in queue
	err      error // what follows the queue
	deadline time.Time
	pumping  bool
	closed   bool
}

// outbox is what was written and is not due yet.
type outbox struct {
	order sync.Mutex // held during Write: messages keep their order and numbers
	track track      // guarded by order

	mu       sync.Mutex
	queue    []piece
	busy     bool // the goroutine that writes the queue is running
	err      error
	broken   bool
	closed   bool
	deadline time.Time
}

// notify wakes whoever waits for a change. The caller holds the lock.
func (in *inbox) notify() {
	close(in.changed)
	in.changed = make(chan struct{})
}

// end sets what follows the queue, once.
func (in *inbox) end(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err == nil {
		in.err = err
	}
	in.notify()
}

// reads reports whether Read is more than that of the wrapped connection.
func (c *conn) reads() bool {
	if len(c.plan.Read) > 0 || c.plan.CloseAfterRead > 0 {
		return true
	}
	for _, f := range c.plan.Write {
		if f.Echo {
			return true
		}
	}
	return false
}

// Read gives what has come, piece by piece.
func (c *conn) Read(b []byte) (int, error) {
	if !c.reads() {
		n, err := c.Conn.Read(b)
		if err != nil && c.isBroken() {
			err = io.EOF
		}
		return n, err
	}
	in := &c.in
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.pumping && !in.closed {
		in.pumping = true
		c.wg.Go(c.pump)
	}
	for {
		now := time.Now()
		wake := in.deadline
		switch {
		case in.closed:
			return 0, net.ErrClosed
		case !wake.IsZero() && !now.Before(wake):
			return 0, os.ErrDeadlineExceeded
		case len(in.queue) > 0 && !in.queue[0].due.After(now):
			if n, ok := c.take(b); ok {
				return n, nil
			}
			continue
		case len(in.queue) == 0 && in.err != nil:
			return 0, in.err
		}
		if len(in.queue) > 0 && (wake.IsZero() || in.queue[0].due.Before(wake)) {
			wake = in.queue[0].due
		}
		changed := in.changed
		in.mu.Unlock()
		waitFor(changed, wake, now)
		in.mu.Lock()
	}
}

// take moves octets of the first piece to b. It reports false for an empty
// piece, which only closes the connection.
func (c *conn) take(b []byte) (int, bool) {
	in := &c.in
	p := &in.queue[0]
	n := copy(b, p.data)
	p.data = p.data[n:]
	in.queued -= n
	if len(p.data) == 0 {
		if p.end && in.err == nil {
			in.err = io.EOF
		}
		in.queue = in.queue[1:]
	}
	in.notify()
	return n, n > 0 || len(b) == 0
}

// waitFor returns at a change or, unless wake is zero, at that time.
func waitFor(changed <-chan struct{}, wake, now time.Time) {
	if wake.IsZero() {
		<-changed
		return
	}
	timer := time.NewTimer(wake.Sub(now))
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
}

// pump reads ahead until the connection ends.
func (c *conn) pump() {
	buf := make([]byte, readSize)
	for {
		n, err := c.Conn.Read(buf)
		if n > 0 && !c.arrived(buf[:n]) {
			c.sever()
			return
		}
		if err != nil {
			if c.isBroken() {
				err = io.EOF
			}
			c.in.end(err)
			return
		}
	}
}

// arrived queues a message from the peer. It reports false when the connection
// ends with it.
func (c *conn) arrived(message []byte) bool {
	in := &c.in
	in.mu.Lock()
	out := in.track.apply(c.plan.Read, c.plan.CloseAfterRead, message, time.Now())
	in.mu.Unlock()
	if out.echo {
		if _, err := c.Conn.Write(message); err != nil {
			return false
		}
	}
	if out.pieces == nil && out.plain {
		out.pieces = []piece{{data: append([]byte(nil), message...), due: time.Now()}}
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	for in.queued > queueLimit && !in.closed {
		changed := in.changed
		in.mu.Unlock()
		<-changed
		in.mu.Lock()
	}
	open := true
	for _, p := range out.pieces {
		in.queue = append(in.queue, p)
		in.queued += len(p.data)
		open = open && !p.end
	}
	in.notify()
	return open
}

// echoed queues what was written, ahead of all that is not due yet.
func (in *inbox) echoed(message []byte) {
	in.mu.Lock()
	defer in.mu.Unlock()
	now := time.Now()
	at := 0
	for at < len(in.queue) && !in.queue[at].due.After(now) {
		at++
	}
	p := piece{data: append([]byte(nil), message...), due: now}
	in.queue = append(in.queue[:at:at], append([]piece{p}, in.queue[at:]...)...)
	in.queued += len(message)
	in.notify()
}

// Write does with the message what is planned for it.
func (c *conn) Write(b []byte) (int, error) {
	o := &c.out
	o.order.Lock()
	defer o.order.Unlock()
	if err := o.check(); err != nil {
		return 0, err
	}
	out := o.track.apply(c.plan.Write, c.plan.CloseAfterWrite, b, time.Now())
	if out.echo {
		c.in.echoed(b)
	}
	if out.plain && out.pieces == nil && !o.isBusy() {
		return c.Conn.Write(b)
	}
	if out.plain && out.pieces == nil {
		out.pieces = []piece{{data: append([]byte(nil), b...), due: time.Now()}}
	}
	if out.delayed || o.isBusy() {
		c.enqueue(out.pieces)
		return len(b), nil
	}
	sent := 0
	for _, p := range out.pieces {
		n, err := c.transmit(p)
		sent += n
		if err != nil {
			return min(sent, len(b)), err
		}
		if p.end {
			c.sever()
			return min(sent, len(b)), io.ErrClosedPipe
		}
	}
	return len(b), nil
}

// transmit writes a piece. One that only closes the connection has no octets,
// and net.Pipe would wait for a reader even of none.
func (c *conn) transmit(p piece) (int, error) {
	if len(p.data) == 0 {
		return 0, nil
	}
	return c.Conn.Write(p.data)
}

// check gives the error that Write returns before it does anything.
func (o *outbox) check() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return net.ErrClosed
	case o.broken:
		return io.ErrClosedPipe
	case o.err != nil:
		return o.err
	case o.busy && !o.deadline.IsZero() && !time.Now().Before(o.deadline):
		return os.ErrDeadlineExceeded
	default:
		return nil
	}
}

func (o *outbox) isBusy() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.busy
}

// enqueue leaves the pieces to a goroutine, which it starts if there is none.
// What is written later is not subject to the deadline of now.
func (c *conn) enqueue(pieces []piece) {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	o.queue = append(o.queue, pieces...)
	if !o.busy && len(o.queue) > 0 {
		o.busy = true
		if err := c.Conn.SetWriteDeadline(time.Time{}); err != nil && o.err == nil {
			o.err = err
		}
		c.wg.Go(c.writeQueue)
	}
}

// writeQueue writes the queue until it is empty or the connection ends.
func (c *conn) writeQueue() {
	o := &c.out
	for {
		o.mu.Lock()
		if len(o.queue) == 0 || o.err != nil || o.closed || o.broken {
			o.queue = nil
			o.busy = false
			if err := c.Conn.SetWriteDeadline(o.deadline); err != nil && o.err == nil {
				o.err = err
			}
			o.mu.Unlock()
			return
		}
		p := o.queue[0]
		o.queue = o.queue[1:]
		o.mu.Unlock()
		if now := time.Now(); p.due.After(now) {
			waitFor(c.done, p.due, now)
		}
		if _, err := c.transmit(p); err != nil {
			o.mu.Lock()
			o.err = err
			o.mu.Unlock()
		} else if p.end {
			c.sever()
		}
	}
}

// sever closes the connection as if the peer had done so.
func (c *conn) sever() {
	c.out.mu.Lock()
	c.out.broken = true
	c.out.mu.Unlock()
	_ = c.Conn.Close()
	c.in.end(io.EOF)
}

func (c *conn) isBroken() bool {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.broken && !c.out.closed
}

// Close closes the wrapped connection and drops what is not due yet.
func (c *conn) Close() error {
	var err error
	c.once.Do(func() {
		c.out.mu.Lock()
		c.out.closed = true
		c.out.mu.Unlock()
		close(c.done)
		err = c.Conn.Close()
		c.in.mu.Lock()
		c.in.closed = true
		c.in.notify()
		c.in.mu.Unlock()
		c.wg.Wait()
	})
	return err
}

// SetDeadline sets both deadlines.
func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline wakes a Read that waits, if it is over.
func (c *conn) SetReadDeadline(t time.Time) error {
	if !c.reads() {
		return c.Conn.SetReadDeadline(t)
	}
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	if c.in.closed {
		return net.ErrClosed
	}
	c.in.deadline = t
	c.in.notify()
	return nil
}

// SetWriteDeadline wakes a Write that waits, if it is over. While a delayed
// message is under way nothing waits, and the deadline is kept for later.
func (c *conn) SetWriteDeadline(t time.Time) error {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	o.deadline = t
	if o.busy || o.broken && !o.closed {
		return nil
	}
	return c.Conn.SetWriteDeadline(t)
}
