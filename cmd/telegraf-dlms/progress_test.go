package main

import (
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/plugins/inputs/dlms_cosem"
)

func TestBarLine(t *testing.T) {
	t.Parallel()
	require.Equal(t, "reading x ... 65 s", barLine(-1, "reading x", 65400*time.Millisecond))
	require.Equal(t, "reading x ... 2 s", barLine(math.NaN(), "reading x", 2*time.Second))
	require.Equal(t, "[..............................]   0 %  0 rows", barLine(0, "0 rows", time.Second))
	require.Equal(t, "[#######.......................]  25 %  3 of 12 objects, about 6s left", barLine(.25, "3 of 12 objects", 2*time.Second))
	require.Equal(t, "["+strings.Repeat("#", 30)+"] 100 %  x, about 0s left", barLine(7, "x", 2*time.Second))
}

// TestProfileProgress: the part of the range that was read, whichever ends it has.
func TestProfileProgress(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	at := func(hours int) time.Time { return began.Add(time.Duration(hours) * time.Hour) }
	for _, c := range []struct {
		from, to, first, upTo time.Time
		part                  float64
	}{
		{at(-4), at(-2), at(-4), at(-3), .5},
		{at(-4), time.Time{}, at(-4), at(-3), .25},
		{time.Time{}, time.Time{}, at(-100), at(-50), .5},
		{at(-4), time.Time{}, at(-4), at(1), 1}, // the meter's clock is fast
		{at(-4), time.Time{}, at(-5), at(-5), 0},
		{at(-4), time.Time{}, time.Time{}, time.Time{}, -1},
	} {
		r := &profileReading{how: dlms_cosem.ProfileOptions{From: c.from, To: c.to}, began: began, bar: newBar(io.Discard, "")}
		r.progress(1, c.first)
		r.progress(7, c.upTo)
		require.InDelta(t, c.part, r.bar.part, 1e-9)
		require.True(t, strings.HasPrefix(r.bar.text, "7 rows"), r.bar.text)
		require.Equal(t, 7, r.rows)
	}
}
