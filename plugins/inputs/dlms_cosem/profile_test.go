package dlms_cosem

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter/history"
	"github.com/telegraf-dlms/telegraf-dlms/internal/state"
)

const (
	historyTop = "endpoint = \"tcp://10.0.0.5:4059\"\nframing = \"wrapper\"\nmeter_timezone = \"UTC\""
	quarterly  = "method = \"polling\"\ninterval = \"15m\""
)

// profileConf is a request for the load profile, with more of its keys.
func profileConf(top, request, more string) string {
	return "[[inputs.dlms_cosem]]\n" + top + "\n[[inputs.dlms_cosem.request]]\nname = \"a\"\n" + request +
		"\n[[inputs.dlms_cosem.request.profile]]\nobis = \"1.0.99.1.0.255\"\n" + more + "\n"
}

// past runs the plugin against a meter that remembers, in a bubble.
func past(t *testing.T, conf string, cfg history.Config, test func(x *pastTest)) {
	synctest.Test(t, func(t *testing.T) {
		x := &pastTest{T: t, conf: conf, n: newNetwork(t), acc: &sink{}, kept: state.Memory()}
		x.m = history.New(cfg)
		x.plug()
		x.start()
		defer func() { x.d.Stop() }()
		test(x)
	})
}

type pastTest struct {
	*testing.T
	conf string
	n    *network
	m    *history.Meter
	d    *DLMS
	j    *journal
	acc  *sink
	kept *state.Store
}

func (x *pastTest) plug()   { x.n.set("", &host{meter: newMeter("wrapper", x.m)}) }
func (x *pastTest) unplug() { x.n.set("", nil); x.n.cut() }

// start starts the plugin, with the state of before.
func (x *pastTest) start() {
	x.d, x.j = plugin(x, x.n, x.conf)
	x.d.State = x.kept
	require.NoError(x, x.d.Init())
	require.NoError(x, x.d.Start(x.acc))
}

// rows are the rows that came, each once.
func (x *pastTest) rows(measurement string) (list []point) {
	for _, p := range x.acc.all() {
		if p.measurement == measurement {
			list = append(list, p)
		}
	}
	return list
}

// whole compares all rows that came with all that the load profile has captured
// since: each came once.
func (x *pastTest) whole(since time.Time) {
	x.Helper()
	x.same(x.captured(since), x.lines())
}

// same compares rows, and tells of the first that differ. What lies at the very
// begin may have come as well: it is a matter of a fraction of a second.
func (x *pastTest) same(want, got []string) {
	x.Helper()
	if len(got) == len(want)+1 {
		got = got[1:]
	}
	for i := range max(len(want), len(got)) {
		if i >= len(want) || i >= len(got) || want[i] != got[i] {
			require.Fail(x, "the rows differ", "%d were expected, %d came; from number %d on:\nexpected: %s\n     got: %s", len(want), len(got), i,
				want[min(i, len(want)):min(i+4, len(want))], got[min(i, len(got)):min(i+4, len(got))])
		}
	}
}

// gaps adds up the field of the status metrics.
func (x *pastTest) gaps() (n int64) {
	for _, p := range x.acc.all() {
		if g, ok := p.fields["gaps"].(int64); ok && p.measurement == statusMeasurement {
			n += g
		}
	}
	return n
}

func TestProfile(t *testing.T) {
	past(t, profileConf(historyTop, quarterly, "name = \"load\""), history.Config{Past: 30 * 24 * time.Hour}, func(x *pastTest) {
		begin := time.Now()
		later(24*time.Hour + time.Minute)
		x.whole(begin.Add(-7 * 24 * time.Hour).Add(time.Nanosecond))
		require.Equal(x, map[string]string{"meter": "a", "source": "10.0.0.5:4059", "profile": "load"}, x.rows(profileMeasurement)[0].tags)
		require.Empty(x, x.acc.errors())
		require.Empty(x, x.j.at("W! "))
		require.Zero(x, x.gaps())
	})
}

// TestProfileQuirks reads three days of meters that each have a way of their
// own, first a week of the past and then as they go on.
func TestProfileQuirks(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	selective := func(s history.Selective) history.Config { return history.Config{Selective: s} }
	encoding := func(e history.Encoding) history.Config { return history.Config{Encoding: e} }
	for name, cfg := range map[string]history.Config{
		"plain":               {},
		"local time":          {Location: berlin},
		"inverted":            {Location: berlin, Deviation: history.DeviationInverted},
		"unspecified":         {Location: berlin, Deviation: history.DeviationUnspecified, DSTBit: true},
		"newest first":        {LIFO: true},
		"clock last":          {ClockColumn: 99},
		"unix clock":          {UnixClock: true},
		"tagged":              {TaggedTimes: true, SortByClock: true},
		"small buffer":        {Capacity: 100},
		"no period":           {PeriodZero: true},
		"with deviation":      selective(history.Selective{Range: history.WithDeviation}),
		"without deviation":   selective(history.Selective{Range: history.WithoutDeviation}),
		"rounded":             selective(history.Selective{RoundedOnly: true}),
		"rounded, empty":      selective(history.Selective{RoundedOnly: true, RefuseEmpty: true}),
		"rounded without":     selective(history.Selective{RoundedOnly: true, Range: history.WithoutDeviation}),
		"local only":          {Location: berlin, Selective: history.Selective{LocalOnly: true}},
		"exclusive":           selective(history.Selective{ExclusiveFrom: true, ExclusiveTo: true}),
		"by entry":            selective(history.Selective{NoRange: true}),
		"by entry, empty":     selective(history.Selective{NoRange: true, RefuseEmpty: true}),
		"by entry, full":      {Capacity: 100, Selective: history.Selective{NoRange: true}},
		"by entry, newest":    {LIFO: true, Selective: history.Selective{NoRange: true}},
		"entry newest first":  selective(history.Selective{NoRange: true, EntryNewestFirst: true}),
		"entry newest, full":  {Capacity: 100, Selective: history.Selective{NoRange: true, EntryNewestFirst: true}},
		"whole":               {Capacity: 500, Selective: history.Selective{NoSelectiveAccess: true}},
		"whole, newest first": {Capacity: 500, LIFO: true, Selective: history.Selective{NoSelectiveAccess: true}},
		"selection ignored":   {Capacity: 500, Selective: history.Selective{IgnoreSelectors: true}},
		"nothing but whole":   {Capacity: 500, Selective: history.Selective{NoRange: true, NoEntry: true, RefuseEmpty: true}},
		"error when empty":    selective(history.Selective{ErrorOnEmpty: xdlms.ObjectUnavailable}),
		"null when empty":     selective(history.Selective{NullOnEmpty: true}),
		"null times":          encoding(history.Encoding{NullTimes: true}),
		"null values":         encoding(history.Encoding{NullTimes: true, NullValues: true}),
		"deltas":              encoding(history.Encoding{NullTimes: true, Deltas: true}),
		"compact array":       encoding(history.Encoding{CompactArray: true}),
		"rows as arrays":      encoding(history.Encoding{ArrayRows: true}),
		"attribute 0":         encoding(history.Encoding{AttributeZero: true}),
		"whole objects":       encoding(history.Encoding{WholeObjects: true}),
		"data index":          encoding(history.Encoding{DataIndex: true}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg.Past = 30 * 24 * time.Hour
			top := historyTop
			if cfg.Location != nil {
				top = strings.Replace(top, "UTC", cfg.Location.String(), 1)
			}
			past(t, profileConf(top, "method = \"polling\"\ninterval = \"2h\"", ""), cfg, func(x *pastTest) {
				begin := time.Now()
				later(24*time.Hour + time.Minute)
				x.unplug()
				later(22 * time.Hour)
				x.plug()
				x.d.Stop()
				x.start()
				later(24 * time.Hour)
				since := begin.Add(-7*24*time.Hour + 1)
				if cfg.Capacity > 0 {
					since = begin.Add(-time.Duration(cfg.Capacity)*15*time.Minute + 1)
				}
				x.whole(since)
				require.Zero(x, x.gaps())
				require.Empty(x, x.j.at("W! "))
				require.LessOrEqual(x, len(x.acc.errors()), 1, "%v", x.acc.errors()) // that it was unplugged
			})
		})
	}
}

// TestProfileColumnsChange changes the columns of a buffer that keeps its rows:
// those that were not read yet are read by the columns that they have.
func TestProfileColumnsChange(t *testing.T) {
	past(t, profileConf(historyTop, "method = \"polling\"\ninterval = \"6h\"", ""), history.Config{Past: 24 * time.Hour}, func(x *pastTest) {
		begin := time.Now()
		later(9 * time.Hour)
		x.m.SetColumns(history.DefaultColumns()[:2], true)
		later(27*time.Hour + time.Minute)
		x.whole(begin.Add(-24 * time.Hour))
		require.Len(x, x.j.at("I! "), 1)
		rows := x.rows(profileMeasurement)
		require.Len(x, rows[0].fields, 4)
		require.Len(x, rows[len(rows)-1].fields, 2)
		require.Empty(x, x.acc.errors())
	})
}
