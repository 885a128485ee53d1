package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// timeForms are the forms of a time in arguments, local unless it has its offset from UTC.
func timeForms() []string {
	return []string{time.RFC3339,
		"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02 15:04Z07:00", "2006-01-02 15:04 Z07:00",
		"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly}
}

// expectedTime is what may stand there.
const expectedTime = `expected is 2026-11-01, "2026-11-01 10:15", 2026-11-01T10:15:00+01:00, -7d or -24h (before now), or now`

// parseTime reads a time: absolute in one of timeForms (a fraction of the
// second may follow), "now", or before now, as -7d, -24h or -1w2d. A date
// alone is its first moment. Days and weeks are those of the calendar: -1d is
// the same time on the day before, also where the clocks were changed. The zone
// is that of now.
func parseTime(s string, now time.Time) (time.Time, error) {
	if s == "now" {
		return now, nil
	}
	if before, ok := strings.CutPrefix(s, "-"); ok {
		return timeBefore(before, now)
	}
	for _, form := range timeForms() {
		if t, err := time.ParseInLocation(form, s, now.Location()); err == nil {
			return t, nil
		}
	}
	if t, err := timeBefore(s, now); err == nil && !t.Equal(now) {
		return time.Time{}, fmt.Errorf("%q: did you mean -%s, before now? Else %s", s, s, expectedTime)
	}
	return time.Time{}, fmt.Errorf("%q is no time: %s", s, expectedTime)
}

// mostBefore is the most digits of a number in a time before now.
const mostBefore = 6

// timeBefore subtracts numbers with units, as 7d or 1w12h.
func timeBefore(s string, now time.Time) (time.Time, error) {
	days, span := 0, time.Duration(0)
	for rest := s; rest != "" || s == ""; {
		digits := 0
		for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
			digits++
		}
		n, err := strconv.Atoi(rest[:digits])
		switch {
		case err != nil || digits == len(rest):
			return time.Time{}, fmt.Errorf("%q is no time before now: numbers with units are expected, as in -7d or -1d12h; units are w, d, h, m (minutes) and s", "-"+s)
		case digits > mostBefore:
			return time.Time{}, fmt.Errorf("%q: at most %d digits are expected before a unit", "-"+s, mostBefore)
		}
		switch rest[digits] {
		case 'w':
			days += 7 * n
		case 'd':
			days += n
		case 'h':
			span += time.Duration(n) * time.Hour
		case 'm':
			span += time.Duration(n) * time.Minute
		case 's':
			span += time.Duration(n) * time.Second
		default:
			return time.Time{}, fmt.Errorf("%q: unknown unit %q; units are w, d, h, m (minutes) and s, as in -7d or -1d12h", "-"+s, rest[digits:][:1])
		}
		if days > 4e6 || span > 1e6*time.Hour { // ten thousand years, a hundred
			return time.Time{}, fmt.Errorf("%q is too long ago", "-"+s)
		}
		rest = rest[digits+1:]
	}
	t := now.AddDate(0, 0, -days).Add(-span)
	if t.Year() < 1 {
		return time.Time{}, fmt.Errorf("%q is too long ago", "-"+s)
	}
	return t, nil
}
