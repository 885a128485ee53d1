package axdr

import "time"

// Advance returns t moved by d, which may be negative, on the meter's wall
// clock: by the calendar alone, with deviation and status as they are. So it
// knows of no change to or from daylight saving. The day of the week, if there
// is one, is that of the new date. Seconds that are not specified stay so if d
// is whole minutes, else they count as 0; parts of d below 10 ms are dropped. It
// reports false unless t and the result are [DateTime.Complete].
func (t DateTime) Advance(d time.Duration) (DateTime, bool) {
	if !t.Complete() {
		return DateTime{}, false
	}
	u := t.in(time.UTC).Add(d)
	if u.Year() < 1 || u.Year() > 9999 {
		return DateTime{}, false
	}
	moved := FromTime(u)
	moved.Deviation, moved.Status = t.Deviation, t.Status
	if t.Weekday < 1 || t.Weekday > 7 {
		moved.Weekday = t.Weekday
	}
	if t.Second == notSpecified && d%time.Minute == 0 {
		moved.Second = notSpecified
	}
	if t.Hundredths > 99 && d%time.Second == 0 {
		moved.Hundredths = t.Hundredths
	}
	return moved, true
}
