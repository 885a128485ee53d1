package dlms_cosem

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/serial"
)

// keepOpen says how long an association outlives its run.
type keepOpen uint8

const (
	keepAuto keepOpen = iota // while the next run is near, and nobody else is on the link
	keepNever
	keepAlways // until another device needs the link
)

func parseKeepOpen(s string) keepOpen {
	switch s {
	case "never":
		return keepNever
	case "always":
		return keepAlways
	default:
		return keepAuto
	}
}

// keepAtMost is how long an association is kept for the next run. Meters forget
// an idle one after their inactivity time, 120 s with HDLC and 180 s over TCP
// where they do not tell: half of it is never longer than that.
const keepAtMost = 30 * time.Second

// call is the connection that a link has: the transport, and what is open on it.
type call struct {
	transport dlms.Transport
	conn      *dlms.Conn
	as        *dlms.Association // nil: there is only the transport, for the next device on the line

	r    *request // that it was opened for
	st   *station
	key  callKey
	used time.Time // when it was used last
}

// signOnKey is by what a meter was asked to speak HDLC.
type signOnKey struct {
	address      string
	limit, fixed int
}

// protectionKey is how the APDUs of an association are protected. The keys are
// in its print of the password.
type protectionKey struct {
	control       security.Control
	suite         uint8
	form          dlms.Ciphering
	plain, signed bool
	title, meter  string
}

// callKey is all that two runs must have in common to share an association.
type callKey struct {
	device     deviceKey
	line       serial.Settings
	signOn     signOnKey
	conn       dlms.ConnConfig
	as         associationKey
	protection protectionKey
	password   [sha256.Size]byte
}

func (s *session) callKey(password [sha256.Size]byte) callKey {
	key := callKey{
		device:   s.r.deviceKey(s.st.device),
		line:     s.r.line,
		conn:     s.r.connConfig(s.st.device, &memory{}), // what is learned meanwhile makes no difference
		as:       s.r.association,
		password: password,
	}
	if s.r.signOn != nil {
		key.signOn = signOnKey{s.r.signOn.Address, s.r.signOn.Limit, s.r.signOn.Fixed}
	}
	if p := s.r.protection; p != nil {
		key.protection = protectionKey{p.control, p.suite, p.form, p.plain, p.signed, string(p.title), string(p.meter)}
	}
	return key
}

// resume takes over the association of the run before, if it is good for this
// one; else it is ended.
func (s *session) resume(password [sha256.Size]byte) bool {
	c := s.l.call
	if c == nil || c.as == nil {
		return false
	}
	// A limit that has been given another try is one for a new connection.
	if c.key != s.callKey(password) || c.as.Lost() != nil || c.conn.Learned() != s.memory().Link {
		s.l.part(nil)
		return false
	}
	s.call, s.fresh, s.began = c, false, c.conn.Stats()
	return true
}

// settle keeps a connection behind a run, or ends it. err is how the run ended.
func (l *link) settle(ctx context.Context, c *call, err error) {
	l.call = c
	if err != nil || ctx.Err() != nil || c.as.Lost() != nil || !l.mayKeep(c.r) {
		l.part(err)
	}
}

// mayKeep reports whether an association may outlive its run.
func (l *link) mayKeep(r *request) bool {
	switch r.keepOpen {
	case keepNever:
		return false
	case keepAlways:
		return true
	default:
		return l.single() && r.signOn == nil
	}
}

// single reports whether there is one device on the link.
func (l *link) single() bool { return len(l.health) == 1 }

// wantsInactivity reports whether it matters how long the meter waits for us.
func (l *link) wantsInactivity(r *request) bool {
	return l.resident && r.keepOpen == keepAuto && l.single()
}

// part ends the association. The transport is kept for the next device on the
// line: HDLC has addresses for several. After trouble a new one is the safer way.
func (l *link) part(err error) {
	c := l.call
	if c.as != nil {
		ctx, cancel := context.WithTimeout(context.Background(), releaseTime)
		defer cancel()
		if e := c.as.Release(ctx); e != nil {
			l.d.Log.Debugf("%s: Release of the association: %v", c.r.where(c.st.device), e)
			err = e
		}
		c.as = nil
	}
	var reject *dlms.RejectError
	var disconnected *dlms.DisconnectedError
	fine := err == nil || errors.As(err, &reject) && reject.Err == nil || errors.As(err, &disconnected)
	// A serial port stays open: it may power the head at its other end. What a meter that was too slow still sends is
	// waited for before the next one is spoken to.
	if l.endpoint.local() && !connectionLost(err) {
		l.unsettled = l.unsettled || !fine
		return
	}
	if !fine || c.r.framing != dlms.HDLC {
		l.hangUp()
	}
}

// leave ends the association, and closes the connection unless it is a serial
// port.
func (l *link) leave() {
	if l.call != nil && l.call.as != nil {
		l.part(nil)
	}
	if !l.endpoint.local() {
		l.hangUp()
	}
}

// takeTransport returns the transport that the device before has left, nil if
// it cannot serve this request.
func (l *link) takeTransport(r *request) dlms.Transport {
	if c := l.call; c != nil && c.as == nil && c.r.framing == r.framing {
		l.call = nil
		return c.transport
	}
	l.hangUp()
	return nil
}

// hangUp ends the association, if there is one, and closes the connection.
func (l *link) hangUp() {
	if l.call != nil && l.call.as != nil {
		l.part(nil)
	}
	if l.call != nil {
		_ = l.call.transport.Close()
		l.call = nil
	}
}

// rest is called when nothing is due, and wait is until something will be
// (negative: not known). It ends an association that is not worth keeping, and
// returns for how long the one that is left is (negative: until it is needed).
func (l *link) rest(now time.Time, wait time.Duration) time.Duration {
	c := l.call
	switch {
	case c == nil:
		return -1
	case c.as == nil || c.as.Lost() != nil:
		l.leave()
		return -1
	case c.r.keepOpen == keepAlways:
		return -1
	default:
	}
	limit := keepAtMost
	if n := c.st.memory.Inactivity; n != nil && *n > 0 {
		limit = min(limit, time.Duration(*n)*time.Second/2)
	}
	left := limit - now.Sub(c.used)
	next := l.expected(now, wait)
	if left <= 0 || next < 0 || next > left {
		l.leave()
		return -1
	}
	return left
}

// expected is how long it will be until the next run; negative: not known.
// Ticks are expected to go on as they came.
func (l *link) expected(now time.Time, wait time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lastTick.IsZero() {
		return wait
	}
	tick := max(0, l.lastTick.Add(l.tickGap).Sub(now))
	if wait < 0 {
		return tick
	}
	return min(wait, tick)
}
