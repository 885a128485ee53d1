package dlmstest

import (
	"bytes"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
)

// The header of the logical link control sublayer (Green Book Ed. 9, 8.3).
var (
	llcRequest = []byte{0xe6, 0xe6, 0x00}
	llcAnswer  = []byte{0xe6, 0xe7, 0x00}
)

// maxRequest bounds what is joined from the segments of one request, octets.
const maxRequest = 64 << 10

// Reasons of FRMR, in the bits of its third octet.
const (
	rejectControl = 0x01 // control field undefined
	rejectTooLong = 0x04 // information field too long
	rejectNR      = 0x08 // invalid N(R)
)

// segment is an I frame that the client has not acknowledged.
type segment struct {
	ns   uint8
	info []byte
	more bool // segments of the same answer follow
}

// station is a secondary station in normal response mode, towards one client
// (Green Book Ed. 9, 8.4.5): it talks only when it is asked.
type station struct {
	m              *Meter
	client, server hdlc.Address // as in the last frame: answers mirror them
	session        *session
	last           time.Time // when the last frame came

	connected bool
	vs, vr    uint8
	heard     bool // an I frame has come since SNRM
	txInfo    int
	rxInfo    int
	window    int

	in   []byte    // information of segments received so far
	out  []byte    // what is still to be cut into segments
	next [][]byte  // APDUs behind it
	sent []segment // cut, but not acknowledged; at most window
	hold bool      // the answer waits until an RR asks for it
	bad  bool      // faults concern the answer at hand
}

func newStation(m *Meter, key stationKey) *station {
	return &station{m: m, session: newSession(m, key.client, m.objectsFor(key.logical, key.physical))}
}

// receive handles one frame that is for this station.
func (s *station) receive(f hdlc.Frame, send func(packet)) error {
	kind := f.Control.Kind()
	switch {
	case kind == hdlc.SNRM:
		s.connect(f, send)
		return nil
	case kind == hdlc.UI:
		return nil
	case !s.connected && kind == hdlc.DM:
		return nil
	case !s.connected:
		send(s.unnumbered(hdlc.DM, nil))
		return nil
	}
	switch kind {
	case hdlc.DISC:
		s.disconnect(true)
		send(s.unnumbered(hdlc.UA, nil))
	case hdlc.RR, hdlc.RNR:
		s.poll(f, send)
	case hdlc.I:
		return s.information(f, send)
	default:
		s.reject(f.Control, rejectControl, send)
	}
	return nil
}

// connect answers SNRM, which also resets a link that is open.
func (s *station) connect(f hdlc.Frame, send func(packet)) {
	faults := &s.m.faults
	fixed := faults.fixed()
	switch {
	case fixed.IgnoreSNRMParameters && len(f.Info) > 0,
		faults.take(func(f *Faults) *int { return &f.IgnoreSNRM }):
		return
	case fixed.DMOnSNRMParameters && len(f.Info) > 0,
		faults.take(func(f *Faults) *int { return &f.DMOnSNRM }):
		s.disconnect(false)
		send(s.unnumbered(hdlc.DM, nil))
		return
	}
	s.disconnect(false)
	s.connected = true
	s.m.count(func(c *Counters) { c.Links++ })

	own := uint16(s.m.cfg.MaxInfo)
	proposal := hdlc.DefaultParameters()
	if len(f.Info) > 0 {
		proposal, _ = hdlc.ParseParameters(f.Info) // what cannot be read has its default
	}
	granted := hdlc.Parameters{
		MaxInfoTransmit: min(own, proposal.MaxInfoReceive),
		MaxInfoReceive:  min(own, proposal.MaxInfoTransmit),
		WindowTransmit:  min(uint16(s.m.cfg.Window), proposal.WindowReceive),
		WindowReceive:   min(uint16(s.m.cfg.Window), proposal.WindowTransmit),
	}
	var info []byte
	if s.m.cfg.BareUA {
		granted = hdlc.DefaultParameters()
	} else {
		info = granted.Append(nil)
	}
	s.txInfo, s.rxInfo = int(granted.MaxInfoTransmit), int(granted.MaxInfoReceive)
	s.window = int(granted.WindowTransmit)
	if s.m.cfg.TitleInUA {
		const group, userGroup = 0x81, 0xF0
		if len(info) == 0 {
			info = []byte{group}
		}
		info = append(append(info, userGroup, byte(len(s.m.cfg.Title))), s.m.cfg.Title[:]...)
	}
	send(s.unnumbered(hdlc.UA, info))
}

// disconnect forgets the link and with it the association.
func (s *station) disconnect(byClient bool) {
	s.session.end(byClient)
	s.connected = false
	s.vs, s.vr, s.heard = 0, 0, false
	s.in, s.out, s.next, s.sent = nil, nil, nil, nil
	s.hold, s.bad = false, false
}

// poll handles RR and RNR: the client acknowledges, and wants what comes next.
func (s *station) poll(f hdlc.Frame, send func(packet)) {
	s.m.count(func(c *Counters) { c.Polls++ })
	if !s.acknowledge(f.Control.NR()) {
		s.reject(f.Control, rejectNR, send)
		return
	}
	if !f.Control.Final() {
		return
	}
	s.hold = false
	if f.Control.Kind() == hdlc.RNR || !s.transmit(send) {
		s.ready(send)
	}
}

// information handles an I frame.
func (s *station) information(f hdlc.Frame, send func(packet)) error {
	ns := f.Control.NS()
	switch {
	case len(f.Info) > s.rxInfo:
		s.reject(f.Control, rejectTooLong, send)
		return nil
	case ns != s.vr:
		s.outOfSequence(f, send)
		return nil
	}
	// Nothing may change before it is known whether the request is to be
	// ignored, so that the client finds its frame unacknowledged.
	joined := append(bytes.Clone(s.in), f.Info...)
	apdu, isLLC := bytes.CutPrefix(joined, llcRequest)
	faulty := !f.Segmented && s.session.faulty(apdu)
	if faulty && s.m.faults.take(func(f *Faults) *int { return &f.IgnoreRequests }) {
		return nil
	}
	if !s.acknowledge(f.Control.NR()) {
		s.reject(f.Control, rejectNR, send)
		return nil
	}
	s.vr = (s.vr + 1) & 7
	s.heard = true
	s.out, s.next, s.hold = nil, nil, false // the client has done with the answer before
	if len(joined) > maxRequest {
		s.reject(f.Control, rejectTooLong, send)
		return nil
	}
	if f.Segmented {
		s.in = joined
		if f.Control.Final() {
			s.ready(send)
		}
		return nil
	}
	if s.in != nil {
		s.m.count(func(c *Counters) { c.Segmented++ })
		s.in = nil
	}
	if !isLLC {
		s.m.count(func(c *Counters) { c.BadFrames++ })
		return nil
	}
	s.bad = faulty
	return s.message(apdu, f.Control, send)
}

// message handles a complete APDU.
func (s *station) message(apdu []byte, c hdlc.Control, send func(packet)) error {
	faults := &s.m.faults
	if s.bad {
		switch {
		case faults.take(func(f *Faults) *int { return &f.CloseOnRequest }):
			return errClose
		case faults.take(func(f *Faults) *int { return &f.DMOnRequest }):
			s.disconnect(false)
			send(s.unnumbered(hdlc.DM, nil))
			return nil
		case faults.take(func(f *Faults) *int { return &f.FRMROnRequest }):
			s.reject(c, rejectControl, send)
			return nil
		}
	}
	reply := s.session.handle(apdu)
	if reply != nil {
		s.out = append(append([]byte(nil), llcAnswer...), reply...)
		s.next = s.session.follow
	}
	if s.bad && faults.take(func(f *Faults) *int { return &f.RNROnRequest }) {
		s.hold = true
		s.control(hdlc.ReceiveNotReady(s.vr, true), send)
		return nil
	}
	if c.Final() {
		s.transmit(send)
	}
	return nil
}

// outOfSequence handles an I frame with another number than the next one: the
// last one once more, to be answered as before, or one that does not fit.
func (s *station) outOfSequence(f hdlc.Frame, send func(packet)) {
	repeated := s.heard && f.Control.NS() == (s.vr-1)&7
	if repeated {
		s.m.count(func(c *Counters) { c.Repeats++ })
	}
	if !f.Control.Final() {
		return
	}
	if repeated && s.acknowledge(f.Control.NR()) && s.transmit(send) {
		return
	}
	s.ready(send)
}

// acknowledge takes N(R) from the client: all before it has arrived. It fails
// if that was never sent.
func (s *station) acknowledge(nr uint8) bool {
	first := (s.vs - uint8(len(s.sent))) & 7
	n := int((nr - first) & 7)
	if n > len(s.sent) {
		return false
	}
	s.sent = s.sent[n:]
	return true
}

// transmit sends what is unacknowledged and, as far as the window allows, what
// comes next. It tells whether there was anything.
func (s *station) transmit(send func(packet)) bool {
	for len(s.out) > 0 && len(s.sent) < s.window {
		n := min(s.txInfo, len(s.out))
		s.sent = append(s.sent, segment{ns: s.vs, info: s.out[:n], more: n < len(s.out)})
		s.out = s.out[n:]
		s.vs = (s.vs + 1) & 7
		if len(s.out) == 0 && len(s.next) > 0 {
			s.out = append(append([]byte(nil), llcAnswer...), s.next[0]...)
			s.next = s.next[1:]
		}
	}
	if len(s.sent) == 0 || s.hold {
		return false
	}
	var octets []byte
	for i, seg := range s.sent {
		octets = s.append(octets, hdlc.Frame{
			Segmented: seg.more,
			Control:   hdlc.Information(seg.ns, s.vr, i == len(s.sent)-1),
			Info:      seg.info,
		})
	}
	if !s.bad {
		send(packet{octets: octets})
		return true
	}
	for _, p := range s.m.faults.spoil(octets, FramingHDLC) {
		send(p)
	}
	return true
}

// ready sends RR.
func (s *station) ready(send func(packet)) {
	s.control(hdlc.ReceiveReady(s.vr, true), send)
}

// control sends a frame that is nothing but its control field.
func (s *station) control(c hdlc.Control, send func(packet)) {
	send(packet{octets: s.append(nil, hdlc.Frame{Control: c})})
}

// reject sends FRMR and leaves the link.
func (s *station) reject(c hdlc.Control, reason byte, send func(packet)) {
	info := []byte{byte(c), s.vr<<5 | s.vs<<1, reason}
	s.disconnect(false)
	send(s.unnumbered(hdlc.FRMR, info))
}

// unnumbered is a frame with F set and no numbers.
func (s *station) unnumbered(k hdlc.Kind, info []byte) packet {
	return packet{octets: s.append(nil, hdlc.Frame{Control: hdlc.Unnumbered(k, true), Info: info})}
}

// append encodes a frame to the client. Its addresses came in a frame, and its
// information keeps within the negotiated size, so that it can be encoded.
func (s *station) append(b []byte, f hdlc.Frame) []byte {
	f.Destination, f.Source = s.client, s.server
	out, err := f.Append(b)
	if err != nil {
		return b
	}
	return out
}
