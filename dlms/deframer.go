package dlms

import (
	"errors"
	"fmt"
	"io"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/iec62056"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/mbus"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// Framings of what is only listened to.
const (
	MBus Framing = 3 // wired M-Bus long frames (EN 13757-2)
	Bare Framing = 4 // APDUs without a frame, each telling its own length
	Text Framing = 5 // ASCII telegrams: P1, and readouts after IEC 62056-21
)

// DeframerConfig says what is listened to. Zero values are the defaults given.
type DeframerConfig struct {
	// Framing is how messages are carried; 0: found out. Text telegrams are
	// taken whatever is set.
	Framing Framing
	MaxAPDU int // octets of a message, also of one joined from segments; 0: 1 MiB
	// Line says that the octets come from a line with noise, rather than from
	// a connection that loses none: what has no check of its own is taken only
	// if it can hardly be anything else.
	Line bool
}

// Message is one message that was heard.
type Message struct {
	Framing Framing
	// From and To are the stations: the addresses of HDLC, the ports of the
	// wrapper, the transport addresses of M-Bus in Upper.
	From, To hdlc.Address
	Control  hdlc.Control // of HDLC: of the frame that ends the message
	// APDU is the message, valid until the next call of Next or Write; empty
	// for a frame that carries none (SNRM, RR, a heartbeat). Blocks and
	// ciphering are still around it.
	APDU []byte
	Text *iec62056.Telegram // of an ASCII telegram, in place of APDU
}

// DeframerStats counts what a Deframer has met.
type DeframerStats struct {
	Octets  int64
	Frames  int // good frames, datagrams and telegrams
	Errors  int // frames that were damaged
	Skipped int // octets of noise
	Lost    int // messages of which a part was missing
}

// Deframer finds messages in what is heard: it cuts frames, and joins segments
// and fragments. It asks for nothing and answers nothing. It is not safe for
// concurrent use.
type Deframer struct {
	cfg   DeframerConfig
	found Framing // what has proved itself
	buf   []byte
	off   int  // octets of buf that are dealt with
	clean bool // what stands at off is the beginning of something, by all that is known

	info    []byte  // rest of a message that holds several APDUs
	head    Message // what it came with
	stats   DeframerStats
	lines   map[direction]*hdlc.Joiner
	mbus    mbus.Joiner
	lastErr error

	tried  int64 // where the message begins whose end was looked for in vain
	work   int   // octets that were looked at for that
	looked int64 // up to where ahead has looked for frames
}

// direction is from one station to another.
type direction struct{ from, to hdlc.Address }

// mostDirections bounds how many stations are told apart on a line.
const mostDirections = 256

// NewDeframer returns a Deframer.
func NewDeframer(cfg DeframerConfig) *Deframer {
	setDefault(&cfg.MaxAPDU, defaultMaxAPDU)
	return &Deframer{cfg: cfg, found: cfg.Framing, mbus: mbus.Joiner{Max: cfg.MaxAPDU}, lines: map[direction]*hdlc.Joiner{}}
}

// Stats returns the counts so far.
func (d *Deframer) Stats() DeframerStats { return d.stats }

// Framing returns the framing that has been found, or is set; 0: none so far.
func (d *Deframer) Framing() Framing { return d.found }

// Err returns what the last octets that were given up are not, and forgets it.
func (d *Deframer) Err() error {
	err := d.lastErr
	d.lastErr = nil
	return err
}

// Write takes octets as they come. They are copied.
func (d *Deframer) Write(b []byte) {
	if d.off > 0 {
		d.buf = d.buf[:copy(d.buf, d.buf[d.off:])]
		d.off = 0
	}
	if len(d.buf) == 0 && cap(d.buf) > keptBuf {
		d.buf = nil
	}
	d.clean = d.clean || len(d.buf) == 0
	d.buf = append(d.buf, b...)
	d.stats.Octets += int64(len(b))
}

// Next returns the next message. ok is false when more octets are needed.
func (d *Deframer) Next() (m Message, ok bool) {
	for {
		if len(d.info) > 0 {
			return d.cutMessage(), true
		}
		if d.off >= len(d.buf) {
			return Message{}, false
		}
		if d.tired() {
			return Message{}, false
		}
		frames, left := d.stats.Frames, len(d.buf)-d.off
		m, rest, err := d.cut(d.buf[d.off:])
		d.advance(rest)
		switch {
		case errors.Is(err, errNoMessage):
			d.clean = d.stats.Frames > frames
			continue
		case errors.Is(err, io.ErrUnexpectedEOF):
			d.spend(m, rest)
			return Message{}, false
		case err != nil:
			d.clean = false
			d.fault(err, left-len(rest))
			continue
		default:
		}
		d.clean = true
		d.stats.Frames++
		if m.Text != nil || len(m.APDU) == 0 {
			return m, true
		}
		d.head, d.info = m, m.APDU
	}
}

// errNoMessage is a good frame that completes no message, or octets passed over.
var errNoMessage = errors.New("no message")

// advance goes on with rest, which is the end of buf.
func (d *Deframer) advance(rest []byte) { d.off = len(d.buf) - len(rest) }

// fault counts what was no frame, and the octets passed over for it.
func (d *Deframer) fault(err error, skipped int) {
	var frame *hdlc.FrameError
	var telegram *iec62056.TelegramError
	var mb *mbus.FrameError
	switch {
	case errors.As(err, &frame):
		d.stats.Skipped += skipped
		if frame.Kind != hdlc.FrameHCS && frame.Kind != hdlc.FrameFCS && frame.Kind != hdlc.FrameEnd {
			return
		}
	case errors.As(err, &mb):
		d.stats.Skipped += skipped
		if mb.Kind != mbus.BadSum {
			return
		}
	case errors.As(err, &telegram):
		d.stats.Skipped += skipped
		if telegram.Kind != iec62056.TelegramChecksum {
			return
		}
	default:
		d.stats.Lost++
	}
	d.stats.Errors++
	d.lastErr = err
}

// Silence says that nothing has come for a while: what waits for the rest of a
// frame is given up, and what may stand behind its beginning is looked at.
// Call Next afterwards, and both again while it is Waiting. Segments go on
// waiting for others, see Forget.
func (d *Deframer) Silence() {
	switch {
	case d.tired():
		d.work = 0 // the message may be whole
	case d.Waiting():
		d.stats.Skipped++
		d.lastErr = fmt.Errorf("a message broke off after %d octets", len(d.buf)-d.off)
		d.off++
		d.clean = false
	}
}

// Waiting reports whether the beginning of a frame waits for its rest. The flag
// that has closed a frame, and may open the next one, does not.
func (d *Deframer) Waiting() bool {
	return d.off < len(d.buf) && (d.off+1 < len(d.buf) || d.buf[d.off] != hdlc.Flag)
}

// Forget gives up segments that wait for others. It returns how many messages
// were lost by that.
func (d *Deframer) Forget() (lost int) {
	if d.mbus.Reset() {
		lost++
	}
	for _, j := range d.lines {
		if j.Reset() {
			lost++
		}
	}
	d.stats.Lost += lost
	return lost
}

// Reset forgets all that was heard but the counts: what follows comes from
// somebody else.
func (d *Deframer) Reset() {
	d.found, d.buf, d.off, d.info, d.clean = d.cfg.Framing, d.buf[:0], 0, nil, true
	d.mbus.Reset()
	clear(d.lines)
}

// cutMessage takes the next APDU off a message.
func (d *Deframer) cutMessage() Message {
	m := d.head
	b := TrimLLC(d.info)
	n := APDULength(b)
	if n <= 0 || n > len(b) || n < len(b) && !startsMessage(b[n:]) {
		n = len(b)
	}
	m.APDU, d.info = b[:n:n], b[n:]
	return m
}

// TrimLLC cuts off the LLC header (E6 or FF, E6 or E7, 00), if there is one.
func TrimLLC(b []byte) []byte {
	if len(b) >= 3 && (b[0] == 0xE6 || b[0] == 0xFF) && (b[1] == 0xE6 || b[1] == 0xE7) && b[2] == 0 {
		return b[3:]
	}
	return b
}

// startsMessage reports whether octets behind an APDU begin another one.
func startsMessage(b []byte) bool {
	return len(TrimLLC(b)) < len(b) || bareTag(b[0])
}

// bareTag reports whether an APDU that comes unasked may begin so.
func bareTag(b byte) bool {
	switch tag := xdlms.APDUTag(b); tag {
	case xdlms.TagGeneralBlockTransfer, xdlms.TagGeneralGloCiphering, xdlms.TagGeneralDedCiphering, xdlms.TagGeneralCiphering,
		xdlms.TagGeneralSigning:
		return true
	default:
		return tag.Unsolicited()
	}
}

// cut takes a message off the front of b, as hdlc.CutFrame does.
func (d *Deframer) cut(b []byte) (m Message, rest []byte, err error) {
	switch {
	case b[0] == hdlc.Flag && d.may(HDLC):
		m, rest, err = d.cutHDLC(b)
	case (b[0] == 0x68 || b[0] == 0x10 && d.found == MBus) && d.may(MBus):
		m, rest, err = d.cutMBus(b)
	case textBegins(b):
		if m, rest, err = d.cutText(b); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			rest = b[1:] // a frame may begin where a telegram does not
		}
	case b[0] == 0 && d.may(Wrapper) && (!d.cfg.Line || d.cfg.Framing == Wrapper):
		m, rest, err = d.cutWrapper(b)
	case d.mayBegin(b):
		m, rest, err = d.cutBare(b)
	default:
		d.stats.Skipped++
		return m, b[1:], errNoMessage
	}
	if errors.Is(err, io.ErrUnexpectedEOF) && m.Framing != HDLC {
		if n := d.ahead(b); n > 0 {
			d.stats.Skipped += n
			return m, b[n:], errNoMessage
		}
	}
	if err == nil || errors.Is(err, errNoMessage) {
		if d.found == 0 && m.Framing != 0 && m.Framing != Text && (m.Framing != Bare || !d.cfg.Line) {
			d.found = m.Framing
		}
	}
	return m, rest, err
}

// textBegins reports whether an ASCII telegram may begin at b: a line of
// printable characters behind its first one, as far as it is there.
func textBegins(b []byte) bool {
	if b[0] != '/' && b[0] != iec62056.STX {
		return false
	}
	for i, c := range b[1:min(len(b), textProof)] {
		if b[0] == '/' && i < makerLetters && !letter(c) {
			return false
		}
		if c == '\r' || c == '\n' {
			break
		}
		if c < 0x20 || c > 0x7E {
			return false
		}
	}
	return true
}

// makerLetters are behind the '/' of a telegram.
const makerLetters = 3

func letter(c byte) bool { return upper(c) || 'a' <= c && c <= 'z' }

// textProof is how many octets of a telegram are looked at before it is taken
// for one.
const textProof = 16

// may reports whether a framing is what is listened to.
func (d *Deframer) may(f Framing) bool { return d.found == 0 || d.found == f }

// mayBegin reports whether an APDU without a frame may begin at b. On a line
// only a ciphered one with a system title is told from noise, and only where
// something begins: else it may be the contents of a damaged frame.
func (d *Deframer) mayBegin(b []byte) bool {
	if !d.may(Bare) {
		return false
	}
	if d.cfg.Line && d.found != Bare {
		if !d.clean {
			return false
		}
		if len(b) < 5 {
			return b[0] == 0xDB && (len(b) < 2 || b[1] == 8)
		}
		return b[0] == 0xDB && b[1] == 8 && upper(b[2]) && upper(b[3]) && upper(b[4])
	}
	if body := TrimLLC(b); len(body) > 0 {
		return bareTag(body[0]) || len(b) < 3 && b[0] == 0xE6
	}
	return true // the LLC header and nothing yet behind it
}

func upper(c byte) bool { return 'A' <= c && c <= 'Z' }

func (d *Deframer) cutHDLC(b []byte) (m Message, rest []byte, err error) {
	m.Framing = HDLC
	f, rest, err := hdlc.CutFrame(b)
	if err != nil {
		return m, rest, err
	}
	m.From, m.To, m.Control = f.Source, f.Destination, f.Control
	key := direction{f.Source, f.Destination}
	j := d.lines[key]
	if j == nil {
		if len(d.lines) >= mostDirections {
			clear(d.lines)
		}
		j = &hdlc.Joiner{Max: d.cfg.MaxAPDU}
		d.lines[key] = j
	}
	m.APDU, err = j.Add(f)
	d.bound(key)
	if err == nil && m.APDU == nil && j.Pending() {
		err = errNoMessage
		d.stats.Frames++
	}
	return m, rest, err
}

func (d *Deframer) cutMBus(b []byte) (m Message, rest []byte, err error) {
	m.Framing = MBus
	f, rest, err := mbus.CutFrame(b)
	if err != nil {
		return m, rest, err
	}
	m.APDU, err = d.mbus.Add(f)
	m.From, m.To = hdlc.Address{Upper: uint16(d.mbus.SAPs[0])}, hdlc.Address{Upper: uint16(d.mbus.SAPs[1])}
	if err == nil && m.APDU == nil && d.mbus.Pending() {
		err = errNoMessage
		d.stats.Frames++
	}
	return m, rest, err
}

func (d *Deframer) cutWrapper(b []byte) (m Message, rest []byte, err error) {
	m.Framing = Wrapper
	h, apdu, rest, err := wrapper.Cut(b)
	var format *wrapper.FormatError
	switch {
	case errors.As(err, &format):
		d.stats.Skipped++
		d.lastErr = err
		return m, b[1:], errNoMessage
	case err == nil && h.Length > d.cfg.MaxAPDU:
		return m, b[1:], fmt.Errorf("wrapper with %d octets, at most %d are taken", h.Length, d.cfg.MaxAPDU)
	case err != nil:
		return m, rest, err
	default:
	}
	m.From, m.To, m.APDU = hdlc.Address{Upper: h.Source, Size: 2}, hdlc.Address{Upper: h.Destination, Size: 2}, apdu
	return m, rest, nil
}

func (d *Deframer) cutBare(b []byte) (m Message, rest []byte, err error) {
	m.Framing = Bare
	body := TrimLLC(b)
	head := len(b) - len(body)
	if len(body) == 0 {
		return m, b, io.ErrUnexpectedEOF
	}
	n := APDULength(body)
	switch {
	case n == 0 && len(b) <= d.cfg.MaxAPDU:
		return m, b, io.ErrUnexpectedEOF
	case n <= 0 || n > d.cfg.MaxAPDU:
		d.stats.Skipped++
		return m, b[1:], errNoMessage
	default:
	}
	m.APDU = body[:n:n]
	return m, b[head+n:], nil
}
