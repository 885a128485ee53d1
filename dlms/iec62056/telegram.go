package iec62056

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// MaxTelegram is the longest telegram in octets, from '/' or STX to its check
// and the line end behind it.
const MaxTelegram = 16384

const (
	maxEnd      = 32   // octets behind '!' in which the line of it has to end
	maxSets     = 1000 // of a telegram
	maxValues   = 64   // of a data set
	maxDataLine = 4096 // octets, without the line end: a message to the consumer has up to 2048 digits
	maxBad      = 80   // octets of a line that are reported
)

// Telegram is one ASCII message: identification line and data lines.
type Telegram struct {
	Identification string // behind '/', for example "ISK5\2M550T-1012"; a copy, empty for a data block alone
	Maker          string // the first three letters of it, empty without
	Body           []byte // octets of the data lines, their line ends included, without '!'; after CutTelegram a view into its argument
	Checked        bool   // a CRC or a block check was there, and was right
}

// TelegramErrorKind says what is wrong with octets that should be a telegram.
type TelegramErrorKind uint8

// What can be wrong with a telegram.
const (
	TelegramNoise    TelegramErrorKind = iota + 1 // octets in front of a telegram
	TelegramChecksum                              // CRC or block check
	TelegramLength                                // no end within MaxTelegram octets
	TelegramSyntax                                // it breaks off, or holds an octet that cannot stand there
)

// TelegramError is returned for octets that are no telegram.
type TelegramError struct {
	Kind    TelegramErrorKind
	Skipped int    // octets given up
	Want    uint16 // check as computed (TelegramChecksum), or the octet that was expected (TelegramSyntax)
	Got     uint16 // check or octet as received
}

func (e *TelegramError) Error() string {
	switch e.Kind {
	case TelegramNoise:
		return fmt.Sprintf("%d octets outside of a telegram", e.Skipped)
	case TelegramChecksum:
		return fmt.Sprintf("wrong check of a telegram: %04X received, %04X expected, %d octets given up", e.Got, e.Want, e.Skipped)
	case TelegramLength:
		return fmt.Sprintf("telegram without end in %d octets, %d given up", MaxTelegram, e.Skipped)
	case TelegramSyntax:
		return fmt.Sprintf("broken telegram: %s received, %s expected, %d octets given up", octetName(e.Got), octetName(e.Want), e.Skipped)
	}
	return fmt.Sprintf("unknown(%#02x)", uint8(e.Kind))
}

func octetName(c uint16) string {
	switch c {
	case STX:
		return "STX"
	case ETX:
		return "ETX"
	case '/':
		return "the '/' of another telegram"
	}
	return fmt.Sprintf("%q", rune(c))
}

// CutTelegram takes the first telegram from the front of b. Parity bits have to
// be stripped before. It may be
//
//   - a P1 telegram, or the readout of mode D: /XXX5ident CR LF, an empty line,
//     data lines, and a line that begins with '!'. If four hexadecimal digits
//     stand behind '!', they are the CRC from '/' to '!'. If anything else does,
//     there is no CRC, and Checked is false; with brackets in it the line is one
//     of data, though. Who knows that a meter sends a CRC should take nothing
//     from it that is not checked.
//   - the readout of the modes A to C: /XXX5ident CR LF, STX, data lines, '!' CR
//     LF, ETX and the block check, which does not cover the identification.
//   - the same without the identification.
//
// A line may also end with LF alone. Body is a view into b with no capacity
// beyond it, the strings are copies. CutTelegram does not change b.
//
// With io.ErrUnexpectedEOF more octets are needed; rest is what has to be kept
// for them, at most MaxTelegram octets. With a *TelegramError rest is where to go
// on, Skipped octets further on and at least one: where the next telegram begins
// or may begin. A telegram inside of which the identification of another begins
// has broken off, and that other one is not lost. Not so a block in whose text
// another STX stands, since the block check is too weak to tell whether a block
// begins there: both are given up. Without error rest is what is behind the
// telegram.
func CutTelegram(b []byte) (t Telegram, rest []byte, err error) {
	if len(b) == 0 {
		return Telegram{}, b, io.ErrUnexpectedEOF
	}
	w := b[:min(len(b), MaxTelegram)]
	line, n := cutHeader(w)
	switch {
	case n < 0:
		n = nextStart(b)
		return Telegram{}, b[n:], &TelegramError{Kind: TelegramNoise, Skipped: n}
	case n > 0 && w[n-1] == STX:
		t, n, err = cutBlock(w, n)
	case n > 0:
		t, n, err = cutText(w, n)
	}
	switch {
	case err != nil:
		return Telegram{}, b[n:], err
	case n == 0 && len(b) < MaxTelegram:
		return Telegram{}, b, io.ErrUnexpectedEOF
	case n == 0:
		n = nextStart(w)
		return Telegram{}, b[n:], &TelegramError{Kind: TelegramLength, Skipped: n}
	}
	if len(line) > 0 {
		t.Identification = string(line)
		t.Maker = t.Identification[:3]
	}
	return t, b[n:], nil
}

// nextStart is where a telegram may begin behind the first octet of b; len(b) if
// nowhere.
func nextStart(b []byte) int {
	for i := 1; i < len(b); i++ {
		if _, n := cutHeader(b[i:]); n >= 0 {
			return i
		}
	}
	return len(b)
}

// cutHeader reads what is in front of the data lines: the identification line
// and an empty line or STX, or STX alone. n is the number of its octets, 0 if b
// is too short to tell, and -1 if it is no header. Neither '/' nor '!' can stand
// in an identification (clause 6.3.2).
func cutHeader(b []byte) (line []byte, n int) {
	if b[0] == STX {
		return nil, 1
	}
	if b[0] != '/' {
		return nil, -1
	}
	i := 1
	for ; i < len(b) && b[i] != '\n'; i++ {
		if i >= maxLine || !identifies(i, b[i], b[i-1]) {
			return nil, -1
		}
	}
	if i == len(b) {
		return nil, 0
	}
	line = bytes.TrimRight(b[1:i], "\r")
	if len(line) < 4 {
		return nil, -1
	}
	switch b = b[i+1:]; {
	case len(b) == 0, len(b) == 1 && b[0] == '\r':
		return line, 0
	case b[0] == STX || b[0] == '\n':
		return line, i + 2
	case b[0] == '\r' && b[1] == '\n':
		return line, i + 3
	}
	return nil, -1
}

// identifies reports whether c can be octet i of an identification line, behind
// the octet last.
func identifies(i int, c, last byte) bool {
	switch {
	case i <= 3:
		return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
	case c == '\r':
		return i > 4
	case last == '\r' || c == '/' || c == '!':
		return false
	case i == 4:
		return c > ' ' && c <= '~' && c != '\\'
	}
	return c >= ' ' && c <= '~'
}

// cutText reads the data lines of a P1 telegram, which begin at w[start], and
// its end. n is where to go on, 0 if w is too short.
func cutText(w []byte, start int) (t Telegram, n int, err error) {
	for i := start; i < len(w); i++ {
		if w[i] == '/' {
			if n, err := another(w, i, '!'); n >= 0 {
				return t, n, err
			}
		}
		if w[i] != '!' || w[i-1] != '\n' {
			continue
		}
		check, n := cutEnd(w[i+1:])
		if n == noEnd {
			continue
		}
		if n == endUnknown {
			break
		}
		t.Body = w[start:i:i]
		n += i + 1
		if got, ok := parseCheck(check); ok {
			if want := crc16(w[:i+1]); got != want {
				return t, n, &TelegramError{Kind: TelegramChecksum, Skipped: n, Want: want, Got: got}
			}
			t.Checked = true
		}
		return t, n, nil
	}
	return t, 0, nil
}

// another looks for the header of another telegram at the '/' w[i]. n is i with
// an error if it is one, 0 if w is too short, and -1 if it is none.
func another(w []byte, i int, want uint16) (n int, err error) {
	_, n = cutHeader(w[i:])
	if n > 0 {
		return i, &TelegramError{Kind: TelegramSyntax, Skipped: i, Want: want, Got: '/'}
	}
	return n, nil
}

// What cutEnd returns instead of a number of octets.
const (
	endUnknown = -1 // b is too short to tell
	noEnd      = -2 // it is a line of data
)

// cutEnd reads what is behind a '!' that begins a line. check is the rest of the
// line, n the number of octets with the line end.
func cutEnd(b []byte) (check []byte, n int) {
	for i, c := range b[:min(len(b), maxEnd)] {
		switch c {
		case '(', ')':
			return nil, noEnd
		case '/', STX:
			return b[:i], i
		case '\n':
			return bytes.TrimRight(b[:i], "\r"), i + 1
		}
	}
	if len(b) < maxEnd {
		return nil, endUnknown
	}
	return nil, 0
}

func parseCheck(b []byte) (crc uint16, ok bool) {
	v, err := strconv.ParseUint(string(b), 16, 16)
	return uint16(v), err == nil && len(b) == 4
}

// cutBlock reads the data block behind an STX, which begins at w[start], and its
// end. n is where to go on, 0 if w is too short.
func cutBlock(w []byte, start int) (t Telegram, n int, err error) {
	broken := func(n int, want, got uint16) (Telegram, int, error) {
		return Telegram{}, n, &TelegramError{Kind: TelegramSyntax, Skipped: n, Want: want, Got: got}
	}
	for i := start; i < len(w); i++ {
		switch c := w[i]; {
		case c == ETX:
			return endBlock(w, start, i)
		case c == STX && i == start:
			for i+1 < len(w) && w[i+1] == STX {
				i++
			}
			if start > 1 {
				return broken(i, ETX, STX)
			}
			return t, i, &TelegramError{Kind: TelegramNoise, Skipped: i}
		case c == STX:
			return broken(i+1, ETX, STX)
		case c == '/':
			if n, err := another(w, i, ETX); n >= 0 {
				return t, n, err
			}
		case c == '!' && (i == start || w[i-1] == '\n'):
			end := i + 1
			if end < len(w) && w[end] == '\r' {
				end++
			}
			if end+1 < len(w) && w[end] == '\n' && w[end+1] != ETX {
				return broken(end+1, ETX, uint16(w[end+1]))
			}
		case c < ' ' && c != '\r' && c != '\n' && c != '\t', c == 0x7F:
			return broken(i+1, ETX, uint16(c))
		}
	}
	return t, 0, nil
}

// endBlock reads the end of the data block that begins at w[start], and whose
// ETX is w[etx].
func endBlock(w []byte, start, etx int) (t Telegram, n int, err error) {
	body := bytes.TrimRight(w[start:etx], "\r\n")
	if !bytes.HasSuffix(body, []byte("!")) {
		return t, etx + 1, &TelegramError{Kind: TelegramSyntax, Skipped: etx + 1, Want: '!', Got: ETX}
	}
	if etx+1 == len(w) {
		return t, 0, nil
	}
	var bcc byte
	for _, c := range w[start : etx+1] {
		bcc ^= c
	}
	n = etx + 2
	if got := w[etx+1]; got != bcc {
		if got == '/' || got == STX {
			n-- // the check is missing, and the next telegram begins
		}
		return t, n, &TelegramError{Kind: TelegramChecksum, Skipped: n, Want: uint16(bcc), Got: uint16(got)}
	}
	t.Body = body[: len(body)-1 : len(body)-1]
	t.Checked = true
	return t, n, nil
}

// crc16 is the CRC of a P1 telegram, from '/' to '!' (CRC-16/ARC).
func crc16(b []byte) uint16 {
	const polynomial = 0xA001 // 8005h, bits reversed
	var crc uint16
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			crc = crc>>1 ^ crc&1*polynomial
		}
	}
	return crc
}

// AppendTelegram appends a P1 telegram with the CRC that fits. Neither the
// identification, which comes without '/', nor the lines may hold a line end of
// their own, and no line may begin with '!'; that is not checked.
func AppendTelegram(b []byte, identification string, lines []string) []byte {
	start := len(b)
	b = append(append(append(b, '/'), identification...), "\r\n\r\n"...)
	for _, line := range lines {
		b = append(append(b, line...), '\r', '\n')
	}
	b = append(b, '!')
	return fmt.Appendf(b, "%04X\r\n", crc16(b[start:]))
}

// DataSet is one element of a data line: an address and the values in brackets
// behind it.
type DataSet struct {
	Address string      // as written: "1-0:1.8.1", "1.8.0*01", "F.F", "0-1:24.2.1"
	Values  []DataValue // in order, at least one
}

// DataValue is what stands in a pair of brackets.
type DataValue struct {
	Text string // as written: "000123.456"
	Unit string // as written behind the first '*': "kWh"; empty without
}

// Data returns the data sets of the body, in order. All of their strings and
// slices are copies, and belong to the caller.
//
// Several sets may stand on one line. A line that begins with '(' goes on with
// the values of the last set of the line before. An address is any text without
// brackets; what it means is for the caller to say.
//
// A line that cannot be read is passed to bad, which may be nil, cut to 80
// octets, and is skipped: brackets are missing, or do not match, text stands
// behind the last of them or a control character on the line, there is nothing
// to go on with, or the line has more than 4096 octets, makes more than 64 values
// of a set, or more than 1000 sets of the telegram. Nothing else is lost with it
// than lines that go on with it.
func (t Telegram) Data(bad func(line string)) iter.Seq[DataSet] {
	return func(yield func(DataSet) bool) {
		var last DataSet // not yielded before the next line, which may go on with it
		sets := 0
		for line := range bytes.Lines(t.Body) {
			line = bytes.Trim(line, " \t\r\n")
			if len(line) == 0 {
				continue
			}
			values, more, ok := parseLine(line)
			if len(values) > 0 && (len(last.Values) == 0 || len(last.Values)+len(values) > maxValues) {
				ok = false
			}
			if !ok || sets+len(more) > maxSets {
				if len(last.Values) > 0 && !yield(last) {
					return
				}
				last = DataSet{}
				if bad != nil {
					bad(string(line[:min(len(line), maxBad)]))
				}
				continue
			}
			last.Values = append(last.Values, values...)
			sets += len(more)
			for _, set := range more {
				if len(last.Values) > 0 && !yield(last) {
					return
				}
				last = set
			}
		}
		if len(last.Values) > 0 {
			yield(last)
		}
	}
}

// parseLine reads a data line: values that go on with the set before, and sets.
func parseLine(line []byte) (values []DataValue, sets []DataSet, ok bool) {
	if len(line) > maxDataLine || bytes.ContainsFunc(line, unicode.IsControl) {
		return nil, nil, false
	}
	for rest := string(line); rest != ""; {
		address, behind, found := strings.Cut(rest, "(")
		if !found || strings.Contains(address, ")") {
			return nil, nil, false
		}
		var v []DataValue
		if v, rest, ok = cutValues(behind); !ok {
			return nil, nil, false
		}
		if address = strings.TrimRight(address, " "); address == "" {
			values = v // only at the front of a line
		} else {
			sets = append(sets, DataSet{Address: address, Values: v})
		}
	}
	return values, sets, true
}

// cutValues reads the values at the front of s, whose first bracket is taken.
func cutValues(s string) (values []DataValue, rest string, ok bool) {
	for {
		text, behind, found := strings.Cut(s, ")")
		if !found || strings.Contains(text, "(") || len(values) == maxValues {
			return nil, "", false
		}
		text, unit, _ := strings.Cut(text, "*")
		values = append(values, DataValue{Text: text, Unit: unit})
		rest = strings.TrimLeft(behind, " ")
		if !strings.HasPrefix(rest, "(") {
			return values, rest, true
		}
		s = rest[1:]
	}
}

// Stamp is a date and a time of day as a meter writes them, in its local time.
type Stamp struct {
	Year                 int // 2000 to 2099
	Month, Day           int // from 1 on
	Hour, Minute, Second int
	Summer, Winter       bool // what the meter says of its clock; neither if it says nothing
}

// ParseTimestamp reads a timestamp YYMMDDhhmmss, with an 'S' (summer time) or a
// 'W' (winter time) behind it or nothing, or YYMMDDhhmm. It reports false for
// anything else, and for a date or a time that do not exist.
func ParseTimestamp(s string) (Stamp, bool) {
	var st Stamp
	if len(s) == 13 {
		st.Summer, st.Winter = s[12] == 'S', s[12] == 'W'
		if !st.Summer && !st.Winter {
			return Stamp{}, false
		}
		s = s[:12]
	}
	if len(s) != 12 && len(s) != 10 {
		return Stamp{}, false
	}
	// With the century, for two digits of a year may mean another one.
	at, err := time.Parse("20060102150405"[:2+len(s)], "20"+s)
	if err != nil {
		return Stamp{}, false
	}
	st.Year, st.Month, st.Day = at.Year(), int(at.Month()), at.Day()
	st.Hour, st.Minute, st.Second = at.Clock()
	return st, true
}
