package xdlms

import (
	"fmt"
	"io"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

// Ciphered is an APDU that encloses another one under a key (Green Book Ed. 9, 9.5, and 9.2.7 for what is inside).
type Ciphered struct {
	Tag   APDUTag
	Title []byte // system title of the sender, 8 octets, a view; empty: not sent, as in service specific ones
	// Protected is the security header, the ciphertext or plain APDU, and the tag: a view.
	Protected []byte
}

// titleOctets is how long a system title is.
const titleOctets = 8

// CutCiphered takes a ciphered APDU off the front of b, of any tag for which APDUTag.Ciphered reports true, and
// returns what follows it. general-ciphering is read as well; that its key may be wrapped or agreed is an error of who
// opens it.
func CutCiphered(b []byte) (c Ciphered, rest []byte, err error) {
	if len(b) == 0 {
		return c, b, &SyntaxError{APDU: TagGeneralGloCiphering, Msg: "tag", Err: io.ErrUnexpectedEOF}
	}
	c.Tag = APDUTag(b[0])
	r := newReader(b, c.Tag)
	switch {
	case !c.Tag.Ciphered():
		r.failAt(0, "no ciphered APDU", nil)
	case c.Tag == TagGeneralGloCiphering, c.Tag == TagGeneralDedCiphering:
		c.Title = r.title()
	case c.Tag == TagGeneralCiphering:
		r.octets(r.length("transaction-id"), "transaction-id")
		c.Title = r.title()
		r.octets(r.length("recipient-system-title"), "recipient-system-title")
		r.octets(r.length("date-time"), "date-time")
		r.octets(r.length("other-information"), "other-information")
		if r.flag("key-info") {
			r.keyInfo()
		}
	default:
	}
	c.Protected = r.octets(r.length("ciphered-content"), "ciphered-content")
	if r.err != nil {
		return Ciphered{}, b, r.err
	}
	return c, r.b, nil
}

// title reads a system title of 8 octets, or none.
func (r *reader) title() []byte {
	at := r.size - len(r.b)
	n := r.length("system-title")
	if r.err == nil && n != 0 && n != titleOctets {
		r.failAt(at, fmt.Sprintf("system-title of %d octets, want 8 or none", n), nil)
	}
	return r.octets(n, "system-title")
}

// keyInfo passes over how a key of its own is given.
func (r *reader) keyInfo() {
	switch choice := r.u8("key-info"); choice {
	case 0:
		r.u8("key-id")
	case 1:
		r.u8("kek-id")
		r.octets(r.length("key-ciphered-data"), "key-ciphered-data")
	case 2:
		r.octets(r.length("key-parameters"), "key-parameters")
		r.octets(r.length("key-ciphered-data"), "key-ciphered-data")
	default:
		r.fail(fmt.Sprintf("key-info choice %d", choice))
	}
}

// Append appends the APDU; not a general-ciphering.
func (c *Ciphered) Append(b []byte) []byte {
	b = append(b, uint8(c.Tag))
	if c.Tag == TagGeneralGloCiphering || c.Tag == TagGeneralDedCiphering {
		b = appendOctets(b, c.Title)
	}
	return append(axdr.AppendLength(b, len(c.Protected)), c.Protected...)
}
