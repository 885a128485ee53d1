package history

import (
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

// A Rung is a way to ask for a part of a profile. Meters do not take all of
// them, and some answer those that they do not take with nothing, or with all.
type Rung uint8

// The ladder, from the best way down.
const (
	RangeWithDeviation Rung = iota // range_descriptor, ends with the deviation that the clock has
	RangeWithout                   // the same without deviation
	RangeRounded                   // ends at full hours
	RangeRoundedWithout
	RangeLocal // the wall clock of the meter's time zone as it was then, rounded
	ByEntry    // entry_descriptor
	Whole      // no selective access
)

// String is the rung for people.
func (r Rung) String() string {
	switch r {
	case RangeWithDeviation:
		return "by range"
	case RangeWithout:
		return "by range, without deviation"
	case RangeRounded:
		return "by range of full hours"
	case RangeRoundedWithout:
		return "by range of full hours, without deviation"
	case RangeLocal:
		return "by range in local time"
	case ByEntry:
		return "by entry"
	default:
		return "whole"
	}
}

// A Zone is how a meter writes times.
type Zone struct {
	Clock    *time.Location // of its clock now: a fixed offset, or a zone that has this offset now
	Local    *time.Location // where it stands
	Inverted bool           // the deviation has the sign opposite to the standard's
	Tagged   bool           // as date-time, not in an octet-string
	Unix     bool           // as seconds since 1970
	Period   time.Duration
}

// Ends are the ends of a range for a rung, encoded. Where the rung asks for
// rounding they lie further apart, never nearer.
func (z Zone) Ends(r Rung, from, to time.Time) (a, b axdr.Data) {
	if z.Unix {
		return unixEnd(from), unixEnd(to)
	}
	loc := z.Clock
	if r == RangeLocal {
		loc = z.Local
	}
	from, to = from.In(location(loc)), to.In(location(loc))
	if r == RangeRounded || r == RangeRoundedWithout || r == RangeLocal {
		from = z.full(from)
		if full := z.full(to); full.Before(to) {
			to = z.full(full.Add(max(z.Period, time.Hour)))
			if !to.After(full) { // a day of 25 hours
				to = full.AddDate(0, 0, 1)
			}
		}
	}
	return z.end(r, from), z.end(r, to)
}

// full is the full hour before t, or the full day for longer periods.
func (z Zone) full(t time.Time) time.Time {
	hour := t.Hour()
	if z.Period > time.Hour {
		hour = 0
	}
	// Not by time.Date alone: it cannot tell the two passes of a repeated hour apart.
	back := time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond())
	if hour == t.Hour() {
		return t.Add(-back)
	}
	return time.Date(t.Year(), t.Month(), t.Day(), hour, 0, 0, 0, t.Location())
}

func unixEnd(t time.Time) axdr.Data {
	return axdr.AppendDoubleLongUnsigned(nil, uint32(max(0, min(t.Unix(), 1<<32-1))))
}

func (z Zone) end(r Rung, t time.Time) axdr.Data {
	d := axdr.FromTime(t)
	d.Weekday = 0xFF // some meters refuse one, none needs it
	switch {
	case r == RangeWithout || r == RangeRoundedWithout || r == RangeLocal:
		d.Deviation, d.Status = axdr.DeviationUnspecified, 0xFF
	case z.Inverted:
		d.Deviation = -d.Deviation
	default:
	}
	if z.Tagged {
		return axdr.AppendDateTime(nil, d)
	}
	return axdr.AppendOctetString(nil, d.Append(nil))
}
