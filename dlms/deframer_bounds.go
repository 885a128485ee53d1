package dlms

import (
	"errors"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/iec62056"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/mbus"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// What a sender may make a Deframer or an Unwrapper hold and do. Traffic costs
// who sends it; what it costs us must stay in proportion to its octets.
const (
	leastHeld = 4 << 20 // octets of all messages that wait for others, at least
	keptBuf   = 1 << 16 // octets of a buffer that is kept when it is empty

	// workPerOctet is how many octets may be looked at for each that has come,
	// while the end of a message is looked for in what does not tell its length.
	workPerOctet = 1024
	// longestChecked is the longest frame that has a check of its own.
	longestChecked = max(hdlc.MaxFrame, mbus.MaxFrame)
	// mbusStop ends the frames of M-Bus.
	mbusStop = 0x16
	// textHeader is longer than what can be in front of the lines of a telegram.
	textHeader = 256
)

// heldAtMost is how many octets of messages that wait for others are held
// together, where one may have so many.
func heldAtMost(maxAPDU int) int { return max(leastHeld, 2*maxAPDU) }

// Held returns how many octets of memory the Deframer holds for what it has
// heard.
func (d *Deframer) Held() int {
	n := cap(d.buf) + d.mbus.Held()
	for _, j := range d.lines {
		n += j.Held()
	}
	return n
}

// Pending returns how many octets wait for the rest of a frame, and at which of
// all octets the first of them came: as long as that stays the same, it is the
// same frame.
func (d *Deframer) Pending() (octets int, since int64) {
	return len(d.buf) - d.off, d.position()
}

// position is which of all octets is the next that is not dealt with.
func (d *Deframer) position() int64 { return d.stats.Octets - int64(len(d.buf)-d.off) }

// bound gives up the segments of all but one direction, if too much is held
// together: a sender that begins messages from many stations ends none.
func (d *Deframer) bound(keep direction) {
	if len(d.lines) < 2 {
		return
	}
	n := 0
	for _, j := range d.lines {
		n += j.Held()
	}
	if n <= heldAtMost(d.cfg.MaxAPDU) {
		return
	}
	for at, j := range d.lines {
		if at == keep {
			continue
		}
		if j.Pending() {
			d.stats.Lost++
		}
		delete(d.lines, at)
	}
}

// spend takes note that the end of a message was looked for in vain. What tells
// its length costs nothing; in the rest each try is as long as what is there.
func (d *Deframer) spend(m Message, b []byte) {
	at := d.position()
	if d.tried != at {
		d.tried, d.work = at, 0
	}
	if m.Framing == Text || m.Framing == Bare && !tellsLength(b) {
		d.work += len(b)
	}
}

// tired reports whether looking for the end of the message has cost more than
// its octets are worth: then more of them, or silence, are waited for.
func (d *Deframer) tired() bool {
	return d.tried == d.position() && d.work > workPerOctet*(len(d.buf)-d.off)
}

// tellsLength reports whether an APDU has its length in front.
func tellsLength(b []byte) bool {
	b = TrimLLC(b)
	if len(b) == 0 {
		return true
	}
	tag := xdlms.APDUTag(b[0])
	return tag == xdlms.TagGeneralBlockTransfer || tag == xdlms.TagGeneralSigning || tag.Ciphered()
}

// ahead looks for a frame with a good check behind the beginning of something
// that has none and waits for more. Where it has looked already only what may
// have been cut short is looked at again, and only when something has come that
// can end a frame.
func (d *Deframer) ahead(b []byte) int {
	start := d.stats.Octets - int64(len(b)) // b is the last that has come
	seen := min(max(int(d.looked-start), 0), len(b))
	d.looked = d.stats.Octets
	if !endsFrame(b[seen:]) {
		return 0
	}
	for n := max(1, seen-longestChecked); n < len(b); n++ {
		switch {
		case b[n] == hdlc.Flag && d.may(HDLC):
			if !flagged(b[n:]) {
				continue
			}
			if _, _, err := hdlc.CutFrame(b[n:]); err == nil {
				d.looked = start + int64(n)
				return n
			}
		case b[n] == 0x68 && d.may(MBus):
			if len(b) < n+4 || b[n+1] != b[n+2] || b[n+3] != 0x68 {
				continue
			}
			if f, _, err := mbus.CutFrame(b[n:]); err == nil && !f.Short {
				d.looked = start + int64(n)
				return n
			}
		default:
		}
	}
	return 0
}

// flagged reports whether there is a flag where a frame of HDLC that begins at
// the front of b would end; of several flags the last one opens it. Nothing else
// is worth a closer look.
func flagged(b []byte) bool {
	if len(b) < 3 || b[1] == hdlc.Flag {
		return false
	}
	end := 1 + int(b[1]&7)<<8 + int(b[2])
	return end < len(b) && b[end] == hdlc.Flag
}

func endsFrame(b []byte) bool {
	for _, c := range b {
		if c == hdlc.Flag || c == mbusStop {
			return true
		}
	}
	return false
}

func (d *Deframer) cutText(b []byte) (m Message, rest []byte, err error) {
	m.Framing = Text
	if len(b) > textHeader { // what is no header need not be looked at to its end
		if _, rest, err := iec62056.CutTelegram(b[:textHeader]); err != nil && len(rest) > 0 && noHeader(err) {
			return m, b[1:], err
		}
	}
	t, rest, err := iec62056.CutTelegram(b)
	if err != nil {
		return m, rest, err
	}
	m.Text = &t
	return m, rest, nil
}

// noHeader reports whether octets do not begin as a telegram does.
func noHeader(err error) bool {
	var e *iec62056.TelegramError
	return errors.As(err, &e) && e.Kind == iec62056.TelegramNoise
}
