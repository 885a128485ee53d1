package dlmstest

import (
	"errors"
	"io"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
)

const maxStations = 64 // links of one line

// errClose ends a connection, as ordered.
var errClose = errors.New("connection closed as ordered")

// line is one end of a connection: octets go in, packets come out.
type line interface {
	// receive takes octets that came at now, which are kept only as copies. An
	// error means that the connection is to be closed.
	receive(octets []byte, now time.Time, send func(packet)) error
	// close ends the associations that are still open.
	close()
}

// newLine returns the state of a connection that has just been made.
func (m *Meter) newLine() line {
	if m.cfg.Framing == FramingHDLC {
		return &hdlcLine{m: m, stations: map[stationKey]*station{}}
	}
	return &wrapperLine{m: m, sessions: map[wrapper.Header]*session{}}
}

// stationKey names a data link connection: the addresses of both its ends.
type stationKey struct{ client, logical, physical uint16 }

// hdlcLine cuts frames and hands them to the secondary station they are for.
type hdlcLine struct {
	m        *Meter
	buf      []byte // octets of an incomplete frame
	stations map[stationKey]*station
}

func (l *hdlcLine) receive(octets []byte, now time.Time, send func(packet)) error {
	l.buf = append(l.buf, octets...)
	rest := l.buf
	for len(rest) > 0 {
		f, after, err := hdlc.CutFrame(rest)
		rest = after
		if errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			l.m.count(func(c *Counters) { c.BadFrames++ })
			continue
		}
		if err := l.frame(f, now, send); err != nil {
			return err
		}
	}
	l.buf = append(l.buf[:0], rest...)
	return nil
}

// frame handles one frame.
func (l *hdlcLine) frame(f hdlc.Frame, now time.Time, send func(packet)) error {
	if !l.m.accepts(f.Destination) || f.Source.Size > 1 {
		l.m.count(func(c *Counters) { c.Foreign++ })
		return nil
	}
	key := stationKey{client: f.Source.Upper, logical: f.Destination.Upper, physical: f.Destination.Lower}
	s, known := l.stations[key]
	if !known {
		s = newStation(l.m, key)
	} else if l.m.cfg.Inactivity > 0 && now.Sub(s.last) >= l.m.cfg.Inactivity {
		s.disconnect(false)
	}
	s.last = now
	s.client, s.server = f.Source, f.Destination
	if !known && len(l.stations) >= maxStations {
		send(s.unnumbered(hdlc.DM, nil))
		return nil
	}
	err := s.receive(f, send)
	if s.connected {
		l.stations[key] = s
	} else {
		delete(l.stations, key)
	}
	return err
}

func (l *hdlcLine) close() {
	for _, s := range l.stations {
		s.disconnect(false)
	}
}
