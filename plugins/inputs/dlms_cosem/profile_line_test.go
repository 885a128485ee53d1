package dlms_cosem

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest/fault"
	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter/history"
)

// TestProfileCutOff loses each connection after so many octets, at many places:
// what came is kept, each row once, and reading goes on from there.
func TestProfileCutOff(t *testing.T) {
	for name, test := range map[string]struct {
		top string
		cfg dlmstest.Config
		of  history.Config
	}{
		"wrapper":        {historyTop, dlmstest.Config{}, history.Config{}},
		"small PDU":      {historyTop, dlmstest.Config{MaxPDU: 128}, history.Config{}},
		"HDLC 128":       {hdlcTop, dlmstest.Config{Framing: "hdlc", MaxInfo: 128, MaxPDU: 512}, history.Config{}},
		"general blocks": {historyTop, dlmstest.Config{GeneralBlocks: 4, MaxPDU: 256}, history.Config{}},
		"by entry":       {historyTop, dlmstest.Config{MaxPDU: 256}, history.Config{Selective: history.Selective{NoRange: true}}},
		"newest first":   {historyTop, dlmstest.Config{MaxPDU: 256}, history.Config{LIFO: true}},
		"nulls":          {historyTop, dlmstest.Config{MaxPDU: 256}, history.Config{Encoding: history.Encoding{NullTimes: true, NullValues: true}}},
	} {
		for _, after := range []int{300, 1501, 1702, 1903, 2504, 3005} {
			t.Run(fmt.Sprintf("%s after %d", name, after), func(t *testing.T) {
				test.of.Past = 3 * day
				top := test.top + "\nmeter_timezone = \"UTC\"\n"
				if test.top == historyTop {
					top = test.top
				}
				past(t, profileConf(top, "method = \"polling\"\ninterval = \"10m\"", "lookback = \"1d\""), test.of, func(x *pastTest) {
					begin := time.Now()
					m := dlmstest.NewMeter(test.cfg, x.m)
					x.n.set("", &host{meter: m, plan: fault.Plan{CloseAfterRead: after}})
					x.n.cut()
					x.restart()
					later(9 * time.Hour)
					x.n.set("", &host{meter: m})
					later(2 * time.Hour)
					x.poll()
					require.Zero(x, x.all(begin.Add(-day+1)), "rows came again")
					require.Zero(x, x.gaps())
				})
			})
		}
	}
}

// TestProfileLive: what is live waits for one part of a profile at most, while a
// hundred days are read; on another meter not at all.
func TestProfileLive(t *testing.T) {
	conf := profileConf(historyTop, "method = \"polling\"\ninterval = \"1m\"", "lookback = \"100d\"\n[[inputs.dlms_cosem.request.item]]\nname = \"same\"\nobis = \"1.0.32.7.0.255\"") +
		"[[inputs.dlms_cosem.request]]\nname = \"b\"\nmethod = \"polling\"\ninterval = \"15s\"\n[[inputs.dlms_cosem.request.item]]\nname = \"beside\"\nobis = \"1.0.2.8.0.255\"\n" +
		"[[inputs.dlms_cosem.request]]\nname = \"c\"\nendpoint = \"tcp://10.0.0.6:4059\"\nmethod = \"polling\"\ninterval = \"5s\"\n[[inputs.dlms_cosem.request.item]]\nname = \"other\"\nobis = \"1.0.2.8.0.255\"\n"
	for name, delay := range map[string]time.Duration{"quick": 0, "slow": 250 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			past(t, conf, history.Config{Past: 110 * day, Capacity: 20_000}, func(x *pastTest) {
				begin := time.Now()
				x.n.set("10.0.0.5:4059", &host{meter: dlmstest.NewMeter(dlmstest.Config{ResponseDelay: delay, MaxPDU: 1024}, x.m)})
				x.n.set("10.0.0.6:4059", &host{meter: dlmstest.NewMeter(dlmstest.Config{}, x.m)})
				x.n.cut()
				x.restart()
				later(20 * time.Minute)
				for tag, test := range map[string]struct{ interval, late time.Duration }{
					"a": {time.Minute, 25 * time.Second}, "b": {15 * time.Second, 25 * time.Second}, "c": {5 * time.Second, time.Second},
				} {
					before := begin
					n := 0
					for _, p := range x.acc.all() {
						if p.measurement != statusMeasurement || p.tags["request"] != tag || p.tags["profile"] != "" {
							continue
						}
						require.Equal(x, "success", p.tags["result"])
						require.LessOrEqual(x, p.at.Sub(before), test.interval+test.late, "%s at %s", tag, p.at)
						before = p.at
						n++
					}
					require.Greater(x, n, int(20*time.Minute/(test.interval+test.late))-1, tag)
				}
				x.whole(begin.Add(-100*day + 1))
			})
		})
	}
}

// TestProfileReread: the last day is written again each day, under the same
// times.
func TestProfileReread(t *testing.T) {
	for name, cfg := range map[string]history.Config{
		"plain": {}, "newest first": {LIFO: true}, "by entry": {Selective: history.Selective{NoRange: true}}, "whole": {Selective: history.Selective{NoSelectiveAccess: true}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Past = 3 * day
			past(t, profileConf(historyTop, hourly, "lookback = \"2d\"\nreread = \"1d\""), cfg, func(x *pastTest) {
				begin := time.Now()
				later(day - time.Hour)
				require.Zero(x, x.all(begin.Add(-2*day+1)))
				later(90 * time.Minute)
				x.poll()
				require.InDelta(x, 96, x.all(begin.Add(-2*day+1)), 2)
				x.restart()
				later(2*day + time.Hour)
				x.poll()
				require.InDelta(x, 3*96, x.all(begin.Add(-2*day+1)), 6)
				require.Zero(x, x.gaps())
			})
		})
	}
}

// TestProfileResend: a range is written again when people ask for it, also over
// a restart in the middle.
func TestProfileResend(t *testing.T) {
	for name, cfg := range map[string]history.Config{
		"plain": {}, "newest first": {LIFO: true}, "by entry": {Selective: history.Selective{NoRange: true}}, "whole": {Selective: history.Selective{NoSelectiveAccess: true}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Past = 20 * day
			past(t, profileConf(historyTop, hourly, "lookback = \"10d\"\nrate = 5"), cfg, func(x *pastTest) {
				begin := time.Now()
				later(5 * time.Hour)
				x.poll()
				require.Zero(x, x.all(begin.Add(-10*day+1)))
				from, to := begin.Add(-8*day), begin.Add(-3*day)
				for _, bad := range [][]string{{}, {"tcp://10.0.0.5:4059", "1.0.99.1.0.255", to.Format(time.RFC3339), from.Format(time.RFC3339)},
					{"tcp://10.0.0.9:4059", "1.0.99.1.0.255", from.Format(time.RFC3339), to.Format(time.RFC3339)},
					{"tcp://10.0.0.5:4059", "1.0.99.2.0.255", from.Format(time.RFC3339), to.Format(time.RFC3339)}, {"tcp://10.0.0.5:4059", "x", "y", "z"}} {
					_, err := x.d.Resend(bad)
					require.Error(x, err)
				}
				x.acc.mu.Lock()
				x.acc.points = nil
				x.acc.mu.Unlock()
				text, err := x.d.Resend([]string{"tcp://10.0.0.5:4059", "1.0.99.1.0.255", from.Format(time.RFC3339), to.Format(time.RFC3339)})
				require.NoError(x, err)
				require.Contains(x, text, `request "a", profile "1.0.99.1.0.255"`)
				later(20 * time.Second)
				got := len(x.rows(profileMeasurement))
				require.Less(x, got, 481, "not yet all, by the rate")
				x.restart()
				later(20 * time.Minute)
				x.poll()
				want := slices.DeleteFunc(x.captured(from), func(s string) bool {
					return s > to.Format(time.RFC3339)+"~" && s < begin.Add(5*time.Hour).Format(time.RFC3339)+"~"
				})
				require.Equal(x, strings.Join(want, "\n"), strings.Join(slices.Compact(x.lines()), "\n"))
				require.Less(x, x.again(), 300, "what was under way at the restart")
				n := len(x.rows(profileMeasurement))
				later(3 * time.Hour)
				require.LessOrEqual(x, len(x.rows(profileMeasurement)), n+13, "once is enough")
			})
		})
	}
}

// TestProfilePolls: that a profile was read in several turns does not move the
// next time at which it is polled.
func TestProfilePolls(t *testing.T) {
	conf := strings.ReplaceAll(besideConf(historyTop, "lookback = \"60d\"\nrate = 500"), "10m", "1s")
	past(t, conf, history.Config{Past: 70 * day, Capacity: 10_000}, func(x *pastTest) {
		begin := time.Now()
		later(5*time.Hour + time.Minute)
		hours := map[time.Duration]int{}
		turns := 0
		for _, p := range x.rows(statusMeasurement) {
			if p.tags["profile"] != "" {
				hours[p.at.Sub(begin).Round(time.Hour)]++
				turns++
			}
		}
		require.Len(x, hours, 6)
		require.Greater(x, turns, 8, "the first one was interrupted")
	})
}
