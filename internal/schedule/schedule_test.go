package schedule

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var t0 = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return t0.Add(d) }

func TestMethodNames(t *testing.T) {
	for _, m := range []Method{Gather, Once, Polling} {
		got, ok := ParseMethod(m.String())
		require.True(t, ok)
		require.Equal(t, m, got)
	}
	for _, s := range []string{"", "Gather", "crontab"} {
		_, ok := ParseMethod(s)
		require.False(t, ok, s)
	}
	require.Equal(t, "unknown(0x5a)", Method(0x5a).String())
	require.Equal(t, "unknown(0x00)", Method(0).String())
}

func TestFirst(t *testing.T) {
	for m, want := range map[Method]bool{Gather: false, Once: true, Polling: true, 9: false} {
		due, ok := Schedule{Method: m, Interval: time.Second}.First(t0)
		require.Equal(t, want, ok, m)
		if ok {
			require.Equal(t, t0, due)
		}
	}
}

func TestAfterPoll(t *testing.T) {
	s := Schedule{Method: Polling, Interval: 10 * time.Second}
	for _, c := range []struct {
		name               string
		due, started, want time.Duration
	}{
		{"on time", 0, 0, 10 * time.Second},
		{"a little late keeps the rhythm", 0, 4 * time.Second, 10 * time.Second},
		{"late by an interval shifts it", 0, 10 * time.Second, 20 * time.Second},
		{"late by many runs once", 0, 95 * time.Second, 105 * time.Second},
	} {
		require.Equal(t, at(c.want), s.AfterPoll(at(c.due), at(c.started)), c.name)
	}
}

func TestSlowRunsNeverPileUp(t *testing.T) {
	s := Schedule{Method: Polling, Interval: 10 * time.Second}
	due, now := t0, t0
	for range 1000 { // each run takes 12 s
		if now.Before(due) {
			now = due
		}
		require.Less(t, now.Sub(due), 2*s.Interval)
		due = s.AfterPoll(due, now)
		now = now.Add(12 * time.Second)
	}
}

func TestAfterFailure(t *testing.T) {
	s := Schedule{Method: Once, Interval: 10 * time.Second}
	require.Equal(t, at(10*time.Second), s.AfterFailure(t0, time.Time{}))
	require.Equal(t, at(10*time.Second), s.AfterFailure(t0, t0))
	require.Equal(t, at(time.Minute), s.AfterFailure(t0, at(time.Minute)))
}

func TestNext(t *testing.T) {
	require.Empty(t, Schedule{Method: Gather, Interval: time.Second}.Next(t0, 5))
	require.Equal(t, []time.Time{t0}, Schedule{Method: Once, Interval: time.Second}.Next(t0, 5))
	require.Equal(t, []time.Time{t0, at(time.Second), at(2 * time.Second)}, Schedule{Method: Polling, Interval: time.Second}.Next(t0, 3))
	require.Empty(t, Schedule{Method: Once}.Next(t0, 0))
}

func TestContactLadder(t *testing.T) {
	b := Backoff{Ladder: ContactLadder()}
	require.True(t, b.Ready(t0))
	require.Zero(t, b.Failures())
	now := t0
	for i, pause := range []time.Duration{0, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 10 * time.Minute} {
		b.Fail(now)
		require.Equal(t, i+1, b.Failures())
		require.Equal(t, now.Add(pause), b.Until())
		require.Equal(t, i >= 4, b.Last())
		if pause > 0 {
			require.False(t, b.Ready(b.Until().Add(-time.Nanosecond)))
		}
		now = b.Until()
		require.True(t, b.Ready(now))
	}
	b.Succeed()
	require.True(t, b.Ready(t0))
	require.Zero(t, b.Failures())
	require.False(t, b.Last())
}

func TestLoginLadder(t *testing.T) {
	b := Backoff{Ladder: LoginLadder()}
	want := []time.Duration{15, 30, 60, 120, 240, 480, 960, 1440, 1440}
	for _, minutes := range want {
		b.Fail(t0)
		require.Equal(t, at(minutes*time.Minute), b.Until())
	}
}

func TestBackoffWithoutLadder(t *testing.T) {
	var b Backoff
	b.Fail(t0)
	require.True(t, b.Ready(t0))
}
