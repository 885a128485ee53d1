package simmeter

import (
	"math"
	"slices"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

var _ dlmstest.Objects = (*Meter)(nil)

func berlin(t *testing.T) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	return loc
}

// wednesday is when the meters of these tests start.
var wednesday = time.Date(2026, time.June, 17, 8, 0, 0, 0, time.UTC)

// bench is a meter under a clock that the test sets.
type bench struct {
	t   *testing.T
	now time.Time
	*Meter
}

func newBench(t *testing.T, cfg Config) *bench {
	t.Helper()
	b := &bench{t: t, now: wednesday}
	if !cfg.Start.IsZero() {
		b.now = cfg.Start
	}
	cfg.Now = func() time.Time { return b.now }
	if cfg.Location == nil {
		cfg.Location = berlin(t)
	}
	b.Meter = New(cfg)
	return b
}

func (b *bench) data(class cosem.ClassID, text string, id int8, sel *cosem.Selection) axdr.Data {
	b.t.Helper()
	code, err := obis.Parse(text)
	require.NoError(b.t, err)
	value, res := b.Get(16, cosem.Attribute{Class: class, Instance: code, ID: id}, sel, []byte{0xaa})
	require.Equal(b.t, xdlms.Success, res, text)
	require.Equal(b.t, byte(0xaa), value[0], "what was there stays")
	d, err := axdr.Parse(value[1:])
	require.NoError(b.t, err, text)
	return d
}

// value is a register in its unit.
func (b *bench) value(text string) float64 {
	b.t.Helper()
	raw, ok := b.data(cosem.Register, text, 2, nil).Int64()
	require.True(b.t, ok)
	su, err := cosem.ParseScalerUnit(b.data(cosem.Register, text, 3, nil))
	require.NoError(b.t, err)
	return cosem.Scale(float64(raw), int(su.Scaler))
}

// Every attribute of the object list can be read, and is valid A-XDR.
func TestObjectList(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	list := b.data(cosem.AssociationLN, "0.0.40.0.0.255", 2, nil)
	require.Equal(t, len(b.Codes()), list.Len())
	read, scalers := 0, map[int8]bool{}
	for object := range list.All() {
		class, _ := first(object, 0).Int64()
		name, _ := first(object, 2).Octets()
		code, ok := obis.FromOctets(name)
		require.True(t, ok)
		for attribute := range first(first(object, 3), 0).All() {
			id, _ := first(attribute, 0).Int64()
			d := b.data(cosem.ClassID(class), code.String(), int8(id), nil)
			read++
			if scaler, ok := cosem.ScalerAttribute(cosem.ClassID(class)); ok && scaler == int8(id) {
				su, err := cosem.ParseScalerUnit(d)
				require.NoError(t, err)
				scalers[su.Scaler] = true
				if su.Unit != unitCount {
					require.NotEmpty(t, su.Unit.Symbol(), code)
				}
			}
		}
	}
	require.Greater(t, read, 200)
	require.Equal(t, map[int8]bool{-3: true, -2: true, -1: true, 0: true, 1: true}, scalers)
}

func first(d axdr.Data, i int) axdr.Data {
	e, _ := d.Element(i)
	return e
}

// A user who gives only the code gets the class from the standard's table.
func TestClassesAreTheUsualOnes(t *testing.T) {
	t.Parallel()
	m := newBench(t, Config{})
	for _, o := range m.list {
		if _, scaled := cosem.ScalerAttribute(o.class); scaled && o.code[0] == 1 && o.code[2] != 0 {
			require.Equal(t, o.class, cosem.GuessClass(o.code), o.code)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	m := newBench(t, Config{})
	energy := obis.Code{1, 0, 1, 8, 0, 255}
	tests := []struct {
		name string
		at   cosem.Attribute
		sel  *cosem.Selection
		want xdlms.DataAccessResult
	}{
		{"unknown object", cosem.Attribute{Class: 3, Instance: obis.Code{1, 0, 99, 8, 0, 255}, ID: 2}, nil, xdlms.ObjectUndefined},
		{"another class", cosem.Attribute{Class: 4, Instance: energy, ID: 2}, nil, xdlms.ObjectClassInconsistent},
		{"no such attribute", cosem.Attribute{Class: 3, Instance: energy, ID: 4}, nil, xdlms.ReadWriteDenied},
		{"a selection of a number", cosem.Attribute{Class: 3, Instance: energy, ID: 2}, &cosem.Selection{Selector: 2}, xdlms.TypeUnmatched},
		{"an unknown selector", cosem.Attribute{Class: 7, Instance: codeLoadProfile, ID: 2}, &cosem.Selection{Selector: 9}, xdlms.ScopeOfAccessViolated},
		{"a broken selection", cosem.Attribute{Class: 7, Instance: codeLoadProfile, ID: 2}, &cosem.Selection{Selector: 1, Parameters: axdr.Data{0}}, xdlms.TypeUnmatched},
	}
	for _, tt := range tests {
		_, res := m.Get(16, tt.at, tt.sel, nil)
		require.Equal(t, tt.want, res, tt.name)
	}
}

// At any time of day and year the values fit together as those of one meter.
func TestConsistency(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	exporting, importing := 0, 0
	for range 150 {
		b.now = b.now.Add(97*time.Minute + 1234567891*time.Nanosecond)
		var sums struct{ p, q, s, wh [directions]float64 }
		var amperes float64
		for phase := range phases {
			at := func(c, d int) float64 {
				return b.value(electricity(byte(c+20*phase), byte(d)).String())
			}
			p, q := at(21, 7)+at(22, 7), at(23, 7)+at(24, 7)
			s, u, i := at(29, 7)+at(30, 7), at(32, 7), at(31, 7)
			require.InDelta(t, 230, u, 10)
			require.Positive(t, p)
			require.InEpsilon(t, math.Hypot(p, q), s, 0.02)
			require.InDelta(t, s/u, i, 0.001)
			require.InDelta(t, p/s, at(33, 7), 0.01)
			require.Zero(t, at(21, 7)*at(22, 7))
			amperes += i
			for d := range directions {
				sums.p[d] += at(21+d, 7)
				sums.q[d] += at(23+d, 7)
				sums.s[d] += at(29+d, 7)
				sums.wh[d] += at(21+d, 8)
			}
		}
		for d := range directions {
			total := func(c, group int) float64 { return b.value(electricity(byte(c+d), byte(group)).String()) }
			require.InDelta(t, sums.p[d], total(1, 7), 1)
			require.InDelta(t, sums.q[d], total(3, 7), 1)
			require.InDelta(t, sums.s[d], total(9, 7), 1)
			require.InDelta(t, math.Hypot(total(1, 7), total(3, 7)), total(9, 7), 2+total(9, 7)/50)
			require.InDelta(t, sums.wh[d], total(1, 8), 3)
		}
		require.Positive(t, sums.p[imported])
		require.InDelta(t, sums.p[imported]-sums.p[exported], b.value("1.0.16.7.0.255"), 1)
		require.InDelta(t, sums.p[imported]+sums.p[exported], b.value("1.0.15.7.0.255"), 1)
		require.InDelta(t, amperes, b.value("1.0.90.7.0.255"), 0.001)
		require.InDelta(t, sums.p[imported]/sums.s[imported], b.value("1.0.13.7.0.255"), 0.01)
		require.InDelta(t, 50, b.value("1.0.14.7.0.255"), 0.05)

		wh := b.value("1.0.1.8.0.255")
		require.InDelta(t, wh, b.value("1.0.1.8.1.255")+b.value("1.0.1.8.2.255"), 20)
		require.InDelta(t, wh-b.value("1.0.2.8.0.255"), b.value("1.0.16.8.0.255"), 1)
		require.InDelta(t, b.value("1.0.3.8.0.255"), b.value("1.0.5.8.0.255")+b.value("1.0.6.8.0.255"), 1)
		require.InDelta(t, b.value("1.0.4.8.0.255"), b.value("1.0.7.8.0.255")+b.value("1.0.8.8.0.255"), 1)
		require.GreaterOrEqual(t, b.value("1.0.9.8.0.255"), wh-10)
		if sums.p[exported] > 0 {
			exporting++
		} else {
			importing++
		}
	}
	require.Greater(t, exporting, 10)
	require.Greater(t, importing, 50)
}

// The energy is the integral of the power, to the milliwatt-second: both are
// whole numbers, and the power is constant during each second.
func TestEnergyIsTheIntegralOfThePower(t *testing.T) {
	t.Parallel()
	m := newModel(7, berlin(t), wednesday)
	start := wednesday.Add(-time.Hour)
	before := m.at(start)
	var integral [phases][directions]int64
	for s := range 3 * 3600 {
		r := m.at(start.Add(time.Duration(s) * time.Second))
		for p := range phases {
			integral[p][r.direction[p]] += r.power[p]
		}
	}
	after := m.at(start.Add(3 * time.Hour))
	for p := range phases {
		for d := range directions {
			require.Equal(t, integral[p][d], after.active[p][d]-before.active[p][d])
		}
	}
	require.Positive(t, integral[0][imported]+integral[0][exported])
}

// No register of energy ever goes back, however close two readings are, and
// however far.
func TestEnergyNeverDecreases(t *testing.T) {
	t.Parallel()
	m := newModel(3, berlin(t), wednesday)
	steps := []time.Duration{1, 999, time.Microsecond, 7 * time.Millisecond, 333 * time.Millisecond, time.Second, 61 * time.Second, quarter * time.Second, 7 * time.Hour}
	at, last := wednesday, m.at(wednesday)
	for i := range 8_000 {
		at = at.Add(steps[i%len(steps)])
		r := m.at(at)
		for p := range phases {
			for d := range directions {
				require.GreaterOrEqual(t, r.active[p][d], last.active[p][d])
			}
		}
		for q := range quadrants {
			require.GreaterOrEqual(t, r.reactive[q], last.reactive[q])
		}
		for d := range directions {
			require.GreaterOrEqual(t, r.apparent[d], last.apparent[d])
			for tariff := range tariffs {
				require.GreaterOrEqual(t, r.byTariff[d][tariff], last.byTariff[d][tariff])
			}
			require.Equal(t, r.byTariff[d][0]+r.byTariff[d][1], r.active[0][d]+r.active[1][d]+r.active[2][d])
		}
		last = r
	}
	require.Greater(t, at.Sub(wednesday), 200*24*time.Hour)
	require.LessOrEqual(t, cap(m.rows), 2*Capacity, "old rows are forgotten")
}

func TestSeeds(t *testing.T) {
	t.Parallel()
	a, b, c := newBench(t, Config{Seed: 5}), newBench(t, Config{Seed: 5}), newBench(t, Config{SerialNumber: "77"})
	require.Equal(t, a.value("1.0.1.7.0.255"), b.value("1.0.1.7.0.255"))
	require.NotEqual(t, a.value("1.0.1.7.0.255"), c.value("1.0.1.7.0.255"))
	require.Equal(t, "SIM0000000000077", c.LogicalDeviceName())
	require.Equal(t, "SIM0000010203040", a.LogicalDeviceName())
	// The order of the readings does not matter.
	b.now = b.now.Add(time.Hour)
	require.NotEqual(t, a.value("1.0.1.8.0.255"), b.value("1.0.1.8.0.255"))
	a.now = b.now
	require.Equal(t, a.value("1.0.1.8.0.255"), b.value("1.0.1.8.0.255"))
}

// A clock that goes back stops the registers until it has caught up.
func TestClockGoesBack(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	b.now = b.now.Add(time.Hour)
	wh := b.value("1.0.1.8.0.255")
	b.now = b.now.Add(-30 * time.Minute)
	require.Equal(t, wh, b.value("1.0.1.8.0.255"))
	at, ok := b.data(cosem.Clock, "0.0.1.0.0.255", 2, nil).DateTime()
	require.True(t, ok)
	shown, ok := at.Time(nil)
	require.True(t, ok)
	require.True(t, shown.Equal(b.now))
	b.now = wednesday.AddDate(500, 0, 0) // and one far beyond the life of a meter does no harm
	require.GreaterOrEqual(t, b.value("1.0.1.8.0.255"), 0.0)
}

func TestClockOverDaylightSaving(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{Start: time.Date(2026, time.March, 29, 0, 30, 0, 0, time.UTC)})
	read := func() string {
		at, ok := b.data(cosem.Clock, "0.0.1.0.0.255", 2, nil).DateTime()
		require.True(t, ok)
		shown, ok := at.Time(nil)
		require.True(t, ok)
		require.True(t, shown.Equal(b.now), "%s is %s", at, b.now)
		status, _ := b.data(cosem.Clock, "0.0.1.0.0.255", 4, nil).Int64()
		require.Equal(t, int64(at.Status&0x80), status)
		return at.String()
	}
	require.Contains(t, read(), "01:30:00")
	winter, _ := b.data(cosem.Clock, "0.0.1.0.0.255", 2, nil).Octets()
	require.Equal(t, []byte{0x07, 0xea, 3, 29, 7, 1, 30, 0, 0, 0xff, 0xc4, 0}, winter)
	b.now = b.now.Add(time.Hour)
	require.Contains(t, read(), "03:30:00")
	summer, _ := b.data(cosem.Clock, "0.0.1.0.0.255", 2, nil).Octets()
	require.Equal(t, []byte{0x07, 0xea, 3, 29, 7, 3, 30, 0, 0, 0xff, 0x88, 0x80}, summer)

	b.now = time.Date(2026, time.October, 25, 0, 30, 0, 0, time.UTC)
	twice := read()
	b.now = b.now.Add(time.Hour)
	require.Contains(t, twice, "02:30:00")
	require.Contains(t, read(), "02:30:00")
	require.NotEqual(t, twice, read())

	begin, _ := b.data(cosem.Clock, "0.0.1.0.0.255", 5, nil).DateTime()
	end, _ := b.data(cosem.Clock, "0.0.1.0.0.255", 6, nil).DateTime()
	require.Equal(t, []int{3, 29, 2}, []int{int(begin.Month), int(begin.Day), int(begin.Hour)})
	require.Equal(t, []int{10, 25, 3}, []int{int(end.Month), int(end.Day), int(end.Hour)})
	zone, _ := b.data(cosem.Clock, "0.0.1.0.0.255", 3, nil).Int64()
	added, _ := b.data(cosem.Clock, "0.0.1.0.0.255", 7, nil).Int64()
	require.Equal(t, []int64{-60, 60}, []int64{zone, added})
}

func TestZones(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		deviation int64
		daylight  int64
	}{{"UTC", 0, 0}, {"Asia/Kolkata", -330, 0}, {"Australia/Sydney", -600, 60}, {"America/New_York", 300, 60}, {"Australia/Lord_Howe", -630, 30}}
	for _, tt := range tests {
		loc, err := time.LoadLocation(tt.name)
		require.NoError(t, err)
		b := newBench(t, Config{Location: loc})
		deviation, _ := b.data(cosem.Clock, "0.0.1.0.0.255", 3, nil).Int64()
		daylight, _ := b.data(cosem.Clock, "0.0.1.0.0.255", 7, nil).Int64()
		enabled, _ := b.data(cosem.Clock, "0.0.1.0.0.255", 8, nil).Bool()
		require.Equal(t, tt.deviation, deviation, tt.name)
		require.Equal(t, tt.daylight, daylight, tt.name)
		require.Equal(t, tt.daylight != 0, enabled, tt.name)
	}
}

func TestDemand(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{Start: time.Date(2026, time.January, 13, 10, 0, 0, 0, time.UTC)})
	before := b.value("1.0.1.8.0.255")
	b.now = b.now.Add(quarter * time.Second)
	watt := (b.value("1.0.1.8.0.255") - before) * 4
	last, _ := b.data(cosem.DemandRegister, "1.0.1.4.0.255", 3, nil).Int64()
	require.InDelta(t, watt, last, 4)
	current, _ := b.data(cosem.DemandRegister, "1.0.1.4.0.255", 2, nil).Int64()
	require.Zero(t, current)
	b.now = b.now.Add(10 * time.Minute)
	current, _ = b.data(cosem.DemandRegister, "1.0.1.5.0.255", 2, nil).Int64()
	require.InDelta(t, (b.value("1.0.1.8.0.255")-before-watt/4)*6, current, 12)

	// The maximum of the month is that of its quarters.
	rows := b.profile(t, nil)
	maximum, _ := b.data(cosem.ExtendedRegister, "1.0.1.6.0.255", 2, nil).Int64()
	captured, _ := b.data(cosem.ExtendedRegister, "1.0.1.6.0.255", 5, nil).DateTime()
	highest, when := int64(0), time.Time{}
	month := time.Date(2026, time.January, 1, 0, 0, 0, 0, berlin(t))
	for i := 1; i < len(rows); i++ {
		if w := (rows[i].imported - rows[i-1].imported) * 4; w > highest && rows[i].end.After(month) {
			highest, when = w, rows[i].end
		}
	}
	at, ok := captured.Time(nil)
	require.True(t, ok)
	require.InDelta(t, highest, maximum, 4)
	require.WithinDuration(t, when, at, 0)
}

func TestMaximumDemandStartsWithTheMonth(t *testing.T) {
	t.Parallel()
	midnight := time.Date(2026, time.February, 1, 0, 0, 0, 0, berlin(t))
	b := newBench(t, Config{Start: midnight.Add(-time.Second)})
	maximum, _ := b.data(cosem.ExtendedRegister, "1.0.1.6.0.255", 2, nil).Int64()
	require.Greater(t, maximum, int64(1000))
	b.now = midnight
	maximum, _ = b.data(cosem.ExtendedRegister, "1.0.1.6.0.255", 2, nil).Int64()
	require.Zero(t, maximum)
	captured, _ := b.data(cosem.ExtendedRegister, "1.0.1.6.0.255", 5, nil).DateTime()
	at, _ := captured.Time(nil)
	require.WithinDuration(t, midnight, at, 0)
}

func TestTariffs(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{Start: time.Date(2026, time.January, 14, 21, 30, 0, 0, berlin(t))})
	active := func() int64 {
		v, _ := b.data(cosem.Data, "0.0.96.14.0.255", 2, nil).Int64()
		return v
	}
	require.Equal(t, int64(1), active())
	b.now = b.now.Add(time.Hour)
	require.Equal(t, int64(2), active())
	t1, t2 := b.value("1.0.1.8.1.255"), b.value("1.0.1.8.2.255")
	b.now = b.now.Add(4 * time.Hour)
	require.Equal(t, t1, b.value("1.0.1.8.1.255"))
	require.Greater(t, b.value("1.0.1.8.2.255"), t2)
	require.Zero(t, b.value("1.0.1.8.4.255"))
	require.True(t, slices.Contains(b.Codes(), obis.Code{1, 0, 2, 8, 3, 255}))
}
