package execd

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/metric"
	"github.com/stretchr/testify/require"
)

// failing keeps each write and fails the one whose number is fail, from 1.
type failing struct {
	writes
	fail int
}

func (f *failing) Write(b []byte) (int, error) {
	n, _ := f.writes.Write(b)
	if len(f.list) == f.fail {
		return 0, errors.New("gone")
	}
	return n, nil
}

// rows returns n metrics and their lines.
func rows(n int) ([]telegraf.Metric, []string) {
	list, lines := make([]telegraf.Metric, n), make([]string, n)
	for i := range n {
		list[i] = metric.New("row", map[string]string{"i": fmt.Sprint(i)}, map[string]any{"v": float64(i)}, noon)
		lines[i] = fmt.Sprintf("row,i=%d v=%d 1766000000000000000\n", i, i)
	}
	return list, lines
}

// fewest returns the number of writes that lines need in their order.
func fewest(lines []string) int {
	n, free := 0, 0
	for _, line := range lines {
		if len(line) > free {
			n, free = n+1, MaxWrite
		}
		free -= len(line)
	}
	return n
}

// notified returns the only notification there is, which has to be there now.
func notified(t *testing.T, tracked telegraf.TrackingAccumulator) telegraf.DeliveryInfo {
	t.Helper()
	require.Len(t, tracked.Delivered(), 1)
	return <-tracked.Delivered()
}

// TestGroupWrites: the lines of a group share as few writes as hold them, in
// order, and it is delivered once and before its ID is returned.
func TestGroupWrites(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 90, 1000} {
		w := &failing{}
		acc := NewAccumulator(w, NewLogger(io.Discard, false))
		tracked := acc.WithTracking(1)
		group, lines := rows(n)
		id := tracked.AddTrackingMetricGroup(group)
		info := notified(t, tracked)
		require.Equal(t, id, info.ID())
		require.True(t, info.Delivered())
		require.Equal(t, strings.Join(lines, ""), strings.Join(w.list, ""))
		require.Len(t, w.list, fewest(lines))
		for _, s := range w.list {
			require.LessOrEqual(t, len(s), MaxWrite)
			require.True(t, strings.HasSuffix(s, "\n"))
		}
		acc.Close()
	}
}

// TestGroupFails: whichever write fails, the whole group is rejected, and
// nothing is written after it.
func TestGroupFails(t *testing.T) {
	t.Parallel()
	_, lines := rows(1000)
	last := fewest(lines)
	for _, fail := range []int{1, 2, last / 2, last} {
		w := &failing{fail: fail}
		acc := NewAccumulator(w, NewLogger(io.Discard, false))
		tracked := acc.WithTracking(1)
		group, _ := rows(1000)
		id := tracked.AddTrackingMetricGroup(group)
		info := notified(t, tracked)
		require.Equal(t, id, info.ID())
		require.False(t, info.Delivered(), "write %d of %d failed", fail, last)
		require.Len(t, w.list, fail)
		<-acc.Failed()
		require.EqualError(t, acc.Err(), "gone")

		group, _ = rows(3) // the output is gone
		id = tracked.AddTrackingMetricGroup(group)
		info = notified(t, tracked)
		require.Equal(t, id, info.ID())
		require.False(t, info.Delivered())
		require.Len(t, w.list, fail)
		acc.Close()
	}
}

// TestGroupClosed: a group that waits for a reader is rejected when the
// accumulator is closed, and so is one that comes afterwards.
func TestGroupClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		acc := NewAccumulator(w, NewLogger(io.Discard, false))
		tracked := acc.WithTracking(1)
		ids := make(chan telegraf.TrackingID)
		go func() {
			group, _ := rows(1000)
			ids <- tracked.AddTrackingMetricGroup(group)
		}()
		_, err := r.Read(make([]byte, MaxWrite))
		require.NoError(t, err)
		synctest.Wait()
		require.Empty(t, tracked.Delivered(), "the second write waits")
		acc.Close()
		id := <-ids
		info := notified(t, tracked)
		require.Equal(t, id, info.ID())
		require.False(t, info.Delivered())

		group, _ := rows(1)
		id = tracked.AddTrackingMetricGroup(group)
		info = notified(t, tracked)
		require.Equal(t, id, info.ID())
		require.False(t, info.Delivered())
		require.NoError(t, r.Close())
	})
}

// TestGroupWithoutLine: numbers that are not finite are nothing lost; a metric
// that has no line protocol is, and the others are written nevertheless.
func TestGroupWithoutLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		odd  telegraf.Metric
		want bool
	}{
		{metric.New("m", nil, map[string]any{"v": math.NaN()}, noon), true},
		{metric.New("", nil, map[string]any{"v": 1.0}, noon), false},
		{metric.New("m", nil, map[string]any{"v": strings.Repeat("x", MaxWrite)}, noon), false},
	} {
		acc, out, errs := accumulate(t)
		tracked := acc.WithTracking(1)
		group, lines := rows(2)
		id := tracked.AddTrackingMetricGroup([]telegraf.Metric{group[0], c.odd, group[1]})
		info := notified(t, tracked)
		require.Equal(t, id, info.ID())
		require.Equal(t, c.want, info.Delivered())
		require.Equal(t, lines[0]+lines[1], out.String())
		require.Equal(t, c.want, errs.String() == "")
	}
}

// TestDeliveredLater: as many groups as are tracked may be added, by several
// goroutines, before a notification is read: each is there, under its ID.
func TestDeliveredLater(t *testing.T) {
	t.Parallel()
	const goroutines, each = 10, 20
	acc, out, errs := accumulate(t)
	tracked := acc.WithTracking(goroutines * each)
	var mu sync.Mutex
	want := map[telegraf.TrackingID]bool{}
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for i := range each {
				group, _ := rows(3)
				good := i%2 == 0
				if !good {
					group[1] = metric.New("", nil, map[string]any{"v": 1.0}, noon)
				}
				id := tracked.AddTrackingMetricGroup(group)
				mu.Lock()
				want[id] = good
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	got := map[telegraf.TrackingID]bool{}
	for range goroutines * each {
		info := <-tracked.Delivered()
		got[info.ID()] = info.Delivered()
	}
	require.Empty(t, tracked.Delivered())
	require.Len(t, want, goroutines*each)
	require.Equal(t, want, got)
	require.Equal(t, goroutines*each*5/2, strings.Count(out.String(), "\n"))
	require.NotContains(t, errs.String(), "tracked")

	for range goroutines*each + 1 {
		group, _ := rows(1)
		tracked.AddTrackingMetricGroup(group)
	}
	require.Len(t, tracked.Delivered(), goroutines*each)
	require.Equal(t, 1, strings.Count(errs.String(), "E! more metrics are tracked than the accumulator was made for\n"))
}
