package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 10, 25, 12, 0, 0, 0, rome(t))
	for s, want := range map[string]string{
		"now":                         "2026-10-25T12:00:00+01:00",
		"-24h":                        "2026-10-24T13:00:00+02:00",
		"-1d":                         "2026-10-24T12:00:00+02:00",
		"-1w1d12h":                    "2026-10-17T00:00:00+02:00",
		"-90m":                        "2026-10-25T10:30:00+01:00",
		"-90s":                        "2026-10-25T11:58:30+01:00",
		"2026-11-01":                  "2026-11-01T00:00:00+01:00",
		"2026-07-01 10:15":            "2026-07-01T10:15:00+02:00",
		"2026-07-01T10:15":            "2026-07-01T10:15:00+02:00",
		"2026-07-01 10:15:30":         "2026-07-01T10:15:30+02:00",
		"2026-07-01T10:15:30Z":        "2026-07-01T10:15:30Z",
		"2026-07-01 10:15:30+05:30":   "2026-07-01T10:15:30+05:30",
		"2026-07-01 10:15:30 -01:00":  "2026-07-01T10:15:30-01:00",
		"2026-07-01T10:15Z":           "2026-07-01T10:15:00Z",
		"2026-07-01T10:15:30.5+02:00": "2026-07-01T10:15:30+02:00",
		"2026-10-25 02:00:00+01:00":   "2026-10-25T02:00:00+01:00", // as a table shows it
	} {
		got, err := parseTime(s, now)
		require.NoError(t, err, s)
		require.Equal(t, want, got.Format(time.RFC3339), s)
	}
	for s, want := range map[string]string{
		"":           `"" is no time: expected is 2026-11-01, "2026-11-01 10:15", `,
		"yesterday":  `"yesterday" is no time: expected is `,
		"7d":         `"7d": did you mean -7d, before now?`,
		"-":          `"-" is no time before now: numbers with units are expected, as in -7d`,
		"-7":         `"-7" is no time before now: numbers with units`,
		"-d":         `"-d" is no time before now: numbers with units`,
		"-7d1":       `"-7d1" is no time before now: numbers with units`,
		"-7M":        `"-7M": unknown unit "M"; units are w, d, h, m (minutes) and s`,
		"-1234567s":  `"-1234567s": at most 6 digits are expected before a unit`,
		"-999999d":   `"-999999d" is too long ago`,
		"-999999w":   `"-999999w" is too long ago`,
		"2026-13-01": `"2026-13-01" is no time: `,
		"2026-02-30": `"2026-02-30" is no time: `,
		"01.11.2026": `"01.11.2026" is no time: `,
	} {
		_, err := parseTime(s, now)
		require.ErrorContains(t, err, want, s)
	}
	_, err := parseTime("-999999h999999h", now)
	require.Error(t, err)
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"now", "-7d", "-1w2d3h4m5s", "2026-11-01", "2026-11-01 10:15", "2026-11-01T10:15:00+01:00", "7d", "-999999d"} {
		f.Add(s)
	}
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseTime(s, now)
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		if strings.HasPrefix(s, "-") {
			require.False(t, got.After(now))
		}
		again, err := parseTime(got.Format(time.RFC3339Nano), now)
		require.NoError(t, err)
		require.True(t, got.Equal(again))
	})
}
