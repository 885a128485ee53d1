package schedule

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// wallTime is the instant of a wall clock time: the first, if the clock shows
// it twice; the first instant after the gap, if it never does.
func wallTime(y int, m time.Month, d, hour, minute, second int, location *time.Location) time.Time {
	t := time.Date(y, m, d, hour, minute, second, 0, location)
	wall := time.Date(y, m, d, hour, minute, second, 0, time.UTC)
	start, end := t.ZoneBounds()
	switch shown := asUTC(t); {
	case shown.After(wall): // pushed forward out of a gap
		return start
	case shown.Before(wall): // pushed back
		return end
	case start.IsZero():
		return t
	default:
		_, before := start.Add(-time.Second).Zone()
		if earlier := wall.Add(-time.Duration(before) * time.Second).In(location); earlier.Before(start) {
			return earlier
		}
		return t
	}
}

// asUTC is what the clock shows, as if it were UTC.
func asUTC(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// Times are times of the day at which a request is due, in a time zone.
type Times struct {
	seconds  []int // of the day, ascending
	location *time.Location
}

const timesWanted = "HH:MM:SS is expected, several separated by ;"

// ParseTimes reads "06:00:00;18:30:00". The error says what is wrong and what is
// expected.
func ParseTimes(list string, location *time.Location) (*Times, error) {
	t := &Times{location: location}
	for part := range strings.SplitSeq(list, ";") {
		part = strings.TrimSpace(part)
		if part == "" && len(t.seconds) > 0 {
			continue // a ; at the end
		}
		clock, err := time.Parse("15:04:05", part)
		if err != nil || len(part) != len("15:04:05") {
			return nil, fmt.Errorf("%q is no time of day: %s", part, timesWanted)
		}
		second := clock.Hour()*3600 + clock.Minute()*60 + clock.Second()
		if slices.Contains(t.seconds, second) {
			return nil, fmt.Errorf("%s is there twice", part)
		}
		t.seconds = append(t.seconds, second)
	}
	slices.Sort(t.seconds)
	return t, nil
}

// Next returns the first instant after t, by the same rules as [Cron.Next] has
// for fixed hours.
func (t *Times) Next(after time.Time) time.Time {
	after = after.In(t.location)
	y, m, d := after.Date()
	for day := d - 1; ; day++ { // each day has them all: this ends with the day after tomorrow
		for _, s := range t.seconds {
			if at := wallTime(y, m, day, s/3600, s/60%60, s%60, t.location); at.After(after) {
				return at
			}
		}
	}
}

// String is how the times were read.
func (t *Times) String() string {
	var list []string
	for _, s := range t.seconds {
		list = append(list, fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60))
	}
	return "every day at " + strings.Join(list, ", ")
}
