package dlms

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// A Transport carries the octets of a Conn: a TCP connection, a connected UDP
// socket (which must return whole datagrams), a serial port. Every net.Conn is one.
//
// The deadlines may be set from another goroutine while a Read or Write is
// blocked, and must then wake it; the call returns an error that wraps
// [os.ErrDeadlineExceeded].
type Transport interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

// errSilence is fill's answer when the time it was given is over.
var errSilence = errors.New("no answer")

// emptyReads is how often a transport may return neither octets nor an error in a row.
const emptyReads = 100

// watch is watch of the Conn's transport.
func (c *Conn) watch(ctx context.Context) (end func()) { return watch(ctx, c.t) }

// watch makes the end of ctx wake a blocked Read or Write by setting the
// deadlines into the past. The function it returns ends that, and returns only
// when no deadline will be touched any more, so that nothing leaks into the next call.
func watch(ctx context.Context, t Transport) (end func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		past := time.Unix(1, 0)
		// An error here means that the transport is closed: nothing is blocked on it.
		_ = t.SetReadDeadline(past)
		_ = t.SetWriteDeadline(past)
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}

// fill reads at least one octet into the receive buffer, which has room for at
// least so many more. It returns errSilence at the time until.
func (c *Conn) fill(ctx context.Context, until time.Time, room int) error {
	c.reserve(room)
	for range emptyReads {
		if err := c.t.SetReadDeadline(until); err != nil {
			return c.transportError(err)
		}
		// ctx may have ended just before the deadline was set, and its own
		// deadline be overwritten; if it ends later, its deadline is the last.
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := c.t.Read(c.rx[c.w:])
		if n > 0 {
			c.received(n)
			return nil
		}
		switch {
		case err == nil:
			continue
		case errors.Is(err, os.ErrDeadlineExceeded):
			if err := ctx.Err(); err != nil {
				return err
			}
			return errSilence
		default:
			return c.transportError(err)
		}
	}
	return c.transportError(io.ErrNoProgress)
}

// received takes note of n octets read into the buffer.
func (c *Conn) received(n int) {
	c.facts.note(c.rx[c.w : c.w+n])
	c.w += n
	c.stats.RxBytes += int64(n)
	c.lastRead = time.Now()
	c.lastActive = c.lastRead
}

// reserve makes room for n octets behind the unread ones.
func (c *Conn) reserve(n int) {
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
	if len(c.rx)-c.w >= n {
		return
	}
	if c.r > 0 {
		c.w = copy(c.rx, c.rx[c.r:c.w])
		c.r = 0
	}
	if need := c.w + n; need > len(c.rx) {
		grown := make([]byte, max(need, 2*len(c.rx)))
		copy(grown, c.rx[:c.w])
		c.rx = grown
	}
}

// unread returns the octets received and not yet consumed.
func (c *Conn) unread() []byte { return c.rx[c.r:c.w] }

// transmit writes one message. When it returns, the turn is the meter's.
func (c *Conn) transmit(ctx context.Context, message []byte) error {
	if c.cfg.MinInterval > 0 && !c.lastActive.IsZero() {
		if err := pause(ctx, time.Until(c.lastActive.Add(c.cfg.MinInterval))); err != nil {
			return err
		}
	}
	// A write blocks only if the far side does not take octets off the line;
	// a slow line is given the time that a frame needs on it.
	limit := c.cfg.ReplyTimeout + 10*c.cfg.InterOctetTimeout + time.Duration(len(message))*octetTime(c.cfg.Framing)
	if err := c.t.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return c.transportError(err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c.facts.noteSent(message)
	n, err := c.t.Write(message)
	c.stats.TxBytes += int64(n)
	c.lastActive = time.Now()
	if err == nil && n < len(message) {
		err = io.ErrShortWrite
	}
	if err == nil {
		c.turn = true
		return nil
	}
	// Part of a message may have left: what follows it would be taken for its rest.
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return c.transportError(err)
	}
	if ctxErr := ctx.Err(); ctxErr != nil {
		if n > 0 {
			c.broken = fmt.Errorf("a message was cut off while it was sent: %w", ctxErr)
		}
		return ctxErr
	}
	c.broken = fmt.Errorf("the message could not be sent within %s: %w", limit, err)
	return c.broken
}

// transportError keeps err as the end of this Conn and returns it with words.
func (c *Conn) transportError(err error) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe):
		err = fmt.Errorf("the connection was closed by the other side: %w", io.EOF)
	default:
		err = fmt.Errorf("the connection failed: %w", err)
	}
	// A datagram socket reports an unreachable port and lives on.
	if !c.cfg.Datagram || errors.Is(err, io.EOF) {
		c.broken = err
	}
	return err
}

// pause waits for d or until ctx is done.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// octetTime is what one octet may take on the slowest line of a framing: 300
// baud under HDLC, 2.4 kbit/s (power line, GPRS) under the wrapper.
func octetTime(f Framing) time.Duration {
	if f == HDLC {
		return 40 * time.Millisecond
	}
	return 4 * time.Millisecond
}
