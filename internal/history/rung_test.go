package history

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

// endOf is an end of a range as a meter understands it.
func endOf(t testing.TB, z Zone, r Rung, d axdr.Data) time.Time {
	if z.Unix {
		n, ok := d.Uint64()
		require.True(t, ok)
		return time.Unix(int64(n), 0)
	}
	c, ok := d.DateTime()
	require.True(t, ok)
	require.EqualValues(t, 0xFF, c.Weekday)
	if z.Inverted && c.Deviation != axdr.DeviationUnspecified {
		c.Deviation = -c.Deviation
	}
	loc := z.Clock
	if r == RangeLocal {
		loc = z.Local
	}
	at, ok := c.Time(loc)
	require.True(t, ok)
	return at
}

// TestEnds: whatever the rung, the ends are never nearer than was asked for, and
// not farther than rounding takes them.
func TestEnds(t *testing.T) {
	berlin := zoneOf(t, "Europe/Berlin")
	for name, z := range map[string]Zone{
		"UTC":      {Clock: time.UTC, Local: time.UTC, Period: 15 * time.Minute},
		"fixed":    {Clock: time.FixedZone("", 3600), Local: berlin, Period: time.Hour},
		"inverted": {Clock: time.FixedZone("", 3600), Local: berlin, Period: time.Hour, Inverted: true},
		"daily":    {Clock: time.UTC, Local: berlin, Period: 24 * time.Hour, Tagged: true},
		"monthly":  {Clock: time.UTC, Local: time.UTC},
		"unix":     {Clock: time.UTC, Local: time.UTC, Period: 15 * time.Minute, Unix: true},
		"none":     {},
	} {
		for r := RangeWithDeviation; r <= RangeLocal; r++ {
			for at := time.Date(2026, time.October, 24, 20, 0, 0, 0, time.UTC); at.Day() != 26; at = at.Add(7 * time.Minute) {
				to := at.Add(5*time.Hour + 11*time.Minute)
				a, b := z.Ends(r, at, to)
				from, until := endOf(t, z, r, a), endOf(t, z, r, b)
				slack := time.Duration(0)
				switch {
				case z.Unix || r == RangeWithDeviation || r == RangeWithout:
				case z.Period > time.Hour:
					slack = 26 * time.Hour
				default:
					slack = 2 * time.Hour
				}
				if r == RangeLocal && z.Local == berlin { // a time of the repeated hour may be that of the other pass
					slack += time.Hour
					require.False(t, from.After(at.Add(time.Hour)), "%s, %s: %s for %s", name, r, from, at)
					require.False(t, until.Before(to.Add(-time.Hour)), "%s, %s: %s for %s", name, r, until, to)
				} else {
					require.False(t, from.After(at), "%s, %s: %s for %s", name, r, from, at)
					require.False(t, until.Before(to), "%s, %s: %s for %s", name, r, until, to)
				}
				require.LessOrEqual(t, at.Sub(from), slack, "%s, %s", name, r)
				require.LessOrEqual(t, until.Sub(to), slack, "%s, %s", name, r)
			}
		}
	}
}

// TestEndsUnix: seconds since 1970 have 32 bits.
func TestEndsUnix(t *testing.T) {
	a, b := Zone{Unix: true}.Ends(RangeWithDeviation, time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC))
	require.Equal(t, axdr.AppendDoubleLongUnsigned(nil, 0), []byte(a))
	require.Equal(t, axdr.AppendDoubleLongUnsigned(nil, 1<<32-1), []byte(b))
}

// TestEndsBytes are ends as they go out: worked by hand from Blue Book Ed. 13,
// clause 4.1.6.1.
func TestEndsBytes(t *testing.T) {
	at := time.Date(2026, time.March, 1, 12, 20, 30, 0, time.UTC)
	z := Zone{Clock: time.FixedZone("", 3600), Local: time.FixedZone("", 3600), Period: 15 * time.Minute}
	for rung, want := range map[Rung][]byte{
		RangeWithDeviation:  {0x09, 0x0C, 0x07, 0xEA, 3, 1, 0xFF, 13, 20, 30, 0, 0xFF, 0xC4, 0},
		RangeWithout:        {0x09, 0x0C, 0x07, 0xEA, 3, 1, 0xFF, 13, 20, 30, 0, 0x80, 0, 0xFF},
		RangeRounded:        {0x09, 0x0C, 0x07, 0xEA, 3, 1, 0xFF, 13, 0, 0, 0, 0xFF, 0xC4, 0},
		RangeRoundedWithout: {0x09, 0x0C, 0x07, 0xEA, 3, 1, 0xFF, 13, 0, 0, 0, 0x80, 0, 0xFF},
	} {
		a, _ := z.Ends(rung, at, at)
		require.Equal(t, want, []byte(a), rung)
	}
	seen := map[string]bool{}
	for r := RangeWithDeviation; r <= Whole; r++ {
		require.False(t, seen[r.String()], r)
		seen[r.String()] = true
	}
}
