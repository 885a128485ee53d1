// Package wrapper is the wrapper sublayer of DLMS/COSEM over TCP and UDP (IEC
// 62056-47; Green Book Ed. 9, clause 7.3): a header of eight octets in front of
// each APDU. Octets in, octets out: nothing here reads or writes a connection.
package wrapper

import (
	"encoding/binary"
	"fmt"
	"io"
)

const (
	// HeaderLength is the length of the header in octets.
	HeaderLength = 8
	// Port is the port of DLMS/COSEM at IANA, for TCP and UDP.
	Port = 4059
	// MaxLength is the length of the longest APDU in octets.
	MaxLength = 0xFFFF

	version = 1
)

// Header is the header in front of an APDU (Green Book, clause 7.3.3.2). The
// ports are the addresses of the two application processes: a client, 16 for
// the public one, and a logical device, 1 for the management one. An answer
// has them swapped; not all meters do that.
type Header struct {
	Source      uint16
	Destination uint16
	Length      int // octets of the APDU
}

// Append appends the header and the APDU, which may be empty. It fails if the
// APDU is longer than 65535 octets.
func Append(b []byte, source, destination uint16, apdu []byte) ([]byte, error) {
	if len(apdu) > MaxLength {
		return b, fmt.Errorf("APDU of %d octets does not fit the wrapper (at most %d)", len(apdu), MaxLength)
	}
	b = binary.BigEndian.AppendUint16(b, version)
	b = binary.BigEndian.AppendUint16(b, source)
	b = binary.BigEndian.AppendUint16(b, destination)
	b = binary.BigEndian.AppendUint16(b, uint16(len(apdu)))
	return append(b, apdu...), nil
}

// Cut takes the first APDU from the front of b. The APDU is a view into b, and
// rest is what follows it.
//
// With io.ErrUnexpectedEOF more octets are needed, rest is b, and h is set as
// soon as the header is complete. With a *FormatError b is no wrapper header;
// there is no way to find the next one, so the connection is lost.
func Cut(b []byte) (h Header, apdu, rest []byte, err error) {
	if len(b) > 0 && b[0] != version>>8 || len(b) > 1 && b[1] != version {
		return Header{}, nil, b, newFormatError(b)
	}
	if len(b) < HeaderLength {
		return Header{}, nil, b, io.ErrUnexpectedEOF
	}
	h = Header{
		Source:      binary.BigEndian.Uint16(b[2:]),
		Destination: binary.BigEndian.Uint16(b[4:]),
		Length:      int(binary.BigEndian.Uint16(b[6:])),
	}
	end := HeaderLength + h.Length
	if len(b) < end {
		return h, nil, b, io.ErrUnexpectedEOF
	}
	return h, b[HeaderLength:end:end], b[end:], nil
}

// shownOctets is how many octets a FormatError shows.
const shownOctets = 16

// FormatError is returned for octets that are no wrapper header: the version,
// its first two octets, is not 1.
type FormatError struct {
	First []byte // the first octets, at most 16, a copy
}

func newFormatError(b []byte) *FormatError {
	return &FormatError{First: append([]byte(nil), b[:min(len(b), shownOctets)]...)}
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("wrapper version 00 01 expected, but % X received", e.First)
}
