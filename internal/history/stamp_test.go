package history

import (
	"testing"
	"time"
	_ "time/tzdata" // zones on hosts without zone files

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

func zoneOf(t testing.TB, name string) *time.Location {
	loc, err := time.LoadLocation(name)
	require.NoError(t, err)
	return loc
}

// wallClock is what a clock without deviation shows.
func wallClock(month time.Month, day, hour, minute int, status uint8) axdr.DateTime {
	d := axdr.FromTime(time.Date(2026, month, day, hour, minute, 0, 0, time.UTC))
	d.Deviation, d.Status = axdr.DeviationUnspecified, status
	return d
}

// TestStampOf: Europe/Berlin is set back on October 25 at 3:00 summer time, and
// forward on March 29 at 2:00.
func TestStampOf(t *testing.T) {
	berlin := zoneOf(t, "Europe/Berlin")
	utc := func(month time.Month, day, hour, minute int) time.Time {
		return time.Date(2026, month, day, hour, minute, 0, 0, time.UTC)
	}
	withDeviation := axdr.FromTime(time.Date(2026, time.October, 25, 0, 30, 0, 0, time.UTC).In(berlin))
	for name, test := range map[string]struct {
		d           axdr.DateTime
		at, other   time.Time
		summer, bit bool
	}{
		"winter":           {d: wallClock(time.January, 5, 12, 0, 0), at: utc(time.January, 5, 11, 0)},
		"summer, bit":      {d: wallClock(time.July, 5, 12, 0, axdr.StatusDaylightSaving), at: utc(time.July, 5, 10, 0), summer: true, bit: true},
		"summer":           {d: wallClock(time.July, 5, 12, 0, 0), at: utc(time.July, 5, 10, 0), summer: true},
		"no status":        {d: wallClock(time.July, 5, 12, 0, 0xFF), at: utc(time.July, 5, 10, 0), summer: true},
		"repeated, bit":    {d: wallClock(time.October, 25, 2, 30, axdr.StatusDaylightSaving), at: utc(time.October, 25, 0, 30), other: utc(time.October, 25, 1, 30), bit: true},
		"repeated":         {d: wallClock(time.October, 25, 2, 30, 0), at: utc(time.October, 25, 1, 30), other: utc(time.October, 25, 0, 30)},
		"before it":        {d: wallClock(time.October, 25, 1, 59, 0), at: utc(time.October, 24, 23, 59), summer: true},
		"behind it":        {d: wallClock(time.October, 25, 3, 0, 0), at: utc(time.October, 25, 2, 0)},
		"first of spring":  {d: wallClock(time.March, 29, 3, 0, 0), at: utc(time.March, 29, 1, 0), summer: true},
		"with a deviation": {d: withDeviation, at: utc(time.October, 25, 0, 30)},
	} {
		s, ok := StampOf(test.d, berlin)
		require.True(t, ok, name)
		require.True(t, test.at.Equal(s.At), "%s: %s", name, s.At)
		require.True(t, test.other.Equal(s.Other), "%s: %s", name, s.Other)
		require.Equal(t, [2]bool{test.summer, test.bit}, [2]bool{s.Summer, s.Bit}, name)
	}
	d := wallClock(time.January, 5, 12, 0, 0)
	d.Hour = 0xFF
	_, ok := StampOf(d, berlin)
	require.False(t, ok)
	s, ok := StampOf(wallClock(time.January, 5, 12, 0, 0), nil)
	require.True(t, ok)
	require.True(t, utc(time.January, 5, 12, 0).Equal(s.At), "without a zone it is UTC")
}

// TestRepeatedHour: the order of the rows tells the two passes apart, wherever
// an answer begins before.
func TestRepeatedHour(t *testing.T) {
	for _, zone := range []string{"Europe/Berlin", "Australia/Lord_Howe", "America/New_York"} {
		loc := zoneOf(t, zone)
		for _, bit := range []bool{false, true} {
			for begin := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC); begin.Year() == 2026; begin = begin.Add(30 * time.Minute) {
				_, before := begin.In(loc).Zone()
				_, after := begin.Add(30 * time.Minute).In(loc).Zone()
				if before == after {
					continue
				}
				var r resolver
				for at := begin.Add(-3 * time.Hour); at.Before(begin.Add(4 * time.Hour)); at = at.Add(15 * time.Minute) {
					d := axdr.FromTime(at.In(loc))
					d.Deviation = axdr.DeviationUnspecified
					if !bit {
						d.Status = 0
					}
					s, ok := StampOf(d, loc)
					require.True(t, ok)
					require.True(t, at.Equal(r.time(s)), "%s, bit %t: %s", zone, bit, at.In(loc))
				}
			}
		}
	}
}
