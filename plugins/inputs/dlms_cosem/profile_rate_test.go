package dlms_cosem

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter/history"
)

// clocked keeps when each row came.
type clocked struct {
	at []time.Time
}

// looked is how often it is looked what has come.
const looked = 100 * time.Millisecond

// rate is the most rows that came within a second.
func (c *clocked) rate() (most int) {
	for i := range c.at {
		n := 0
		for j := i; j < len(c.at) && c.at[j].Sub(c.at[i]) < time.Second-looked; j++ {
			n++
		}
		most = max(most, n)
	}
	return most
}

// TestProfileRate: never more lines in any second.
func TestProfileRate(t *testing.T) {
	for _, rate := range []int{1, 7, 100} {
		for name, cfg := range map[string]history.Config{
			"plain": {}, "whole": {Selective: history.Selective{NoSelectiveAccess: true}}, "by entry": {Selective: history.Selective{NoRange: true}},
		} {
			t.Run(fmt.Sprintf("%d, %s", rate, name), func(t *testing.T) {
				cfg.Past = 5 * day
				past(t, profileConf(historyTop, hourly, fmt.Sprintf("lookback = \"4d\"\nrate = %d", rate)), cfg, func(x *pastTest) {
					begin := time.Now()
					var c clocked
					for len(c.at) < 300 && time.Since(begin) < time.Hour {
						later(looked)
						for range len(x.rows(profileMeasurement)) - len(c.at) {
							c.at = append(c.at, time.Now())
						}
					}
					require.LessOrEqual(x, c.rate(), rate)
					require.GreaterOrEqual(x, len(c.at), 300)
					later(90 * time.Minute)
					x.poll()
					require.Zero(x, x.all(begin.Add(-4*day+1)))
				})
			})
		}
	}
}
