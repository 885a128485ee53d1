// Package iec62056 is the text by which a session of IEC 62056-21 begins: the
// request, the identification, the acknowledgement that chooses a speed and a
// protocol, and the break. In mode E, HDLC frames follow (IEC 62056-21, annex E).
//
// The package is bytes in, bytes out. Characters have 7 bits and even parity;
// [SetParity] and [StripParity] do that in software, where a port cannot.
package iec62056

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"strings"
)

// The control characters of the protocol.
const (
	SOH = 0x01
	STX = 0x02
	ETX = 0x03
	ACK = 0x06
)

// Limits of the standard, in characters.
const (
	MaxAddress        = 32 // device address of a request
	MaxIdentification = 16 // what a maker writes behind the speed, without "\W" sequences
	maxLine           = 96 // of an identification message: with sequences, and some patience
)

// InitialBaud is the speed of the sign-on.
const InitialBaud = 300

// AppendRequest appends the request message, /?address! CR LF (clause 6.3.1). An
// empty address is that of any device.
func AppendRequest(b []byte, address string) ([]byte, error) {
	if err := CheckAddress(address); err != nil {
		return b, err
	}
	return append(append(append(b, "/?"...), address...), "!\r\n"...), nil
}

// CheckAddress reports whether a device address can be sent: digits, letters
// and blanks, at most 32.
func CheckAddress(address string) error {
	if len(address) > MaxAddress {
		return fmt.Errorf("device address of %d characters, at most %d", len(address), MaxAddress)
	}
	for _, c := range []byte(address) {
		if c != ' ' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return fmt.Errorf("%q in a device address: digits, letters and blanks are allowed", c)
		}
	}
	return nil
}

// Identification is the identification message of a meter, /XXXZ\Wident CR LF
// (clause 6.3.2).
type Identification struct {
	Maker string // three letters of the FLAG association
	Baud  byte   // Z: the character that stands for the highest speed
	Modes string // the characters W of the sequences "\W"
	Text  string // what the maker writes
}

// Fast reports whether the meter reacts after 20 ms already, and not 200: the
// third letter of the maker is a small one.
func (i Identification) Fast() bool {
	return len(i.Maker) == 3 && i.Maker[2] >= 'a' && i.Maker[2] <= 'z'
}

// HDLC reports whether the meter announces mode E with HDLC.
func (i Identification) HDLC() bool { return strings.Contains(i.Modes, "2") }

// String is the message without its line end.
func (i Identification) String() string {
	var modes strings.Builder
	for _, m := range i.Modes {
		modes.WriteByte('\\')
		modes.WriteRune(m)
	}
	return "/" + i.Maker + string(rune(i.Baud)) + modes.String() + i.Text
}

// A ReadoutError says that a data readout came where an identification or an
// acknowledgement was expected: the meter speaks one of the modes A to D.
type ReadoutError struct {
	First []byte // how it begins, at most 32 octets
}

func (e *ReadoutError) Error() string {
	return fmt.Sprintf("the meter sends an ASCII readout (%q)", e.First)
}

// CutIdentification takes the first identification message from the front of b;
// noise in front of it is passed over. With io.ErrUnexpectedEOF more octets are
// needed, and rest is what has to be kept for them. A *ReadoutError says that a
// data readout begins. Parity bits have to be stripped before.
func CutIdentification(b []byte) (id Identification, rest []byte, err error) {
	for {
		start := bytes.IndexAny(b, "/\x02")
		if start < 0 {
			return id, b[len(b):], io.ErrUnexpectedEOF
		}
		b = b[start:]
		if b[0] == STX {
			return id, b, &ReadoutError{First: bytes.Clone(b[:min(len(b), 32)])}
		}
		end := bytes.IndexByte(b[:min(len(b), maxLine+1)], '\n')
		if end < 0 && len(b) <= maxLine {
			return id, b, io.ErrUnexpectedEOF
		}
		if end >= 0 && end <= maxLine {
			if id, err = parseIdentification(bytes.TrimRight(b[1:end], "\r")); err == nil {
				return id, b[end+1:], nil
			}
		}
		b = b[1:] // it was no message
	}
}

var errNoIdentification = errors.New("no identification")

func parseIdentification(line []byte) (id Identification, err error) {
	letter := func(c byte) bool { return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' }
	if len(line) < 4 || !letter(line[0]) || !letter(line[1]) || !letter(line[2]) || line[3] < '!' || line[3] > '~' || line[3] == '\\' {
		return id, errNoIdentification
	}
	id.Maker, id.Baud = string(line[:3]), line[3]
	line = line[4:]
	for len(line) > 1 && line[0] == '\\' {
		if line[1] < '!' || line[1] > '~' {
			return id, errNoIdentification
		}
		id.Modes += string(line[1])
		line = line[2:]
	}
	for _, c := range line {
		if c < ' ' || c > '~' {
			return id, errNoIdentification
		}
	}
	id.Text = string(line)
	return id, nil
}

// speeds of the modes C, D and E, by the digit that stands for them.
var speeds = [...]int{300, 600, 1200, 2400, 4800, 9600, 19200}

// Speed is the speed in baud that a character stands for in the modes C to E;
// 0: none.
func Speed(z byte) int {
	if z < '0' || int(z-'0') >= len(speeds) {
		return 0
	}
	return speeds[z-'0']
}

// ChooseSpeed returns the character of the highest speed that is neither above
// the one offered nor, if limit is not 0, above limit baud. A character that is
// not known offers no more than 300 baud.
func ChooseSpeed(offered byte, limit int) byte {
	z := byte('0')
	for i, baud := range speeds {
		if baud <= Speed(offered) && (limit == 0 || baud <= limit) {
			z = '0' + byte(i)
		}
	}
	return z
}

// AppendModeE appends the acknowledgement that chooses mode E with HDLC at a
// speed: ACK 2 Z 2 CR LF.
func AppendModeE(b []byte, z byte) []byte { return append(b, ACK, '2', z, '2', '\r', '\n') }

// AppendBreak appends the break, which ends a session: SOH B0 ETX and its check.
func AppendBreak(b []byte) []byte { return append(b, SOH, 'B', '0', ETX, 'B'^'0'^ETX) }

// SetParity sets the highest bit of each octet so that the number of its bits is
// even: characters of 7 bits and even parity on a port of 8 bits without.
func SetParity(b []byte) {
	for i, c := range b {
		c &= 0x7F
		b[i] = c | byte(bits.OnesCount8(c)&1)<<7
	}
}

// StripParity clears the highest bit of each octet.
func StripParity(b []byte) {
	for i := range b {
		b[i] &= 0x7F
	}
}
