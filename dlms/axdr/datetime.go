package axdr

import (
	"encoding/binary"
	"time"
)

const (
	dateTimeSize = 12
	dateSize     = 5
	timeSize     = 4
)

// DeviationUnspecified is the deviation of a clock that does not know its
// offset from UTC.
const DeviationUnspecified int16 = -0x8000

// maxDeviation is the largest deviation taken seriously, in minutes. The
// standard ends at 720; clocks at UTC+14 exist.
const maxDeviation = 840

// Bits of the clock status of a [DateTime].
const (
	StatusInvalid        uint8 = 0x01 // the value could not be recovered after an incident
	StatusDoubtful       uint8 = 0x02 // recovered, but not to be relied on
	StatusDifferentBase  uint8 = 0x04 // another time base than the usual one was in use
	StatusInvalidStatus  uint8 = 0x08 // the status itself is in doubt
	StatusDaylightSaving uint8 = 0x80
	StatusUnspecified    uint8 = 0xff
)

// notSpecified is the value of a part that is not given.
const notSpecified = 0xff

// DateTime is the date-time of the standard with its fields as received
// (Blue Book Ed. 13, clause 4.1.6.1 "Date and time formats"). FF, FFFF for the
// year and 8000h for the deviation stand for "not specified".
type DateTime struct {
	Year       uint16
	Month      uint8 // 1 to 12; FDh daylight saving ends, FEh begins
	Day        uint8 // of the month, 1 to 31; FDh the last but one, FEh the last
	Weekday    uint8 // 1 is Monday
	Hour       uint8 // 0 to 23; 24 with minute 0 is the end of the day
	Minute     uint8
	Second     uint8
	Hundredths uint8 // of a second
	Deviation  int16 // minutes from local time to UTC: -60 for CET, -120 for CEST
	Status     uint8 // StatusInvalid and so on
}

// ParseDateTime reads the 12 octets of a date-time. It reports false if b has
// another length; no field is judged.
func ParseDateTime(b []byte) (t DateTime, ok bool) {
	if len(b) != dateTimeSize {
		return t, false
	}
	// Two loads and shifts take half the time of eleven single ones.
	lo, hi := binary.BigEndian.Uint64(b), binary.BigEndian.Uint32(b[8:])
	t.Year = uint16(lo >> 48)
	t.Month = uint8(lo >> 40)
	t.Day = uint8(lo >> 32)
	t.Weekday = uint8(lo >> 24)
	t.Hour = uint8(lo >> 16)
	t.Minute = uint8(lo >> 8)
	t.Second = uint8(lo)
	t.Hundredths = uint8(hi >> 24)
	t.Deviation = int16(hi >> 8)
	t.Status = uint8(hi)
	return t, true
}

// Append appends the 12 octets of t, without a tag.
func (t DateTime) Append(b []byte) []byte {
	return append(b, byte(t.Year>>8), byte(t.Year), t.Month, t.Day, t.Weekday,
		t.Hour, t.Minute, t.Second, t.Hundredths,
		byte(uint16(t.Deviation)>>8), byte(t.Deviation), t.Status)
}

// FromTime returns t in its own location with all parts specified: hundredths
// are cut off, and the status tells daylight saving only.
func FromTime(t time.Time) DateTime {
	_, offset := t.Zone()
	d := DateTime{
		Year:       uint16(t.Year()),
		Month:      uint8(t.Month()),
		Day:        uint8(t.Day()),
		Weekday:    uint8((t.Weekday()+6)%7) + 1,
		Hour:       uint8(t.Hour()),
		Minute:     uint8(t.Minute()),
		Second:     uint8(t.Second()),
		Hundredths: uint8(t.Nanosecond() / 1e7),
		Deviation:  int16(-offset / 60),
	}
	if t.IsDST() {
		d.Status = StatusDaylightSaving
	}
	return d
}

// Complete reports whether year, month, day, hour and minute are specified and
// real, so that t is a point in time rather than a pattern or "never".
func (t DateTime) Complete() bool {
	if t.Year < 1 || t.Year > 9999 || t.Month < 1 || t.Month > 12 ||
		t.Day < 1 || int(t.Day) > daysIn(t.Year, t.Month) {
		return false
	}
	if t.Hour == 24 {
		return t.Minute == 0 && (t.Second == 0 || t.Second == notSpecified)
	}
	return t.Hour < 24 && t.Minute < 60 && (t.Second < 60 || t.Second == notSpecified)
}

func daysIn(year uint16, month uint8) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	default:
		return 31
	}
}

// Time returns the instant t stands for. It reports false unless t is
// [DateTime.Complete] and its deviation is either unspecified or within 14
// hours. Seconds and hundredths that are not specified count as 0, and hour 24
// is hour 0 of the next day.
//
// A specified deviation has the sign of the standard, UTC = local time +
// deviation, and includes daylight saving; the result then has that fixed
// offset. Otherwise local time is that of loc (nil is UTC). Where a clock that
// is set back passes the same local time twice, the daylight saving bit of the
// status tells which is meant: set or status not specified, the first. A local
// time that was skipped is taken as [time.Date] does.
func (t DateTime) Time(loc *time.Location) (time.Time, bool) {
	if !t.Complete() {
		return time.Time{}, false
	}
	switch {
	case t.Deviation == DeviationUnspecified:
		if loc == nil {
			loc = time.UTC
		}
		return t.pick(t.in(loc)), true
	case t.Deviation < -maxDeviation || t.Deviation > maxDeviation:
		return time.Time{}, false
	case t.Deviation == 0:
		return t.in(time.UTC), true
	default:
		return t.in(time.FixedZone("", -60*int(t.Deviation))), true
	}
}

// in returns the time whose parts in loc are those of t.
func (t DateTime) in(loc *time.Location) time.Time {
	second, nano := int(t.Second), int(t.Hundredths)*1e7
	if t.Second == notSpecified {
		second = 0
	}
	if t.Hundredths > 99 {
		nano = 0
	}
	return time.Date(int(t.Year), time.Month(t.Month), int(t.Day), int(t.Hour), int(t.Minute), second, nano, loc)
}

// pick returns u, or the other instant with the same local time if there are
// two and the status means that one.
func (t DateTime) pick(u time.Time) time.Time {
	first, second := u, u
	_, offset := u.Zone()
	start, end := u.ZoneBounds()
	if !start.IsZero() {
		_, before := start.Add(-1).Zone()
		if v := u.Add(time.Duration(offset-before) * time.Second); v.Before(start) {
			first = v
		}
	}
	if !end.IsZero() {
		_, after := end.Zone()
		if v := u.Add(time.Duration(offset-after) * time.Second); !v.Before(end) {
			second = v
		}
	}
	if t.Status&StatusDaylightSaving != 0 {
		return first
	}
	return second
}

// String returns t like 2026-11-24 10:00:00.00 +01:00. Parts that are not
// specified are **, and an unspecified deviation is left out.
func (t DateTime) String() string {
	b := make([]byte, 0, 48)
	b = t.date().appendText(b)
	b = t.time().appendText(append(b, ' '))
	if t.Deviation == DeviationUnspecified {
		return string(b)
	}
	offset, sign := -int(t.Deviation), byte('+')
	if offset < 0 {
		offset, sign = -offset, '-'
	}
	b = appendDecimal(append(b, ' ', sign), offset/60, 2)
	b = appendDecimal(append(b, ':'), offset%60, 2)
	return string(b)
}

func (t DateTime) date() Date {
	return Date{Year: t.Year, Month: t.Month, Day: t.Day, Weekday: t.Weekday}
}

func (t DateTime) time() Time {
	return Time{Hour: t.Hour, Minute: t.Minute, Second: t.Second, Hundredths: t.Hundredths}
}
