package history_test

import (
	"testing"
	"time"
	_ "time/tzdata" // zones on hosts without zone files

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter/history"
)

const client = 16

var begin = time.Date(2026, time.March, 1, 12, 7, 0, 0, time.UTC)

// bench is a meter with a clock that stands until it is moved.
type bench struct {
	t     *testing.T
	m     *history.Meter
	cfg   history.Config
	clock time.Time
}

func newBench(t *testing.T, cfg history.Config) *bench {
	b := &bench{t: t, cfg: cfg, clock: begin}
	b.cfg.Now = func() time.Time { return b.clock }
	b.m = history.New(b.cfg)
	return b
}

func at(class cosem.ClassID, code obis.Code, id int8) cosem.Attribute {
	return cosem.Attribute{Class: class, Instance: code, ID: id}
}

func (b *bench) get(a cosem.Attribute) axdr.Data {
	raw, res := b.m.Get(client, a, nil, nil)
	require.Equal(b.t, xdlms.Success, res, a)
	d, err := axdr.Parse(raw)
	require.NoError(b.t, err, a)
	return d
}

func (b *bench) number(a cosem.Attribute) int64 {
	n, ok := b.get(a).Int64()
	require.True(b.t, ok, a)
	return n
}

// captures are the columns of a profile as the meter tells them.
func (b *bench) captures(profile obis.Code) []cosem.CaptureObject {
	objects, err := cosem.ParseCaptureObjects(b.get(at(cosem.ProfileGeneric, profile, 3)))
	require.NoError(b.t, err)
	return objects
}

// buffer is the answer to a read of the buffer, in front of which stood something.
func (b *bench) buffer(profile obis.Code, sel *cosem.Selection) (axdr.Data, xdlms.DataAccessResult) {
	raw, res := b.m.Get(client, at(cosem.ProfileGeneric, profile, 2), sel, []byte{0xaa})
	require.Equal(b.t, byte(0xaa), raw[0])
	if res != xdlms.Success {
		return nil, res
	}
	d, err := axdr.Parse(raw[1:])
	require.NoError(b.t, err)
	return d, res
}

// row is a row as a client understands it.
type row struct {
	time   time.Time // zero if there is no clock, or the time is a pattern
	values []int64   // without the clock
}

// rows decodes a buffer: nulls and deltas refer to the row before.
func (b *bench) rows(profile obis.Code, d axdr.Data) []row {
	if d.Tag() == axdr.TagNull {
		return nil
	}
	if d.HasCompact() {
		var err error
		d, err = axdr.Expand(nil, d, 1<<20)
		require.NoError(b.t, err)
	}
	require.Equal(b.t, axdr.TagArray, d.Tag())
	captures := b.captures(profile)
	var list []row
	for cells := range d.All() {
		var r row
		var before row
		if len(list) > 0 {
			before = list[len(list)-1]
		}
		column := 0
		for cell := range cells.All() {
			c := captures[column]
			column++
			if c.Instance == history.ClockObject || c.Instance == history.UnixClockObject {
				r.time = b.time(cell, before.time)
				continue
			}
			r.values = append(r.values, b.value(cell, before, len(r.values)))
		}
		list = append(list, r)
	}
	return list
}

func (b *bench) time(cell axdr.Data, before time.Time) time.Time {
	switch cell.Tag() {
	case axdr.TagNull:
		require.False(b.t, before.IsZero())
		return before.Add(15 * time.Minute)
	case axdr.TagDoubleLongUnsigned:
		n, _ := cell.Int64()
		return time.Unix(n, 0).UTC()
	default:
	}
	d, ok := cell.DateTime()
	require.True(b.t, ok, cell)
	if b.cfg.Deviation == history.DeviationInverted {
		d.Deviation = -d.Deviation
	}
	t, ok := d.Time(b.cfg.Location)
	if !ok {
		return time.Time{}
	}
	return t.UTC()
}

func (b *bench) value(cell axdr.Data, before row, i int) int64 {
	switch cell.Tag() {
	case axdr.TagNull:
		require.Less(b.t, i, len(before.values))
		return before.values[i]
	case axdr.TagDeltaUnsigned, axdr.TagDeltaInteger:
		require.Less(b.t, i, len(before.values))
		require.Len(b.t, cell, 2)
		if cell.Tag() == axdr.TagDeltaInteger {
			return before.values[i] + int64(int8(cell[1]))
		}
		return before.values[i] + int64(cell[1])
	case axdr.TagStructure: // all attributes: the value is the second
		n := 0
		for e := range cell.All() {
			if n++; n == 2 {
				cell = e
			}
		}
		require.GreaterOrEqual(b.t, n, 2)
	default:
	}
	v, ok := cell.Int64()
	require.True(b.t, ok, cell)
	return v
}

// want are rows that were captured as a client should understand them.
func want(captured []history.Row) []row {
	var list []row
	for _, c := range captured {
		r := row{}
		for i := range c.Columns {
			switch {
			case !c.Columns[i].IsClock():
				r.values = append(r.values, c.Raw[i])
			case !c.Wildcard:
				r.time = c.Time
			}
		}
		list = append(list, r)
	}
	return list
}

// held are the rows that the profile still has.
func (b *bench) held(profile obis.Code) []history.Row {
	var list []history.Row
	for _, r := range b.m.Captured(profile) {
		if !r.Gone {
			list = append(list, r)
		}
	}
	return list
}

func octets(t time.Time, deviation bool) axdr.Data {
	d := axdr.FromTime(t)
	if !deviation {
		d.Deviation = axdr.DeviationUnspecified
	}
	return axdr.AppendOctetString(nil, d.Append(nil))
}

// selection is a range by the clock of the load profile.
func selection(from, to axdr.Data, columns ...cosem.CaptureObject) *cosem.Selection {
	s := cosem.RangeSelection(from, to, cosem.CaptureObject{Class: cosem.Clock, Instance: history.ClockObject, Attribute: 2}, columns)
	return &s
}

func entries(from, to uint32, first, last uint16) *cosem.Selection {
	s := cosem.EntrySelection(from, to, first, last)
	return &s
}
