package dlms

import (
	"bytes"
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
)

// facts is what was seen on the line since an exchange began. Errors are made
// of it, and hints of the errors.
type facts struct {
	received int // octets
	echoes   int // messages that were our own
	messages int // whole messages that were not
	broken   int // frames dropped as damaged
	head     [32]byte
	sent     [echoPrefix]byte
}

// note takes n received octets into account.
func (f *facts) note(b []byte) {
	if f.received < len(f.head) {
		copy(f.head[f.received:], b)
	}
	f.received += len(b)
}

// first returns the first octets received.
func (f *facts) first() []byte { return f.head[:min(f.received, len(f.head))] }

// noteSent remembers how the first message of the exchange began.
func (f *facts) noteSent(message []byte) {
	if f.sent == [echoPrefix]byte{} && len(message) >= echoPrefix {
		copy(f.sent[:], message)
	}
}

// echoPrefix is how many octets of an HDLC frame tell a damaged echo from an
// answer: with addresses of one octet each, flag, length, addresses and control.
const echoPrefix = 6

// onlyEcho reports whether nothing but our own message came back, whole or damaged.
func (f *facts) onlyEcho() bool {
	switch {
	case f.messages > 0:
		return false
	case f.echoes > 0:
		return true
	default:
		return f.received >= echoPrefix && bytes.Equal(f.head[:echoPrefix], f.sent[:])
	}
}

const (
	seenText    = "text"
	seenWrapper = "a wrapper header"
	seenHDLC    = "an HDLC frame"
	seenUnknown = "neither wrapper nor HDLC"
)

// seen names what octets at the beginning of a conversation look like.
func seen(first []byte) string {
	for len(first) > 1 && first[0] == hdlc.Flag && first[1] == hdlc.Flag {
		first = first[1:]
	}
	switch {
	case len(first) >= 2 && first[0] == hdlc.Flag && first[1]&0xF0 == 0xA0:
		return seenHDLC
	case len(first) >= 8 && first[0] == 0 && first[1] == 1:
		return seenWrapper
	case len(first) >= 4 && isText(first):
		return seenText
	default:
		return seenUnknown
	}
}

func isText(b []byte) bool {
	for _, c := range b {
		if (c < 0x20 || c > 0x7E) && c != '\r' && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

// An operation is what a message is for. It becomes text only in an error.
type operation struct {
	name      string
	attribute cosem.Attribute // of a GET of one attribute
	count     int             // of a GET with a list
	block     uint32
	next      bool // a GET of the block after block
}

func (o operation) String() string {
	s := o.name
	switch {
	case o.count > 0:
		s = fmt.Sprintf("%s with a list of %d", o.name, o.count)
	case o.attribute != cosem.Attribute{}:
		s = o.name + " " + o.attribute.String()
	default:
	}
	if o.next {
		s += fmt.Sprintf(", block after %d", o.block)
	}
	return s
}
