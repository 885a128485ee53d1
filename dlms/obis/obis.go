// Package obis reads and writes OBIS codes, the logical names of COSEM objects
// (Blue Book Ed. 13, clause 7 "COSEM Object Identification System").
package obis

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Code is an OBIS code: the value groups A to F in the order in which they are
// sent as a logical name. F is 255 where it is not used.
type Code [6]byte

// Group names for messages, in the order of the octets.
const groups = "ABCDEF"

// ParseError says why a text is not an OBIS code.
type ParseError struct {
	Text string // what was given
	Msg  string // what is wrong with it
}

// Error does not repeat the whole text: whoever shows the error shows the
// setting or argument it came from.
func (e *ParseError) Error() string {
	return "not an OBIS code: " + e.Msg + "; write it like 1.0.1.8.0.255 or 1-0:1.8.0*255"
}

// Parse reads an OBIS code in one of the usual notations:
//
//	1.0.1.8.0.255    six numbers
//	1-0:1.8.0*255    the notation of the standard
//	1-0:1.8.0.255
//	1-0:1.8.0        F is 255
//	1.8.0, 1.8.0*255 the short form on displays of electricity meters: A is 1, B is 0
//	0100010800FF     twelve hexadecimal digits
//
// Before F, & may stand for *. Blanks around the code are ignored. Every
// number is from 0 to 255. Errors are of type [*ParseError].
func Parse(s string) (Code, error) {
	text := strings.TrimSpace(s)
	if text == "" {
		return Code{}, &ParseError{Text: s, Msg: "it is empty"}
	}
	c, msg := parse(text)
	if msg != "" {
		return Code{}, &ParseError{Text: s, Msg: msg}
	}
	return c, nil
}

func parse(text string) (c Code, msg string) {
	if len(text) == 12 && strings.IndexFunc(text, notHex) < 0 {
		if _, err := hex.Decode(c[:], []byte(text)); err != nil {
			return Code{}, err.Error()
		}
		return c, ""
	}
	c = Code{1, 0, 0, 0, 0, 255}
	first := 2 // the value group with which body begins
	want := 3  // the numbers body may have
	body := text
	if medium, rest, ok := strings.Cut(text, ":"); ok {
		a, b, ok := strings.Cut(medium, "-")
		if !ok {
			return Code{}, fmt.Sprintf("%q before the colon is not A-B", clip(medium))
		}
		if msg := setGroups(&c, 0, a, b); msg != "" {
			return Code{}, msg
		}
		body = rest
		want = 4
	} else if strings.Count(text, ".") > 3 {
		first, want = 0, 6
	}
	if i := strings.LastIndexAny(body, "*&"); i >= 0 {
		if msg := setGroups(&c, 5, body[i+1:]); msg != "" {
			return Code{}, msg
		}
		body = body[:i]
		want = 5 - first
	}
	parts := strings.Split(body, ".")
	if n := len(parts); n != want && (n != 3 || first != 2) {
		return Code{}, fmt.Sprintf("%q has %s", clip(text), numbers(n))
	}
	return c, setGroups(&c, first, parts...)
}

func numbers(n int) string {
	if n == 1 {
		return "no dots"
	}
	return strconv.Itoa(n) + " numbers between dots"
}

// setGroups sets the value groups from first on to the numbers in parts.
func setGroups(c *Code, first int, parts ...string) (msg string) {
	for i, p := range parts {
		v, ok := octet(p)
		if !ok {
			return fmt.Sprintf("value group %c is %q, not a number from 0 to 255", groups[first+i], clip(p))
		}
		c[first+i] = v
	}
	return ""
}

// octet reads up to three decimal digits. Signs, which strconv would take, are
// no part of an OBIS code.
func octet(s string) (uint8, bool) {
	if len(s) < 1 || len(s) > 3 {
		return 0, false
	}
	v := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		v = 10*v + int(s[i]-'0')
	}
	return uint8(v), v <= 255
}

func notHex(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'f') && (r < 'A' || r > 'F')
}

// clip keeps a text that is quoted in an error short.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

// FromOctets returns the code that the 6 octets of a logical name stand for.
func FromOctets(b []byte) (Code, bool) {
	if len(b) != len(Code{}) {
		return Code{}, false
	}
	return Code(b), true
}

// String returns the six numbers, like 1.0.1.8.0.255.
func (c Code) String() string {
	b := make([]byte, 0, len("255.255.255.255.255.255"))
	for i, v := range c {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendUint(b, uint64(v), 10)
	}
	return string(b)
}
