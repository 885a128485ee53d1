package dlms_cosem

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter/history"
	"github.com/telegraf-dlms/telegraf-dlms/internal/state"
)

const (
	day    = 24 * time.Hour
	hourly = "method = \"polling\"\ninterval = \"1h\""
)

// lines are the rows that came, by their time and energy, sorted.
func (x *pastTest) lines() (list []string) {
	for _, p := range x.rows(profileMeasurement) {
		list = append(list, fmt.Sprintf("%s %v", p.at.UTC().Format(time.RFC3339Nano), p.fields["1.0.1.8.0.255"]))
	}
	slices.Sort(list)
	return list
}

// all checks that every row that was captured since came, some of them more
// than once. It returns how many came again.
func (x *pastTest) all(since time.Time) (again int) {
	x.Helper()
	got := x.lines()
	n := len(got)
	got = slices.Compact(got)
	x.same(x.captured(since), got)
	return n - len(got)
}

// captured are the rows of the load profile as lines gives them.
func (x *pastTest) captured(since time.Time) (list []string) {
	count := map[time.Time]int{}
	for _, r := range x.m.Captured(history.LoadProfile) {
		at := r.Time.Add(time.Duration(count[r.Time]))
		count[r.Time]++
		if r.Time.Before(since) || r.Wildcard || r.Short {
			continue
		}
		var energy any
		if v, ok := r.Value(obis.Code{1, 0, 1, 8, 0, 255}); ok {
			energy = v
		}
		list = append(list, fmt.Sprintf("%s %v", at.Format(time.RFC3339Nano), energy))
	}
	slices.Sort(list)
	return list
}

// statuses are the values of a field of the status metrics of profiles.
func (x *pastTest) statuses(field string) (list []any) {
	for _, p := range x.acc.all() {
		if p.measurement == statusMeasurement && p.tags["profile"] != "" && p.fields[field] != nil {
			list = append(list, p.fields[field])
		}
	}
	return list
}

// poll reads all profiles now.
func (x *pastTest) poll() {
	for _, l := range *x.d.live.Load() {
		l.mu.Lock()
		for _, j := range l.queue {
			j.due = time.Now()
		}
		l.mu.Unlock()
		l.rouse()
	}
	later(time.Minute)
}

func (x *pastTest) restart() {
	x.d.Stop()
	x.start()
}

// copied is a state with what this one has.
func copied(t testing.TB, s *state.Store, key string) *state.Store {
	other := state.Memory()
	var rec profileRecord
	found, err := s.Load(profilesBucket, key, &rec)
	require.NoError(t, err)
	require.True(t, found, "there is nothing kept as %s", key)
	require.NoError(t, other.Save(profilesBucket, key, &rec))
	return other
}

// key is under what the position in the profile is kept.
func (x *pastTest) key() string {
	for _, l := range *x.d.live.Load() {
		for _, j := range l.queue {
			if j.r.profile != nil {
				return j.r.profile.key(j.r, j.list[0].device)
			}
		}
	}
	require.Fail(x, "there is no profile")
	return ""
}

// choosy is a sink that refuses some of the groups.
type choosy struct {
	*sink
	refused func(group int) bool
}

func (c *choosy) WithTracking(most int) telegraf.TrackingAccumulator {
	return &choosyTracking{trackingSink: c.sink.WithTracking(most).(*trackingSink), refused: c.refused} //nolint:forcetypeassert // it is ours
}

type choosyTracking struct {
	*trackingSink
	refused func(group int) bool
	n       int
}

func (c *choosyTracking) AddTrackingMetricGroup(group []telegraf.Metric) telegraf.TrackingID {
	c.n++
	c.mu.Lock()
	c.refuse = c.refused(c.n)
	c.mu.Unlock()
	return c.trackingSink.AddTrackingMetricGroup(group)
}

// TestProfileNotWritten: the position goes on only once lines were written, so
// that those of a group that was not are written by a later run.
func TestProfileNotWritten(t *testing.T) {
	for name, refused := range map[string]func(int) bool{
		"first":        func(n int) bool { return n == 1 },
		"second":       func(n int) bool { return n == 2 },
		"every second": func(n int) bool { return n < 8 && n%2 == 0 },
		"many":         func(n int) bool { return n < 8 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := &pastTest{T: t, conf: profileConf(historyTop, hourly, "lookback = \"10d\""), n: newNetwork(t), acc: &sink{}, kept: state.Memory()}
				x.m = history.New(history.Config{Past: 12 * day})
				x.plug()
				begin := time.Now()
				x.d, x.j = plugin(x, x.n, x.conf)
				x.d.State = x.kept
				require.NoError(x, x.d.Init())
				require.NoError(x, x.d.Start(&choosy{sink: x.acc, refused: refused}))
				defer func() { x.d.Stop() }()
				later(12 * time.Hour)
				x.poll()
				x.all(begin.Add(-10*day + 1))
				require.Contains(x, strings.Join(x.acc.errors(), "\n"), "rows could not be passed on")
			})
		})
	}
}

// TestProfileRefusedForHours: nothing is written for half a day, by an output
// that is down.
func TestProfileRefusedForHours(t *testing.T) {
	past(t, profileConf(historyTop, hourly, "lookback = \"2d\""), history.Config{Past: 3 * day}, func(x *pastTest) {
		begin := time.Now()
		later(3 * time.Hour)
		x.acc.mu.Lock()
		x.acc.refuse = true
		x.acc.mu.Unlock()
		later(12 * time.Hour)
		x.restart()
		later(3 * time.Hour)
		x.acc.mu.Lock()
		x.acc.refuse = false
		x.acc.mu.Unlock()
		later(3 * time.Hour)
		x.poll()
		x.whole(begin.Add(-2*day + 1))
	})
}

// TestProfileState: a start with the same state goes on; with an older copy of
// it, as after a crash between writing and keeping, what came since comes again;
// without it what lies in lookback does. No row is left out.
func TestProfileState(t *testing.T) {
	past(t, profileConf(historyTop, hourly, "lookback = \"2d\""), history.Config{Past: 3 * day}, func(x *pastTest) {
		begin := time.Now()
		since := begin.Add(-2*day + 1)
		later(5*time.Hour + time.Minute)
		old := copied(x, x.kept, x.key())
		x.restart()
		later(5 * time.Hour)
		x.restart() // at once again
		x.restart()
		later(time.Hour)
		require.Zero(x, x.all(since))

		x.d.Stop()
		x.kept = old
		x.start()
		later(2 * time.Hour)
		require.Equal(x, 24, x.all(since), "of the six hours since the copy")

		x.d.Stop()
		x.kept = state.Memory()
		x.start()
		later(2 * time.Hour)
		x.poll()
		x.all(since)
		require.Zero(x, x.gaps())
	})
}

// TestProfileGaps: what a power failure left out is counted, once.
func TestProfileGaps(t *testing.T) {
	past(t, profileConf(historyTop, hourly, "lookback = \"2d\""), history.Config{Past: 3 * day}, func(x *pastTest) {
		begin := time.Now()
		later(5*time.Hour + time.Minute)
		x.m.Outage(true) // the meter has a battery for the interface
		later(5 * time.Hour)
		require.Zero(x, x.gaps(), "it is not over")
		x.restart()
		later(time.Hour)
		x.m.Outage(false)
		later(4 * time.Hour)
		require.EqualValues(x, 24, x.gaps())
		x.restart()
		later(5 * time.Hour)
		require.EqualValues(x, 24, x.gaps())

		x.m.Outage(true) // and now it does not answer either
		x.unplug()
		later(3 * time.Hour)
		x.plug()
		x.m.Outage(false)
		later(5 * time.Hour)
		require.EqualValues(x, 36, x.gaps())
		x.whole(begin.Add(-2*day + 1))
	})
	// Two of them in the past, in what is read at first.
	synctest.Test(t, func(t *testing.T) {
		x := &pastTest{T: t, conf: profileConf(historyTop, hourly, ""), n: newNetwork(t), acc: &sink{}, kept: state.Memory()}
		x.m = history.New(history.Config{})
		x.plug()
		begin := time.Now()
		for range 2 {
			later(30 * time.Hour)
			x.m.Outage(true)
			later(10 * time.Hour)
			x.m.Outage(false)
		}
		later(30 * time.Hour)
		x.start()
		later(time.Hour + time.Minute)
		x.d.Stop()
		require.EqualValues(x, 80, x.gaps())
		x.whole(begin)
	})
}

// TestProfileColumns: other columns begin a new layout; no row is lost where
// the buffer was cleared, and none of the old ones is read by the new columns.
func TestProfileColumns(t *testing.T) {
	energy := obis.Code{1, 0, 1, 8, 0, 255}
	scaled := history.EnergyColumn(energy, 3)
	scaled.Scaler = 2
	for name, columns := range map[string][]history.Column{
		"fewer":         {history.EnergyColumn(energy, 7)},
		"more":          append(history.DefaultColumns(), history.ElementColumn()),
		"other order":   {history.DefaultColumns()[3], history.DefaultColumns()[2], history.DefaultColumns()[1]},
		"other scalers": {scaled, history.DefaultColumns()[0]},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restart %t", name, restart), func(t *testing.T) {
				past(t, profileConf(historyTop, hourly, "lookback = \"1d\""), history.Config{Past: 2 * day}, func(x *pastTest) {
					begin := time.Now()
					later(3*time.Hour + time.Minute) // all is read
					x.m.SetColumns(columns, false)
					later(30 * time.Minute)
					if restart {
						x.restart()
					}
					later(5 * time.Hour)
					x.poll()
					x.whole(begin.Add(-day + 1))
					require.Zero(x, x.gaps())
				})
			})
		}
	}
}

// TestProfileColumnsKept: a meter that keeps its rows over a change of columns,
// against the standard. Old rows do not fit, or fit by chance.
func TestProfileColumnsKept(t *testing.T) {
	past(t, profileConf(historyTop, hourly, "lookback = \"1d\""), history.Config{Past: 2 * day}, func(x *pastTest) {
		begin := time.Now()
		later(3*time.Hour + time.Minute)
		x.m.SetColumns([]history.Column{history.EnergyColumn(obis.Code{1, 0, 1, 8, 0, 255}, 7)}, true)
		later(5 * time.Hour)
		x.poll()
		x.whole(begin.Add(-day + 1))
	})
}

// TestProfileCleared: a buffer that was cleared has fewer rows than before, and
// its rows are new.
func TestProfileCleared(t *testing.T) {
	for name, cfg := range map[string]history.Config{
		"range":    {},
		"by entry": {Selective: history.Selective{NoRange: true}},
		"whole":    {Selective: history.Selective{NoSelectiveAccess: true}},
		"error":    {Selective: history.Selective{ErrorOnEmpty: 11}},
		"null":     {Selective: history.Selective{NullOnEmpty: true}},
		"ignored":  {Selective: history.Selective{IgnoreSelectors: true}},
		"newest":   {LIFO: true},
		"no way":   {PeriodZero: true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Past = 2 * day
			past(t, profileConf(historyTop, hourly, "lookback = \"1d\""), cfg, func(x *pastTest) {
				begin := time.Now()
				later(3*time.Hour + time.Minute)
				x.m.Reset(history.LoadProfile)
				later(10 * time.Minute)
				x.restart()
				later(3 * time.Hour)
				x.poll()
				x.m.Reset() // when it was just read
				later(5 * time.Hour)
				x.poll()
				x.all(begin.Add(-day + 1))
				for _, code := range x.statuses("rows") {
					require.LessOrEqual(x, code, int64(96))
				}
			})
		})
	}
}

// TestProfileOptions: what of a profile is read, and under what names.
func TestProfileOptions(t *testing.T) {
	const item = "\n[[inputs.dlms_cosem.request.item]]\nname = \"energy\"\nobis = \"1.0.1.8.0.255\"\n"
	for name, test := range map[string]struct {
		more   string
		fields []string
		rows   int // until half an hour after the start
	}{
		"all":          {"lookback = \"1d\"", []string{"0.0.96.10.1.255", "1.0.1.8.0.255", "1.0.2.8.0.255", "1.0.32.7.0.255"}, 97},
		"chosen":       {"lookback = \"6h\"\ncolumns = [\"1.0.1.8.0.255\", \"volts=1.0.32.7.0.255\"]", []string{"1.0.1.8.0.255", "volts"}, 25},
		"by item":      {"lookback = \"6h\"\ncolumns = [\"energy\", \"back=1.0.2.8.0.255:2\"]" + item, []string{"back", "energy"}, 25},
		"not captured": {"lookback = \"6h\"\ncolumns = [\"1.0.9.9.9.255\", \"1.0.1.8.0.255\"]", []string{"1.0.1.8.0.255"}, 25},
		"max_age":      {"lookback = \"7d\"\nmax_age = \"3h\"", []string{"0.0.96.10.1.255", "1.0.1.8.0.255", "1.0.2.8.0.255", "1.0.32.7.0.255"}, 13},
		"no lookback":  {"lookback = \"0s\"", nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			past(t, profileConf(historyTop, hourly, test.more), history.Config{Past: 30 * day}, func(x *pastTest) {
				later(30 * time.Minute)
				rows := x.rows(profileMeasurement)
				require.InDelta(x, test.rows, len(rows), 1)
				for _, p := range rows {
					require.Equal(x, test.fields, slices.Sorted(maps.Keys(p.fields)))
				}
				require.Empty(x, x.acc.errors())
			})
		})
	}
}

// TestProfileMaxAge: after a long absence only what is young enough is read.
func TestProfileMaxAge(t *testing.T) {
	past(t, profileConf(historyTop, hourly, "lookback = \"1d\"\nmax_age = \"2d\""), history.Config{Past: 3 * day}, func(x *pastTest) {
		begin := time.Now()
		later(time.Hour + time.Minute)
		x.unplug()
		later(10 * day)
		absent := time.Now()
		x.plug()
		later(2 * time.Hour)
		var early, late int
		for _, p := range x.rows(profileMeasurement) {
			switch {
			case p.at.Before(begin.Add(2 * time.Hour)):
				early++
			case p.at.Before(absent.Add(-2 * day)):
				require.Fail(x, "a row that is too old", p.at)
			default:
				late++
			}
		}
		require.InDelta(x, 96+4, early, 1)
		require.InDelta(x, 2*96+8, late, 6)
	})
}
