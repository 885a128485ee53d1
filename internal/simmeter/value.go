package simmeter

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

// integerTypes are the types of whole numbers with their ranges.
var integerTypes = map[string]struct {
	low    int64
	high   uint64
	append func(b []byte, v int64, u uint64) []byte
}{
	"integer":              {math.MinInt8, math.MaxInt8, func(b []byte, v int64, _ uint64) []byte { return axdr.AppendInteger(b, int8(v)) }},
	"long":                 {math.MinInt16, math.MaxInt16, func(b []byte, v int64, _ uint64) []byte { return axdr.AppendLong(b, int16(v)) }},
	"double-long":          {math.MinInt32, math.MaxInt32, func(b []byte, v int64, _ uint64) []byte { return axdr.AppendDoubleLong(b, int32(v)) }},
	"long64":               {math.MinInt64, math.MaxInt64, func(b []byte, v int64, _ uint64) []byte { return axdr.AppendLong64(b, v) }},
	"unsigned":             {0, math.MaxUint8, func(b []byte, _ int64, u uint64) []byte { return axdr.AppendUnsigned(b, uint8(u)) }},
	"long-unsigned":        {0, math.MaxUint16, func(b []byte, _ int64, u uint64) []byte { return axdr.AppendLongUnsigned(b, uint16(u)) }},
	"double-long-unsigned": {0, math.MaxUint32, func(b []byte, _ int64, u uint64) []byte { return axdr.AppendDoubleLongUnsigned(b, uint32(u)) }},
	"long64-unsigned":      {0, math.MaxUint64, func(b []byte, _ int64, u uint64) []byte { return axdr.AppendLong64Unsigned(b, u) }},
	"enum":                 {0, math.MaxUint8, func(b []byte, _ int64, u uint64) []byte { return axdr.AppendEnum(b, uint8(u)) }},
	"bcd":                  {0, 99, func(b []byte, _ int64, u uint64) []byte { return axdr.AppendBCD(b, uint8(u/10<<4|u%10)) }},
}

// stringTypes are the types that are written as texts.
var stringTypes = map[string]func(b []byte, s string) ([]byte, error){
	"visible-string":  func(b []byte, s string) ([]byte, error) { return axdr.AppendVisibleString(b, s), nil },
	"utf8-string":     func(b []byte, s string) ([]byte, error) { return axdr.AppendUTF8String(b, s), nil },
	"octet-text":      func(b []byte, s string) ([]byte, error) { return axdr.AppendOctetString(b, []byte(s)), nil },
	"octet-string":    appendHexString,
	"raw":             appendRaw,
	"bit-string":      appendBits,
	"date-time":       appendDateTime,
	"octet-date-time": appendOctetDateTime,
	"date":            appendDate,
	"time":            appendTime,
}

// value appends the value v describes, a table of one key.
func (t *table) value(key string, b []byte, v any, depth int) []byte {
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		t.fail("%s: want a table of one type, like { double-long-unsigned = 12345 }, not %s", key, typeName(v))
		return b
	}
	for name, v := range m {
		out, err := t.typed(key, b, name, v, depth)
		if err != nil {
			t.fail("%s: %s: %w", key, name, err)
			return b
		}
		b = out
	}
	return b
}

func (t *table) typed(key string, b []byte, name string, v any, depth int) ([]byte, error) {
	if it, ok := integerTypes[name]; ok {
		n, u, err := wholeNumber(v, it.low, it.high)
		return it.append(b, n, u), err
	}
	if appendText, ok := stringTypes[name]; ok {
		s, ok := v.(string)
		if at, isTime := v.(time.Time); isTime {
			s, ok = tomlTime(at), true
		}
		if !ok {
			return b, fmt.Errorf("want a text, not %s", typeName(v))
		}
		return appendText(b, s)
	}
	switch name {
	case "null-data":
		return axdr.AppendNull(b), nil
	case "boolean":
		flag, ok := v.(bool)
		if !ok {
			return b, fmt.Errorf("want true or false, not %s", typeName(v))
		}
		return axdr.AppendBoolean(b, flag), nil
	case "float32", "float64":
		f, ok := v.(float64)
		if n, whole := v.(int64); whole {
			f, ok = float64(n), true
		}
		switch {
		case !ok:
			return b, fmt.Errorf("want a number, not %s", typeName(v))
		case name == "float32":
			return axdr.AppendFloat32(b, float32(f)), nil
		default:
			return axdr.AppendFloat64(b, f), nil
		}
	case "array", "structure":
		elements := t.elements(key+": "+name, v)
		if name == "array" {
			b = axdr.AppendArray(b, len(elements))
		} else {
			b = axdr.AppendStructure(b, len(elements))
		}
		if depth >= axdr.MaxDepth {
			return b, fmt.Errorf("more than %d levels; use raw", axdr.MaxDepth)
		}
		for _, e := range elements {
			b = t.value(key+": "+name, b, e, depth+1)
		}
		return b, nil
	default:
		return b, fmt.Errorf("no such type")
	}
}

// wholeNumber reads a number, also from a text.
func wholeNumber(v any, low int64, high uint64) (n int64, u uint64, err error) {
	switch v := v.(type) {
	case int64:
		n, u = v, uint64(v)
	case string:
		if u, err = strconv.ParseUint(v, 10, 64); err != nil {
			return 0, 0, fmt.Errorf("%q is not a whole number", v)
		}
		n = int64(min(u, math.MaxInt64))
	default:
		return 0, 0, fmt.Errorf("want a whole number, not %s", typeName(v))
	}
	if n < low || n >= 0 && u > high {
		return 0, 0, fmt.Errorf("%v is not within %d and %d", v, low, high)
	}
	return n, u, nil
}

func appendHexString(b []byte, s string) ([]byte, error) {
	octets, err := parseHex(s)
	return axdr.AppendOctetString(b, octets), err
}

func appendRaw(b []byte, s string) ([]byte, error) {
	octets, err := parseHex(s)
	return append(b, octets...), err
}

func appendBits(b []byte, s string) ([]byte, error) {
	octets := make([]byte, (len(s)+7)/8)
	for i := range len(s) {
		switch s[i] {
		case '0':
		case '1':
			octets[i/8] |= 0x80 >> (i % 8)
		default:
			return b, fmt.Errorf("%q is not a text of 0 and 1", s)
		}
	}
	return axdr.AppendBitString(b, octets, len(s)), nil
}

const (
	layoutLocal = "2006-01-02T15:04:05"
	layoutDate  = "2006-01-02"
	layoutTime  = "15:04:05"
)

// tomlTime writes a date or time of the file as the text it may be given as.
func tomlTime(t time.Time) string {
	switch t.Location().String() { // names the decoder gives to what has no offset
	case "datetime-local":
		return t.Format(layoutLocal)
	case "date-local":
		return t.Format(layoutDate)
	case "time-local":
		return t.Format(layoutTime)
	default:
		return t.Format(time.RFC3339Nano)
	}
}

// parseDateTime reads a date-time: RFC 3339, the same without offset, or the 12
// octets in hexadecimal.
func parseDateTime(s string) (axdr.DateTime, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return axdr.FromTime(t), nil
	}
	if t, err := time.Parse(layoutLocal, s); err == nil {
		d := axdr.FromTime(t)
		d.Deviation = axdr.DeviationUnspecified
		return d, nil
	}
	if octets, err := parseHex(s); err == nil {
		if d, ok := axdr.ParseDateTime(octets); ok {
			return d, nil
		}
	}
	return axdr.DateTime{}, fmt.Errorf("%q is not like 2026-11-24T10:00:00+01:00, nor 12 octets in hexadecimal", s)
}

func appendDateTime(b []byte, s string) ([]byte, error) {
	d, err := parseDateTime(s)
	return axdr.AppendDateTime(b, d), err
}

func appendOctetDateTime(b []byte, s string) ([]byte, error) {
	d, err := parseDateTime(s)
	return axdr.AppendOctetString(b, d.Append(nil)), err
}

func appendDate(b []byte, s string) ([]byte, error) {
	t, err := time.Parse(layoutDate, s)
	if err != nil {
		return b, fmt.Errorf("%q is not like 2026-11-24", s)
	}
	const octets = 5 // year, month, day, day of week
	d, _ := axdr.ParseDate(axdr.FromTime(t).Append(nil)[:octets])
	return axdr.AppendDate(b, d), nil
}

func appendTime(b []byte, s string) ([]byte, error) {
	t, err := time.Parse(layoutTime, s)
	if err != nil {
		return b, fmt.Errorf("%q is not like 10:00:00", s)
	}
	const from, to = 5, 9 // hour, minute, second, hundredths
	d, _ := axdr.ParseTime(axdr.FromTime(t).Append(nil)[from:to])
	return axdr.AppendTime(b, d), nil
}
