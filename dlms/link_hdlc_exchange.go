package dlms

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
)

// exchange sends an APDU as I frames and returns the APDU that answers it.
//
// Recovery (clause 8.4.5.4): after silence the meter is asked with an RR, P=1,
// what it has. If it has not got our frame, the identical frame is repeated; if
// it has answered already, it repeats the answer. So nothing is ever asked
// twice, and a sequence number never carries two contents.
func (h *hdlcLink) exchange(ctx context.Context, op operation, apdu []byte, e expectation) ([]byte, error) {
	c := h.c
	if c.broken != nil {
		return nil, c.broken
	}
	if !h.open() {
		return nil, &DisconnectedError{Op: op.String()}
	}
	c.begin()
	h.state.Send(apdu)
	w := wait{began: time.Now()}
	frame, _ := h.state.AppendPending(c.tx[:0])
	if err := h.send(ctx, &w, frame, c.cfg.ReplyTimeout); err != nil {
		return nil, h.abandon(op, &w, err)
	}
	return h.await(ctx, op, &w, e)
}

// more has the meter go on if it is our turn (RR), as it is behind each APDU
// with a window of 1, and returns the next APDU. A meter that answers polls
// and has nothing to say has said all.
func (h *hdlcLink) more(ctx context.Context, op operation, e expectation) ([]byte, error) {
	c := h.c
	if c.broken != nil {
		return nil, c.broken
	}
	if !h.open() {
		return nil, &DisconnectedError{Op: op.String()}
	}
	c.begin()
	now := time.Now()
	w := wait{began: now, sent: now, deadline: now.Add(c.cfg.ReplyTimeout), acked: true, streaming: true}
	if h.final {
		if err := h.send(ctx, &w, h.state.AppendPoll(c.tx[:0]), c.cfg.ReplyTimeout); err != nil {
			return nil, h.abandon(op, &w, err)
		}
	}
	return h.await(ctx, op, &w, e)
}

// await returns the next APDU that e wants.
func (h *hdlcLink) await(ctx context.Context, op operation, w *wait, e expectation) ([]byte, error) {
	for {
		f, err := h.next(ctx, w)
		switch {
		case errors.Is(err, errSilence):
			if err := h.recover(ctx, op, w); err != nil {
				return nil, err
			}
			continue
		case err != nil:
			return nil, h.abandon(op, w, err)
		}
		ev, err := h.receive(f)
		if err != nil {
			h.abort(ctx)
			return nil, &ProtocolError{Op: op.String(), Msg: "the meter breaks the rules of the data link", Err: err}
		}
		if ev == hdlc.EventMessage {
			h.final = f.Control.Final()
			if msg := h.state.Message(); e.wants(msg) {
				return msg, nil
			}
		}
		if err := h.step(ctx, op, w, ev, f); err != nil {
			return nil, err
		}
	}
}

// step does what an event other than the awaited answer calls for.
func (h *hdlcLink) step(ctx context.Context, op operation, w *wait, ev hdlc.Event, f hdlc.Frame) error {
	c := h.c
	if ev != hdlc.EventIgnored && ev != hdlc.EventUnnumbered {
		w.heard = true
		w.notReady = ev == hdlc.EventNotReady && f.Control.Kind() == hdlc.RNR
	}
	if ev == hdlc.EventSegment || ev == hdlc.EventMessage {
		if err := h.measure(ctx, op, w, len(f.Info)); err != nil {
			return err
		}
	}
	switch ev {
	case hdlc.EventAcknowledged, hdlc.EventSegment, hdlc.EventDuplicate:
		frame, ok := h.state.AppendPending(c.tx[:0])
		if !ok {
			// Nothing is due: the meter has all, or a frame without F=1 has ended its turn.
			w.acked = true
			w.busy()
			return nil
		}
		patience := time.Until(w.deadline)
		if ev != hdlc.EventDuplicate { // which is no progress
			w.retries, w.repeats, w.delay, patience = 0, 0, 0, c.cfg.ReplyTimeout
		}
		if err := h.send(ctx, w, frame, patience); err != nil {
			return h.abandon(op, w, err)
		}
	case hdlc.EventMessage:
		// A late answer, or something nobody asked for. It may stand in the
		// window until it is acknowledged.
		c.stats.Dropped++
		w.busy()
	case hdlc.EventUnnumbered:
		c.stats.Dropped++
	case hdlc.EventRepeatWanted:
		if w.repeats++; w.repeats > c.cfg.Retries+1 {
			return nil // it never takes it: the attempt runs out
		}
		if err := h.send(ctx, w, h.state.AppendRepeat(c.tx[:0]), c.cfg.ReplyTimeout); err != nil {
			return h.abandon(op, w, err)
		}
	case hdlc.EventNotReady:
		w.acked = !w.notReady
		w.busy()
	case hdlc.EventDisconnected:
		h.connected = false
		return &DisconnectedError{Op: op.String(), Mode: "DM"}
	case hdlc.EventRejected:
		h.connected = false
		info := append([]byte(nil), f.Info...)
		return &DisconnectedError{Op: op.String(), Mode: "FRMR", Info: info}
	default: // echo, foreign frame, duplicate, late UA
	}
	return nil
}

// measure takes note of information that is not yet the answer, and ends an
// exchange in which there is too much of it or in which it comes too slowly:
// every segment is progress, and a meter that sends them for ever, a few octets
// each or of messages that nobody wants, would keep us for ever.
func (h *hdlcLink) measure(ctx context.Context, op operation, w *wait, info int) error {
	c := h.c
	w.octets += info
	w.cost += max(info, hdlc.MinInfo)
	if w.cost > c.cfg.MaxAPDU+llcOctets {
		h.abort(ctx)
		return &ProtocolError{Op: op.String(), Msg: fmt.Sprintf("more than %s came, and no answer among them", octets(c.cfg.MaxAPDU))}
	}
	limit := time.Duration(c.cfg.Retries+1) * h.frameLimit
	limit += time.Duration(w.octets) * max(c.cfg.ReplyTimeout/hdlc.MinInfo, octetTime(HDLC))
	if time.Since(w.began) > limit {
		err := c.timeout(op, w.began, nil)
		h.abort(ctx)
		return err
	}
	return nil
}

// recover acts on silence: it asks the meter what it has, or gives up.
func (h *hdlcLink) recover(ctx context.Context, op operation, w *wait) error {
	c := h.c
	remaining := time.Until(w.deadline)
	poll := !w.pollAt.IsZero() && remaining > 0 // within an attempt
	if !poll {
		if w.retries >= c.retries() || w.streaming && w.heard && !w.notReady {
			return h.giveUp(ctx, op, w)
		}
		w.retries++
		c.stats.Retries++
		remaining = c.cfg.ReplyTimeout
	}
	if err := h.send(ctx, w, h.state.AppendPoll(c.tx[:0]), remaining); err != nil {
		return h.abandon(op, w, err)
	}
	return nil
}

// giveUp ends an exchange that got no answer. A meter that acknowledged the
// request and answers polls is still there, and so is the link; else it is ended, so that nothing
// late can be taken for something new.
func (h *hdlcLink) giveUp(ctx context.Context, op operation, w *wait) error {
	err := h.c.timeout(op, w.began, nil)
	err.NotReady = w.notReady
	err.Acknowledge = w.acked
	if w.acked && w.heard && !w.notReady {
		return err
	}
	damaged := h.c.facts.broken
	h.abort(ctx)
	if damaged > 1 {
		h.smaller()
	}
	return err
}

// abort ends the link with one DISC, whatever becomes of it.
func (h *hdlcLink) abort(ctx context.Context) {
	_ = h.hangUp(ctx, goodbye)
}

// abandon ends an exchange because of an error of the transport or the context.
// What the meter has got and has not is unknown from here on.
func (h *hdlcLink) abandon(op operation, w *wait, err error) error {
	h.suspect = true
	return h.failure(op, w, err)
}
