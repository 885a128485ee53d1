package schedule

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSundayToSunday: Sunday has two numbers, and is one day.
func TestSundayToSunday(t *testing.T) {
	const start = "2026-03-10 08:25:37"
	require.Equal(t, []string{"2026-03-15 00:00:00", "2026-03-22 00:00:00"}, nextOf(t, "0 0 * * Sun-Sun", start, time.UTC, 2))
	require.Len(t, nextOf(t, "0 0 * * 0-7", start, time.UTC, 7), 7)
}

// TestNoGrace: a timer never fires at the very instant. Without any grace a run
// is missed only if it is late by a second or more.
func TestNoGrace(t *testing.T) {
	start := time.Date(2026, 3, 10, 8, 0, 0, 0, time.UTC)
	c, err := ParseCron("0 0 * * * *", start, time.UTC)
	require.NoError(t, err)
	s := Schedule{Method: Crontab, Cron: c}
	due := start.Add(time.Hour)
	_, run, missed, _ := s.Missed(due, due.Add(3*time.Millisecond))
	require.True(t, run)
	require.Zero(t, missed)
	_, run, missed, _ = s.Missed(due, due.Add(time.Second))
	require.False(t, run)
	require.Equal(t, 1, missed)
}
