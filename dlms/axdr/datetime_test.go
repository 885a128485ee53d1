package axdr_test

import (
	"bytes"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

func berlin(t testing.TB) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	return loc
}

func TestDateTimeTime(t *testing.T) {
	loc := berlin(t)
	for _, c := range []struct {
		name string
		hex  string
		want string // RFC 3339; empty: not a time
		text string
	}{
		{"CET", "07EA 01 0F 04 0A1E 0F 00 FFC4 00", "2026-01-15T10:30:15+01:00", "2026-01-15 10:30:15.00 +01:00"},
		{"CEST", "07EA 07 0F 03 0A1E 0F 32 FF88 80", "2026-07-15T10:30:15.5+02:00", "2026-07-15 10:30:15.50 +02:00"},
		{"range row 20", "07E1 08 01 07 00 00 00 FF FFC4 00", "2017-08-01T00:00:00+01:00", "2017-08-01 00:00:00.** +01:00"},
		{"captured push", "07E5 03 17 02 13 1A 3A FF 8000 00", "2021-03-23T19:26:58+01:00", "2021-03-23 19:26:58.**"},
		{"inverted sign is not guessed", "07EA 01 0F 04 0A0000 00 003C 00", "2026-01-15T10:00:00-01:00", "2026-01-15 10:00:00.00 -01:00"},
		{"UTC", "07EA 01 0F 04 0A0000 00 0000 00", "2026-01-15T10:00:00Z", "2026-01-15 10:00:00.00 +00:00"},
		{"half-hour zone", "07EA 01 0F 04 0A0000 00 FEB6 00", "2026-01-15T10:00:00+05:30", "2026-01-15 10:00:00.00 +05:30"},
		{"UTC+14", "07EA 01 0F 04 0A0000 00 FCB8 00", "2026-01-15T10:00:00+14:00", "2026-01-15 10:00:00.00 +14:00"},
		{"deviation out of range", "07EA 01 0F 04 0A0000 00 0349 00", "", "2026-01-15 10:00:00.00 -14:01"},
		{"winter by zone", "07EA 01 0F FF 0A0000 00 8000 00", "2026-01-15T10:00:00+01:00", "2026-01-15 10:00:00.00"},
		{"summer by zone", "07EA 07 0F FF 0A0000 00 8000 80", "2026-07-15T10:00:00+02:00", "2026-07-15 10:00:00.00"},
		{"summer by zone without status bit", "07EA 07 0F FF 0A0000 00 8000 00", "2026-07-15T10:00:00+02:00", "2026-07-15 10:00:00.00"},
		{"repeated hour, first", "07EA 0A 19 07 021E00 00 8000 80", "2026-10-25T02:30:00+02:00", "2026-10-25 02:30:00.00"},
		{"repeated hour, second", "07EA 0A 19 07 021E00 00 8000 00", "2026-10-25T02:30:00+01:00", "2026-10-25 02:30:00.00"},
		{"repeated hour, status unspecified", "07EA 0A 19 07 021E00 00 8000 FF", "2026-10-25T02:30:00+02:00", "2026-10-25 02:30:00.00"},
		{"start of the repeated hour, first", "07EA 0A 19 07 020000 00 8000 80", "2026-10-25T02:00:00+02:00", "2026-10-25 02:00:00.00"},
		{"start of the repeated hour, second", "07EA 0A 19 07 020000 00 8000 00", "2026-10-25T02:00:00+01:00", "2026-10-25 02:00:00.00"},
		{"after the repeated hour", "07EA 0A 19 07 030000 00 8000 80", "2026-10-25T03:00:00+01:00", "2026-10-25 03:00:00.00"},
		{"before the repeated hour", "07EA 0A 19 07 013B3B 63 8000 00", "2026-10-25T01:59:59.99+02:00", "2026-10-25 01:59:59.99"},
		{"skipped hour", "07EA 03 1D 07 021E00 00 8000 80", "2026-03-29T03:30:00+02:00", "2026-03-29 02:30:00.00"},
		{"hour 24", "07EA 0C 1F FF 180000 00 FFC4 00", "2027-01-01T00:00:00+01:00", "2026-12-31 24:00:00.00 +01:00"},
		{"hour 24 by zone", "07EA 02 1C FF 180000 00 8000 00", "2026-03-01T00:00:00+01:00", "2026-02-28 24:00:00.00"},
		{"hour 24 and a minute", "07EA 0C 1F FF 180100 00 FFC4 00", "", "2026-12-31 24:01:00.00 +01:00"},
		{"second FF", "07EA 01 0F 04 0A1E FF FF FFC4 00", "2026-01-15T10:30:00+01:00", "2026-01-15 10:30:**.** +01:00"},
		{"hundredths over 99", "07EA 01 0F 04 0A1E 01 64 FFC4 00", "2026-01-15T10:30:01+01:00", "2026-01-15 10:30:01.100 +01:00"},
		{"leap day", "07E8 02 1D FF 000000 00 FFC4 00", "2024-02-29T00:00:00+01:00", "2024-02-29 00:00:00.00 +01:00"},
		{"no leap day", "07EA 02 1D FF 000000 00 FFC4 00", "", "2026-02-29 00:00:00.00 +01:00"},
		{"June 31", "07EA 06 1F FF 000000 00 FFC4 00", "", "2026-06-31 00:00:00.00 +01:00"},
		{"year 0", "0000 01 01 01 000000 00 FFC4 00", "", "0000-01-01 00:00:00.00 +01:00"},
		{"never", "0000 00 00 00 000000 00 0000 00", "", "0000-00-00 00:00:00.00 +00:00"},
		{"year 10000", "2710 01 01 01 000000 00 FFC4 00", "", "10000-01-01 00:00:00.00 +01:00"},
		{"year FFFF", "FFFF 01 01 01 000000 00 FFC4 00", "", "****-01-01 Mon 00:00:00.00 +01:00"},
		{"month FF", "07EA FF 01 FF 000000 00 FFC4 00", "", "2026-**-01 00:00:00.00 +01:00"},
		{"month 13", "07EA 0D 01 FF 000000 00 FFC4 00", "", "2026-13-01 00:00:00.00 +01:00"},
		{"day FF", "07EA 01 FF FF 000000 00 FFC4 00", "", "2026-01-** 00:00:00.00 +01:00"},
		{"hour FF", "07EA 01 01 FF FF0000 00 FFC4 00", "", "2026-01-01 **:00:00.00 +01:00"},
		{"minute FF", "07EA 01 01 FF 00FF00 00 FFC4 00", "", "2026-01-01 00:**:00.00 +01:00"},
		{"second 60", "07EA 01 01 FF 00003C 00 FFC4 00", "", "2026-01-01 00:00:60.00 +01:00"},
		{"nothing specified", "FFFF FF FF FF FFFFFF FF 8000 FF", "", "****-**-** **:**:**.**"},
		{"last Sunday of March", "FFFF 03 FE 07 020000 00 8000 00", "", "****-03-last Sun 02:00:00.00"},
		{"last day but one", "FFFF FF FD FF 000000 00 8000 00", "", "****-**-last_but_one 00:00:00.00"},
		{"daylight saving begins", "FFFF FE FF 09 000000 00 8000 00", "", "****-dst_begin-** 09 00:00:00.00"},
		{"daylight saving ends", "FFFF FD FF 01 000000 00 8000 00", "", "****-dst_end-** Mon 00:00:00.00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := octets(t, c.hex)
			d, ok := axdr.ParseDateTime(b)
			require.True(t, ok)
			assert.Equal(t, b, d.Append(nil))
			assert.Equal(t, c.text, d.String())
			got, ok := d.Time(loc)
			if c.want == "" {
				assert.False(t, ok)
				assert.Zero(t, got)
				return
			}
			require.True(t, ok)
			assert.True(t, d.Complete())
			assert.Equal(t, c.want, got.Format(time.RFC3339Nano))
			if d.Deviation != axdr.DeviationUnspecified {
				utc := got.UTC()
				local := got.Add(-time.Duration(d.Deviation) * time.Minute).UTC()
				assert.Equal(t, time.Duration(d.Deviation)*time.Minute, utc.Sub(local), "UTC = local time + deviation")
			}
		})
	}
}

func TestDateTimeTimeElsewhere(t *testing.T) {
	d := axdr.DateTime{Year: 2026, Month: 1, Day: 15, Hour: 10, Deviation: axdr.DeviationUnspecified}
	got, ok := d.Time(nil)
	require.True(t, ok)
	require.Equal(t, "2026-01-15T10:00:00Z", got.Format(time.RFC3339))

	// tzdata says of Ireland that winter, not summer, is the exception; the
	// meter's bit still means the first of two equal local times.
	dublin, err := time.LoadLocation("Europe/Dublin")
	require.NoError(t, err)
	d = axdr.DateTime{Year: 2026, Month: 10, Day: 25, Hour: 1, Minute: 30, Deviation: axdr.DeviationUnspecified, Status: axdr.StatusDaylightSaving}
	got, ok = d.Time(dublin)
	require.True(t, ok)
	require.Equal(t, "2026-10-25T01:30:00+01:00", got.Format(time.RFC3339))
	d.Status = 0
	got, ok = d.Time(dublin)
	require.True(t, ok)
	require.Equal(t, "2026-10-25T01:30:00Z", got.Format(time.RFC3339))
}

// Every minute of a year must come back from local time and status alone.
func TestDateTimeOfAWholeYear(t *testing.T) {
	loc := berlin(t)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, loc)
	for u := start; u.Year() == 2026; u = u.Add(5 * time.Minute) {
		d := axdr.FromTime(u)
		got, ok := d.Time(time.UTC)
		require.True(t, ok)
		require.True(t, u.Equal(got), "%v: %v", u, got)
		d.Deviation = axdr.DeviationUnspecified
		got, ok = d.Time(loc)
		require.True(t, ok)
		require.True(t, u.Equal(got), "%v: %v", u, got)
	}
}

func TestFromTime(t *testing.T) {
	loc := berlin(t)
	d := axdr.FromTime(time.Date(2026, 7, 5, 23, 59, 58, 987654321, loc))
	require.Equal(t, axdr.DateTime{
		Year: 2026, Month: 7, Day: 5, Weekday: 7, Hour: 23, Minute: 59, Second: 58, Hundredths: 98,
		Deviation: -120, Status: axdr.StatusDaylightSaving,
	}, d)
	require.Equal(t, octets(t, "07EA 07 05 07 173B3A 62 FF88 80"), d.Append(nil))
	d = axdr.FromTime(time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC))
	require.Equal(t, uint8(1), d.Weekday)
	require.Zero(t, d.Deviation)
	require.Zero(t, d.Status)
	// 2026-01-05 is a Monday; the week of the standard begins with it.
	for i := range 7 {
		require.Equal(t, uint8(i+1), axdr.FromTime(time.Date(2026, 1, 5+i, 0, 0, 0, 0, time.UTC)).Weekday)
	}
}

func TestStampsOfOtherLengthsAreRefused(t *testing.T) {
	for n := range 20 {
		b := make([]byte, n)
		_, ok := axdr.ParseDateTime(b)
		require.Equal(t, n == 12, ok)
		_, ok = axdr.ParseDate(b)
		require.Equal(t, n == 5, ok)
		_, ok = axdr.ParseTime(b)
		require.Equal(t, n == 4, ok)
	}
}

func TestDateTimeDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	loc := berlin(t)
	b := octets(t, "07EA 0A 19 07 021E00 00 8000 80")
	out := make([]byte, 0, 12)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		d, _ := axdr.ParseDateTime(b)
		for _, deviation := range []int16{-60, 0, 120, axdr.DeviationUnspecified} {
			d.Deviation = deviation
			if _, ok := d.Time(loc); !ok {
				t.Error("not a time")
			}
		}
		out = d.Append(out[:0])
	}))
	require.True(t, bytes.Equal(b, out))
}
