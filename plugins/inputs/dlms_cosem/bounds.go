package dlms_cosem

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
)

// What those who send to an endpoint may make us hold, and for how long.
// Everybody may connect to a port that is open to a network.
const (
	mostOfSource  = mostSockets / 2 // connections from one address: gateways bring many meters
	mostHeld      = 256 << 20       // octets of messages that are not whole, on all connections of an endpoint
	mostOfSenders = 32 << 20        // the same, of blocks in datagrams
	mostWaiting   = 256 << 10       // octets that a meter that has dialed in may send before they are asked for

	frameAtMost   = 30 * time.Second      // for a frame, and
	octetAtMost   = 40 * time.Millisecond // more for each of its octets: 300 baud
	nobodyAtMost  = time.Hour             // a connection on which no telegram was understood
	idleAtMost    = 49 * time.Hour        // one on which none is any more: some meters push once a day
	mostStrangers = 10_000                // devices with a status that were never understood
	mostSaid      = 60                    // complaints in
	saidWithin    = time.Minute           // this
)

// tooMuchError is why a connection is closed.
type tooMuchError struct{ what string }

func (e *tooMuchError) Error() string { return e.what }

// pending is a frame that is not whole.
type pending struct {
	at    int64 // which of all octets is its first
	since time.Time
}

// bound keeps to the limits of a connection. An error says that it is to be
// closed.
func (e *ear) bound(now time.Time) error {
	e.hurry(now)
	if err := e.l.holds(e, e.deframer.Held()+e.unwrap.Held()); err != nil {
		return err
	}
	if e.l.endpoint.network != tcpListen {
		return nil
	}
	if frames := e.deframer.Stats().Frames; frames != e.frames || e.good.IsZero() {
		e.frames, e.good = frames, now
	}
	switch idle := now.Sub(e.good); {
	case e.frames == 0 && idle >= nobodyAtMost:
		return &tooMuchError{fmt.Sprintf("no telegram within %s", nobodyAtMost)}
	case idle >= idleAtMost:
		return &tooMuchError{fmt.Sprintf("no telegram for %s", idleAtMost)}
	default:
		return nil
	}
}

// hurry gives up a frame whose octets come slower than on any line: who sends
// one each few seconds never falls silent.
func (e *ear) hurry(now time.Time) {
	n, at := e.deframer.Pending()
	if !e.deframer.Waiting() {
		e.begun = pending{}
		return
	}
	if e.begun.at != at || e.begun.since.IsZero() {
		e.begun = pending{at: at, since: now}
		return
	}
	if now.Sub(e.begun.since) <= frameAtMost+time.Duration(n)*octetAtMost {
		return
	}
	for e.deframer.Waiting() {
		e.deframer.Silence()
		e.drain(now)
	}
	e.begun = pending{}
}

// holds takes note of how much an ear holds. It is an error if all hold too
// much together, and this one more than its share: those who hold little are
// served on.
func (l *listener) holds(e *ear, octets int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held += octets - e.held
	e.held = octets
	if l.held <= mostHeld || octets <= mostHeld/max(1, l.sockets) {
		return nil
	}
	return &tooMuchError{"its messages do not end, and together with those of others they fill the memory"}
}

// sender is one that sends blocks in datagrams.
type sender struct {
	unwrap dlms.Unwrapper
	held   int
	last   time.Time
}

// ofSender is what joins the blocks of who has sent the datagram. What does not
// go on, and all if it is too much together, is given up: the address of a
// datagram is no proof of anything.
func (e *ear) ofSender() *sender {
	if e.last.Sub(e.swept) >= messageGap {
		e.swept = e.last
		for from, s := range e.senders {
			if e.last.Sub(s.last) >= messageGap {
				delete(e.senders, from)
				e.sendersHeld -= s.held
			}
		}
	}
	if len(e.senders) >= mostSenders || e.sendersHeld > mostOfSenders {
		clear(e.senders)
		e.sendersHeld = 0
		e.l.complain("blocks", fmt.Errorf("%s: more blocks came than can be kept until their messages are whole: they were given up", e.l.where()))
	}
	s := e.senders[e.from]
	if s == nil {
		if e.senders == nil {
			e.senders = map[string]*sender{}
		}
		s = &sender{unwrap: dlms.Unwrapper{Open: e.open, MaxAPDU: e.unwrap.MaxAPDU}}
		e.senders[e.from] = s
	}
	s.last = e.last
	return s
}

// kept takes note of how much a sender's blocks hold.
func (e *ear) kept(s *sender) {
	held := s.unwrap.Held()
	e.sendersHeld += held - s.held
	s.held = held
}

// enters counts a connection, if there may be one more. l.mu is held.
func (l *listener) enters(ip netip.Addr) bool {
	if l.sockets >= mostSockets || l.from[ip] >= mostOfSource {
		return false
	}
	if l.from == nil {
		l.from = map[netip.Addr]int{}
	}
	l.sockets++
	l.from[ip]++
	return true
}

// leaves counts a connection that has ended, and what it held.
func (l *listener) leaves(ip netip.Addr, e *ear) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sockets--
	if l.from[ip]--; l.from[ip] <= 0 {
		delete(l.from, ip)
	}
	if e != nil {
		l.held -= e.held
	}
}

// series is what the status of a device that has failed is told from others by.
// Of those that were never understood anybody can send any number, and each
// name is a series in a database for good: further ones have none.
func (l *listener) series(h *heard) string {
	if !h.good.IsZero() || l.strangers[h.id] {
		return h.id
	}
	if len(l.strangers) >= mostStrangers {
		return ""
	}
	if l.strangers == nil {
		l.strangers = map[string]bool{}
	}
	l.strangers[h.id] = true
	return h.id
}

// maySpeak reports whether a complaint is to be heard: not the same again, and
// not more than somebody can read, or who sends nonsense fills the disk. l.mu
// is held.
func (l *listener) maySpeak(key string, now time.Time) bool {
	if l.said[key] {
		return false
	}
	if now.Sub(l.saidSince) >= saidWithin {
		if l.unsaid > 0 {
			l.d.Log.Warnf("%s: %s of the last minutes stand among the debug messages only", l.where(), counted(l.unsaid, "complaint"))
		}
		l.saidSince, l.saidCount, l.unsaid = now, 0, 0
	}
	if l.saidCount >= mostSaid {
		l.unsaid++
		return false
	}
	l.saidCount++
	if len(l.said) >= mostDevices {
		clear(l.said)
	}
	l.said[key] = true
	return true
}
