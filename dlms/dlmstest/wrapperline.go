package dlmstest

import (
	"errors"
	"io"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
)

const maxClients = 16 // sessions of one connection

// wrapperLine cuts APDUs with their headers and hands them to the session of
// the client they come from.
type wrapperLine struct {
	m        *Meter
	buf      []byte                      // octets of an incomplete APDU
	sessions map[wrapper.Header]*session // by the addresses of both ends
}

func (l *wrapperLine) receive(octets []byte, _ time.Time, send func(packet)) error {
	l.buf = append(l.buf, octets...)
	rest := l.buf
	for len(rest) > 0 {
		h, apdu, after, err := wrapper.Cut(rest)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			l.m.count(func(c *Counters) { c.BadFrames++ })
			return err
		}
		rest = after
		if err := l.message(h, apdu, send); err != nil {
			return err
		}
	}
	l.buf = append(l.buf[:0], rest...)
	return nil
}

// message handles one APDU.
func (l *wrapperLine) message(h wrapper.Header, apdu []byte, send func(packet)) error {
	key := wrapper.Header{Source: h.Source, Destination: h.Destination}
	s := l.sessions[key]
	if !l.m.has(h.Destination) || s == nil && len(l.sessions) >= maxClients {
		l.m.count(func(c *Counters) { c.Foreign++ })
		return nil
	}
	if s == nil {
		s = newSession(l.m, h.Source, l.m.objectsFor(h.Destination, 0))
		l.sessions[key] = s
	}
	faults := &l.m.faults
	bad := s.faulty(apdu)
	if bad {
		switch {
		case faults.take(func(f *Faults) *int { return &f.IgnoreRequests }):
			return nil
		case faults.take(func(f *Faults) *int { return &f.CloseOnRequest }):
			return errClose
		}
	}
	reply := s.handle(apdu)
	if reply == nil {
		return nil
	}
	if !bad {
		send(packet{octets: l.wrap(h, reply)})
		l.follow(s, h, send)
		return nil
	}
	if old := stale(reply); old != nil && faults.take(func(f *Faults) *int { return &f.StaleAnswers }) {
		send(packet{octets: l.wrap(h, old)})
	}
	for _, p := range faults.spoil(l.wrap(h, reply), FramingWrapper) {
		send(p)
	}
	l.follow(s, h, send)
	return nil
}

// follow sends the APDUs behind an answer to h.
func (l *wrapperLine) follow(s *session, h wrapper.Header, send func(packet)) {
	for _, apdu := range s.follow {
		send(packet{octets: l.wrap(h, apdu)})
	}
}

// wrap puts the header of an answer to h before an APDU.
func (l *wrapperLine) wrap(h wrapper.Header, reply []byte) []byte {
	source, destination := h.Destination, h.Source
	switch fixed := l.m.faults.fixed(); {
	case fixed.ZeroWPorts:
		source, destination = 0, 0
	case fixed.SameWPorts:
		source, destination = h.Source, h.Destination
	}
	out, err := wrapper.Append(nil, source, destination, reply)
	if err != nil { // a reply of Faults.Raw beyond 65535 octets
		return nil
	}
	return out
}

func (l *wrapperLine) close() {
	for _, s := range l.sessions {
		s.end(false)
	}
}
