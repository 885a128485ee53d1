// Package wrapper is the wrapper sublayer of DLMS/COSEM over TCP and UDP (IEC
// 62056-47; Green Book Ed. 9, clause 7.3): a header of eight octets in front of
// each APDU. Octets in, octets out: nothing here reads or writes a connection.
package wrapper

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
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

// Seen is what octets look like that are no wrapper header.
type Seen uint8

// What octets may look like.
const (
	SeenUnknown Seen = iota
	SeenHDLC         // an HDLC frame: the flag, perhaps a format field behind it
	SeenText         // printable ASCII: a login, an error message, a readout
)

var seenNames = [...]string{"neither wrapper nor HDLC", "HDLC", "text"}

// String is "HDLC", "text" or "neither wrapper nor HDLC".
func (s Seen) String() string {
	if int(s) < len(seenNames) {
		return seenNames[s]
	}
	return fmt.Sprintf("unknown(%#02x)", uint8(s))
}

const shownOctets = 16

// FormatError is returned for octets that are no wrapper header: the version,
// its first two octets, is not 1.
type FormatError struct {
	Seen  Seen
	First []byte // the first octets, at most 16, a copy
}

func newFormatError(b []byte) *FormatError {
	first := b[:min(len(b), shownOctets)]
	e := &FormatError{First: append([]byte(nil), first...)}
	switch {
	case looksLikeHDLC(first):
		e.Seen = SeenHDLC
	case looksLikeText(first):
		e.Seen = SeenText
	default:
	}
	return e
}

// looksLikeHDLC is about flags and the format field of frame type 3. One
// lonely octet 7E counts too, although it is a tilde in ASCII.
func looksLikeHDLC(b []byte) bool {
	const flag, format = 0x7E, 0xA0
	for len(b) > 1 && b[0] == flag && b[1] == flag {
		b = b[1:]
	}
	return b[0] == flag && (len(b) == 1 || b[1]&0xF0 == format)
}

func looksLikeText(b []byte) bool {
	for _, c := range b {
		if (c < ' ' || c > '~') && c != '\r' && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

func (e *FormatError) Error() string {
	const want = "wrapper version 00 01 expected"
	switch e.Seen {
	case SeenHDLC:
		return fmt.Sprintf("%s, but % X received, which looks like an HDLC frame", want, e.First)
	case SeenText:
		return fmt.Sprintf("%s, but text received: %q", want, strings.TrimSpace(string(e.First)))
	default:
		return fmt.Sprintf("%s, but % X received", want, e.First)
	}
}
