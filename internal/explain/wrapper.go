package explain

import (
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// wrapper deals with a header of the wrapper and its APDU; n is -1 if it is none.
func (s *stream) wrapper(o octets, final bool) (n int, good bool) {
	h, apdu, _, err := wrapper.Cut(o.b)
	short := errors.Is(err, io.ErrUnexpectedEOF)
	switch {
	case short && !final:
		return 0, false
	case short && len(o.b) < wrapper.HeaderLength:
		return -1, false
	case err != nil && !short:
		return -1, false
	default:
	}
	n = min(len(o.b), wrapper.HeaderLength+h.Length)
	body := o.cut(wrapper.HeaderLength, n)
	if len(body.b) > 0 && !knownTag(xdlms.APDUTag(body.b[0])) {
		return -1, false
	}
	if short {
		n = s.next(o.b)
		body = o.cut(wrapper.HeaderLength, n)
	}
	node := s.frame("wrapper", fmt.Sprintf("version 1, %s", count(h.Length, "octet")), o.cut(0, n))
	s.x.add(node, "source wPort", fmt.Sprintf("%d", h.Source), o.cut(2, 4))
	s.x.add(node, "destination wPort", fmt.Sprintf("%d", h.Destination), o.cut(4, 6))
	if short {
		s.x.add(node, "octets", hexText(body.b), body)
		s.x.flaw(node, fmt.Sprintf("the input ends within an APDU: %d of %d octets are there", len(body.b), h.Length))
		return n, true
	}
	s.counted(dlms.Wrapper)
	if len(apdu) > 0 {
		s.x.message(node, body, s.ctx(hdlc.Address{Upper: h.Source}, hdlc.Address{Upper: h.Destination}))
	}
	return n, true
}

// bare deals with an APDU that has no frame around it. It returns its octets, 0
// if there is none, -1 if more have to come.
func (s *stream) bare(o octets, final bool) int {
	s.tries++
	body := o.from(len(o.b) - len(dlms.TrimLLC(o.b)))
	head := len(o.b) - len(body.b)
	if len(body.b) == 0 {
		return 0
	}
	tag := xdlms.APDUTag(body.b[0])
	n := 0
	if knownTag(tag) {
		n = apduLength(body.b)
		if n == 0 && !final {
			return -1
		}
		if n <= 0 { // the end of a line may be the end of it
			if line := s.lineEnd() - head; line > 0 && line <= len(body.b) && apduLength(body.b[:line]) == line {
				n = line
			}
		}
	}
	if n > 0 {
		s.flush()
		s.counted(dlms.Bare)
		s.x.report.Frames--
		s.x.message(s.labelled(), o.cut(0, head+n), s.ctx(hdlc.Address{}, hdlc.Address{}))
		return head + n
	}
	if line := s.lineEnd() - head; final && line > 0 && s.begins() {
		return s.fragment(o, body.cut(0, line), head, tag)
	}
	return 0
}

// fragment deals with a line that holds an APDU that breaks off, or data without
// an APDU around it.
func (s *stream) fragment(o, body octets, head int, tag xdlms.APDUTag) int {
	if head == 0 && isDataValue(body.b) {
		s.flush()
		s.x.report.Messages++
		n := s.x.add(s.labelled(), "Data", "without an APDU", body)
		s.x.body(n, body, s.ctx(hdlc.Address{}, hdlc.Address{}))
		return len(body.b)
	}
	if !knownTag(tag) || head == 0 && (tag < xdlms.TagAARQ && tag != xdlms.TagDataNotification || s.pos > 0 && !s.begins()) {
		return 0
	}
	n := min(head+s.next(o.b[head:]), s.until(head))
	s.flush()
	s.x.message(s.labelled(), o.cut(0, n), s.ctx(hdlc.Address{}, hdlc.Address{}))
	return n
}

// until returns how many octets there are up to a part that begins with an APDU
// of its own.
func (s *stream) until(least int) int {
	for i := sort.SearchInts(s.ends, s.pos+1); i+1 < len(s.ends); i++ {
		next := dlms.TrimLLC(s.o.b[s.ends[i]:s.ends[i+1]])
		if s.ends[i]-s.pos > least && len(next) > 0 && apduLength(next) == len(next) {
			return s.ends[i] - s.pos
		}
	}
	return len(s.o.b) - s.pos
}

// labelled is a node that says when bare octets came; nil where that is not known.
func (s *stream) labelled() *Node {
	if !s.part.sent && !s.part.received {
		return nil
	}
	return s.frame("octets", "", octets{})
}
