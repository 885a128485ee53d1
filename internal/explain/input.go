package explain

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/iec62056"
)

// MaxInput is how many octets of a file are taken.
const MaxInput = 16 << 20

// Form is how the octets stand in a file.
type Form uint8

// Forms of a file.
const (
	Binary Form = iota + 1
	Hex         // hexadecimal digits in text, of a log or a hexdump as well
	JSON        // a capture: an object with the field hex
	Record      // written by dump -record
)

// Input is the octets of a file, and where they stood in it.
type Input struct {
	Form   Form
	Octets []byte

	parts []part
	wrong []wrongLine
}

// part is octets that stood together: on a line, or in a string of JSON.
type part struct {
	from, to int    // in Octets
	line     int    // 0: there are no lines
	text     string // of a record: the line in front of the octets, or a whole line without any
	stream   string // which octets belong together: sent or received on one endpoint; "": all
	time     string // of a record
	endpoint string
	sent     bool
	received bool
	note     string
	bad      bool // it could not be read
}

// wrongLine is a line that could not be read.
type wrongLine struct {
	line int
	text string
}

// ErrNothing says that there are no octets in a file.
var ErrNothing = errors.New("no octets found: binary, or text with hexadecimal digits is expected")

const recordHeader = "# telegraf-dlms record 1"

// ParseInput finds the octets in a file.
func ParseInput(data []byte) (*Input, error) {
	if len(data) > MaxInput {
		return nil, fmt.Errorf("the input has %d octets, at most %d are taken", len(data), MaxInput)
	}
	in := &Input{}
	var err error
	switch trimmed := bytes.TrimSpace(data); {
	case bytes.HasPrefix(data, []byte(recordHeader)):
		in.Form = Record
		in.record(string(data))
	case isBinary(data):
		in.Form = Binary
		in.add(data, part{})
	case len(trimmed) > 0 && trimmed[0] == '{' && json.Valid(trimmed), bytes.HasPrefix(trimmed, []byte(`["`)) && json.Valid(trimmed):
		in.Form = JSON
		err = in.json(trimmed)
	case isTelegram(trimmed):
		in.Form = Binary
		in.add(lineEnds(trimmed), part{})
	default:
		in.Form = Hex
		in.text(string(data))
	}
	if err == nil && len(in.Octets) == 0 {
		err = ErrNothing
	}
	if err != nil {
		return nil, err
	}
	return in, nil
}

// isBinary reports whether data holds octets that no text has.
func isBinary(data []byte) bool {
	for i, c := range data {
		if c < 0x20 && c != '\t' && c != '\r' && c != '\n' && c != '\f' && c != 0x1B || c == 0x7F {
			return true
		}
		if c >= 0x80 && !validUTF8At(data, i) {
			return true
		}
	}
	return false
}

// validUTF8At reports whether the octet at i is part of a character that is
// encoded in UTF-8: a comment in a log may have one.
func validUTF8At(data []byte, i int) bool {
	from := i
	for from > 0 && i-from < 3 && data[from]&0xC0 == 0x80 {
		from--
	}
	r := bytes.Runes(data[from:min(len(data), from+4)])
	return len(r) > 0 && r[0] != '\uFFFD'
}

// isTelegram reports whether text is that of a meter itself, not its octets in
// hexadecimal digits.
func isTelegram(text []byte) bool {
	if bytes.HasPrefix(text, []byte("/?")) {
		return bytes.HasPrefix(bytes.TrimLeft(text[2:], "0123456789"), []byte("!"))
	}
	const least = 5
	return len(text) >= least && text[0] == '/' && letters(text[1:4])
}

// lineEnds gives a telegram the line ends that its check is made with, where
// an editor has taken them away.
func lineEnds(text []byte) []byte {
	text = append(bytes.Clone(text), '\n')
	if bytes.Contains(text, []byte("\r")) {
		return text
	}
	if _, _, err := iec62056.CutTelegram(text); err == nil {
		if t, _, _ := iec62056.CutTelegram(text); t.Checked {
			return text
		}
	}
	return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
}

// add appends a part with its octets.
func (in *Input) add(octets []byte, p part) {
	p.from = len(in.Octets)
	in.Octets = append(in.Octets, octets...)
	p.to = len(in.Octets)
	in.parts = append(in.parts, p)
}

// fault notes a line that could not be read.
func (in *Input) fault(line int, format string, args ...any) {
	if len(in.wrong) < 100 {
		in.wrong = append(in.wrong, wrongLine{line, fmt.Sprintf(format, args...)})
	}
}

// Line returns the number of the line on which an octet stood, from 1; 0 where
// there are none.
func (in *Input) Line(offset int) int {
	i := sort.Search(len(in.parts), func(i int) bool { return in.parts[i].to > offset })
	if i == len(in.parts) || offset < in.parts[i].from {
		return 0
	}
	return in.parts[i].line
}

// json reads the field hex of a capture, a string or a list of them, or its
// field dialog: a list of messages with dir (client or meter) and hex.
func (in *Input) json(data []byte) error {
	type message struct {
		Dir string `json:"dir"`
		Hex string `json:"hex"`
	}
	var capture struct {
		Hex    json.RawMessage `json:"hex"`
		Dialog []message       `json:"dialog"`
	}
	if data[0] == '[' {
		capture.Hex = data
	} else if err := json.Unmarshal(data, &capture); err != nil {
		return fmt.Errorf("JSON of another form than that of a capture: %w", err)
	}
	if len(capture.Dialog) == 0 {
		var list []string
		var one string
		if json.Unmarshal(capture.Hex, &list) != nil {
			if err := json.Unmarshal(capture.Hex, &one); err != nil {
				return errors.New("JSON without a field hex: a string, or a list of strings, with hexadecimal digits is expected there")
			}
			list = []string{one}
		}
		for _, s := range list {
			capture.Dialog = append(capture.Dialog, message{Hex: s})
		}
	}
	for i, m := range capture.Dialog {
		octets, err := hex.DecodeString(strings.Join(strings.Fields(m.Hex), ""))
		if err != nil {
			return fmt.Errorf("JSON: string %d of hex: %w", i+1, err)
		}
		p := part{line: i + 1, sent: m.Dir == "client", received: m.Dir == "meter"}
		if m.Dir != "" {
			p.stream = m.Dir
		}
		in.add(octets, p)
	}
	return nil
}

// record reads a file of dump -record.
func (in *Input) record(text string) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range lines {
		line = strings.TrimSuffix(line, "\r")
		p := part{line: i + 1, text: line}
		field := strings.SplitN(line, " ", 4)
		if strings.HasPrefix(line, "#") || line == "" || i == 0 {
			in.add(nil, p)
			continue
		}
		if len(field) < 4 {
			in.fault(i+1, "a time, an endpoint, one of > < = and octets or a note are expected")
			p.bad = true
			in.add(nil, p)
			continue
		}
		p.time, p.endpoint = field[0], field[1]
		p.sent, p.received = field[2] == ">", field[2] == "<"
		p.stream = field[1] + " " + field[2]
		if field[2] == "=" {
			p.note = field[3]
			in.add(nil, p)
			continue
		}
		octets, err := hex.DecodeString(strings.TrimSpace(field[3]))
		if err != nil || !p.sent && !p.received {
			if i < len(lines)-1 || !p.sent && !p.received { // the last line of a recorder that was killed is torn
				in.fault(i+1, "octets in hexadecimal digits are expected behind > or <")
			}
			octets, p.bad = nil, true
		} else {
			p.text = strings.Join(field[:3], " ") + " "
		}
		in.add(octets, p)
	}
}

// Text writes octets, as many as Octets has, in place of those of the input: a
// record keeps its form, all else is hexadecimal digits, a line for a line. notes
// become comments at the front. change is applied to the text around the octets
// of a record; lines of it that could not be read are left out.
func (in *Input) Text(octets []byte, notes []string, change func(string) string) string {
	var b strings.Builder
	if in.Form == Record {
		b.WriteString(recordHeader + "\n")
	}
	for _, n := range notes {
		b.WriteString("# " + n + "\n")
	}
	for i, p := range in.parts {
		switch {
		case in.Form == Record && (i == 0 || p.bad):
			continue
		case in.Form == Record:
			b.WriteString(change(p.text))
		case p.from == p.to:
			continue
		default:
		}
		fmt.Fprintf(&b, "%X\n", octets[p.from:p.to])
	}
	return b.String()
}
