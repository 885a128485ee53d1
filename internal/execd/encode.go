package execd

import (
	"fmt"
	"math"
	"sort"
	"strings"
	"unicode"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
	"github.com/influxdata/telegraf"
)

// MaxWrite is the most octets a write to standard output holds: PIPE_BUF of
// Linux, up to which a write to a pipe is not torn.
const MaxWrite = 4096

// encoder makes line protocol of metrics. It is used by one goroutine at a
// time.
type encoder struct {
	enc    lineprotocol.Encoder
	tags   []telegraf.Tag
	fields []field
}

type field struct {
	key   string
	value lineprotocol.Value
}

// lines returns the lines of one metric: one, or several with the same tags
// and time where one would be longer than MaxWrite. Numbers that are not
// finite have no line protocol and are left out; if nothing remains there are
// no lines. The error tells of what else had to be left out.
func (e *encoder) lines(m telegraf.Metric) ([][]byte, error) {
	e.collect(m)
	if len(e.fields) == 0 {
		return nil, nil
	}
	line, err := e.line(m, e.fields)
	switch {
	case err != nil:
		return nil, err
	case len(line) > MaxWrite:
		return e.split(m)
	default:
		return [][]byte{line}, nil
	}
}

// collect sorts and cleans the metric's tags and fields.
func (e *encoder) collect(m telegraf.Metric) {
	e.tags, e.fields = e.tags[:0], e.fields[:0]
	for _, t := range m.TagList() {
		if key, value := cleanKey(t.Key), cleanKey(t.Value); key != "" && value != "" {
			e.tags = append(e.tags, telegraf.Tag{Key: key, Value: value})
		}
	}
	sort.SliceStable(e.tags, func(i, j int) bool { return e.tags[i].Key < e.tags[j].Key })
	for _, f := range m.FieldList() {
		if v, ok := fieldValue(f.Value); ok && cleanKey(f.Key) != "" {
			e.fields = append(e.fields, field{cleanKey(f.Key), v})
		}
	}
	sort.SliceStable(e.fields, func(i, j int) bool { return e.fields[i].key < e.fields[j].key })
}

// line encodes one line with some of the fields; the result is a copy.
func (e *encoder) line(m telegraf.Metric, fields []field) ([]byte, error) {
	e.enc.Reset()
	e.enc.StartLine(cleanKey(m.Name()))
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
	e.enc.EndLine(m.Time())
	if err := e.enc.Err(); err != nil {
		return nil, fmt.Errorf("metric %q has no line protocol and is dropped: %w", m.Name(), err)
	}
	return append([]byte(nil), e.enc.Bytes()...), nil
}

// split distributes the fields over lines, in order and as few as possible.
func (e *encoder) split(m telegraf.Metric) ([][]byte, error) {
	var lines [][]byte
	var dropped []string
	var some []field
	empty, err := e.line(m, []field{{"k", lineprotocol.BoolValue(true)}})
	if err != nil {
		return nil, err
	}
	head := len(empty) - len("k=true")
	size := head
	flush := func() {
		if len(some) == 0 {
			return
		}
		line, lineErr := e.line(m, some)
		if lineErr != nil {
			err = lineErr
		} else {
			lines = append(lines, line)
		}
		some, size = some[:0], head
	}
	for _, f := range e.fields {
		alone, lineErr := e.line(m, []field{f})
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
		err = fmt.Errorf("metric %q: dropped, because a line with it is longer than %d octets: field %s", m.Name(), MaxWrite, strings.Join(dropped, ", "))
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
