package execd

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
	"github.com/influxdata/telegraf"
)

// MaxWrite is the most octets a write to standard output holds: PIPE_BUF of
// Linux, up to which a write to a pipe is not torn.
const MaxWrite = 4096

// encoder makes line protocol of one metric after the other.
type encoder struct {
	enc    lineprotocol.Encoder
	name   string
	at     time.Time
	tags   []telegraf.Tag
	fields []field
	list   [1][]byte
}

type field struct {
	key   string
	value lineprotocol.Value
}

// metric takes a metric to encode.
func (e *encoder) metric(m telegraf.Metric) {
	e.begin(m.Name(), m.Time())
	for _, t := range m.TagList() {
		e.tag(t.Key, t.Value)
	}
	for _, f := range m.FieldList() {
		e.field(f.Key, f.Value)
	}
}

// maps takes the parts of a metric to encode.
func (e *encoder) maps(name string, fields map[string]any, tags map[string]string, at time.Time) {
	e.begin(name, at)
	for key, value := range tags {
		e.tag(key, value)
	}
	for key, value := range fields {
		e.field(key, value)
	}
}

func (e *encoder) begin(name string, at time.Time) {
	e.name, e.at, e.tags, e.fields = cleanKey(name), at, e.tags[:0], e.fields[:0]
}

func (e *encoder) tag(key, value string) {
	if key, value = cleanKey(key), cleanKey(value); key != "" && value != "" {
		e.tags = append(e.tags, telegraf.Tag{Key: key, Value: value})
	}
}

func (e *encoder) field(key string, value any) {
	if v, ok := fieldValue(value); ok {
		if key = cleanKey(key); key != "" {
			e.fields = append(e.fields, field{key, v})
		}
	}
}

// encode returns the lines of the metric taken: one, or several with the same
// tags and time where one would be longer than MaxWrite. Numbers that are not
// finite have no line protocol and are left out; if nothing remains there are
// no lines. The error tells of what else had to be left out. The lines are
// valid until the next call.
func (e *encoder) encode() ([][]byte, error) {
	if len(e.fields) == 0 {
		return nil, nil
	}
	slices.SortStableFunc(e.tags, func(a, b telegraf.Tag) int { return strings.Compare(a.Key, b.Key) })
	slices.SortStableFunc(e.fields, func(a, b field) int { return strings.Compare(a.key, b.key) })
	line, err := e.line(e.fields)
	switch {
	case err != nil:
		return nil, err
	case len(line) > MaxWrite:
		return e.split()
	default:
		e.list[0] = line
		return e.list[:], nil
	}
}

// line encodes one line with some of the fields. It is valid until the next.
func (e *encoder) line(fields []field) ([]byte, error) {
	e.enc.Reset()
	e.enc.StartLine(e.name)
	last := ""
	for _, t := range e.tags {
		if t.Key != last {
			e.enc.AddTag(t.Key, t.Value)
		}
		last = t.Key
	}
	for _, f := range fields {
		e.enc.AddField(f.key, f.value)
	}
	e.enc.EndLine(e.at)
	if err := e.enc.Err(); err != nil {
		return nil, fmt.Errorf("metric %q has no line protocol and is dropped: %w", e.name, err)
	}
	return e.enc.Bytes(), nil
}

// split distributes the fields over lines, in order and as few as possible.
func (e *encoder) split() ([][]byte, error) {
	var lines [][]byte
	var dropped []string
	var some []field
	empty, err := e.line([]field{{"k", lineprotocol.BoolValue(true)}})
	if err != nil {
		return nil, err
	}
	head := len(empty) - len("k=true")
	size := head
	flush := func() {
		if len(some) == 0 {
			return
		}
		line, lineErr := e.line(some)
		if lineErr != nil {
			err = lineErr
		} else {
			lines = append(lines, bytes.Clone(line))
		}
		some, size = some[:0], head
	}
	for _, f := range e.fields {
		alone, lineErr := e.line([]field{f})
		if lineErr != nil {
			return nil, lineErr
		}
		if len(alone) > MaxWrite {
			dropped = append(dropped, f.key)
			continue
		}
		n := len(alone) - head
		if size+n+1 > MaxWrite {
			flush()
		}
		some = append(some, f)
		size += n + 1
	}
	flush()
	if len(dropped) > 0 {
		err = fmt.Errorf("metric %q: dropped, because a line with it is longer than %d octets: field %s", e.name, MaxWrite, strings.Join(dropped, ", "))
	}
	return lines, err
}

// fieldValue returns the line protocol value of a field. Unsigned integers
// become signed ones, capped, since InfluxDB 1.x refuses them.
func fieldValue(v any) (lineprotocol.Value, bool) {
	switch v := v.(type) {
	case float64:
		return lineprotocol.FloatValue(v)
	case int64:
		return lineprotocol.IntValue(v), true
	case uint64:
		return lineprotocol.IntValue(int64(min(v, math.MaxInt64))), true
	case string:
		return lineprotocol.StringValue(strings.ToValidUTF8(v, "\ufffd"))
	case bool:
		return lineprotocol.BoolValue(v), true
	default:
		return lineprotocol.Value{}, false
	}
}

// cleanKey makes a text fit for a name, tag or key: valid UTF-8 without
// control characters or a backslash at the end, which cannot be escaped.
func cleanKey(s string) string {
	clean := true
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] >= 0x7f {
			clean = false
			break
		}
	}
	if !clean {
		s = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return ' '
			}
			return r
		}, strings.ToValidUTF8(s, "\ufffd"))
	}
	return strings.TrimRight(s, `\`)
}
