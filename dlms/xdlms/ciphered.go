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
	// General is what general-ciphering has beside; zero in all others.
	General GeneralHeader
	Key     KeyInfo // how the key is found, in general-ciphering
	// Protected is the security header, the ciphertext or plain APDU, and the tag: a view.
	Protected []byte
}

// GeneralHeader are the fields in front of general-ciphering and general-signing, beside the originator's system title
// (Green Book Ed. 9, 9.5). All are views, and may be empty.
type GeneralHeader struct {
	Transaction []byte // transaction-id
	Recipient   []byte // system title of the receiver, 8 octets or none
	Time        []byte // date-time
	Other       []byte // other-information
	// Authentic are these fields and the originator's title as they came, with their lengths: they are authenticated with
	// the APDU. Not written; AppendTo makes it.
	Authentic []byte
}

// AppendTo appends the five fields with their lengths, as they are sent and authenticated.
func (h *GeneralHeader) AppendTo(b, originator []byte) []byte {
	b = appendOctets(appendOctets(b, h.Transaction), originator)
	return appendOctets(appendOctets(appendOctets(b, h.Recipient), h.Time), h.Other)
}

// KeyChoice is how the key of a general-ciphering is found.
type KeyChoice uint8

// The choices of key-info. KeyAbsent: it is known.
const (
	KeyAbsent     KeyChoice = iota
	KeyIdentified           // ID 0: the global unicast key, 1: the global broadcast key
	KeyWrapped              // ID 0: Data is the key wrapped by the master key
	KeyAgreed               // Parameters 1: one-pass, Data is the ephemeral public key and its signature; 2: static unified, no Data
)

// KeyInfo is the key-info of a general-ciphering. Slices are views.
type KeyInfo struct {
	Choice     KeyChoice
	ID         uint8  // key-id, or kek-id
	Parameters []byte // key-parameters of an agreed key
	Data       []byte // key-ciphered-data
}

// titleOctets is how long a system title is.
const titleOctets = 8

// CutCiphered takes a ciphered APDU off the front of b, of any tag for which APDUTag.Ciphered reports true, and
// returns what follows it.
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
		c.Title = r.title("system-title")
	case c.Tag == TagGeneralCiphering:
		c.General, c.Title = r.generalHeader()
		if r.flag("key-info") {
			c.Key = r.keyInfo()
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
func (r *reader) title(what string) []byte {
	at := r.size - len(r.b)
	n := r.length(what)
	if r.err == nil && n != 0 && n != titleOctets {
		r.failAt(at, fmt.Sprintf("%s of %d octets, want 8 or none", what, n), nil)
	}
	return r.octets(n, what)
}

// generalHeader reads the fields in front of general-ciphering and general-signing.
func (r *reader) generalHeader() (h GeneralHeader, originator []byte) {
	begin := r.b
	h.Transaction = r.octets(r.length("transaction-id"), "transaction-id")
	originator = r.title("originator-system-title")
	h.Recipient = r.title("recipient-system-title")
	h.Time = r.octets(r.length("date-time"), "date-time")
	h.Other = r.octets(r.length("other-information"), "other-information")
	if r.err != nil {
		return GeneralHeader{}, nil
	}
	n := len(begin) - len(r.b)
	h.Authentic = begin[:n:n]
	return h, originator
}

// keyInfo reads how a key of its own is given.
func (r *reader) keyInfo() (k KeyInfo) {
	switch choice := r.u8("key-info"); choice {
	case 0:
		k = KeyInfo{Choice: KeyIdentified, ID: r.u8("key-id")}
	case 1:
		k = KeyInfo{Choice: KeyWrapped, ID: r.u8("kek-id")}
		k.Data = r.octets(r.length("key-ciphered-data"), "key-ciphered-data")
	case 2:
		k.Choice = KeyAgreed
		k.Parameters = r.octets(r.length("key-parameters"), "key-parameters")
		k.Data = r.octets(r.length("key-ciphered-data"), "key-ciphered-data")
	default:
		r.fail(fmt.Sprintf("key-info choice %d", choice))
	}
	return k
}

// Append appends the APDU.
func (c *Ciphered) Append(b []byte) []byte {
	b = append(b, uint8(c.Tag))
	switch c.Tag {
	case TagGeneralGloCiphering, TagGeneralDedCiphering:
		b = appendOctets(b, c.Title)
	case TagGeneralCiphering:
		b = c.Key.appendTo(c.General.AppendTo(b, c.Title))
	default:
	}
	return append(axdr.AppendLength(b, len(c.Protected)), c.Protected...)
}

func (k *KeyInfo) appendTo(b []byte) []byte {
	switch k.Choice {
	case KeyIdentified:
		return append(b, 1, 0, k.ID)
	case KeyWrapped:
		return appendOctets(append(b, 1, 1, k.ID), k.Data)
	case KeyAgreed:
		return appendOctets(appendOctets(append(b, 1, 2), k.Parameters), k.Data)
	default:
		return append(b, 0)
	}
}

// Signed is general-signing: an APDU with the signature of its sender (Green Book Ed. 9, 9.5 and 9.2.7.2.4.5).
type Signed struct {
	Title     []byte // system title of the sender, 8 octets or none, a view
	General   GeneralHeader
	Content   []byte // the APDU, which may be a ciphered one: a view
	Signature []byte // r and s of ECDSA, 64 or 96 octets: a view
}

// CutSigned takes a general-signing off the front of b and returns what follows it.
func CutSigned(b []byte) (s Signed, rest []byte, err error) {
	r := newReader(b, TagGeneralSigning)
	s.General, s.Title = r.generalHeader()
	s.Content = r.octets(r.length("content"), "content")
	s.Signature = r.octets(r.length("signature"), "signature")
	if r.err != nil {
		return Signed{}, b, r.err
	}
	return s, r.b, nil
}

// Append appends the APDU.
func (s *Signed) Append(b []byte) []byte {
	b = s.General.AppendTo(append(b, uint8(TagGeneralSigning)), s.Title)
	return appendOctets(appendOctets(b, s.Content), s.Signature)
}
