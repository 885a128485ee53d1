package schedule

import (
	"math/bits"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var fuzzZones = []string{"UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca", "Pacific/Apia"}

// FuzzCron parses anything, and compares Next with a walker over the minutes of
// some days.
func FuzzCron(f *testing.F) {
	for _, e := range []string{"0 0 12 * * *", "*/15 2 * * *", "30 * * * *", "0 0 29 2 1", "? ? ? ? *", "5 */7 1-31/2 * 1-5", "15 1-3 * * *",
		"0,15,30,45 0,6,12,18 1,15,31 * 1-5 *", "* * * Jan, Feb *", "0 30 0 4 11 * 2018", "7 0 * * * sun"} {
		for z := range fuzzZones {
			f.Add(e, uint8(z), int64(1774746000)) // 2026-03-29 in Berlin
			f.Add(e, uint8(z), int64(1792890000)) // 2026-10-25
			f.Add(e, uint8(z), int64(1541300400)) // 2018-11-04 in São Paulo
			f.Add(e, uint8(z), int64(1518919200)) // 2018-02-18
		}
	}
	f.Fuzz(func(t *testing.T, expression string, zoneNumber uint8, unix int64) {
		l := zone(t, fuzzZones[int(zoneNumber)%len(fuzzZones)])
		const from, to = 946684800, 2524608000 // 2000 to 2050
		start := time.Unix(from+((unix-from)%(to-from)+to-from)%(to-from), 0).In(l)
		c, err := ParseCron(expression, start, l)
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		require.NotEmpty(t, c.String())
		next, ok := c.Next(start)
		if ok {
			require.True(t, next.After(start))
		}
		if c.atStart || bits.OnesCount64(c.second) != 1 {
			return
		}
		if walked, found := walk(c, start); found {
			require.True(t, ok, "%s", c)
			require.Equal(t, walked.Format(time.RFC3339), next.Format(time.RFC3339), "%s after %s in %s", c, start, l)
		} else if ok {
			require.False(t, next.Before(start.Add(24*time.Hour)), "%s after %s in %s: %s", c, start, l, next)
		}
	})
}

// walk finds the next instant by looking at each minute of the day before and
// the day after.
func walk(c *Cron, after time.Time) (time.Time, bool) {
	second := bits.TrailingZeros64(c.second)
	first := map[time.Time]time.Time{} // wall clock as UTC: the first instant that shows it
	var walls, found []time.Time
	begin := after.Truncate(time.Minute).Add(-30 * time.Hour)
	for at := begin; at.Before(after.Add(30 * time.Hour)); at = at.Add(time.Minute) {
		y, m, d := at.Date()
		wall := time.Date(y, m, d, at.Hour(), at.Minute(), 0, 0, time.UTC)
		if _, seen := first[wall]; !seen {
			first[wall] = at
			walls = append(walls, wall)
		}
		if c.hour == everyHour && c.minute>>at.Minute()&1 == 1 && c.matches(midnight(wall)) {
			found = append(found, at.Add(time.Duration(second)*time.Second))
		}
	}
	if c.hour != everyHour {
		slices.SortFunc(walls, time.Time.Compare)
		for wall := walls[0]; wall.Before(walls[len(walls)-1]); wall = wall.Add(time.Minute) {
			if c.hour>>wall.Hour()&1 == 0 || c.minute>>wall.Minute()&1 == 0 || !c.matches(midnight(wall)) {
				continue
			}
			if at, exists := first[wall]; exists {
				found = append(found, at.Add(time.Duration(second)*time.Second))
				continue
			}
			i, _ := slices.BinarySearchFunc(walls, wall, time.Time.Compare) // the first that exists behind the gap
			found = append(found, first[walls[i]])
		}
	}
	slices.SortFunc(found, time.Time.Compare)
	for _, at := range found {
		if at.After(after) && at.Before(after.Add(24*time.Hour)) {
			return at, true
		}
	}
	return time.Time{}, false
}

func midnight(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// FuzzTimes parses anything.
func FuzzTimes(f *testing.F) {
	f.Add("06:00:00;18:30:00", int64(1774746000))
	f.Add("02:30:00", int64(1792890000))
	f.Fuzz(func(t *testing.T, list string, unix int64) {
		times, err := ParseTimes(list, zone(t, "Europe/Berlin"))
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		at := time.Unix(unix%4e9, 0)
		next := times.Next(at)
		require.True(t, next.After(at))
		require.LessOrEqual(t, next.Sub(at), 26*time.Hour)
	})
}
