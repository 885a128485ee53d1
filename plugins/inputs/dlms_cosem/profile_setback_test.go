package dlms_cosem

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter/history"
)

// rowsOf is how many rows of a profile came.
func (x *pastTest) rowsOf(name string) (n int) {
	for _, p := range x.rows(profileMeasurement) {
		if p.tags["profile"] == name {
			n++
		}
	}
	return n
}

// TestProfileThatWasEmpty: the first rows of an event log come in the second in
// which it was found empty.
func TestProfileThatWasEmpty(t *testing.T) {
	conf := profileConf(historyTop, "method = \"polling\"\ninterval = \"1m\"", "[[inputs.dlms_cosem.request.profile]]\nname = \"events\"\nobis = \"0.0.99.98.0.255\"")
	past(t, conf, history.Config{}, func(x *pastTest) {
		later(10 * time.Minute)
		x.m.Events(7, 2)
		later(time.Minute)
		require.Equal(x, 2, x.rowsOf("events"))
		x.m.Events(7, 3)
		later(time.Minute)
		require.Equal(x, 5, x.rowsOf("events"))
	})
}

// TestProfileSetBackSeen: the clock is set back, and is read before anything is
// captured under the times that come again; then an answer with rows of those
// times is cut off.
func TestProfileSetBackSeen(t *testing.T) {
	for _, by := range []time.Duration{10 * time.Minute, 30 * time.Minute, 2 * time.Hour, 10 * time.Hour} {
		for name, cut := range map[string]time.Duration{"whole": 0, "cut": 3 * time.Hour, "cut at once": 5 * time.Minute} {
			t.Run(by.String()+" "+name, func(t *testing.T) {
				t.Parallel()
				past(t, profileConf(historyTop, "method = \"polling\"\ninterval = \"5m\"", ""), history.Config{Past: 10 * 24 * time.Hour}, func(x *pastTest) {
					begin := time.Now()
					later(24*time.Hour + 7*time.Minute)
					x.m.Jump(-by)
					later(cut)
					if cut > 0 {
						x.unplug()
						later(4 * time.Hour)
						x.plug()
					}
					later(24 * time.Hour)
					require.Empty(x, x.missing(begin.Add(-7*24*time.Hour+1)), "%v", x.j.at(""))
				})
			})
		}
	}
}

// missing are rows of the load profile that did not come.
func (x *pastTest) missing(since time.Time) (list []string) {
	have := map[string]bool{}
	for _, line := range x.lines() {
		have[line] = true
	}
	for _, line := range x.captured(since) {
		if !have[line] {
			list = append(list, line)
		}
	}
	return list
}
