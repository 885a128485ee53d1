package axdr

import (
	"encoding/binary"
	"strconv"
)

// Date is the date of the standard with its fields as received; see
// [DateTime] for their values.
type Date struct {
	Year    uint16
	Month   uint8
	Day     uint8
	Weekday uint8
}

// ParseDate reads the 5 octets of a date. It reports false if b has another
// length; no field is judged.
func ParseDate(b []byte) (Date, bool) {
	if len(b) != dateSize {
		return Date{}, false
	}
	return Date{Year: binary.BigEndian.Uint16(b), Month: b[2], Day: b[3], Weekday: b[4]}, true
}

// Append appends the 5 octets of t, without a tag.
func (t Date) Append(b []byte) []byte {
	return append(b, byte(t.Year>>8), byte(t.Year), t.Month, t.Day, t.Weekday)
}

// String returns t like 2026-11-24. Parts that are not specified are *, and
// the day of the week is shown only if the date does not imply it.
func (t Date) String() string { return string(t.appendText(make([]byte, 0, 24))) }

func (t Date) appendText(b []byte) []byte {
	if t.Year == 0xffff {
		b = append(b, "****"...)
	} else {
		b = appendDecimal(b, int(t.Year), 4)
	}
	b = append(b, '-')
	switch t.Month {
	case 0xfd:
		b = append(b, "dst_end"...)
	case 0xfe:
		b = append(b, "dst_begin"...)
	default:
		b = appendPart(b, t.Month)
	}
	b = append(b, '-')
	switch t.Day {
	case 0xfd:
		b = append(b, "last_but_one"...)
	case 0xfe:
		b = append(b, "last"...)
	default:
		b = appendPart(b, t.Day)
	}
	full := t.Year != 0xffff && t.Month <= 12 && t.Day <= 31
	if full || t.Weekday == notSpecified || t.Weekday == 0 {
		return b
	}
	if t.Weekday <= 7 {
		return append(append(b, ' '), weekdays[t.Weekday-1]...)
	}
	return appendPart(append(b, ' '), t.Weekday)
}

var weekdays = [7]string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}

// Time is the time of day of the standard with its fields as received; see
// [DateTime] for their values.
type Time struct {
	Hour       uint8
	Minute     uint8
	Second     uint8
	Hundredths uint8
}

// ParseTime reads the 4 octets of a time. It reports false if b has another
// length; no field is judged.
func ParseTime(b []byte) (Time, bool) {
	if len(b) != timeSize {
		return Time{}, false
	}
	return Time{Hour: b[0], Minute: b[1], Second: b[2], Hundredths: b[3]}, true
}

// Append appends the 4 octets of t, without a tag.
func (t Time) Append(b []byte) []byte {
	return append(b, t.Hour, t.Minute, t.Second, t.Hundredths)
}

// String returns t like 10:00:00.00. Parts that are not specified are **.
func (t Time) String() string { return string(t.appendText(make([]byte, 0, 16))) }

func (t Time) appendText(b []byte) []byte {
	b = appendPart(b, t.Hour)
	b = appendPart(append(b, ':'), t.Minute)
	b = appendPart(append(b, ':'), t.Second)
	return appendPart(append(b, '.'), t.Hundredths)
}

// appendPart appends two digits, or ** for a part that is not specified.
func appendPart(b []byte, v uint8) []byte {
	if v == notSpecified {
		return append(b, '*', '*')
	}
	return appendDecimal(b, int(v), 2)
}

// appendDecimal appends v, which is not negative, with at least width digits.
func appendDecimal(b []byte, v, width int) []byte {
	for limit := 10; width > 1; width, limit = width-1, limit*10 {
		if v < limit {
			b = append(b, '0')
		}
	}
	return strconv.AppendInt(b, int64(v), 10)
}
