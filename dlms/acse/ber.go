package acse

import (
	"fmt"
	"io"
)

// SyntaxError tells where and why octets are not the APDU that was looked for. Err is io.ErrUnexpectedEOF when they end
// too early.
type SyntaxError struct {
	Offset int    // octets before the place, from the start of the APDU
	Msg    string // what is wrong there
	Err    error  // cause, or nil
}

// Error gives message and place.
func (e *SyntaxError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s at octet %d: %v", e.Msg, e.Offset, e.Err)
	}
	return fmt.Sprintf("%s at octet %d", e.Msg, e.Offset)
}

// Unwrap gives the cause.
func (e *SyntaxError) Unwrap() error { return e.Err }

// reader walks over BER elements. off is the place of b[0] in the APDU.
type reader struct {
	b   []byte
	off int
}

// fail makes the error for the reader's place.
func (r reader) fail(format string, args ...any) error {
	return &SyntaxError{Offset: r.off, Msg: fmt.Sprintf(format, args...)}
}

// cut is the one gate for reads: the first n octets, and the reader stands behind them.
func (r *reader) cut(n int, what string) (reader, error) {
	if n > len(r.b) {
		return reader{}, &SyntaxError{Offset: r.off + len(r.b), Msg: what, Err: io.ErrUnexpectedEOF}
	}
	c := reader{b: r.b[:n:n], off: r.off}
	r.b, r.off = r.b[n:], r.off+n
	return c, nil
}

// octet cuts a single octet.
func (r *reader) octet(what string) (uint8, error) {
	c, err := r.cut(1, what)
	if err != nil {
		return 0, err
	}
	return c.b[0], nil
}

// element cuts one element: its identifier and its contents. Identifiers of several octets occur in no field of these
// APDUs; they are read so that the element can be skipped, and come back as 1Fh, which is no field's identifier.
func (r *reader) element() (tag uint8, contents reader, err error) {
	tag, err = r.octet("identifier")
	if err != nil {
		return 0, reader{}, err
	}
	if tag&0x1F == 0x1F {
		for more := uint8(0x80); more&0x80 != 0; {
			if more, err = r.octet("identifier"); err != nil {
				return 0, reader{}, err
			}
		}
		tag = 0x1F
	}
	n, err := r.length()
	if err != nil {
		return 0, reader{}, err
	}
	contents, err = r.cut(n, "contents")
	return tag, contents, err
}

// length cuts a definite length of at most four octets behind the first.
func (r *reader) length() (int, error) {
	at := *r
	first, err := r.octet("length")
	if err != nil {
		return 0, err
	}
	if first < 0x80 {
		return int(first), nil
	}
	n := int(first & 0x7F)
	switch {
	case n == 0:
		return 0, at.fail("indefinite length")
	case n > 4:
		return 0, at.fail("length of %d octets", n)
	}
	c, err := r.cut(n, "length")
	if err != nil {
		return 0, err
	}
	var v uint64
	for _, o := range c.b {
		v = v<<8 | uint64(o)
	}
	// Compared before the conversion, because int may have 32 bits.
	if v > uint64(len(r.b)) {
		return 0, &SyntaxError{Offset: r.off + len(r.b), Msg: "contents", Err: io.ErrUnexpectedEOF}
	}
	return int(v), nil
}

// only cuts the single element that fills r, which must have the given identifier.
func (r reader) only(tag uint8, what string) (reader, error) {
	at := r
	t, c, err := r.element()
	if err != nil {
		return reader{}, err
	}
	if t != tag {
		return reader{}, at.fail("%s: identifier %02X, expected %02X", what, t, tag)
	}
	if len(r.b) != 0 {
		return reader{}, r.fail("%s: octets left over: %d", what, len(r.b))
	}
	return c, nil
}

// open checks the identifier of an APDU and gives a reader over its fields.
func open(b []byte, tag uint8, what string) (reader, error) {
	return reader{b: b}.only(tag, what)
}

// small reads contents of an INTEGER as a number of 0..255. A single octet is read without sign, because that is how
// values above 127 are written by meters; several octets may have leading zeros.
func (r reader) small(what string) (uint8, error) {
	if len(r.b) == 0 {
		return 0, r.fail("%s: empty integer", what)
	}
	last := len(r.b) - 1
	for _, o := range r.b[:last] {
		if o != 0 {
			return 0, r.fail("%s: integer above 255", what)
		}
	}
	return r.b[last], nil
}

// arc gives the last component of an object identifier that begins with prefix; ok is false for a foreign one.
func (r reader) arc(prefix string) (n uint8, ok bool) {
	if len(r.b) != len(prefix)+1 || string(r.b[:len(prefix)]) != prefix || r.b[len(prefix)] > maxArc {
		return 0, false
	}
	return r.b[len(prefix)], true
}

// context reads the contents of an application-context-name.
func (r reader) context() (Context, error) {
	c, err := r.only(tagObjectID, "application-context-name")
	if err != nil {
		return 0, err
	}
	n, _ := c.arc(contextPrefix)
	return Context(n), nil
}

// mechanism reads the contents of a mechanism-name.
func (r reader) mechanism() Mechanism {
	n, ok := r.arc(mechanismPrefix)
	if !ok {
		return MechanismForeign
	}
	return Mechanism(n)
}

// octets reads contents that are one OCTET STRING.
func (r reader) octets(what string) ([]byte, error) {
	c, err := r.only(tagOctetString, what)
	return c.b, err
}

// appendLength writes a length in the shortest form.
func appendLength(b []byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(b, uint8(n))
	case n <= 0xFF:
		return append(b, 0x81, uint8(n))
	case n <= 0xFFFF:
		return append(b, 0x82, uint8(n>>8), uint8(n))
	default:
		return append(b, 0x84, uint8(n>>24), uint8(n>>16), uint8(n>>8), uint8(n))
	}
}

// lengthSize is the number of octets that appendLength writes.
func lengthSize(n int) int {
	switch {
	case n < 0x80:
		return 1
	case n <= 0xFF:
		return 2
	case n <= 0xFFFF:
		return 3
	default:
		return 5
	}
}

// appendNested writes an element whose contents are one other element.
func appendNested[T []byte | string](b []byte, outer, inner uint8, contents T) []byte {
	b = append(b, outer)
	b = appendLength(b, 1+lengthSize(len(contents))+len(contents))
	b = append(b, inner)
	b = appendLength(b, len(contents))
	return append(b, contents...)
}

// appendInteger writes an element whose contents are an INTEGER of one octet.
func appendInteger(b []byte, outer, v uint8) []byte {
	return append(b, outer, 3, tagInteger, 1, v)
}

// appendContext writes an application-context-name.
func appendContext(b []byte, c Context) ([]byte, error) {
	if c > maxArc {
		return nil, fmt.Errorf("application context %s cannot be encoded", c)
	}
	b = append(b, tagContextName, 2+uint8(len(contextPrefix))+1, tagObjectID, uint8(len(contextPrefix))+1)
	b = append(b, contextPrefix...)
	return append(b, uint8(c)), nil
}

// appendAuthentication writes the requirements and the name of a mechanism, nothing for None.
func appendAuthentication(b []byte, requirements, tag uint8, m Mechanism) ([]byte, error) {
	if m == None {
		return b, nil
	}
	if m > maxArc {
		return nil, fmt.Errorf("authentication mechanism %s cannot be encoded", m)
	}
	b = append(b, requirements, uint8(len(authenticationUnit)))
	b = append(b, authenticationUnit...)
	b = append(b, tag, uint8(len(mechanismPrefix))+1)
	b = append(b, mechanismPrefix...)
	return append(b, uint8(m)), nil
}

// begin writes the identifier of an APDU and room for a short length; end completes it.
func begin(b []byte, tag uint8) (out []byte, start int) {
	b = append(b, tag, 0)
	return b, len(b)
}

// end sets the length of the APDU whose fields begin at start, moving them when the length needs more octets.
func end(b []byte, start int) []byte {
	n := len(b) - start
	extra := lengthSize(n) - 1
	for range extra {
		b = append(b, 0)
	}
	copy(b[start+extra:], b[start:start+n])
	appendLength(b[:start-1], n)
	return b
}
