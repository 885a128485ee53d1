package dlms

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
)

// wrapperLink is the exchange of APDUs behind wrapper headers (clause 7.3).
// Over TCP nothing is repeated, for TCP does that; over UDP the request is: the
// identical octets, or those of the expectation's again.
type wrapperLink struct {
	c *Conn
}

func (l *wrapperLink) connect(context.Context) error {
	l.c.begin()
	return l.c.broken
}

func (l *wrapperLink) disconnect(context.Context, bool) error { return nil }

func (l *wrapperLink) open() bool { return l.c.broken == nil }

func (l *wrapperLink) room() int { return wrapper.MaxLength }

func (l *wrapperLink) exchange(ctx context.Context, op operation, apdu []byte, e expectation) ([]byte, error) {
	c := l.c
	if c.broken != nil {
		return nil, c.broken
	}
	c.begin()
	message, err := wrapper.Append(c.tx[:0], c.cfg.ClientAddress, c.cfg.LogicalAddress, apdu)
	if err != nil {
		return nil, &ProtocolError{Op: op.String(), Err: err}
	}
	c.tx = message
	began := time.Now()
	for try := 0; ; try++ {
		err := c.transmit(ctx, message)
		var answer []byte
		if err == nil {
			answer, err = l.await(ctx, e, time.Now())
		}
		switch {
		case err == nil:
			return answer, nil
		case errors.Is(err, errSilence) && c.cfg.Datagram && try < c.cfg.Retries && e.within == 0,
			errors.Is(err, errTruncated) && try <= c.cfg.Retries:
			c.stats.Retries++
		case errors.Is(err, errSilence), errors.Is(err, errTruncated):
			return nil, l.silence(op, began)
		default:
			return nil, c.failure(op, began, err)
		}
		if e.again == nil {
			continue
		}
		if apdu, err = e.again(); err != nil {
			return nil, err
		}
		if message, err = wrapper.Append(c.tx[:0], c.cfg.ClientAddress, c.cfg.LogicalAddress, apdu); err != nil {
			return nil, &ProtocolError{Op: op.String(), Err: err}
		}
		c.tx = message
	}
}

// more waits for an APDU as exchange does, and repeats nothing.
func (l *wrapperLink) more(ctx context.Context, op operation, e expectation) ([]byte, error) {
	c := l.c
	if c.broken != nil {
		return nil, c.broken
	}
	c.begin()
	began := time.Now()
	answer, err := l.await(ctx, e, began)
	switch {
	case err == nil:
		return answer, nil
	case errors.Is(err, errSilence), errors.Is(err, errTruncated):
		return nil, l.silence(op, began)
	default:
		return nil, c.failure(op, began, err)
	}
}

// errTruncated says that a datagram did not fit the receive buffer, which is
// larger now.
var errTruncated = errors.New("datagram truncated")

// await returns the next APDU that e wants; it is a view into the receive buffer.
func (l *wrapperLink) await(ctx context.Context, e expectation, sent time.Time) ([]byte, error) {
	c := l.c
	first := sent.Add(e.patience(c.cfg.ReplyTimeout))
	for {
		apdu, need, err := l.cut()
		if err != nil {
			return nil, l.foreign(ctx, err)
		}
		if apdu != nil {
			if l.takes(apdu, e) {
				return apdu, nil
			}
			continue
		}
		until := first
		if partial := c.w - c.r; partial > 0 && !c.cfg.Datagram {
			// An APDU that has begun may outlast the time for the first octet, but not its own limits.
			until = later(c.lastRead, sent).Add(max(c.cfg.InterOctetTimeout, e.patience(c.cfg.ReplyTimeout)))
			limit := first.Add(10*c.cfg.InterOctetTimeout + time.Duration(need+partial)*octetTime(Wrapper))
			if limit.Before(until) {
				until = limit
			}
		}
		if !time.Now().Before(until) {
			return nil, errSilence // even if octets would come for ever
		}
		if err := l.fill(ctx, until, need); err != nil {
			return nil, err
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// leastRoom is how much of the receive buffer is free before a read: most
// answers come whole in one.
const leastRoom = 512

// fill reads on. The buffer grows with what came, not by what was announced.
func (l *wrapperLink) fill(ctx context.Context, until time.Time, need int) error {
	c := l.c
	if !c.cfg.Datagram {
		have := c.w - c.r
		return c.fill(ctx, until, max(leastRoom, min(need, have)))
	}
	c.r, c.w = 0, 0
	err := c.fill(ctx, until, max(len(c.rx), datagramRoom))
	if err == nil && c.w == len(c.rx) && len(c.rx) < wrapper.HeaderLength+wrapper.MaxLength {
		c.r, c.w = 0, 0
		c.rx = make([]byte, wrapper.HeaderLength+wrapper.MaxLength+1)
		return errTruncated
	}
	return err
}

// cut takes the next APDU out of the receive buffer. Without one it returns the
// number of octets that are missing.
func (l *wrapperLink) cut() (apdu []byte, need int, err error) {
	c := l.c
	for c.r < c.w {
		h, apdu, rest, err := wrapper.Cut(c.unread())
		switch {
		case err == nil:
			c.r = c.w - len(rest)
			if h.Length > c.cfg.MaxAPDU {
				return nil, 0, fmt.Errorf("APDU of %d octets, at most %d are taken", h.Length, c.cfg.MaxAPDU)
			}
			if !l.mine(h) || len(apdu) == 0 {
				c.answered()
				c.stats.Dropped++
				c.facts.messages++
				continue
			}
			return apdu, 0, nil
		case c.cfg.Datagram:
			c.answered()
			c.facts.broken++
			c.stats.FrameErrors++
			c.r = c.w
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, wrapper.HeaderLength + h.Length - (c.w - c.r), nil
		default:
			return nil, 0, err
		}
	}
	return nil, wrapper.HeaderLength, nil
}

// mine reports whether a header names us and our meter. Meters are known that
// do not swap the ports in their answers, or leave them 0.
func (l *wrapperLink) mine(h wrapper.Header) bool {
	known := func(port uint16) bool {
		return port == 0 || port == l.c.cfg.ClientAddress || port == l.c.cfg.LogicalAddress
	}
	return known(h.Source) && known(h.Destination)
}

// takes reports whether an APDU is what e wants, and counts it if not.
func (l *wrapperLink) takes(apdu []byte, e expectation) bool {
	c := l.c
	if sent := c.tx[wrapper.HeaderLength:]; bytes.Equal(apdu, sent) {
		c.facts.echoes++
		return false
	}
	c.facts.messages++
	c.answered()
	if e.wants(apdu) {
		return true
	}
	c.stats.Dropped++
	return false
}

// foreign makes a FramingError of octets that are no wrapper. There is no way
// to find the next header behind them, so the connection is of no more use.
func (l *wrapperLink) foreign(ctx context.Context, err error) error {
	c := l.c
	var fe *wrapper.FormatError
	if !errors.As(err, &fe) {
		c.broken = &ProtocolError{Msg: "wrapper", Err: err}
		return c.broken
	}
	// A few more octets tell better what it is.
	soon := time.Now().Add(c.cfg.InterOctetTimeout)
	for c.w-c.r < len(c.facts.head) && c.fill(ctx, soon, leastRoom) == nil {
	}
	first := c.unread()
	first = append([]byte(nil), first[:min(len(first), len(c.facts.head))]...)
	c.broken = &FramingError{Want: Wrapper, Seen: seen(first), First: first}
	return c.broken
}

// silence is the error for an exchange without an answer.
func (l *wrapperLink) silence(op operation, began time.Time) error {
	c := l.c
	if f := &c.facts; c.cfg.Datagram && f.broken > 0 && f.messages == 0 && f.echoes == 0 {
		if s := seen(f.first()); s == seenHDLC || s == seenText {
			return &FramingError{Want: Wrapper, Seen: s, First: append([]byte(nil), f.first()...)}
		}
	}
	return c.timeout(op, began, nil)
}
