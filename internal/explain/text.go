package explain

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/iec62056"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// telegramAt reports whether a telegram or an identification may begin at b.
func telegramAt(b []byte) bool {
	line, _, ok := bytes.Cut(b[:min(len(b), 64)], []byte("\n"))
	if !ok || len(line) < 5 || line[0] != '/' {
		return false
	}
	for i, c := range line[1:] {
		if i < 3 && (c|0x20 < 'a' || c|0x20 > 'z') || (c < 0x20 || c > 0x7E) && c != '\r' {
			return false
		}
	}
	return true
}

// text deals with a telegram, or a message of the sign-on of IEC 62056-21; n is
// -1 if it is neither.
func (s *stream) text(o octets, final bool) (n int, good bool) {
	if n := signOn(o.b); n > 0 && (o.b[0] != '/' || !moreText(o.b[n:])) {
		s.frame("IEC 62056-21 sign-on", signOnText(o.b[:n]), o.cut(0, n))
		s.x.report.Frames++
		return n, true
	}
	if o.b[0] != iec62056.STX && !telegramAt(o.b) {
		return -1, false
	}
	t, rest, err := iec62056.CutTelegram(o.b)
	n = len(o.b) - len(rest)
	var bad *iec62056.TelegramError
	switch {
	case err == nil:
		if o.b[0] != '/' && !t.Checked {
			return -1, false
		}
		s.telegram(t, o.cut(0, n), "")
		return n, true
	case errors.Is(err, io.ErrUnexpectedEOF) && !final:
		return 0, false
	case errors.As(err, &bad) && bad.Kind == iec62056.TelegramChecksum:
		fixed := bytes.Clone(o.b[:n])
		fixTelegram(fixed)
		if t, _, err := iec62056.CutTelegram(fixed); err == nil {
			s.telegram(t, o.cut(0, n), fmt.Sprintf("wrong check: %04X received, %04X expected", bad.Got, bad.Want))
			return n, true
		}
		return -1, false
	case errors.As(err, &bad) && bad.Kind == iec62056.TelegramNoise:
		return n, false
	case telegramAt(o.b) || o.b[0] == iec62056.STX && s.begins() && printable(o.b[1:min(len(o.b), 8)]):
		if n = s.next(o.b); bad != nil {
			n = min(n, max(bad.Skipped, 1))
		}
		for i, c := range o.b[1:n] {
			if (c < 0x20 || c > 0x7E) && c != '\r' && c != '\n' && c != '\t' && c != iec62056.STX {
				n = i + 1
				break
			}
		}
		s.telegramPart(o.cut(0, n), err)
		return n, true
	default:
		return -1, false
	}
}

// signOn returns the octets of a request, an identification or an
// acknowledgement at the front of b; 0: there is none.
func signOn(b []byte) int {
	end := bytes.IndexByte(b[:min(len(b), 64)], '\n') + 1
	switch {
	case end < 4:
		return 0
	case b[0] == iec62056.ACK && end == 6 && b[4] == '\r' && printable(b[1:4]):
		return end
	case b[0] == '/' && b[1] == '?' && bytes.HasSuffix(b[:end], []byte("!\r\n")) && printable(b[:end-2]):
		return end
	case telegramAt(b) && b[end-2] == '\r':
		return end
	default:
		return 0
	}
}

// moreText reports whether a telegram goes on behind its identification.
func moreText(b []byte) bool {
	return len(b) > 0 && (b[0] == iec62056.STX || b[0] == '\r' || b[0] == '\n')
}

// signOnText says what a message of the sign-on is.
func signOnText(b []byte) string {
	text := strconv.QuoteToASCII(strings.TrimRight(string(b), "\r\n"))
	switch {
	case b[0] == iec62056.ACK:
		text = fmt.Sprintf("acknowledgement: protocol control %c, mode %c, %d Bd", b[1], b[3], iec62056.Speed(b[2]))
	case b[1] == '?':
		text = "request " + text
	default:
		text = "identification " + text
		if id, _, err := iec62056.CutIdentification(b); err == nil {
			text += fmt.Sprintf(", %d Bd", iec62056.Speed(id.Baud))
			if id.HDLC() {
				text += ", mode E with HDLC"
			}
		}
	}
	return text
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c > 0x7E {
			return false
		}
	}
	return len(b) > 0
}

// telegram shows an ASCII telegram; problem is what is wrong with its check.
func (s *stream) telegram(t iec62056.Telegram, o octets, problem string) {
	s.x.mark(kindTelegram, o)
	if problem == "" {
		s.counted(dlms.Text)
	}
	n := s.frame("telegram", count(len(o.b), "octet"), o)
	s.x.telegram(n, t, o)
	at := octets{}
	if t.Checked || problem != "" {
		at = o.from(max(bytes.LastIndexByte(o.b, '!'), bytes.LastIndexByte(o.b, iec62056.ETX)) + 1)
	}
	check := s.x.add(n, "check", "none", at)
	switch {
	case problem != "":
		check.Value = "wrong"
		s.x.flaw(check, problem)
	case t.Checked:
		check.Value = "ok"
	default:
	}
}

// telegramPart shows the beginning of a telegram.
func (s *stream) telegramPart(o octets, err error) {
	n := s.frame("telegram", count(len(o.b), "octet"), o)
	_, text := errorAt(err)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		text = "the input ends within a telegram"
	}
	s.x.flaw(n, text)
	s.x.telegram(n, iec62056.Telegram{Body: o.b}, o)
}

// telegram shows the data sets of a telegram.
func (x *explainer) telegram(n *Node, t iec62056.Telegram, o octets) {
	x.report.Messages++
	x.searched(o)
	if t.Identification != "" {
		x.add(n, "identification", strconv.QuoteToASCII(t.Identification), o.cut(0, 1+len(t.Identification)))
	}
	from := 0
	locate := func(text string) octets { // the values stand in the order of the text
		i := bytes.Index(o.b[min(from, len(o.b)):], []byte(text))
		if i < 0 || text == "" {
			return octets{}
		}
		at := from + i
		from = at + len(text)
		return o.cut(at, from)
	}
	bad := func(line string) {
		x.damaged(n, locate(line), 0, "a line that cannot be read: "+strconv.QuoteToASCII(line))
	}
	if len(t.Body) > 0 && t.Identification == "" {
		bad = func(string) {} // the text in front of the data sets
	}
	for set := range t.Data(bad) {
		locate(set.Address)
		node := x.add(n, ascii(set.Address), "", octets{})
		code, err := obis.Parse(strings.ReplaceAll(set.Address, "&", "*"))
		if err == nil {
			node.Note = x.describe(code)
		}
		for i, v := range set.Values {
			at := locate(v.Text)
			if i == 0 {
				node.Offset, node.Length = x.offset(at, 0), len(at.b)
				if node.Offset < 0 {
					node.Length = -1
				}
			} else {
				node.Value += "; "
			}
			x.markText(set.Address, code, at)
			if text, err := hex.DecodeString(v.Text); err == nil && len(text) >= leastSerial && printable(text) {
				node.Note = strings.TrimPrefix(node.Note+"; "+strconv.QuoteToASCII(string(text)), "; ")
			}
			node.Value += telegramValue(v)
		}
		if err == nil {
			node.Reading = telegramReading(code, set.Values)
		}
	}
}

func telegramValue(v iec62056.DataValue) string {
	text := ascii(v.Text)
	if st, ok := iec62056.ParseTimestamp(v.Text); ok && (st.Summer || st.Winter) {
		text = fmt.Sprintf("%04d-%02d-%02d %02d:%02d:%02d", st.Year, st.Month, st.Day, st.Hour, st.Minute, st.Second)
		if st.Summer {
			return text + " summer time"
		}
		return text + " winter time"
	}
	if v.Unit != "" {
		text += " " + ascii(v.Unit)
	}
	return text
}

// telegramReading is the last of the values, which is the one that counts: a
// time may stand in front of it.
func telegramReading(code obis.Code, values []iec62056.DataValue) *Reading {
	v := values[len(values)-1]
	r := &Reading{OBIS: code.String(), Attribute: 2, Type: "text", Value: ascii(v.Text), Unit: ascii(v.Unit)}
	if f, err := strconv.ParseFloat(v.Text, 64); err == nil && v.Unit != "" {
		r.Value = f
	}
	return r
}

// fixTelegram gives a telegram the check that fits.
func fixTelegram(b []byte) {
	if i := bytes.LastIndex(b, []byte("\n!")); b[0] == '/' && i >= 0 && len(b) >= i+6 && !bytes.Contains(b, []byte{iec62056.STX}) {
		if isHex(b[i+2]) && isHex(b[i+3]) && isHex(b[i+4]) && isHex(b[i+5]) {
			copy(b[i+2:], fmt.Sprintf("%04X", crc16(b[:i+2])))
		}
		return
	}
	from, etx := bytes.IndexByte(b, iec62056.STX), len(b)-2
	if from < 0 || etx < from || b[etx] != iec62056.ETX {
		return
	}
	var bcc byte
	for _, c := range b[from+1 : etx+1] {
		bcc ^= c
	}
	b[etx+1] = bcc
}

// crc16 is the CRC of a P1 telegram (CRC-16/ARC).
func crc16(b []byte) uint16 {
	var crc uint16
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			crc = crc>>1 ^ crc&1*0xA001
		}
	}
	return crc
}
