package explain

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
)

// segments joins the segments of a message, and keeps where they are.
type segments struct {
	hdlc.Joiner
	got  gather
	last hdlc.Control
	info []byte
}

// add joins a frame. It returns the message that it completes.
func (j *segments) add(f hdlc.Frame, info octets) (message octets, complete bool, err error) {
	was := j.Pending()
	again := was && f.Control == j.last && bytes.Equal(f.Info, j.info)
	m, err := j.Add(f)
	if err != nil {
		j.got = gather{}
		return octets{}, false, err
	}
	if !was {
		j.got = gather{}
	}
	if !again && (m != nil || j.Pending()) {
		j.got.add(info)
	}
	j.last, j.info = f.Control, f.Info
	if m == nil {
		return octets{}, false, nil
	}
	return j.got.take(), true, nil
}

// flags returns how many octets stand in front of the last of the flags at the
// front of b.
func flags(b []byte) int {
	n := 0
	for n+1 < len(b) && b[n] == hdlc.Flag && b[n+1] == hdlc.Flag {
		n++
	}
	return n
}

// hdlcFrame deals with what begins with a flag.
func (s *stream) hdlcFrame(o octets, final bool) (n int, good bool) {
	closing := s.flagAt == s.pos && s.pos > 0
	k := flags(o.b)
	f, rest, err := hdlc.CutFrame(o.b)
	if err == nil {
		n = len(o.b) - len(rest)
		s.good(f, o.cut(k, n+1), nil)
		s.flagAt = s.pos + n
		return n, true
	}
	var bad *hdlc.FrameError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) && !final:
		return 0, false
	case errors.Is(err, io.ErrUnexpectedEOF) && len(o.b)-k < 3: // flags
		return len(o.b), closing && len(o.b)-k == 1
	case errors.Is(err, io.ErrUnexpectedEOF):
		length := int(binary.BigEndian.Uint16(o.b[k+1:]) & hdlc.MaxLength)
		n = k + min(s.next(o.b[k:]), length+2)
		s.broken(o.cut(k, n), fmt.Sprintf("the input ends within a frame: %d of %d octets are there", n-k, length+2))
		return n, true
	case errors.As(err, &bad) && bad.Kind == hdlc.FrameFormat && closing && k == 0:
		return 1, true // it has closed the last frame, and something else follows
	case errors.As(err, &bad) && bad.Length > 0:
		return s.badFrame(o, k, bad)
	default:
		return k + 1, false
	}
}

// badFrame deals with a frame that has a length, and something wrong with it.
func (s *stream) badFrame(o octets, k int, bad *hdlc.FrameError) (n int, good bool) {
	frame := o.cut(k, k+bad.Length+2)
	if len(frame.b) == bad.Length+2 && frame.b[len(frame.b)-1] == hdlc.Flag && s.next(frame.b) == len(frame.b) {
		fixed := bytes.Clone(frame.b)
		fixHDLC(fixed)
		if f, _, err := hdlc.CutFrame(fixed); err == nil {
			s.good(f, frame, bad)
			s.flagAt = s.pos + k + bad.Length + 1
			return k + bad.Length + 1, true
		}
	}
	if bad.Kind != hdlc.FrameEnd && bad.Kind != hdlc.FrameHCS && bad.Kind != hdlc.FrameFCS {
		return k + 1, false
	}
	n = s.next(frame.b)
	if i := bytes.Index(frame.b[1:n], []byte{hdlc.Flag}); i >= 0 && n == len(frame.b) {
		n = i + 1
		if len(frame.b) > n+1 && frame.b[n+1]&0xF0 != 0xA0 {
			n++ // it closes the frame
		}
	}
	if bad.Kind != hdlc.FrameEnd && n < 9 {
		return k + 1, false // nothing speaks for a frame
	}
	s.broken(frame.cut(0, n), bad.Error()+fmt.Sprintf("; %d octets up to here", n))
	return k + n, true
}

// broken shows a frame of which the beginning only is there.
func (s *stream) broken(o octets, text string) {
	n := s.frame("HDLC frame", hexText(o.b), o)
	s.x.flaw(n, text)
}

// fixHDLC gives a frame with both of its flags the check sequences that fit.
func fixHDLC(b []byte) {
	end := len(b) - 3 // of what the FCS is about
	n := 3
	for range 2 {
		for n < end && b[n]&1 == 0 {
			n++
		}
		n++
	}
	n++ // behind the control field
	if n > end {
		return
	}
	if n+2 <= end {
		binary.LittleEndian.PutUint16(b[n:], fcs(b[1:n]))
	}
	binary.LittleEndian.PutUint16(b[end:], fcs(b[1:end]))
}

// fcs is the check sequence of HDLC (CRC-16/X-25).
func fcs(b []byte) uint16 {
	crc := uint16(0xFFFF)
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			crc = crc>>1 ^ crc&1*0x8408
		}
	}
	return ^crc
}

// leastSerialAddress is the least physical address that may be made of a serial
// number.
const leastSerialAddress = 100

// good shows a frame; bad is what is wrong with its checks, nil for nothing.
func (s *stream) good(f hdlc.Frame, o octets, bad *hdlc.FrameError) {
	x := s.x
	n := s.frame("HDLC frame", count(len(o.b), "octet"), o)
	if bad == nil {
		s.counted(dlms.HDLC)
	}
	x.mark(kindHDLC, o)
	at := 3
	for _, a := range []struct {
		name    string
		address hdlc.Address
	}{{"destination", f.Destination}, {"source", f.Source}} {
		node := x.add(n, a.name, a.address.String(), o.cut(at, at+a.address.Size))
		if x.findings != nil && a.address.Lower >= leastSerialAddress {
			x.findings.serial = true
		}
		if a.address.Size > 1 {
			node.Note = fmt.Sprintf("logical device %d, physical device %d, %d octets", a.address.Upper, a.address.Lower, a.address.Size)
		}
		at += a.address.Size
	}
	node := x.add(n, "control", f.Control.String(), o.cut(at, at+1))
	node.Note = controlNote(f)
	at++
	if f.Segmented {
		x.add(n, "segmentation", "more segments follow", o.cut(1, 2))
	}
	info := o.cut(at+2, len(o.b)-3)
	if len(info.b) > 0 {
		s.check(n, "HCS", o, at, bad, hdlc.FrameHCS)
	}
	s.check(n, "FCS", o, len(o.b)-3, bad, hdlc.FrameFCS)
	if bad != nil && bad.Kind != hdlc.FrameHCS && bad.Kind != hdlc.FrameFCS {
		x.flaw(n, bad.Error())
	}
	if len(f.Info) == 0 {
		info = octets{}
	}
	f.Info = info.b
	s.information(n, f, info)
}

// check shows one of the check sequences.
func (s *stream) check(n *Node, name string, o octets, at int, bad *hdlc.FrameError, kind hdlc.FrameErrorKind) {
	got, want := binary.LittleEndian.Uint16(o.b[at:]), fcs(o.b[1:at])
	node := s.x.add(n, name, fmt.Sprintf("%04X ok", got), o.cut(at, at+2))
	if got != want {
		node.Value = fmt.Sprintf("%04X", got)
		s.x.flaw(node, fmt.Sprintf("%s: %04X received, %04X expected", kind, got, want))
	}
}

// controlNote says in words what the control field is.
func controlNote(f hdlc.Frame) string {
	c := f.Control
	text := ""
	switch c.Kind() {
	case hdlc.I:
		text = fmt.Sprintf("information, N(S) %d, N(R) %d", c.NS(), c.NR())
	case hdlc.RR:
		text = fmt.Sprintf("receive ready, N(R) %d", c.NR())
	case hdlc.RNR:
		text = fmt.Sprintf("receive not ready, N(R) %d", c.NR())
	case hdlc.SNRM:
		text = "set normal response mode"
	case hdlc.DISC:
		text = "disconnect"
	case hdlc.UA:
		text = "unnumbered acknowledge"
	case hdlc.DM:
		text = "disconnected mode"
	case hdlc.FRMR:
		text = "frame reject"
	case hdlc.UI:
		text = "unnumbered information"
	default:
		return fmt.Sprintf("%02X: not in the repertoire of the profile", uint8(c))
	}
	if c.Final() {
		text += ", poll/final"
	}
	return text
}

// information explains the information field.
func (s *stream) information(n *Node, f hdlc.Frame, info octets) {
	switch f.Control.Kind() {
	case hdlc.I, hdlc.UI:
	case hdlc.SNRM, hdlc.UA:
		if len(info.b) > 0 {
			s.parameters(n, info)
		}
		return
	default:
		if len(info.b) > 0 {
			s.x.add(n, "information", hexText(info.b), info)
		}
		return
	}
	d := direction{f.Source, f.Destination}
	j := s.lines[d]
	if j == nil {
		const most = 256
		if s.lines == nil || len(s.lines) >= most {
			s.lines = map[direction]*segments{}
		}
		j = &segments{Joiner: hdlc.Joiner{Max: maxAPDU}}
		s.lines[d] = j
	}
	joining := j.Pending() || f.Segmented
	message, complete, err := j.add(f, info)
	switch {
	case err != nil:
		s.x.damaged(n, info, 0, err.Error())
	case !complete && len(info.b) > 0:
		s.x.add(n, "segment", count(len(info.b), "octet"), info) // without a password that may be in it
	case complete && joining:
		node := s.x.add(n, "joined", fmt.Sprintf("%s from segments", count(len(message.b), "octet")), message)
		s.x.message(node, message, s.ctx(f.Source, f.Destination))
	case complete && len(message.b) > 0:
		s.x.message(n, message, s.ctx(f.Source, f.Destination))
	default:
	}
}

// parameters explains the information field of SNRM and UA.
func (s *stream) parameters(n *Node, info octets) {
	p, err := hdlc.ParseParameters(info.b)
	node := s.x.add(n, "parameters", "as their sender sees them", info)
	for _, v := range []struct {
		name  string
		value uint16
		unit  string
	}{
		{"maximum information field length, transmit", p.MaxInfoTransmit, "octets"},
		{"maximum information field length, receive", p.MaxInfoReceive, "octets"},
		{"window size, transmit", p.WindowTransmit, "frames"},
		{"window size, receive", p.WindowReceive, "frames"},
	} {
		s.x.add(node, v.name, fmt.Sprintf("%d", v.value), octets{}).Note = v.unit
	}
	if err != nil {
		s.x.damaged(node, info, len(info.b), "HDLC parameters: "+err.Error())
	}
}
