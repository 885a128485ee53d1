package execd

import (
	"fmt"
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

func some(n int) (list []telegraf.Metric) {
	for i := range n {
		list = append(list, metric.New("m", map[string]string{"i": fmt.Sprint(i)}, map[string]any{"value": float64(i), "text": strings.Repeat("x", 100)}, time.Unix(1, 0)))
	}
	return list
}

// TestAddMetrics: the metrics of a run share as few writes as hold them, each
// of whole lines.
func TestAddMetrics(t *testing.T) {
	w := &writes{}
	acc := NewAccumulator(w, NewLogger(&strings.Builder{}, false))
	acc.AddMetrics(some(20))
	require.Len(t, w.list, 1)
	w.list = nil
	acc.AddMetrics(some(100))
	lines := 0
	for _, s := range w.list {
		require.LessOrEqual(t, len(s), MaxWrite)
		require.True(t, strings.HasSuffix(s, "\n"))
		lines += strings.Count(s, "\n")
	}
	require.Equal(t, 100, lines)
	require.Len(t, w.list, (len(strings.Join(w.list, ""))+MaxWrite-1)/MaxWrite)
	acc.AddMetrics(nil)
	acc.Close()
}

// TestAddMetricsDelivery: a metric is accepted when its lines were written, and
// rejected when they were not.
func TestAddMetricsDelivery(t *testing.T) {
	for _, broken := range []error{nil, fmt.Errorf("gone")} {
		acc := NewAccumulator(&writes{err: broken}, NewLogger(&strings.Builder{}, false))
		delivered := make(chan bool, 100)
		var list []telegraf.Metric
		for _, m := range some(60) {
			m, _ := metric.WithTracking(m, func(info telegraf.DeliveryInfo) { delivered <- info.Delivered() })
			list = append(list, m)
		}
		acc.AddMetrics(list)
		require.Len(t, delivered, 60)
		for range 60 {
			require.Equal(t, broken == nil, <-delivered)
		}
		acc.Close()
	}
}
