package history_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter/history"
)

var _ dlmstest.Objects = (*history.Meter)(nil)

func berlin(t *testing.T) *time.Location {
	l, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	return l
}

// Each way of writing rows says what was captured.
func TestEveryEncodingHasTheRowsThatWereCaptured(t *testing.T) {
	zone := berlin(t)
	for name, cfg := range map[string]history.Config{
		"zero value":    {},
		"zone":          {Location: zone},
		"inverted":      {Location: zone, Deviation: history.DeviationInverted},
		"unspecified":   {Location: zone, Deviation: history.DeviationUnspecified, DSTBit: true},
		"tagged times":  {TaggedTimes: true},
		"clock third":   {ClockColumn: 2},
		"clock last":    {ClockColumn: 99},
		"unix clock":    {UnixClock: true},
		"no clock":      {NoClock: true},
		"null times":    {Encoding: history.Encoding{NullTimes: true}},
		"null values":   {Encoding: history.Encoding{NullValues: true}},
		"deltas":        {Encoding: history.Encoding{Deltas: true}},
		"deltas, down":  {LIFO: true, Encoding: history.Encoding{Deltas: true}},
		"all three":     {Encoding: history.Encoding{NullTimes: true, NullValues: true, Deltas: true}},
		"compact":       {Encoding: history.Encoding{CompactArray: true}},
		"array rows":    {Encoding: history.Encoding{ArrayRows: true}},
		"attribute 0":   {Encoding: history.Encoding{AttributeZero: true}},
		"whole":         {Encoding: history.Encoding{WholeObjects: true}},
		"whole compact": {Encoding: history.Encoding{WholeObjects: true, CompactArray: true}},
		"data index":    {Encoding: history.Encoding{DataIndex: true}},
		"lifo":          {LIFO: true, SortByClock: true},
		"few":           {Capacity: 7},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, cfg)
			b.clock = begin.Add(26 * time.Hour)
			held := b.held(history.LoadProfile)
			if cfg.Capacity == 0 {
				require.Len(t, held, 104)
			} else {
				require.Len(t, held, cfg.Capacity)
			}
			expected := want(held)
			if cfg.LIFO {
				slices.Reverse(expected)
			}
			d, res := b.buffer(history.LoadProfile, nil)
			require.Equal(t, xdlms.Success, res)
			require.Equal(t, expected, b.rows(history.LoadProfile, d))
			require.EqualValues(t, len(held), b.number(at(cosem.ProfileGeneric, history.LoadProfile, 7)))
		})
	}
}

func TestEncodingsDiffer(t *testing.T) {
	tags := func(cfg history.Config) (list []axdr.Tag) {
		b := newBench(t, cfg)
		b.clock = begin.Add(time.Hour)
		d, _ := b.buffer(history.LoadProfile, nil)
		list = append(list, d.Tag())
		n := 0
		for r := range d.All() {
			if n++; n == 2 {
				list = append(list, r.Tag())
				for c := range r.All() {
					list = append(list, c.Tag())
				}
			}
		}
		return list
	}
	const (
		array, structure = axdr.TagArray, axdr.TagStructure
		null, delta      = axdr.TagNull, axdr.TagDeltaUnsigned
		octet, u8        = axdr.TagOctetString, axdr.TagUnsigned
		u16, u32         = axdr.TagLongUnsigned, axdr.TagDoubleLongUnsigned
	)
	require.Equal(t, []axdr.Tag{array, structure, octet, u8, u32, u32, u16}, tags(history.Config{}))
	require.Equal(t, []axdr.Tag{array, structure, u32, u8, u32, u32, u16}, tags(history.Config{UnixClock: true}))
	require.Equal(t, []axdr.Tag{array, structure, u8, u32, u32, u16}, tags(history.Config{NoClock: true}))
	require.Equal(t, []axdr.Tag{array, structure, u8, u32, axdr.TagDateTime, u32, u16}, tags(history.Config{ClockColumn: 2, TaggedTimes: true}))
	require.Equal(t, []axdr.Tag{array, array, octet, u8, u32, u32, u16}, tags(history.Config{Encoding: history.Encoding{ArrayRows: true}}))
	require.Equal(t, []axdr.Tag{array, structure, null, null, delta, delta, null},
		tags(history.Config{Encoding: history.Encoding{NullTimes: true, NullValues: true, Deltas: true}}))
	require.Equal(t, []axdr.Tag{array, structure, octet, structure, structure, structure, structure},
		tags(history.Config{Encoding: history.Encoding{WholeObjects: true}}))
	require.Equal(t, []axdr.Tag{axdr.TagCompactArray}, tags(history.Config{Encoding: history.Encoding{CompactArray: true}})[:1])
}

// A row to the octet.
func TestGoldenRow(t *testing.T) {
	b := newBench(t, history.Config{Location: time.FixedZone("", 3600)})
	b.clock = begin.Add(10 * time.Minute)
	d, _ := b.buffer(history.LoadProfile, nil)
	require.Equal(t, axdr.Data{
		0x01, 1,
		0x02, 5,
		0x09, 12, 0x07, 0xea, 3, 1, 7, 13, 15, 0, 0, 0xff, 0xc4, 0,
		0x11, 0,
		0x06, 0, 0, 0, 1,
		0x06, 0, 0, 0, 1,
		0x12, 0x08, 0xfc,
	}, d)
	b.m.Change(func(c *history.Config) { c.CompactArray = true })
	d, _ = b.buffer(history.LoadProfile, nil)
	require.Equal(t, axdr.Data{
		0x13, 0x02, 5, 0x09, 0x11, 0x06, 0x06, 0x12, 24,
		12, 0x07, 0xea, 3, 1, 7, 13, 15, 0, 0, 0xff, 0xc4, 0,
		0, 0, 0, 0, 1, 0, 0, 0, 1, 0x08, 0xfc,
	}, d)
}

func TestCapturedSpeaksForItself(t *testing.T) {
	b := newBench(t, history.Config{Offset: time.Minute, Capacity: 10})
	b.clock = begin.Add(24 * time.Hour)
	rows := b.m.Captured(history.LoadProfile)
	require.Len(t, rows, 96)
	var last float64
	for i, r := range rows {
		require.Equal(t, i, r.Sequence)
		require.Equal(t, history.DefaultName, r.Meter)
		require.Equal(t, begin.Add(8*time.Minute+time.Duration(i)*15*time.Minute), r.Time)
		require.Equal(t, r.Time.Add(-time.Minute), r.True)
		require.Equal(t, i < 86, r.Gone)
		energy, ok := r.Value(obis.Code{1, 0, 1, 8, 0, 255})
		require.True(t, ok)
		require.Equal(t, last+float64(1+i%7), energy)
		last = energy
		volt, ok := r.Value(obis.Code{1, 0, 32, 7, 0, 255})
		require.True(t, ok)
		require.Equal(t, float64(2300+i/2%101)/10, volt)
	}
	require.Nil(t, b.m.Captured(obis.Code{}))
}

func TestRowsDoNotDependOnWhoAsksWhen(t *testing.T) {
	often, once := newBench(t, history.Config{}), newBench(t, history.Config{})
	for range 500 {
		often.clock = often.clock.Add(7 * time.Minute)
		often.m.Captured(history.LoadProfile)
	}
	once.clock = often.clock
	before := want(once.m.Captured(history.LoadProfile))
	require.Len(t, before, 233)
	require.Equal(t, before, want(often.m.Captured(history.LoadProfile)))
	once.clock = begin // true time that goes back captures nothing twice
	require.Equal(t, before, want(once.m.Captured(history.LoadProfile)))
}

func TestTheClockIsSetWhileTheMeterServes(t *testing.T) {
	b := newBench(t, history.Config{})
	minutes := func() (list []int) {
		for _, r := range b.m.Captured(history.LoadProfile) {
			list = append(list, int(r.Time.Sub(begin.Truncate(time.Hour))/time.Minute))
		}
		return list
	}
	b.clock = begin.Add(40 * time.Minute) // 12:47
	require.Equal(t, []int{15, 30, 45}, minutes())
	b.m.Jump(-20 * time.Minute) // 12:27
	b.clock = b.clock.Add(20 * time.Minute)
	require.Equal(t, []int{15, 30, 45, 30, 45}, minutes(), "periods come again")
	b.m.SetOffset(40 * time.Minute) // 13:47
	require.Equal(t, []int{15, 30, 45, 30, 45}, minutes(), "periods are skipped")
	require.Equal(t, b.clock.Add(40*time.Minute), b.m.Clock())
	d, ok := b.get(at(cosem.Clock, history.ClockObject, 2)).DateTime()
	require.True(t, ok)
	shown, _ := d.Time(nil)
	require.True(t, shown.Equal(b.m.Clock()))
	require.Equal(t, b.m.Clock().Unix(), b.number(at(cosem.Data, history.UnixClockObject, 2)))
	b.clock = b.clock.Add(15 * time.Minute)
	require.Equal(t, []int{15, 30, 45, 30, 45, 120}, minutes())
	b.m.Outage(true)
	b.clock = b.clock.Add(time.Hour)
	b.m.Outage(false)
	require.Len(t, minutes(), 6, "nothing without power")
	b.clock = b.clock.Add(15 * time.Minute)
	require.Equal(t, []int{15, 30, 45, 30, 45, 120, 195}, minutes())
	require.Equal(t, want(b.m.Captured(history.LoadProfile)), b.all(history.LoadProfile))
}

// all are the rows of the whole buffer.
func (b *bench) all(profile obis.Code) []row {
	d, res := b.buffer(profile, nil)
	require.Equal(b.t, xdlms.Success, res)
	return b.rows(profile, d)
}

// The hour that comes twice has all its rows, which deviation or bit tell apart.
func TestDaylightSavingEnds(t *testing.T) {
	zone := berlin(t)
	for name, cfg := range map[string]history.Config{
		"deviation": {Location: zone},
		"inverted":  {Location: zone, Deviation: history.DeviationInverted, DSTBit: true},
		"bit":       {Location: zone, Deviation: history.DeviationUnspecified, DSTBit: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, cfg)
			b.clock = time.Date(2026, time.October, 25, 0, 10, 0, 0, time.UTC) // 2:10 CEST
			b.m.Reset(history.LoadProfile)
			b.clock = b.clock.Add(2 * time.Hour)
			held := b.held(history.LoadProfile)
			require.Len(t, held, 8)
			require.Equal(t, want(held), b.all(history.LoadProfile))
		})
	}
	b := newBench(t, history.Config{Location: zone, Deviation: history.DeviationUnspecified})
	b.clock = time.Date(2026, time.October, 25, 2, 10, 0, 0, time.UTC)
	require.NotEqual(t, want(b.held(history.LoadProfile)), b.all(history.LoadProfile), "without both they cannot be told apart")
}

func TestLongPeriodsFollowTheWallClock(t *testing.T) {
	zone := berlin(t)
	b := newBench(t, history.Config{Location: zone, Period: 24 * time.Hour, Billing: true})
	b.clock = time.Date(2026, time.April, 2, 0, 0, 0, 0, time.UTC)
	days := b.m.Captured(history.LoadProfile)
	require.Len(t, days, 32)
	for _, r := range days {
		local := r.Time.In(zone)
		require.Zero(t, local.Hour())
		require.Zero(t, local.Minute())
	}
	months := b.m.Captured(history.BillingProfile)
	require.Len(t, months, 1)
	require.True(t, months[0].Time.Equal(time.Date(2026, time.April, 1, 0, 0, 0, 0, zone)))
	require.Equal(t, want(months), b.all(history.BillingProfile))
	require.Zero(t, b.number(at(cosem.ProfileGeneric, history.BillingProfile, 4)))
}

func TestAttributesOfTheProfile(t *testing.T) {
	b := newBench(t, history.Config{LIFO: true, SortByClock: true, Capacity: 50, Past: time.Hour})
	profile := func(id int8) cosem.Attribute { return at(cosem.ProfileGeneric, history.LoadProfile, id) }
	require.EqualValues(t, 900, b.number(profile(4)))
	require.EqualValues(t, 2, b.number(profile(5)))
	require.EqualValues(t, 4, b.number(profile(7)))
	require.EqualValues(t, 50, b.number(profile(8)))
	clock := cosem.CaptureObject{Class: cosem.Clock, Instance: history.ClockObject, Attribute: 2}
	require.Equal(t, axdr.Data(clock.Append(nil)), b.get(profile(6)))
	require.Equal(t, clock, b.captures(history.LoadProfile)[0])
	b.m.Change(func(c *history.Config) { c.LIFO, c.SortByClock, c.PeriodZero = false, false, true })
	require.Zero(t, b.number(profile(4)))
	require.EqualValues(t, 1, b.number(profile(5)))
	require.Equal(t, axdr.Data(cosem.CaptureObject{}.Append(nil)), b.get(profile(6)))
	b.m.ClaimEntries(10_000_000)
	require.EqualValues(t, 10_000_000, b.number(profile(7)))
	b.m.ClaimEntries(-1)
	require.EqualValues(t, 4, b.number(profile(7)))
	b.m.Change(func(c *history.Config) { c.AttributeZero = true })
	for _, o := range b.captures(history.LoadProfile) {
		require.Zero(t, o.Attribute)
	}
	b.m.Change(func(c *history.Config) { c.AttributeZero, c.WholeObjects = false, true })
	for i, o := range b.captures(history.LoadProfile) {
		require.EqualValues(t, []int8{2, 0, 0, 0, 0}[i], o.Attribute)
	}
}

func TestOtherObjects(t *testing.T) {
	b := newBench(t, history.Config{Encoding: history.Encoding{DataIndex: true}, Past: time.Hour})
	text, ok := b.get(at(cosem.Data, history.LogicalDeviceName, 2)).Octets()
	require.True(t, ok)
	require.Equal(t, history.DefaultName, string(text))
	require.Contains(t, b.get(at(cosem.Data, history.FirmwareObject, 2)).String(), history.DefaultFirmware)
	unit, err := cosem.ParseScalerUnit(b.get(at(cosem.Register, obis.Code{1, 0, 32, 7, 0, 255}, 3)))
	require.NoError(t, err)
	require.Equal(t, cosem.ScalerUnit{Scaler: -1, Unit: cosem.UnitVolt}, unit)
	require.EqualValues(t, 10, b.number(at(cosem.Register, obis.Code{1, 0, 1, 8, 0, 255}, 2)), "that of the last row")

	element := b.captures(history.LoadProfile)[5]
	require.EqualValues(t, 2, element.DataIndex)
	n := 0
	for e := range b.get(at(element.Class, element.Instance, element.Attribute)).All() {
		if n++; n == 2 {
			v, _ := e.Int64()
			require.EqualValues(t, 1003, v)
		}
	}
	require.Equal(t, 2, n)

	list := b.get(at(cosem.AssociationLN, obis.Code{0, 0, 40, 0, 0, 255}, 2))
	seen := 0
	for d := range list.All() {
		o, err := cosem.ParseObject(d)
		require.NoError(t, err)
		for _, a := range o.Attributes {
			_, res := b.m.Get(client, at(o.Class, o.Instance, a.ID), nil, nil)
			require.Equal(t, xdlms.Success, res, "%v %d", o.Instance, a.ID)
			seen++
		}
	}
	require.Greater(t, seen, 30)
	for _, c := range []struct {
		at   cosem.Attribute
		want xdlms.DataAccessResult
	}{
		{at(cosem.Data, obis.Code{9}, 2), xdlms.ObjectUndefined},
		{at(cosem.Register, history.LogicalDeviceName, 2), xdlms.ObjectClassInconsistent},
		{at(cosem.Data, history.LogicalDeviceName, 3), xdlms.ReadWriteDenied},
	} {
		_, res := b.m.Get(client, c.at, nil, nil)
		require.Equal(t, c.want, res, c.at)
	}
}

func TestManyAsk(t *testing.T) {
	m := history.New(history.Config{Now: history.Accelerated(begin, 1e6), Billing: true})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 50 {
				m.Jump(time.Duration(i-25) * time.Minute)
				m.Events(1, 2)
				m.Outage(i%2 == 0)
				m.Get(client, at(cosem.ProfileGeneric, history.LoadProfile, 2), nil, nil)
				m.Captured(history.EventLog)
			}
		})
	}
	wg.Wait()
	require.Len(t, m.Captured(history.EventLog), 400)
}

func TestAcceleratedGoesOn(t *testing.T) {
	now := history.Accelerated(begin, 1e9)
	first := now()
	require.False(t, first.Before(begin))
	for !now().After(first.Add(time.Hour)) { // some microseconds
	}
}
