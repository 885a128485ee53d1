package explain

import (
	"bytes"
	"fmt"
	"sort"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/mbus"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// stream is octets that belong together: those sent, or those received, on one
// endpoint, or all of the input.
type stream struct {
	x    *explainer
	part part // that came last
	o    octets
	ends []int // of the parts, in o
	pos  int   // octets that are dealt with

	found  dlms.Framing
	noise  int  // octets in front of pos that begin no frame
	flagAt int  // where the flag stands that closes the last frame; 0: nowhere
	clean  bool // something good ends at pos
	tries  int  // APDUs looked for in noise
	looks  int  // frames looked for behind broken ones

	lines map[direction]*segments
	mbus  fragments
}

// direction is from one station to another.
type direction struct{ from, to hdlc.Address }

// What bounds the work that noise makes.
const (
	mostTries = 200
	mostLooks = 200_000
)

// add appends the octets of a part.
func (s *stream) add(p part) {
	s.part = p
	at := make([]int32, 0, p.to-p.from)
	for i := p.from; i < p.to; i++ {
		at = append(at, int32(i))
	}
	s.o.b = append(s.o.b, s.x.in.Octets[p.from:p.to]...)
	s.o.at = append(s.o.at, at...)
	if len(s.o.b) > 0 {
		s.ends = append(s.ends, len(s.o.b))
	}
}

// run deals with what is there. final says that no more will come.
func (s *stream) run(final bool) {
	for s.pos < len(s.o.b) && !s.x.full {
		n, good := s.step(s.o.from(s.pos), final)
		if n <= 0 {
			return
		}
		if !good && n > 0 {
			s.noise += n
		}
		s.pos += n
		s.clean = good
	}
}

// end shows what is left of a stream.
func (s *stream) end() {
	s.flush()
	for _, j := range s.lines {
		if j.Reset() {
			s.x.damaged(nil, j.got.octets, 0, fmt.Sprintf("the input ends within an HDLC message in segments: %s have come", count(len(j.got.b), "octet")))
		}
	}
	if s.mbus.Reset() {
		s.x.damaged(nil, s.mbus.got.octets, 0, fmt.Sprintf("the input ends within an M-Bus message in fragments: %s have come", count(len(s.mbus.got.b), "octet")))
	}
}

// begins reports whether a part of the input begins at pos.
func (s *stream) begins() bool {
	if s.pos == 0 || s.clean {
		return true
	}
	i := sort.SearchInts(s.ends, s.pos)
	return i < len(s.ends) && s.ends[i] == s.pos
}

// may reports whether a framing is to be looked for.
func (s *stream) may(f dlms.Framing) bool { return s.found == 0 || s.found == f || s.begins() }

// step deals with what begins at o. It returns how many octets that are, and
// whether they are good; 0: more have to come.
func (s *stream) step(o octets, final bool) (n int, good bool) {
	b := o.b
	switch {
	case b[0] == hdlc.Flag && s.may(dlms.HDLC):
		return s.hdlcFrame(o, final)
	case (b[0] == 0x68 || s.found == dlms.MBus && (b[0] == 0x10 || b[0] == 0xE5)) && s.may(dlms.MBus):
		n, good = s.mbusFrame(o, final)
	case b[0] == '/' || b[0] == 0x02 || b[0] == 0x06 && len(b) > 3 && s.begins():
		n, good = s.text(o, final)
	case b[0] == 0 && s.may(dlms.Wrapper) && (s.begins() || s.found == dlms.Wrapper):
		n, good = s.wrapper(o, final)
	default:
		n = -1
	}
	if n >= 0 && good || n == 0 && !final {
		return n, good
	}
	if s.begins() || firstTag(b) == xdlms.TagGeneralGloCiphering && s.tries < mostTries {
		switch m := s.bare(o, final); {
		case m > 0:
			return m, true
		case m < 0: // more has to come
			return 0, false
		default:
		}
	}
	return max(n, 1), false
}

// flush shows the octets in front of pos that begin no frame.
func (s *stream) flush() {
	if s.noise == 0 {
		return
	}
	o := s.o.cut(s.pos-s.noise, s.pos)
	s.noise = 0
	n := s.x.add(nil, "noise", hexText(o.b), o)
	s.x.flaw(n, fmt.Sprintf("%s that begin no frame, telegram or APDU", count(len(o.b), "octet")))
}

// frame begins a node for a frame.
func (s *stream) frame(name, value string, o octets) *Node {
	s.flush()
	n := s.x.add(nil, name, value, o)
	switch {
	case s.part.sent:
		n.Note = "sent"
	case s.part.received:
		n.Note = "received"
	default:
	}
	if s.part.time != "" {
		n.Note += ascii(", " + s.part.time + " " + s.part.endpoint)
	}
	return n
}

// counted notes a good frame of a framing.
func (s *stream) counted(f dlms.Framing) {
	s.x.report.Frames++
	if f != dlms.Text && s.found != dlms.HDLC {
		s.found = f
	}
}

// next looks behind the beginning of a broken frame for the next good one, or
// for the end of the part. It returns where.
func (s *stream) next(b []byte) int {
	for i := 1; i < len(b) && s.looks < mostLooks; i++ {
		s.looks++
		j := bytes.IndexAny(b[i:], "\x7E\x68/")
		if j < 0 {
			return len(b)
		}
		i += j
		switch b[i] {
		case hdlc.Flag:
			if _, _, err := hdlc.CutFrame(b[i:]); err == nil {
				return i
			}
		case 0x68:
			if f, _, err := mbus.CutFrame(b[i:]); err == nil && !f.Short {
				return i
			}
		default:
			if telegramAt(b[i:]) {
				return i
			}
		}
	}
	return len(b)
}

// lineEnd returns how many octets the part at pos has left.
func (s *stream) lineEnd() int {
	i := sort.SearchInts(s.ends, s.pos+1)
	if i == len(s.ends) {
		return len(s.o.b) - s.pos
	}
	return s.ends[i] - s.pos
}

// ctx is what a message came with.
type ctx struct {
	s        *session
	from, to hdlc.Address
	level    int // of ciphering, blocks and signatures
}

func (s *stream) ctx(from, to hdlc.Address) ctx {
	return ctx{s: s.x.session(s.part.endpoint, from, to), from: from, to: to}
}
