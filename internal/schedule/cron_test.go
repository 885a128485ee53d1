package schedule

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // zones on hosts without zone files

	"github.com/stretchr/testify/require"
)

func zone(t testing.TB, name string) *time.Location {
	l, err := time.LoadLocation(name)
	require.NoError(t, err)
	return l
}

const stamp = "2006-01-02 15:04:05"

// next lists the next n instants after from, as the zone's wall clock shows them.
func nextOf(t *testing.T, expression, start string, l *time.Location, n int) []string {
	t.Helper()
	at, err := time.ParseInLocation(stamp, start, l)
	require.NoError(t, err)
	c, err := ParseCron(expression, at, l)
	require.NoError(t, err, expression)
	s := Schedule{Method: Crontab, Cron: c}
	var list []string
	for _, i := range s.Next(at, n) {
		list = append(list, i.Format(stamp))
	}
	return list
}

// TestCronTable is the manual's table, with the resolutions of its
// contradictions. The start is Tuesday 2026-03-10 08:25:37 UTC.
func TestCronTable(t *testing.T) {
	const start = "2026-03-10 08:25:37"
	for _, tt := range []struct {
		expression string
		want       []string // without the year where it is 2026
		reading    string
	}{
		{"0 0 12 * * *", []string{"03-10 12:00:00", "03-11 12:00:00", "03-12 12:00:00"}, "second 0, minute 0, hour 12, every day"},
		{"* * * * *", []string{"03-10 08:26:00", "03-10 08:27:00"}, "second 0, every minute, every hour, every day"},
		{"59 23 31 12 5", []string{"2027-12-31 23:59:00", "2032-12-31 23:59:00"}, "second 0, minute 59, hour 23, day 31, month Dec, if it is Fri"},
		{"59 23 31 Dec Fri", []string{"2027-12-31 23:59:00", "2032-12-31 23:59:00"}, ""},
		{"45 17 7 6 *", []string{"06-07 17:45:00", "2027-06-07 17:45:00"}, ""},
		{"0,15,30,45 0,6,12,18 1,15,31 * * *", []string{"03-15 00:00:00", "03-15 00:15:00", "03-15 00:30:00", "03-15 00:45:00", "03-15 06:00:00"}, ""},
		{"0,15,30,45 0,6,12,18 1,15,31 * 1-5 *", []string{"03-31 00:00:00", "03-31 00:15:00"}, "second 0, minute 0,15,30,45, hour 0,6,12,18, day 1,15,31, if it is Mon-Fri"},
		{"0,15,30,45 0,6,12,18 1,15,31 * 1-5", []string{"03-31 00:00:00", "03-31 00:15:00"}, ""},
		{"* 0-11 * *", []string{"03-10 08:26:00"}, "second 0, every minute, hour 0-11, every day"},
		{"* * * Jan, Feb, Mar *", []string{"03-10 08:26:00"}, "second 0, every minute, every hour, every day, month Jan-Mar"},
		{"* * * Jan,Feb *", []string{"2027-01-01 00:00:00"}, ""},
		{"0 12 * * 1-5 (0 12 * * Mon-Fri)", []string{"03-10 12:00:00", "03-11 12:00:00", "03-12 12:00:00", "03-13 12:00:00", "03-16 12:00:00"}, ""},
		{"0 12 * * Mon-Fri", []string{"03-10 12:00:00", "03-11 12:00:00", "03-12 12:00:00", "03-13 12:00:00", "03-16 12:00:00"}, ""},
		{"0 9 1-7 * 1", []string{"04-06 09:00:00", "05-04 09:00:00", "06-01 09:00:00"}, "second 0, minute 0, hour 9, day 1-7, if it is Mon"},
		{"0 0 * * 7", []string{"03-15 00:00:00", "03-22 00:00:00"}, ""},
		{"0 0 * * 0", []string{"03-15 00:00:00", "03-22 00:00:00"}, ""},
		{"0 0 * * sAT-sun", []string{"03-14 00:00:00", "03-15 00:00:00", "03-21 00:00:00"}, ""},
		{"0 0 * * 0-2", []string{"03-15 00:00:00", "03-16 00:00:00", "03-17 00:00:00"}, ""},
		{"? ? * * *", []string{"03-10 08:25:37", "03-11 08:25:00", "03-12 08:25:00"}, "second 0, minute 25, hour 8, every day; and once at the start of the program"},
		{"25 8 * * * *", []string{"03-10 09:08:25", "03-10 10:08:25"}, ""}, // six fields begin with the second
		{"? ? ? ? *", []string{"03-10 08:25:37"}, "once, at the start of the program"},
		{"0 ? ? ? ? *", []string{"03-10 08:25:37"}, ""},
		{"? ? ? ? ? *", []string{"03-10 08:25:37"}, ""},
		{"0 ? ? ? ? * *", []string{"03-10 08:25:37", "2027-03-10 08:25:00"}, ""}, // a year is given
		{"*/5 ? * * *", []string{"03-10 08:30:00", "03-10 08:35:00", "03-10 08:40:00", "03-10 08:45:00", "03-10 08:50:00", "03-10 08:55:00", "03-11 08:00:00"}, ""},
		{"? * * * *", []string{"03-10 08:25:37", "03-10 09:25:00"}, ""},
		{"* ? * * * *", []string{"03-10 08:25:37", "03-10 09:25:00", "03-10 09:25:01"}, ""}, // not again in the minute of the start
		{"? 30 9 * * *", []string{"03-10 09:30:37"}, ""},
		{"0 0 0 ? * *", []string{"04-10 00:00:00"}, ""},
		{"0 0 0 1 ? *", []string{"2027-03-01 00:00:00"}, ""},
		{"1-30/3 * * * *", []string{"03-10 08:28:00", "03-10 09:01:00", "03-10 09:04:00"}, "second 0, minute 1,4,7,10,13,16,19,22,25,28, every hour, every day"},
		{"*/4 * * * *", []string{"03-10 08:28:00", "03-10 08:32:00"}, ""},
		{"0 0-23/2 * * *", []string{"03-10 10:00:00", "03-10 12:00:00"}, ""},
		{"0, 30 8-10, 12 * * *", []string{"03-10 08:30:00", "03-10 09:00:00", "03-10 09:30:00", "03-10 10:00:00", "03-10 10:30:00", "03-10 12:00:00", "03-10 12:30:00", "03-11 08:00:00"}, ""},
		{"0 0 12 * * * 2027-2028", []string{"2027-01-01 12:00:00"}, "second 0, minute 0, hour 12, every day, year 2027,2028"},
		{"0 30 12 1 1 * */10", []string{"2030-01-01 12:30:00", "2040-01-01 12:30:00"}, ""},
		{"30 12 31 12 * 2027", []string{"2027-12-31 12:30:00"}, ""},
		{"*/10", []string{"03-10 08:30:00"}, ""},
		{"0 0 29 2 1", []string{"2044-02-29 00:00:00", "2072-02-29 00:00:00"}, ""}, // 29 February on a Monday
	} {
		var want []string
		for _, w := range tt.want {
			if !strings.HasPrefix(w, "20") {
				w = "2026-" + w
			}
			want = append(want, w)
		}
		got := nextOf(t, tt.expression, start, time.UTC, len(want))
		require.Equal(t, want, got, tt.expression)
		if tt.reading != "" {
			c, err := ParseCron(tt.expression, time.Date(2026, 3, 10, 8, 25, 37, 0, time.UTC), time.UTC)
			require.NoError(t, err)
			require.Equal(t, tt.reading, c.String(), tt.expression)
		}
	}
	require.Len(t, nextOf(t, "? ? ? ? *", start, time.UTC, 5), 1)
	require.Len(t, nextOf(t, "30 12 31 12 * 2027", start, time.UTC, 5), 1)
}

func TestCronNotes(t *testing.T) {
	now := time.Date(2026, 3, 10, 8, 25, 37, 0, time.UTC)
	c, err := ParseCron("0,15,30,45 0,6,12,18 1,15,31 * 1-5 *", now, time.UTC)
	require.NoError(t, err)
	require.Equal(t, []string{"the first of six fields cannot be the second here, so the last one is read as the year"}, c.Notes())
	c, err = ParseCron("0 0 12 * * *", now, time.UTC)
	require.NoError(t, err)
	require.Empty(t, c.Notes())
}

// TestCronDaylightSaving has clocks go forward and back.
func TestCronDaylightSaving(t *testing.T) {
	for _, tt := range []struct {
		zone, expression, start string
		want                    []string
	}{
		// Berlin: 2026-03-29 02:00 becomes 03:00; 2026-10-25 03:00 becomes 02:00.
		{"Europe/Berlin", "30 2 * * *", "2026-03-28 12:00:00", []string{"2026-03-29 03:00:00 +0200", "2026-03-30 02:30:00 +0200"}},
		{"Europe/Berlin", "*/15 2 * * *", "2026-03-28 12:00:00", []string{"2026-03-29 03:00:00 +0200", "2026-03-30 02:00:00 +0200"}},
		{"Europe/Berlin", "0 2,3 * * *", "2026-03-28 12:00:00", []string{"2026-03-29 03:00:00 +0200", "2026-03-30 02:00:00 +0200", "2026-03-30 03:00:00 +0200"}},
		{"Europe/Berlin", "30 * * * *", "2026-03-29 00:45:00", []string{"2026-03-29 01:30:00 +0100", "2026-03-29 03:30:00 +0200"}},
		{"Europe/Berlin", "30 2 * * *", "2026-10-24 12:00:00", []string{"2026-10-25 02:30:00 +0200", "2026-10-26 02:30:00 +0100"}},
		{"Europe/Berlin", "0,30 2,3 * * *", "2026-10-24 12:00:00", []string{"2026-10-25 02:00:00 +0200", "2026-10-25 02:30:00 +0200", "2026-10-25 03:00:00 +0100", "2026-10-25 03:30:00 +0100"}},
		{"Europe/Berlin", "*/30 * * * *", "2026-10-25 01:45:00", []string{"2026-10-25 02:00:00 +0200", "2026-10-25 02:30:00 +0200", "2026-10-25 02:00:00 +0100", "2026-10-25 02:30:00 +0100", "2026-10-25 03:00:00 +0100"}},
		// São Paulo: 2018-11-04 00:00 becomes 01:00; 2018-02-18 00:00 becomes 2018-02-17 23:00.
		{"America/Sao_Paulo", "0 0 * * *", "2018-11-03 12:00:00", []string{"2018-11-04 01:00:00 -0200", "2018-11-05 00:00:00 -0200"}},
		{"America/Sao_Paulo", "30 0 4 11 *", "2018-11-03 12:00:00", []string{"2018-11-04 01:00:00 -0200"}},
		{"America/Sao_Paulo", "0 * * * *", "2018-11-03 22:30:00", []string{"2018-11-03 23:00:00 -0300", "2018-11-04 01:00:00 -0200"}},
		{"America/Sao_Paulo", "30 23 * * *", "2018-02-17 12:00:00", []string{"2018-02-17 23:30:00 -0200", "2018-02-18 23:30:00 -0300"}},
		{"America/Sao_Paulo", "0 0 * * *", "2018-02-17 12:00:00", []string{"2018-02-18 00:00:00 -0300", "2018-02-19 00:00:00 -0300"}},
		{"America/Sao_Paulo", "30 * * * *", "2018-02-17 22:45:00", []string{"2018-02-17 23:30:00 -0200", "2018-02-17 23:30:00 -0300", "2018-02-18 00:30:00 -0300"}},
		// Lord Howe: half an hour; 2026-10-04 02:00 becomes 02:30; 2026-04-05 02:00 becomes 01:30.
		{"Australia/Lord_Howe", "15 2 * * *", "2026-10-03 12:00:00", []string{"2026-10-04 02:30:00 +1100", "2026-10-05 02:15:00 +1100"}},
		{"Australia/Lord_Howe", "45 1 * * *", "2026-04-04 12:00:00", []string{"2026-04-05 01:45:00 +1100", "2026-04-06 01:45:00 +1030"}},
	} {
		l := zone(t, tt.zone)
		at, err := time.ParseInLocation(stamp, tt.start, l)
		require.NoError(t, err)
		c, err := ParseCron(tt.expression, at, l)
		require.NoError(t, err)
		var got []string
		for range tt.want {
			next, ok := c.Next(at)
			require.True(t, ok)
			require.True(t, next.After(at))
			got = append(got, next.Format(stamp+" -0700"))
			at = next
		}
		require.Equal(t, tt.want, got, "%s in %s", tt.expression, tt.zone)
	}
}

func TestCronErrors(t *testing.T) {
	now := time.Date(2026, 3, 10, 8, 25, 37, 0, time.UTC)
	for expression, want := range map[string]string{
		"":                   `it is empty: e.g. "0 0 12 * * *" is every day at 12:00:00`,
		"  ":                 `it is empty: e.g. "0 0 12 * * *" is every day at 12:00:00`,
		"60 * * * *":         `minute "60": 0 to 59 is allowed`,
		"* 24 * * *":         `hour "24": 0 to 23 is allowed`,
		"* * 0 * *":          `day "0": 1 to 31 is allowed`,
		"* * * 13 *":         `month "13": 1 to 12 or jan to dec is allowed`,
		"* * * January *":    `month "January": 1 to 12 or jan to dec is allowed`,
		"* * * * 8":          `weekday "8": 0 to 7 or sun to sat is allowed`,
		"* * * * ?":          `weekday "?": use *`,
		"0 0 0 1 1 * ?":      `year "?": use *`,
		"* 22-2 * * *":       `hour "22-2" runs backwards: write it as two ranges`,
		"5/10 * * * *":       `minute "5/10": a step follows * or a range`,
		"*/0 * * * *":        `minute "*/0": the step has to be 1 to 59`,
		"*/60 * * * *":       `minute "*/60": the step has to be 1 to 59`,
		"*/x * * * *":        `minute "*/x": the step has to be 1 to 59`,
		"1,,2 * * * *":       `minute "": 0 to 59 is allowed`,
		"-5 * * * *":         `minute "-5": 0 to 59 is allowed`,
		"+5 * * * *":         `minute "+5": 0 to 59 is allowed`,
		"1-2-3 * * * *":      `minute "1-2-3": 0 to 59 is allowed`,
		"0 0 30 2 *":         `it never fires: there is no such day`,
		"0 0 31 4,6,9,11 *":  `it never fires: there is no such day`,
		"0 0 0 1 1 * 2020":   `it never fires: its years are over`,
		"0 0 0 1 1 * 1899":   `year "1899": 1900 to 3000 is allowed`,
		"0 0 0 29 2 * 2027":  `it never fires: there is no such day`,
		"0 0 12 * * * * *":   `8 fields: 5 are minute hour day month weekday, 6 begin with the second, 7 end with the year`,
		"61 * * * * *":       `second "61": 0 to 59 is allowed`,
		"0 12 * * 1-5 (noon": `a bracket is opened and not closed`,
		"@daily":             `minute "@daily": 0 to 59 is allowed`,
		"0 0 L * *":          `day "L": 1 to 31 is allowed`,
	} {
		_, err := ParseCron(expression, now, time.UTC)
		require.EqualError(t, err, want, expression)
	}
}

func TestTimes(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	times, err := ParseTimes("18:30:00; 02:30:00;06:00:00;", berlin)
	require.NoError(t, err)
	require.Equal(t, "every day at 02:30:00, 06:00:00, 18:30:00", times.String())
	at, err := time.ParseInLocation(stamp, "2026-03-28 18:30:00", berlin)
	require.NoError(t, err)
	var got []string
	for range 5 {
		at = times.Next(at)
		got = append(got, at.Format(stamp+" -0700"))
	}
	require.Equal(t, []string{"2026-03-29 03:00:00 +0200", "2026-03-29 06:00:00 +0200", "2026-03-29 18:30:00 +0200",
		"2026-03-30 02:30:00 +0200", "2026-03-30 06:00:00 +0200"}, got)
	at, err = time.ParseInLocation(stamp, "2026-10-24 20:00:00", berlin)
	require.NoError(t, err)
	got = nil
	for range 3 {
		at = times.Next(at)
		got = append(got, at.Format(stamp+" -0700"))
	}
	require.Equal(t, []string{"2026-10-25 02:30:00 +0200", "2026-10-25 06:00:00 +0100", "2026-10-25 18:30:00 +0100"}, got)
	for list, want := range map[string]string{
		"":                  `"" is no time of day: HH:MM:SS is expected, several separated by ;`,
		"6:00:00":           `"6:00:00" is no time of day: HH:MM:SS is expected, several separated by ;`,
		"06:00":             `"06:00" is no time of day: HH:MM:SS is expected, several separated by ;`,
		"24:00:00":          `"24:00:00" is no time of day: HH:MM:SS is expected, several separated by ;`,
		"06:00:60":          `"06:00:60" is no time of day: HH:MM:SS is expected, several separated by ;`,
		"06:00:00,07:00:00": `"06:00:00,07:00:00" is no time of day: HH:MM:SS is expected, several separated by ;`,
		"06:00:00;06:00:00": `06:00:00 is there twice`,
		";":                 `"" is no time of day: HH:MM:SS is expected, several separated by ;`,
	} {
		_, err := ParseTimes(list, berlin)
		require.EqualError(t, err, want, list)
	}
}

// TestMissed: of the instants that were missed the last one is made up for, if
// it is not too old.
func TestMissed(t *testing.T) {
	start := time.Date(2026, 3, 10, 8, 0, 0, 0, time.UTC)
	c, err := ParseCron("0 0 * * * *", start, time.UTC) // each hour
	require.NoError(t, err)
	s := Schedule{Method: Crontab, Cron: c, Grace: time.Minute, Window: time.Hour}
	due := start.Add(time.Hour)
	for _, tt := range []struct {
		late   time.Duration
		run    bool
		missed int
	}{
		{0, true, 0},
		{time.Minute, true, 0},
		{time.Minute + time.Second, false, 1},
		{time.Hour - time.Second, false, 1},
		{time.Hour, true, 1},
		{3*time.Hour + 30*time.Second, true, 3},
		{3*time.Hour + 30*time.Minute, false, 4},
	} {
		instant, run, missed, next := s.Missed(due, due.Add(tt.late))
		require.Equal(t, tt.run, run, tt.late)
		require.Equal(t, tt.missed, missed, tt.late)
		require.Equal(t, due.Add(tt.late.Truncate(time.Hour)), instant)
		require.Equal(t, instant.Add(time.Hour), next)
	}
	require.Equal(t, due.Add(30*time.Minute), s.Until(due, due.Add(time.Hour)), "half the time to the next")
	require.Equal(t, due.Add(time.Hour), s.Until(due, due.Add(24*time.Hour)))
	require.Equal(t, due.Add(time.Hour), s.Until(due, time.Time{}))

	c, err = ParseCron("* * * * * *", start, time.UTC) // each second, and a host that slept for a year
	require.NoError(t, err)
	s.Cron = c
	now := start.Add(365 * 24 * time.Hour)
	instant, run, missed, next := s.Missed(start, now)
	require.True(t, run)
	require.Equal(t, now, instant)
	require.Equal(t, now.Add(time.Second), next)
	require.Greater(t, missed, mostMissed-1)

	c, err = ParseCron("0 0 9 10 3 * 2026", start, time.UTC) // the last one
	require.NoError(t, err)
	s.Cron = c
	_, run, _, next = s.Missed(due, due)
	require.True(t, run)
	require.True(t, next.IsZero())
}
