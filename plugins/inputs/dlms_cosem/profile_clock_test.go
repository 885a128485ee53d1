package dlms_cosem

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter/history"
	"github.com/telegraf-dlms/telegraf-dlms/internal/state"
)

// eventsConf is a request for the event log.
func eventsConf(t *testing.T, more string) string {
	dir := presetFile(t, `[events."0.0.99.98.0.255"]
3 = "Power up"
7 = "Terminal cover opened"
[events.any]
7 = "something else"
`)
	return fmt.Sprintf("[[inputs.dlms_cosem]]\n%s\n[[inputs.dlms_cosem.request]]\nname = \"a\"\npreset = %q\n%s\n[[inputs.dlms_cosem.request.profile]]\nname = \"events\"\nobis = \"0.0.99.98.0.255\"\n%s\n",
		historyTop, filepath.Join(dir, "p.toml"), hourly, more)
}

// happened checks that each event was written, under its time and its place in
// its second, and nothing else.
func (x *pastTest) happened(since time.Time) {
	x.Helper()
	count := map[time.Time]int{}
	var want, got []string
	for _, r := range x.m.Captured(history.EventLog) {
		at := r.Time.Add(time.Duration(count[r.Time]))
		count[r.Time]++
		if !r.Time.Before(since) {
			want = append(want, fmt.Sprintf("%s %g", at.Format(time.RFC3339Nano), r.Values[1]))
		}
	}
	for _, p := range x.rows(profileMeasurement) {
		got = append(got, fmt.Sprintf("%s %v", p.at.UTC().Format(time.RFC3339Nano), p.fields["event"]))
	}
	slices.Sort(want)
	slices.Sort(got)
	require.Equal(x, strings.Join(want, "\n"), strings.Join(slices.Compact(got), "\n"))
}

func eventMeters() map[string]history.Config {
	entries := history.Selective{NoRange: true}
	return map[string]history.Config{
		"plain":              {},
		"newest first":       {LIFO: true},
		"by entry":           {Selective: entries},
		"entry newest first": {Selective: history.Selective{NoRange: true, EntryNewestFirst: true}},
		"whole":              {Selective: history.Selective{NoSelectiveAccess: true}},
		"whole, newest":      {LIFO: true, Selective: history.Selective{NoSelectiveAccess: true}},
		"exclusive":          {Selective: history.Selective{ExclusiveFrom: true, ExclusiveTo: true}},
		"error when empty":   {Selective: history.Selective{ErrorOnEmpty: 11}},
	}
}

// TestProfileEvents: events of one second are apart by a nanosecond each, and
// those that come behind in it are found.
func TestProfileEvents(t *testing.T) {
	for name, cfg := range eventMeters() {
		t.Run(name, func(t *testing.T) {
			past(t, eventsConf(t, ""), cfg, func(x *pastTest) {
				begin := time.Now()
				later(time.Hour + time.Minute)               // the log is empty
				if strings.HasPrefix(name, "entry newest") { // nothing tells the order of rows of one time
					x.m.Event(9)
					later(time.Minute)
				}
				x.m.Events(7, 3)
				x.m.Events(3, 1)
				x.m.Events(7, 1)
				x.poll()
				x.happened(begin)
				later(10 * time.Minute)
				x.m.Events(3, 2)
				x.m.Events(7, 1)
				x.m.Events(9, 1)
				later(5 * time.Hour)
				x.restart()
				later(time.Hour)
				x.m.Event(7)
				later(10 * 24 * time.Hour) // longer than lookback
				x.m.Events(3, 3)
				x.poll()
				x.happened(begin)
				p := x.rows(profileMeasurement)[0]
				require.Equal(x, map[string]string{"meter": "a", "source": "10.0.0.5:4059", "profile": "events"}, p.tags)
				for _, p := range x.rows(profileMeasurement) {
					text := map[float64]any{3: "Power up", 7: "Terminal cover opened"}[p.fields["event"].(float64)]
					require.Equal(x, text, p.fields["event_text"])
				}
				require.Empty(x, x.acc.errors())
			})
		})
	}
}

// TestProfileEventsSameSecond: more events come in the second of those that
// were just read, the first ones and later ones.
func TestProfileEventsSameSecond(t *testing.T) {
	for name, cfg := range eventMeters() {
		for _, before := range []int{0, 2} {
			if strings.HasPrefix(name, "entry newest") {
				continue // nothing tells the order of rows of one time
			}
			t.Run(fmt.Sprintf("%s, %d before", name, before), func(t *testing.T) {
				past(t, eventsConf(t, ""), cfg, func(x *pastTest) {
					begin := time.Now()
					if before > 0 {
						later(30 * time.Minute)
						x.m.Events(9, before)
					}
					later(2*time.Hour - time.Since(begin) - time.Second/2)
					later(time.Second / 2) // the run of this hour
					for i := range 3 {
						x.m.Events(uint8(3+i), 2)
						for _, l := range *x.d.live.Load() {
							l.mu.Lock()
							l.queue[0].due = time.Now()
							l.mu.Unlock()
							l.rouse()
						}
						later(200 * time.Millisecond)
					}
					later(time.Hour)
					x.happened(begin)
				})
			})
		}
	}
}

// TestProfileEventsEvicted: the buffer is small, and of events of one second
// the first are gone when it is read again.
func TestProfileEventsEvicted(t *testing.T) {
	for name, cfg := range eventMeters() {
		t.Run(name, func(t *testing.T) {
			cfg.Capacity = 6
			past(t, eventsConf(t, "reread = \"1d\""), cfg, func(x *pastTest) {
				begin := time.Now()
				later(time.Hour + time.Minute)
				x.m.Events(7, 5)
				x.poll()
				later(time.Hour)
				for i := range 8 {
					x.m.Events(uint8(20+i), 1)
					x.poll()
					x.happened(begin)
				}
				x.m.Events(3, 4)
				x.poll()
				x.m.Events(4, 3) // two of them are left
				x.poll()
				x.happened(begin)
			})
		})
	}
}

// TestProfileClockJumps: rows that the clock has captured in whatever order are
// written, under the times that they have.
func TestProfileClockJumps(t *testing.T) {
	for name, jump := range map[string]time.Duration{
		"30 min back": -30 * time.Minute, "3 h back": -3 * time.Hour, "2 days back": -2 * day, "60 days back": -60 * day,
		"30 min ahead": 30 * time.Minute, "3 h ahead": 3 * time.Hour, "2 days ahead": 2 * day, "60 days ahead": 60 * day,
	} {
		for meter, cfg := range map[string]history.Config{
			"plain":        {},
			"only range":   {Selective: history.Selective{NoEntry: true}},
			"by entry":     {Selective: history.Selective{NoRange: true}},
			"whole":        {Selective: history.Selective{NoSelectiveAccess: true}, Capacity: 700},
			"newest first": {LIFO: true},
			"no period":    {PeriodZero: true},
		} {
			for _, back := range []bool{false, true} { // the clock is put right again after a day
				t.Run(fmt.Sprintf("%s, %s, righted %t", name, meter, back), func(t *testing.T) {
					t.Parallel()
					cfg := cfg
					cfg.Past = 5 * day
					past(t, profileConf(historyTop, hourly, "lookback = \"1d\""), cfg, func(x *pastTest) {
						begin := time.Now()
						later(5*time.Hour + 40*time.Minute)
						x.m.Jump(jump)
						later(5 * time.Hour)
						if back {
							x.m.Jump(-jump)
							later(5 * time.Hour)
						}
						x.restart()
						later(5 * time.Hour)
						x.poll()
						x.since(begin.Add(-day + 1))
						require.Less(x, x.again(), 1200)
					})
				})
			}
		}
	}
}

// since checks that every row that was captured after the start, or lay in
// lookback then, came.
func (x *pastTest) since(from time.Time) {
	x.Helper()
	got := map[string]bool{}
	for _, p := range x.rows(profileMeasurement) {
		got[fmt.Sprintf("%s %v", p.at.UTC().Truncate(time.Second).Format(time.RFC3339), p.fields["1.0.1.8.0.255"])] = true
	}
	for _, r := range x.m.Captured(history.LoadProfile) {
		if text := fmt.Sprintf("%s %v", r.Time.Format(time.RFC3339), r.Values[2]); !r.True.Before(from) {
			require.True(x, got[text], "the row %s, captured at %s, is missing", text, r.True)
		}
	}
}

// again is how many rows came more than once.
func (x *pastTest) again() int {
	list := x.lines()
	return len(list) - len(slices.Compact(list))
}

// TestProfileSummerTime: days of 23 and 25 hours, whatever the meter tells of
// them: both hours are there, and each row under its time in UTC.
func TestProfileSummerTime(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for name, cfg := range map[string]history.Config{
		"deviation":         {},
		"inverted":          {Deviation: history.DeviationInverted},
		"bit":               {Deviation: history.DeviationUnspecified, DSTBit: true},
		"order":             {Deviation: history.DeviationUnspecified},
		"order, newest":     {Deviation: history.DeviationUnspecified, LIFO: true},
		"order, by entry":   {Deviation: history.DeviationUnspecified, Selective: history.Selective{NoRange: true}},
		"order, local only": {Deviation: history.DeviationUnspecified, Selective: history.Selective{LocalOnly: true}},
		"bit, local only":   {Deviation: history.DeviationUnspecified, DSTBit: true, Selective: history.Selective{LocalOnly: true}},
		"local only":        {Selective: history.Selective{LocalOnly: true}},
		"rounded":           {Selective: history.Selective{RoundedOnly: true}},
		"order, whole":      {Deviation: history.DeviationUnspecified, Selective: history.Selective{NoSelectiveAccess: true}},
	} {
		for change, at := range map[string]time.Time{
			"back":    time.Date(2000, time.October, 29, 1, 0, 0, 0, time.UTC),
			"forward": time.Date(2000, time.March, 26, 1, 0, 0, 0, time.UTC),
		} {
			for how, lead := range map[string]time.Duration{"live": 6 * time.Hour, "afterwards": -20 * time.Hour} {
				t.Run(fmt.Sprintf("%s, %s, %s", name, change, how), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						top := strings.Replace(historyTop, "UTC", "Europe/Berlin", 1)
						x := &pastTest{T: t, conf: profileConf(top, "method = \"polling\"\ninterval = \"30m\"", "lookback = \"2d\""), n: newNetwork(t), acc: &sink{}, kept: state.Memory()}
						later(time.Until(at.Add(-lead + 7*time.Minute)))
						cfg.Location, cfg.Past = berlin, 3*day
						x.m = history.New(cfg)
						x.plug()
						x.start()
						begin := time.Now()
						later(12 * time.Hour)
						x.restart()
						later(time.Minute)
						x.d.Stop()
						x.whole(begin.Add(-2 * day))
						require.Zero(x, x.gaps())
					})
				})
			}
		}
	}
}

// TestProfileClockWrong: it is told once, and in each status; rows keep their
// times.
func TestProfileClockWrong(t *testing.T) {
	for name, offset := range map[string]time.Duration{"ahead": 8 * time.Minute, "behind": -8 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			past(t, profileConf(historyTop, hourly, "lookback = \"1d\""), history.Config{Past: 3 * day, Offset: offset}, func(x *pastTest) {
				begin := x.m.Clock()
				later(10 * time.Hour)
				x.poll()
				require.Len(x, x.j.at("W! "), 1)
				require.Contains(x, x.j.at("W! ")[0], "8m0s "+name)
				for _, v := range x.statuses("clock_offset") {
					require.InDelta(x, offset.Seconds(), v, 2)
				}
				x.whole(begin.Add(-day + time.Second))
				require.Zero(x, x.gaps())
			})
		})
	}
}

// TestProfileWildcard: a row without a complete time is held back and told; the
// others are there.
func TestProfileWildcard(t *testing.T) {
	for name, cfg := range eventMeters() {
		t.Run(name, func(t *testing.T) {
			cfg.Past = 2 * day
			past(t, profileConf(historyTop, hourly, "lookback = \"1d\""), cfg, func(x *pastTest) {
				begin := time.Now()
				later(3*time.Hour + time.Minute)
				x.m.Wildcard(2)
				later(2 * time.Hour)
				x.restart()
				later(5 * time.Hour)
				x.m.Wildcard(1)
				x.poll()
				later(time.Hour)
				x.poll()
				x.whole(begin.Add(-day + 1))
				require.NotEmpty(x, x.acc.errors())
				require.LessOrEqual(x, len(x.acc.errors()), 6)
				require.Contains(x, x.acc.errors()[0], "held back")
			})
		})
	}
}
