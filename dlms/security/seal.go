package security

import (
	"crypto/subtle"
	"encoding/binary"
)

// Seal appends an APDU to dst as protected octets: the security header, then
// what the control field asks for. Of control only the protection counts: the
// suite in the header is that of the keys. title is our own system title,
// TitleLength octets. A counter must never be used twice with the same key
// (clause 9.2.3.3.7.3): whoever holds two APDUs sealed under one can read both.
func (c *Context) Seal(dst, title []byte, control Control, counter uint32, apdu []byte) []byte {
	return c.SealWith(dst, title, control, counter, nil, apdu)
}

// SealWith is Seal for general-ciphering: extra are the header fields of it that
// the tag covers, as [Context.OpenWith] has them.
func (c *Context) SealWith(dst, title []byte, control Control, counter uint32, extra, apdu []byte) []byte {
	control = c.named(control)
	dst = binary.BigEndian.AppendUint32(append(dst, byte(control)), counter)
	c.begin(title, control, counter, extra)
	switch control & (Authenticated | Encrypted) {
	case Authenticated | Encrypted:
		return c.aead.Seal(dst, c.iv[:], apdu, c.aad)
	case Authenticated:
		dst = append(dst, apdu...)
		c.aad = append(c.aad, apdu...)
		return c.aead.Seal(dst, c.iv[:], nil, c.aad)
	case Encrypted:
		return c.decrypt(dst, apdu) // counter mode is its own inverse
	default:
		return append(dst, apdu...)
	}
}

// named puts the suite of the keys into a control field.
func (c *Context) named(control Control) Control { return control&^0x0F | Control(c.suite) }

// GMACLength is how many octets an answer to a challenge has by mechanism 5.
const GMACLength = HeaderLength + TagLength

// AppendGMAC appends the answer to a challenge by mechanism 5, high-level
// security with GMAC (Green Book Ed. 9, clause 9.2.7.4): security header and tag
// over the challenge, made by whoever has the title.
func (c *Context) AppendGMAC(dst, title []byte, counter uint32, challenge []byte) []byte {
	control := c.named(Authenticated)
	dst = binary.BigEndian.AppendUint32(append(dst, byte(control)), counter)
	c.begin(title, control, counter, challenge)
	return c.aead.Seal(dst, c.iv[:], nil, c.aad)
}

// VerifyGMAC reports whether an answer to a challenge is that of whoever has the
// title and the keys. Its control field may name what [Context.Open] opens.
func (c *Context) VerifyGMAC(title, challenge, answer []byte) bool {
	if len(answer) != GMACLength || len(title) != TitleLength {
		return false
	}
	control, _ := ControlOf(answer)
	if control&(Authenticated|Encrypted) != Authenticated || c.opens(control) != nil {
		return false
	}
	counter, _ := Counter(answer)
	c.begin(title, control, counter, challenge)
	want := c.aead.Seal(nil, c.iv[:], nil, c.aad)
	return subtle.ConstantTimeCompare(want, answer[HeaderLength:]) == 1
}
