// Package security has the cryptography of the three security suites (Green Book
// Ed. 9, clause 9.2): AES-GCM with keys of 128 bits (suites 0 and 1) or 256
// (suite 2), the answers of high-level security, and for suites 1 and 2 ECDSA,
// ECDH and certificates on P-256 and P-384.
//
// The octets that [Context.Open] is given are those behind the length of a
// ciphered APDU: security control, invocation counter, then the ciphertext or
// the plain APDU, then the authentication tag if there is one.
package security

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
)

// Sizes in octets.
const (
	KeyLength    = 16 // of both keys of suites 0 and 1; see [KeyLengthOf]
	TitleLength  = 8  // of a system title
	TagLength    = 12 // of the authentication tag
	HeaderLength = 5  // security control and invocation counter
)

// Control is the security control field.
type Control uint8

// Bits of the security control field. The low half-octet is the suite.
const (
	Authenticated Control = 0x10
	Encrypted     Control = 0x20
	Broadcast     Control = 0x40 // the broadcast key, not the unicast key
	Compressed    Control = 0x80
)

// Suite returns the security suite that the sender names.
func (c Control) Suite() uint8 { return uint8(c & 0x0F) }

// String names the protection, like "authenticated and encrypted, suite 0".
func (c Control) String() string {
	s := "not protected"
	switch c & (Authenticated | Encrypted) {
	case Authenticated:
		s = "authenticated"
	case Encrypted:
		s = "encrypted"
	case Authenticated | Encrypted:
		s = "authenticated and encrypted"
	default:
	}
	s += fmt.Sprintf(", suite %d", c.Suite())
	if c&Broadcast != 0 {
		s += ", broadcast key"
	}
	if c&Compressed != 0 {
		s += ", compressed"
	}
	return s
}

// Keys are the keys of a meter. AuthenticationKey may be missing.
type Keys struct {
	Suite             uint8 // 0, 1 or 2; both keys have KeyLengthOf(Suite) octets
	EncryptionKey     []byte
	AuthenticationKey []byte
}

// Context opens the APDUs of one meter. It is not safe for concurrent use.
type Context struct {
	suite     uint8
	block     cipher.Block
	aead      cipher.AEAD
	authentic []byte // authentication key; nil: none
	aad       []byte
	iv        [TitleLength + 4]byte // here, because what an interface is given escapes
}

// NewContext makes a context. It fails if the suite is not known, or a key has
// not as many octets as those of the suite; the error never holds octets of one.
func NewContext(k Keys) (*Context, error) {
	if err := k.check(); err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(k.EncryptionKey)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithTagSize(block, TagLength)
	if err != nil {
		return nil, err
	}
	c := &Context{suite: k.Suite, block: block, aead: aead}
	if len(k.AuthenticationKey) > 0 {
		c.authentic = append([]byte(nil), k.AuthenticationKey...)
	}
	return c, nil
}

// Reason says what is wrong with a protected APDU.
type Reason uint8

// Reasons. Which of the first three it is can only be judged by what comes out
// without the tag.
const (
	WrongKey        Reason = iota + 1 // what comes out is no APDU: the encryption key is not the meter's, or the octets are damaged
	WrongTag                          // what comes out is an APDU, the tag does not fit: the authentication key is not the meter's
	MissingKey                        // there is a tag, and no authentication key to verify it with
	Malformed                         // too short, or a form that is not known
	Unsupported                       // compression, or a suite with other keys
	Unauthenticated                   // opened; there is no tag that would prove the sender
)

// Error is why an APDU was not opened, or not to be trusted.
type Error struct {
	Reason  Reason
	Control Control
	Msg     string
}

// Error gives the message.
func (e *Error) Error() string { return e.Msg }

// ControlOf returns the security control of protected octets.
func ControlOf(protected []byte) (Control, bool) {
	if len(protected) < HeaderLength {
		return 0, false
	}
	return Control(protected[0]), true
}

// Counter returns the invocation counter of protected octets.
func Counter(protected []byte) (uint32, bool) {
	if len(protected) < HeaderLength {
		return 0, false
	}
	return binary.BigEndian.Uint32(protected[1:]), true
}

// Open appends the plain APDU to dst. title is the system title of the sender,
// TitleLength octets; protected begins with the security control field.
//
// plausible tells whether octets look like an APDU. Where there is no tag, or
// none that could be verified, it decides whether the key is right: what does
// not look like one is an [Error] with WrongKey, and nothing is appended.
//
// Two errors come together with the opened APDU, and leave it to the caller
// whether to trust it: Unauthenticated, if the sender has put no tag to it, and
// MissingKey, if there is a tag and no authentication key.
//
// Keys of suite 0 or 1 open what names either of them: meters name suite 1 and
// use the keys of suite 0. Suite 2 is opened with keys of suite 2 only.
//
// Nothing is allocated for an APDU that is authenticated and encrypted, if dst
// has room for it.
func (c *Context) Open(dst, title, protected []byte, plausible func([]byte) bool) ([]byte, error) {
	return c.OpenWith(dst, title, protected, nil, plausible)
}

// OpenWith is Open for general-ciphering: extra are the header fields of it that
// the tag covers too, each with its length in front (Green Book Ed. 9, figure 32:
// transaction-id, originator-system-title, recipient-system-title, date-time,
// other-information).
func (c *Context) OpenWith(dst, title, protected, extra []byte, plausible func([]byte) bool) ([]byte, error) {
	control, ok := ControlOf(protected)
	switch {
	case !ok:
		return dst, &Error{Malformed, control, fmt.Sprintf("%d octets are too few for a security header", len(protected))}
	case len(title) != TitleLength:
		return dst, &Error{Malformed, control, fmt.Sprintf("a system title of %d octets, want %d", len(title), TitleLength)}
	case control&Compressed != 0:
		return dst, &Error{Unsupported, control, "the APDU is compressed (V.44), which is not supported"}
	default:
	}
	if err := c.opens(control); err != nil {
		return dst, err
	}
	if control&Authenticated != 0 && len(protected) < HeaderLength+TagLength {
		return dst, &Error{Malformed, control, fmt.Sprintf("%d octets are too few for a security header and a tag", len(protected))}
	}
	counter, _ := Counter(protected)
	c.begin(title, control, counter, extra)
	body := protected[HeaderLength:]
	switch control & (Authenticated | Encrypted) {
	case Authenticated | Encrypted:
		return c.openBoth(dst, control, body, plausible)
	case Authenticated:
		return c.verify(dst, control, body)
	case Encrypted:
		out := c.decrypt(dst, body)
		if !plausible(out[len(dst):]) {
			return dst, wrongKey(control)
		}
		return out, &Error{Unauthenticated, control, "the APDU is encrypted, but has no tag that proves where it is from"}
	default:
		return append(dst, body...), &Error{Unauthenticated, control, "the APDU is not protected at all"}
	}
}

// begin sets the initialisation vector of an APDU, and what the tag of every one
// covers: security control, authentication key, and extra.
func (c *Context) begin(title []byte, control Control, counter uint32, extra []byte) {
	copy(c.iv[:], title)
	binary.BigEndian.PutUint32(c.iv[TitleLength:], counter)
	c.aad = append(append(append(c.aad[:0], byte(control)), c.authentic...), extra...)
}

func wrongKey(control Control) error {
	return &Error{WrongKey, control, "what comes out is no APDU: the encryption key is not the meter's, or the telegram was damaged on its way"}
}

func (c *Context) openBoth(dst []byte, control Control, body []byte, plausible func([]byte) bool) ([]byte, error) {
	if c.authentic != nil {
		if out, err := c.aead.Open(dst, c.iv[:], body, c.aad); err == nil {
			return out, nil
		}
	}
	out := c.decrypt(dst, body[:len(body)-TagLength])
	switch {
	case !plausible(out[len(dst):]):
		return dst, wrongKey(control)
	case c.authentic == nil:
		return out, &Error{MissingKey, control, "the encryption key fits, but the tag cannot be verified without the authentication key"}
	default:
		return dst, &Error{WrongTag, control, "the encryption key fits, but the tag does not: the authentication key is not the meter's, or the telegram was changed on its way"}
	}
}

// verify opens what is authenticated only: the plain APDU and its tag.
func (c *Context) verify(dst []byte, control Control, body []byte) ([]byte, error) {
	plain, tag := body[:len(body)-TagLength], body[len(body)-TagLength:]
	if c.authentic == nil {
		return append(dst, plain...), &Error{MissingKey, control, "the tag cannot be verified without the authentication key"}
	}
	c.aad = append(c.aad, plain...)
	if _, err := c.aead.Open(nil, c.iv[:], tag, c.aad); err != nil {
		return dst, &Error{WrongTag, control, "the tag does not fit: a key is not the meter's, or the telegram was changed on its way"}
	}
	return append(dst, plain...), nil
}

// decrypt is counter mode as GCM has it: block 1 makes the tag, 2 and on the text.
func (c *Context) decrypt(dst, text []byte) []byte {
	var counter [aes.BlockSize]byte
	copy(counter[:], c.iv[:])
	counter[aes.BlockSize-1] = 2
	n := len(dst)
	dst = append(dst, text...)
	cipher.NewCTR(c.block, counter[:]).XORKeyStream(dst[n:], dst[n:])
	return dst
}
