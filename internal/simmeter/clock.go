package simmeter

import (
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
)

const statusDaylightSaving = 0x80 // bit of the clock status

var codeClock = abstract(1, 0, 0)

// appendTime appends an octet-string with the local time t.
func (m *Meter) appendTime(b []byte, t time.Time) []byte {
	var octets [12]byte
	return axdr.AppendOctetString(b, axdr.FromTime(t.In(m.loc)).Append(octets[:0]))
}

// clockObjects are the Clock (class 8; Blue Book Ed. 13, 4.5.1) and the same
// time as Unix seconds.
func clockObjects() []object {
	return []object{
		{class: cosem.Clock, code: codeClock, attributes: []attribute{
			{id: 2, append: func(c *call, b []byte) []byte { return c.appendTime(b, c.clock) }},
			{id: 3, append: func(c *call, b []byte) []byte { return axdr.AppendLong(b, c.zone().deviation) }},
			{id: 4, append: func(c *call, b []byte) []byte {
				var status uint8
				if c.clock.IsDST() {
					status = statusDaylightSaving
				}
				return axdr.AppendUnsigned(b, status)
			}},
			{id: 5, append: func(c *call, b []byte) []byte { return c.zone().appendSwitch(b, c.zone().begin) }},
			{id: 6, append: func(c *call, b []byte) []byte { return c.zone().appendSwitch(b, c.zone().end) }},
			{id: 7, append: func(c *call, b []byte) []byte { return axdr.AppendInteger(b, c.zone().daylight) }},
			{id: 8, append: func(c *call, b []byte) []byte { return axdr.AppendBoolean(b, c.zone().daylight != 0) }},
			{id: 9, append: func(_ *call, b []byte) []byte { return axdr.AppendEnum(b, 1) }}, // crystal
		}},
		{class: cosem.Data, code: abstract(1, 1, 0), attributes: []attribute{
			{id: 2, append: func(c *call, b []byte) []byte {
				return axdr.AppendDoubleLongUnsigned(b, uint32(c.clock.Unix()))
			}},
		}},
	}
}

// zone is what a clock tells about its time zone in the current year.
type zone struct {
	deviation  int16     // minutes from standard time to UTC
	daylight   int8      // minutes that daylight saving adds; 0 without
	begin, end time.Time // of daylight saving; zero without
}

func (c *call) zone() zone {
	year := c.clock.Year()
	var z zone
	t := time.Date(year, time.January, 1, 0, 0, 0, 0, c.loc)
	standard, summer, saving := offset(t), 0, false
	for range 13 { // zones change at most some times a year
		if _, next := t.ZoneBounds(); !next.IsZero() && next.Year() == year {
			switch {
			case next.IsDST() && z.begin.IsZero():
				z.begin, summer, saving = next, offset(next), true
			case !next.IsDST() && z.end.IsZero():
				z.end, standard = next, offset(next)
			}
			t = next
		}
	}
	if t := time.Date(year, time.January, 1, 0, 0, 0, 0, c.loc); t.IsDST() && !saving {
		summer, saving = offset(t), !z.end.IsZero()
	}
	z.deviation = int16(-standard / 60)
	if saving {
		z.daylight = int8((summer - standard) / 60)
	}
	return z
}

// offset from UTC in seconds.
func offset(t time.Time) int {
	_, seconds := t.Zone()
	return seconds
}

// appendSwitch appends when daylight saving begins or ends, as the wall clock
// shows it just before, every part unspecified if it never does.
func (z zone) appendSwitch(b []byte, t time.Time) []byte {
	at := axdr.DateTime{
		Year: 0xffff, Month: 0xff, Day: 0xff, Weekday: 0xff,
		Hour: 0xff, Minute: 0xff, Second: 0xff, Hundredths: 0xff,
		Deviation: axdr.DeviationUnspecified, Status: 0xff,
	}
	if z.daylight != 0 && !t.IsZero() {
		before := time.FixedZone("", offset(t.Add(-time.Second)))
		at = axdr.FromTime(t.In(before))
		at.Deviation, at.Status, at.Hundredths = axdr.DeviationUnspecified, 0, 0
	}
	var octets [12]byte
	return axdr.AppendOctetString(b, at.Append(octets[:0]))
}
