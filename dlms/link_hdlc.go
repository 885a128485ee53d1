package dlms

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
)

const (
	// goodbye is the longest that the answer to a DISC or RLRQ is awaited.
	goodbye = time.Second
	// busyDelay is when a meter that is alive but has nothing to say is first asked again (RR).
	busyDelay = 250 * time.Millisecond
	// frameRoom is how much of the receive buffer is free before a read.
	frameRoom = 256
)

// hdlcLink is the exchange of messages over HDLC: the times and repetitions
// around hdlc.Link, which knows the frames.
type hdlcLink struct {
	c      *Conn
	state  *hdlc.Link
	client hdlc.Address
	server hdlc.Address

	connected  bool
	opening    bool          // an SNRM is out: the meter may have opened its end
	suspect    bool          // an exchange was left in its middle: the link is good for a DISC only
	info       int           // octets of the information field that we propose
	explicit   bool          // which is not the default, so that it has to be said
	works      SNRMForm      // the form of SNRM that was answered; SNRMAuto: not known
	second     bool          // it was not the first one tried
	frameLimit time.Duration // what a frame may take on the line
	final      bool          // the meter has given us the turn behind its last message
	partial    bool          // the receive buffer may hold the beginning of a frame,
	begun      time.Time     // and when it came
}

func newHDLCLink(c *Conn) (*hdlcLink, error) {
	if c.cfg.AddressSize == 3 {
		return nil, fmt.Errorf("address size %d: expected 1, 2 or 4 (0: chosen)", c.cfg.AddressSize)
	}
	server, err := hdlc.ServerAddress(c.cfg.LogicalAddress, c.cfg.PhysicalAddress, c.cfg.AddressSize)
	if err != nil {
		return nil, err
	}
	h := &hdlcLink{c: c, client: hdlc.ClientAddress(c.cfg.ClientAddress), server: server}
	h.propose(c.cfg.MaxInfo)
	h.recall(c.cfg.Learned)
	return h, nil
}

// propose starts over with another size of the information field to propose.
func (h *hdlcLink) propose(info int) {
	h.info, h.works = info, SNRMAuto
	p := hdlc.DefaultParameters()
	p.MaxInfoTransmit, p.MaxInfoReceive = uint16(info), uint16(info)
	p.WindowReceive = uint16(h.c.cfg.Window)
	h.explicit = !p.IsDefault()
	h.state = hdlc.NewLink(hdlc.LinkConfig{Client: h.client, Server: h.server, Proposal: p, MaxMessage: h.c.cfg.MaxAPDU})
	frame := time.Duration(max(info, hdlc.DefaultInfo) + frameOverhead)
	h.frameLimit = h.c.cfg.ReplyTimeout + 10*h.c.cfg.InterOctetTimeout + frame*octetTime(HDLC)
}

// frameOverhead is the most that a frame has around its information field.
const frameOverhead = 16

// smaller proposes less per frame from the next connection on: where long
// frames arrive damaged again and again, short ones may get through.
func (h *hdlcLink) smaller() {
	const least = 64
	switch {
	case h.info > hdlc.DefaultInfo:
		h.propose(hdlc.DefaultInfo)
	case h.info > least:
		h.propose(least)
	default:
	}
}

func (h *hdlcLink) open() bool { return h.connected && !h.suspect && h.c.broken == nil }

// llcOctets come before every APDU in the first information field of it.
const llcOctets = 3

func (h *hdlcLink) room() int { return h.state.MaxSend() - llcOctets }

// wait is the state of waiting for an answer: one attempt after the other.
type wait struct {
	began     time.Time     // when the exchange began
	sent      time.Time     // when our last frame left
	deadline  time.Time     // of this attempt
	pollAt    time.Time     // when to ask a busy meter again; zero: not
	delay     time.Duration // until then
	retries   int           // polls after silence, since the last progress
	repeats   int           // times the message was repeated since
	acked     bool          // the meter has our message
	heard     bool          // the meter has said something since our last frame
	streaming bool          // it is for more of an answer that has begun
	notReady  bool          // the last we heard was RNR
	octets    int           // of information received
	cost      int           // what they count towards MaxAPDU
}

// until is when to stop reading.
func (w *wait) until() time.Time {
	if !w.pollAt.IsZero() && w.pollAt.Before(w.deadline) {
		return w.pollAt
	}
	return w.deadline
}

// busy has the meter asked again after a short while, growing each time.
func (w *wait) busy() {
	w.delay = max(busyDelay, 2*w.delay)
	w.pollAt = time.Now().Add(w.delay)
}

// send transmits a frame and starts an attempt of so long.
func (h *hdlcLink) send(ctx context.Context, w *wait, frame []byte, patience time.Duration) error {
	h.c.tx = frame
	if err := h.c.transmit(ctx, frame); err != nil {
		return err
	}
	w.sent, w.heard = time.Now(), false
	w.deadline = w.sent.Add(patience)
	w.pollAt = time.Time{}
	return nil
}

// next returns the next whole frame; it is a view into the receive buffer. It
// returns errSilence when w says so.
func (h *hdlcLink) next(ctx context.Context, w *wait) (hdlc.Frame, error) {
	c := h.c
	for {
		f, partial, ok := h.cut()
		if ok {
			return f, nil
		}
		until := w.until()
		timely := partial && !h.begun.After(until)
		if timely {
			// A frame that has begun in time may outlast the attempt, but not its own limits.
			until = c.lastRead.Add(c.cfg.InterOctetTimeout)
			if limit := w.sent.Add(h.frameLimit); limit.Before(until) {
				until = limit
			}
		} else if !time.Now().Before(until) {
			return hdlc.Frame{}, errSilence // even if noise would go on for ever
		}
		err := c.fill(ctx, until, frameRoom)
		switch {
		case err == nil:
		case errors.Is(err, errSilence) && timely:
			// What looked like the beginning of a frame was none, or its rest is lost: look behind its flag.
			c.r++
			c.answered()
			c.facts.broken++
			c.stats.FrameErrors++
		default:
			return hdlc.Frame{}, err
		}
	}
}

// cut takes the next whole frame out of the receive buffer. partial says that
// the octets left may be the beginning of one.
func (h *hdlcLink) cut() (f hdlc.Frame, partial, ok bool) {
	c := h.c
	before := c.w - c.r
	for {
		b := c.unread()
		f, rest, err := hdlc.CutFrame(b)
		c.r = c.w - len(rest)
		if err == nil {
			return f, false, true
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			if before > len(rest) || !h.partial {
				h.begun = c.lastRead
			}
			h.partial = len(rest) > 1
			return hdlc.Frame{}, h.partial, false
		}
		var fe *hdlc.FrameError
		if errors.As(err, &fe) && fe.Kind != hdlc.FrameNoise && fe.Kind != hdlc.FrameFormat {
			c.answered()
			c.facts.broken++
			c.stats.FrameErrors++
		}
		if len(rest) >= len(b) { // cannot be; but to go on here would be for ever
			c.r = c.w
		}
	}
}

// receive gives f to the link's state and takes note of what it is.
func (h *hdlcLink) receive(f hdlc.Frame) (hdlc.Event, error) {
	c := h.c
	echoes := h.state.Echoes()
	ev, err := h.state.Receive(f)
	switch {
	case h.state.Echoes() > echoes:
		c.facts.echoes++
	case ev == hdlc.EventIgnored && err == nil:
		c.facts.messages++
		c.stats.Dropped++
		c.answered()
	default:
		c.facts.messages++
		c.answered()
	}
	return ev, err
}

// connect opens the link (clause 8.4.5.3): SNRM with our parameters; on silence
// or DM a DISC, for the meter may hold a session of before, and an SNRM without
// parameters, unless the form is configured. The form that works is kept.
func (h *hdlcLink) connect(ctx context.Context) error {
	c := h.c
	op := operation{name: "SNRM"}
	c.begin()
	c.r, c.w = 0, 0
	if c.broken != nil {
		return c.broken
	}
	h.connected, h.suspect = false, false
	w := wait{began: time.Now()}
	plain := !h.explicit
	if h.works != SNRMAuto {
		plain = h.works == SNRMPlain
	}
	var last error
	for try := 0; try < max(2, c.cfg.Retries+1); try++ {
		if try > 0 {
			c.stats.Retries++
			// What answers this DISC must not come so late that it seems to answer the SNRM.
			if err := h.hangUp(ctx, max(goodbye, c.cfg.ReplyTimeout/5)); err != nil {
				return h.failure(op, &w, err)
			}
			if c.cfg.SNRM == SNRMAuto {
				plain = !plain
			}
		}
		h.opening = true
		if err := h.send(ctx, &w, h.state.AppendConnect(c.tx[:0], !plain), c.cfg.ReplyTimeout); err != nil {
			return h.failure(op, &w, err)
		}
		ev, info, err := h.awaitUnnumbered(ctx, &w)
		h.opening = err != nil && !errors.Is(err, errSilence)
		switch {
		case errors.Is(err, errSilence):
			if err := h.strange(); err != nil {
				return err
			}
			last = c.timeout(op, w.began, nil)
		case err != nil:
			return h.failure(op, &w, err)
		case ev == hdlc.EventConnected:
			h.connected, h.works = true, SNRMParameters
			if plain {
				h.works = SNRMPlain
			}
			h.second = h.second || try%2 == 1 && c.cfg.SNRM == SNRMAuto
			return nil
		case ev == hdlc.EventRejected:
			last = &DisconnectedError{Op: op.String(), Mode: "FRMR", Info: info}
		default:
			last = &DisconnectedError{Op: op.String(), Mode: "DM"}
		}
	}
	return last
}

// patience is the reply timeout, but not more than limit.
func (h *hdlcLink) patience(limit time.Duration) time.Duration {
	return min(h.c.cfg.ReplyTimeout, limit)
}

// awaitUnnumbered waits for the answer to an SNRM or DISC; whatever else comes
// is dropped. info is the information field of an FRMR.
func (h *hdlcLink) awaitUnnumbered(ctx context.Context, w *wait) (ev hdlc.Event, info []byte, err error) {
	for {
		f, err := h.next(ctx, w)
		if err != nil {
			return hdlc.EventIgnored, nil, err
		}
		ev, err := h.receive(f)
		switch {
		case err != nil:
		case ev == hdlc.EventRejected:
			return ev, append([]byte(nil), f.Info...), nil
		case ev == hdlc.EventConnected, ev == hdlc.EventDisconnected:
			return ev, nil, nil
		default:
		}
	}
}

// hangUp sends one DISC and waits shortly for its answer. Silence is no error.
func (h *hdlcLink) hangUp(ctx context.Context, limit time.Duration) error {
	h.connected, h.opening = false, false
	var w wait
	if err := h.send(ctx, &w, h.state.AppendDisconnect(h.c.tx[:0]), h.patience(limit)); err != nil {
		return err
	}
	_, _, err := h.awaitUnnumbered(ctx, &w)
	if errors.Is(err, errSilence) {
		return nil
	}
	return err
}

// disconnect ends the link with a DISC, which UA or DM answers; it is repeated
// once on silence unless quick. Where the SNRM was given up before its answer,
// the DISC is only sent: nobody may be there to answer it.
func (h *hdlcLink) disconnect(ctx context.Context, quick bool) error {
	opening := h.opening
	h.opening = false
	if h.c.broken != nil || !h.connected && !opening {
		h.connected = false
		return nil
	}
	if !h.connected {
		var w wait
		return h.send(ctx, &w, h.state.AppendDisconnect(h.c.tx[:0]), 0)
	}
	h.connected, h.suspect = false, false
	h.c.begin()
	op := operation{name: "DISC"}
	w := wait{began: time.Now()}
	for try := 0; ; try++ {
		err := h.send(ctx, &w, h.state.AppendDisconnect(h.c.tx[:0]), h.patience(goodbye))
		if err == nil {
			_, _, err = h.awaitUnnumbered(ctx, &w)
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, errSilence) {
			return h.failure(op, &w, err)
		}
		if quick || try > 0 || h.c.cfg.Retries == 0 {
			return h.c.timeout(op, w.began, nil)
		}
		h.c.stats.Retries++
	}
}

// failure words an error of the transport or the context.
func (h *hdlcLink) failure(op operation, w *wait, err error) error {
	if strange := h.strange(); strange != nil && h.c.broken != nil {
		return strange
	}
	return h.c.failure(op, w.began, err)
}

// strange looks at what came instead of frames: a wrapper, or text. On a link
// that is open it is noise, however it looks.
func (h *hdlcLink) strange() error {
	f := &h.c.facts
	if h.connected || f.messages > 0 || f.echoes > 0 || f.broken > 0 {
		return nil
	}
	if s := seen(f.first()); s == seenWrapper || s == seenText {
		return &FramingError{Want: HDLC, Seen: s, First: append([]byte(nil), f.first()...)}
	}
	return nil
}
