package xdlms

import (
	"errors"
	"fmt"
	"io"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

// SyntaxError tells where and why octets are not the APDU that was looked for. Err is or wraps io.ErrUnexpectedEOF when
// they end too early, and is an *axdr.SyntaxError, whose own offset begins at Offset, when the fault lies inside a Data or
// a length.
type SyntaxError struct {
	APDU   APDUTag // what was looked for
	Offset int     // octets before the place, from the start of the octets given
	Msg    string  // what is wrong there
	Err    error   // cause, or nil
}

// Error gives APDU, place and message.
func (e *SyntaxError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s, octet %d: %s: %v", e.APDU, e.Offset, e.Msg, e.Err)
	}
	return fmt.Sprintf("%s, octet %d: %s", e.APDU, e.Offset, e.Msg)
}

// Unwrap gives the cause.
func (e *SyntaxError) Unwrap() error { return e.Err }

// reader walks over the octets of one APDU. It keeps the first error; after it all methods give zero values, so that
// the error is asked for once, at the end.
type reader struct {
	b    []byte
	size int // octets at the beginning
	apdu APDUTag
	err  error
}

// newReader begins an APDU and checks its tag.
func newReader(b []byte, apdu APDUTag) reader {
	r := reader{b: b, size: len(b), apdu: apdu}
	if tag := r.u8("tag"); r.err == nil && APDUTag(tag) != apdu {
		r.failAt(0, fmt.Sprintf("tag %02X (%s)", tag, APDUTag(tag)), nil)
	}
	return r
}

// failAt keeps an error unless there is one already.
func (r *reader) failAt(offset int, msg string, err error) {
	if r.err == nil {
		r.err = &SyntaxError{APDU: r.apdu, Offset: offset, Msg: msg, Err: err}
	}
	r.b = nil
}

// fail keeps an error at the current place.
func (r *reader) fail(msg string) { r.failAt(r.size-len(r.b), msg, nil) }

// octets is the one gate for reads: the next n octets, clipped so that appending to them copies. nil after an error.
func (r *reader) octets(n int, what string) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > len(r.b) {
		r.failAt(r.size, what, io.ErrUnexpectedEOF)
		return nil
	}
	c := r.b[:n:n]
	r.b = r.b[n:]
	return c
}

// u8 reads one octet.
func (r *reader) u8(what string) uint8 {
	if c := r.octets(1, what); c != nil {
		return c[0]
	}
	return 0
}

// u16 reads a number of two octets.
func (r *reader) u16(what string) uint16 {
	if c := r.octets(2, what); c != nil {
		return uint16(c[0])<<8 | uint16(c[1])
	}
	return 0
}

// u32 reads a number of four octets.
func (r *reader) u32(what string) uint32 {
	if c := r.octets(4, what); c != nil {
		return uint32(c[0])<<24 | uint32(c[1])<<16 | uint32(c[2])<<8 | uint32(c[3])
	}
	return 0
}

// length reads the length of an octet string or the count of a sequence.
func (r *reader) length(what string) int {
	if r.err != nil {
		return 0
	}
	n, rest, err := axdr.CutLength(r.b)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		r.failAt(r.size, what, io.ErrUnexpectedEOF)
		return 0
	}
	if err != nil {
		r.failAt(r.size-len(r.b), what, err)
		return 0
	}
	r.b = rest
	return n
}

// count reads the count of a sequence whose elements have at least size octets each, and refuses more elements than
// the remaining octets can hold.
func (r *reader) count(size int, what string) int {
	at := r.size - len(r.b)
	n := r.length(what)
	if r.err == nil && n > len(r.b)/size {
		r.failAt(at, fmt.Sprintf("%s: %d in %d octets", what, n, len(r.b)), io.ErrUnexpectedEOF)
		return 0
	}
	return n
}

// data reads one Data.
func (r *reader) data(what string) axdr.Data {
	if r.err != nil {
		return nil
	}
	d, rest, err := axdr.Cut(r.b)
	if err != nil {
		r.failAt(r.size-len(r.b), what, err)
		return nil
	}
	r.b = rest
	return d[:len(d):len(d)]
}

// flag reads the octet in front of an OPTIONAL element.
func (r *reader) flag(what string) bool {
	at := r.size - len(r.b)
	switch v := r.u8(what); v {
	case 0:
		return false
	case 1:
		return true
	default:
		r.failAt(at, fmt.Sprintf("%s: flag %02X", what, v), nil)
		return false
	}
}

// end checks that nothing is left, and gives the error.
func (r *reader) end() error {
	if r.err == nil && len(r.b) != 0 {
		r.fail(fmt.Sprintf("octets left over: %d", len(r.b)))
	}
	return r.err
}

// appendU16 writes a number of two octets.
func appendU16(b []byte, v uint16) []byte { return append(b, uint8(v>>8), uint8(v)) }

// appendU32 writes a number of four octets.
func appendU32(b []byte, v uint32) []byte {
	return append(b, uint8(v>>24), uint8(v>>16), uint8(v>>8), uint8(v))
}

// appendOctets writes a length and the octets.
func appendOctets(b, octets []byte) []byte {
	return append(axdr.AppendLength(b, len(octets)), octets...)
}
