package simmeter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
)

// profileRow is one row of the load profile, complete.
type profileRow struct {
	end                time.Time
	imported, exported int64
	voltage            int64
}

func (b *bench) profile(t *testing.T, sel *cosem.Selection) []profileRow {
	t.Helper()
	var rows []profileRow
	for row := range b.data(cosem.ProfileGeneric, "1.0.99.1.0.255", 2, sel).All() {
		require.Equal(t, 5, row.Len())
		at, ok := first(row, 0).DateTime()
		require.True(t, ok)
		var r profileRow
		r.end, ok = at.Time(nil)
		require.True(t, ok)
		r.imported, _ = first(row, 2).Int64()
		r.exported, _ = first(row, 3).Int64()
		r.voltage, _ = first(row, 4).Int64()
		rows = append(rows, r)
	}
	return rows
}

func clockData(t time.Time) axdr.Data {
	return axdr.AppendOctetString(nil, axdr.FromTime(t).Append(nil))
}

var clockColumn = cosem.CaptureObject{Class: cosem.Clock, Instance: codeClock, Attribute: 2}

func TestLoadProfile(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	rows := b.profile(t, nil)
	require.Len(t, rows, Capacity)
	for i := 1; i < len(rows); i++ {
		require.Equal(t, 15*time.Minute, rows[i].end.Sub(rows[i-1].end))
		require.GreaterOrEqual(t, rows[i].imported, rows[i-1].imported)
		require.GreaterOrEqual(t, rows[i].exported, rows[i-1].exported)
	}
	// It is 08:00 UTC sharp: the last row has just been written, from what the registers show.
	last := rows[len(rows)-1]
	require.True(t, last.end.Equal(b.now))
	require.Equal(t, b.value("1.0.1.8.0.255"), float64(last.imported))
	require.Equal(t, b.value("1.0.2.8.0.255"), float64(last.exported))
	require.InDelta(t, b.value("1.0.32.7.0.255"), float64(last.voltage)/10, 1e-9)

	columns, err := cosem.ParseCaptureObjects(b.data(cosem.ProfileGeneric, "1.0.99.1.0.255", 3, nil))
	require.NoError(t, err)
	require.Len(t, columns, 5)
	require.Equal(t, clockColumn, columns[0])
	inUse, _ := b.data(cosem.ProfileGeneric, "1.0.99.1.0.255", 7, nil).Int64()
	require.Equal(t, int64(Capacity), inUse)

	b.now = b.now.Add(100 * 24 * time.Hour) // the ring goes round
	rows = b.profile(t, nil)
	require.Len(t, rows, Capacity)
	require.True(t, rows[len(rows)-1].end.Equal(b.now))
}

func TestProfileRange(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	at := func(minutes int) time.Time { return wednesday.Add(time.Duration(minutes) * time.Minute) }
	tests := []struct {
		name     string
		from, to axdr.Data
		first    time.Time
		rows     int
	}{
		{"both ends included", clockData(at(-60)), clockData(at(-15)), at(-60), 4},
		{"between rows", clockData(at(-61)), clockData(at(-14)), at(-60), 4},
		{"one row", clockData(at(-30)), clockData(at(-30)), at(-30), 1},
		{"none", clockData(at(-29)), clockData(at(-16)), time.Time{}, 0},
		{"into the future", clockData(at(-30)), clockData(at(600)), at(-30), 3},
		{"before the oldest", clockData(at(-60 * 24 * 60)), clockData(at(-40*24*60 + 30)), at(-40*24*60 + 15), 2},
		{"backwards", clockData(at(-15)), clockData(at(-60)), time.Time{}, 0},
		{"another zone", clockData(at(-60).In(time.FixedZone("", -7*3600))), clockData(at(-15)), at(-60), 4},
		{"no limits", clockPattern(), clockPattern(), at(-40*24*60 + 15), Capacity},
	}
	for _, tt := range tests {
		sel := cosem.RangeSelection(tt.from, tt.to, clockColumn, nil)
		rows := b.profile(t, &sel)
		require.Len(t, rows, tt.rows, tt.name)
		if tt.rows > 0 {
			require.True(t, rows[0].end.Equal(tt.first), "%s: %s", tt.name, rows[0].end)
		}
	}
}

func clockPattern() axdr.Data {
	d := axdr.DateTime{Year: 0xffff, Month: 0xff, Day: 0xff, Weekday: 0xff, Hour: 0xff, Minute: 0xff, Second: 0xff, Hundredths: 0xff, Deviation: axdr.DeviationUnspecified}
	return axdr.AppendDateTime(nil, d)
}

// A deviation that is not specified means the time zone of the meter.
func TestProfileRangeInLocalTime(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	local := axdr.FromTime(wednesday.Add(-time.Hour).In(berlin(t)))
	local.Deviation = axdr.DeviationUnspecified
	d := axdr.Data(axdr.AppendOctetString(nil, local.Append(nil)))
	sel := cosem.RangeSelection(d, d, clockColumn, nil)
	rows := b.profile(t, &sel)
	require.Len(t, rows, 1)
	require.True(t, rows[0].end.Equal(wednesday.Add(-time.Hour)))
}

func TestProfileColumns(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	energy := cosem.CaptureObject{Class: cosem.Register, Instance: electricity(1, 8), Attribute: 2}
	tests := []struct {
		name string
		sel  cosem.Selection
		tags []axdr.Tag
	}{
		{"range, two columns", cosem.RangeSelection(clockData(wednesday), clockData(wednesday), clockColumn, []cosem.CaptureObject{clockColumn, energy}),
			[]axdr.Tag{axdr.TagOctetString, axdr.TagDoubleLongUnsigned}},
		{"entry, one column", cosem.EntrySelection(1, 1, 2, 2), []axdr.Tag{axdr.TagUnsigned}},
		{"entry, from a column on", cosem.EntrySelection(1, 1, 4, 0), []axdr.Tag{axdr.TagDoubleLongUnsigned, axdr.TagLongUnsigned}},
	}
	for _, tt := range tests {
		d := b.data(cosem.ProfileGeneric, "1.0.99.1.0.255", 2, &tt.sel)
		require.Equal(t, 1, d.Len(), tt.name)
		var tags []axdr.Tag
		for e := range first(d, 0).All() {
			tags = append(tags, e.Tag())
		}
		require.Equal(t, tt.tags, tags, tt.name)
	}
}

func TestProfileEntries(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	all := b.profile(t, nil)
	tests := []struct {
		from, to   uint32
		first, end int
	}{
		{1, 10, 0, 10},
		{5, 5, 4, 5},
		{Capacity - 1, 0, Capacity - 2, Capacity},
		{0, 0, 0, Capacity},
		{1, 1_000_000, 0, Capacity},
		{1_000_000, 0, 0, 0},
		{10, 5, 0, 0},
	}
	for _, tt := range tests {
		sel := cosem.EntrySelection(tt.from, tt.to, 0, 0)
		require.Equal(t, all[tt.first:tt.end], append([]profileRow{}, b.profile(t, &sel)...), "%d to %d", tt.from, tt.to)
	}
}

func FuzzProfileSelection(f *testing.F) {
	for _, sel := range []cosem.Selection{
		cosem.RangeSelection(clockData(wednesday), clockData(wednesday), clockColumn, []cosem.CaptureObject{clockColumn}),
		cosem.EntrySelection(3, 0, 2, 0),
	} {
		f.Add(sel.Selector, []byte(sel.Parameters))
	}
	m := New(Config{Start: wednesday, Now: func() time.Time { return wednesday }, Location: time.UTC})
	f.Fuzz(func(t *testing.T, selector uint8, parameters []byte) {
		b, res := m.Get(16, cosem.Attribute{Class: cosem.ProfileGeneric, Instance: codeLoadProfile, ID: 2},
			&cosem.Selection{Selector: selector, Parameters: parameters}, nil)
		if res == 0 {
			_, err := axdr.Parse(b)
			require.NoError(t, err)
		}
	})
}
