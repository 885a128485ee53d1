// Package fault provides a net.Conn that misbehaves to order: it drops, delays,
// repeats, garbles and tears messages, echoes what is written, falls silent and
// closes. What it does depends on the numbers of the messages alone, so a test
// that uses it runs the same way every time. Its only clock is that of package
// time, so it works in a bubble of testing/synctest over net.Pipe.
package fault

import (
	"net"
	"time"
)

// Plan says what happens to the messages of a connection, in each direction.
// The zero value is a connection that behaves.
type Plan struct {
	// Write is what happens to what is written through the wrapper. Each call
	// of Write is one message.
	Write []Fault
	// Read is what happens to what comes from the peer. What one read of the
	// wrapped connection gives is one message: with net.Pipe exactly what the
	// peer has written in one call (up to 64 KiB), with TCP nearly always, if
	// the ends take turns.
	Read []Fault
	// CloseAfterWrite and CloseAfterRead close the connection as soon as so
	// many octets have been written, or come from the peer, in all; 0 is never.
	CloseAfterWrite int
	CloseAfterRead  int
}

// Fault is what happens to one message, or to some. Several faults may concern
// the same message; they act in the order of the fields below.
type Fault struct {
	// Message is the number of the message, 1 for the first of its direction;
	// 0 stands for every message.
	Message int
	// Onward extends the fault to all later messages.
	Onward bool

	// Echo sends the message back to where it came from, before anything else
	// happens to it, and ahead of any answer.
	Echo bool
	// Drop makes the message vanish.
	Drop bool
	// Silence makes this message and all later ones vanish.
	Silence bool
	// Corrupt inverts the octets at these offsets; negative ones count from
	// the end, -1 is the last octet. Offsets outside of the message are void.
	Corrupt []int
	// Mask is what corrupted octets are changed by (exclusive or), 0 stands
	// for FFh.
	Mask byte
	// Duplicate is how many times the message comes again.
	Duplicate int
	// Noise comes before the message. It comes even if the message is dropped.
	Noise []byte
	// Torn tears all of this into pieces of so many octets; 0 leaves it whole.
	Torn int
	// Gap is the pause between such pieces.
	Gap time.Duration
	// Delay is how much later the message comes. Later messages wait for it.
	// Write returns at once all the same, as it does into a slow network.
	Delay time.Duration
	// Close closes the connection in place of the message, after its first
	// After octets: the peer sees the end of the stream; here Read gives
	// io.EOF and Write gives io.ErrClosedPipe from then on.
	Close bool
	After int
}

// Wrap returns a connection that misbehaves as planned; without faults it is c
// in all respects. Deadlines are honoured in both directions, though a message
// that is delayed counts as written. Close closes c, and returns when nothing of
// the wrapper is running any more.
func Wrap(c net.Conn, p Plan) net.Conn {
	w := &conn{
		Conn: c,
		plan: p,
		done: make(chan struct{}),
	}
	w.in.changed = make(chan struct{})
	return w
}

// piece is a part of a message with the time at which it may go on.
type piece struct {
	data []byte
	due  time.Time
	end  bool // the connection closes behind it
}

// track is what a direction remembers between messages.
type track struct {
	messages int
	octets   int // what has come through, faults included
	lastDue  time.Time
}

// outcome is what becomes of one message.
type outcome struct {
	pieces  []piece
	echo    bool
	plain   bool // nothing happens to it
	delayed bool // some piece is due later than now
}

// apply decides what becomes of the next message of a direction. The pieces are
// copies.
func (t *track) apply(faults []Fault, closeAfter int, message []byte, now time.Time) outcome {
	t.messages++
	out := outcome{plain: true}
	var all combined
	for _, f := range faults {
		if f.concerns(t.messages) {
			all.add(f)
			out.plain = false
		}
	}
	if closeAfter > 0 {
		out.plain = false
	}
	if out.plain && !t.lastDue.After(now) {
		return out
	}
	out.echo = all.echo

	data, end := all.build(message)
	if closeAfter > 0 && t.octets+len(data) >= closeAfter {
		data, end = data[:max(0, closeAfter-t.octets)], true
	}
	t.octets += len(data)
	due := now.Add(all.delay)
	if due.Before(t.lastDue) {
		due = t.lastDue
	}
	for len(data) > 0 || end {
		n := len(data)
		if all.torn > 0 {
			n = min(n, all.torn)
		}
		out.pieces = append(out.pieces, piece{data: data[:n], due: due, end: end && n == len(data)})
		out.delayed = out.delayed || due.After(now)
		t.lastDue = due
		due = due.Add(all.gap)
		data = data[n:]
		if len(data) == 0 {
			break
		}
	}
	return out
}

func (f Fault) concerns(message int) bool {
	return f.Message == 0 || f.Message == message || (f.Onward || f.Silence) && message > f.Message
}

// combined are all the faults that concern one message.
type combined struct {
	echo, drop, close bool
	after             int
	corrupt           []Fault
	duplicate         int
	noise             []byte
	torn              int
	gap, delay        time.Duration
}

func (c *combined) add(f Fault) {
	c.echo = c.echo || f.Echo
	c.drop = c.drop || f.Drop || f.Silence
	c.corrupt = append(c.corrupt, f)
	c.duplicate += f.Duplicate
	c.noise = append(c.noise, f.Noise...)
	c.delay += f.Delay
	if f.Torn > 0 {
		c.torn = f.Torn
	}
	if f.Gap > 0 {
		c.gap = f.Gap
	}
	if f.Close {
		c.close, c.after = true, f.After
	}
}

// build gives all the octets that come instead of the message, and whether the
// connection closes behind them.
func (c *combined) build(message []byte) (data []byte, end bool) {
	data = append(data, c.noise...)
	if c.drop {
		return data, c.close
	}
	message = append([]byte(nil), message...)
	for _, f := range c.corrupt {
		f.garble(message)
	}
	if c.close {
		return append(data, message[:min(max(c.after, 0), len(message))]...), true
	}
	for range 1 + c.duplicate {
		data = append(data, message...)
	}
	return data, false
}

func (f Fault) garble(message []byte) {
	mask := f.Mask
	if mask == 0 {
		mask = 0xFF
	}
	for _, at := range f.Corrupt {
		if at < 0 {
			at += len(message)
		}
		if at >= 0 && at < len(message) {
			message[at] ^= mask
		}
	}
}
