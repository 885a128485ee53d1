package execd

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/metric"
	"github.com/stretchr/testify/require"
)

// writes keeps each write apart.
type writes struct {
	mu   sync.Mutex
	list []string
	err  error
}

func (w *writes) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, string(b))
	return len(b), w.err
}

// TestAddTogether: the metrics of a run share as few writes as hold them, each
// of whole lines, and may be made of the same maps.
func TestAddTogether(t *testing.T) {
	w := &writes{}
	acc := NewAccumulator(w, NewLogger(&strings.Builder{}, false))
	defer acc.Close()
	together := func(n int) string {
		w.list = nil
		acc.AddTogether(func(add func(string, map[string]any, map[string]string, time.Time)) {
			fields, tags := map[string]any{"text": strings.Repeat("x", 100), "none": math.NaN()}, map[string]string{"a": "b", "empty": ""}
			for i := range n {
				fields["value"], tags["i"] = float64(i), fmt.Sprint(i)
				add("m", fields, tags, time.Unix(1, 0))
			}
		})
		return strings.Join(w.list, "")
	}
	want := ""
	for i := range 100 {
		want += fmt.Sprintf("m,a=b,i=%d text=%q,value=%d 1000000000\n", i, strings.Repeat("x", 100), i)
	}
	require.Equal(t, want[:strings.Index(want, "m,a=b,i=20 ")], together(20))
	require.Len(t, w.list, 1)
	require.Equal(t, want, together(100))
	for _, s := range w.list {
		require.LessOrEqual(t, len(s), MaxWrite)
		require.True(t, strings.HasSuffix(s, "\n"))
	}
	require.Len(t, w.list, (len(want)+MaxWrite-1)/MaxWrite)
	require.Empty(t, together(0))
}

// TestAddTogetherLost: when a write fails, what follows is dropped, and nothing
// blocks.
func TestAddTogetherLost(t *testing.T) {
	w := &writes{err: errors.New("gone")}
	acc := NewAccumulator(w, NewLogger(&strings.Builder{}, false))
	defer acc.Close()
	for range 2 {
		acc.AddTogether(func(add func(string, map[string]any, map[string]string, time.Time)) {
			for range 100 {
				add("m", map[string]any{"text": strings.Repeat("x", 100)}, nil, time.Unix(1, 0))
			}
		})
	}
	require.Len(t, w.list, 1)
	require.EqualError(t, acc.Err(), "gone")
}

// TestDelivery: a metric is accepted when its lines were written, or if it has
// none, and rejected when they were not.
func TestDelivery(t *testing.T) {
	for _, broken := range []error{nil, errors.New("gone")} {
		acc := NewAccumulator(&writes{err: broken}, NewLogger(&strings.Builder{}, false))
		for text, want := range map[string]bool{"x": broken == nil, "": true, strings.Repeat("x", MaxWrite): false} {
			delivered := make(chan bool, 1)
			fields := map[string]any{"text": text}
			if text == "" {
				fields = map[string]any{"nan": math.NaN()}
			}
			m, _ := metric.WithTracking(metric.New("m", nil, fields, time.Unix(1, 0)), func(info telegraf.DeliveryInfo) { delivered <- info.Delivered() })
			acc.AddMetric(m)
			require.Equal(t, want, <-delivered, "%d octets, %v", len(text), broken)
		}
		acc.Close()
	}
}
