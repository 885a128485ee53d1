package security

import (
	"crypto/subtle"
	"encoding/binary"
)

// Seal appends an APDU to dst as protected octets: the security header, then
// what the control field asks for. title is our own system title, TitleLength
// octets. A counter must never be used twice with the same key (clause
// 9.2.3.3.7.3): whoever holds two APDUs sealed under one can read both.
func (c *Context) Seal(dst, title []byte, control Control, counter uint32, apdu []byte) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, byte(control)), counter)
	iv := c.vector(title, counter)
	c.aad = append(append(c.aad[:0], byte(control)), c.authentic...)
	switch control & (Authenticated | Encrypted) {
	case Authenticated | Encrypted:
		return c.aead.Seal(dst, iv[:], apdu, c.aad)
	case Authenticated:
		dst = append(dst, apdu...)
		c.aad = append(c.aad, apdu...)
		return c.aead.Seal(dst, iv[:], nil, c.aad)
	case Encrypted:
		return c.decrypt(dst, iv, apdu) // counter mode is its own inverse
	default:
		return append(dst, apdu...)
	}
}

// GMACLength is how many octets an answer to a challenge has by mechanism 5.
const GMACLength = HeaderLength + TagLength

// AppendGMAC appends the answer to a challenge by mechanism 5, high-level
// security with GMAC (Green Book Ed. 9, clause 9.2.7.4): security header and tag
// over the challenge, made by whoever has the title.
func (c *Context) AppendGMAC(dst, title []byte, counter uint32, challenge []byte) []byte {
	control := Authenticated
	dst = binary.BigEndian.AppendUint32(append(dst, byte(control)), counter)
	iv := c.vector(title, counter)
	c.aad = append(append(append(c.aad[:0], byte(control)), c.authentic...), challenge...)
	return c.aead.Seal(dst, iv[:], nil, c.aad)
}

// VerifyGMAC reports whether an answer to a challenge is that of whoever has the
// title and the keys. Its control field may name another suite.
func (c *Context) VerifyGMAC(title, challenge, answer []byte) bool {
	if len(answer) != GMACLength || len(title) != TitleLength || Control(answer[0])&(Authenticated|Encrypted) != Authenticated {
		return false
	}
	counter, _ := Counter(answer)
	iv := c.vector(title, counter)
	c.aad = append(append(append(c.aad[:0], answer[0]), c.authentic...), challenge...)
	want := c.aead.Seal(nil, iv[:], nil, c.aad)
	return subtle.ConstantTimeCompare(want, answer[HeaderLength:]) == 1
}

// vector is the initialisation vector of an APDU.
func (c *Context) vector(title []byte, counter uint32) *[TitleLength + 4]byte {
	var iv [TitleLength + 4]byte
	copy(iv[:], title)
	binary.BigEndian.PutUint32(iv[TitleLength:], counter)
	return &iv
}
