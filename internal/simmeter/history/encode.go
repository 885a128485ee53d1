package history

import (
	"math"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
)

const (
	maxAnswer   = 8 << 20 // octets of an answer, which has to be in memory
	endlessRows = 1 << 24 // that an endless answer announces
)

// writer writes the rows of an answer.
type writer struct {
	m       *Meter
	profile *profile
	objects []cosem.CaptureObject // columns that were selected; nil: by number
	first   int                   // number of the first column, from 1; 0: all
	last    int
	before  *record // the row written last
}

// picked are the positions of the cells of a row; -1 is a column that it has not.
func (w *writer) picked(r *record) []int {
	n := len(r.layout.columns)
	var list []int
	switch {
	case w.objects != nil:
		for _, o := range w.objects {
			list = append(list, w.m.find(r.layout, o))
		}
	case w.first > 0:
		for i := w.first - 1; i < w.last && i < n; i++ {
			list = append(list, i)
		}
	default:
		for i := range n {
			list = append(list, i)
		}
	}
	if r.short && len(list) > 0 {
		list = list[:len(list)-1]
	}
	return list
}

// appendRow appends a row.
func (w *writer) appendRow(b []byte, r *record) []byte {
	cells := w.picked(r)
	if w.m.cfg.ArrayRows {
		b = axdr.AppendArray(b, len(cells))
	} else {
		b = axdr.AppendStructure(b, len(cells))
	}
	before := w.before
	if before != nil && (before.layout != r.layout || before.short) {
		before = nil
	}
	for _, i := range cells {
		b = w.appendCell(b, r, before, i)
	}
	w.before = r
	return b
}

// appendCell appends cell i of r, which may refer to that of the row before.
func (w *writer) appendCell(b []byte, r, before *record, i int) []byte {
	if i < 0 {
		return axdr.AppendNull(b)
	}
	cfg := &w.m.cfg
	c := &r.layout.columns[i]
	if before != nil {
		switch {
		case c.clock:
			regular := w.profile == w.m.load && !before.wildcard && !r.wildcard && r.at.Sub(before.at) == cfg.Period
			if cfg.NullTimes && regular {
				return axdr.AppendNull(b)
			}
		case cfg.NullValues && c.Text == nil && r.raw[i] == before.raw[i]:
			return axdr.AppendNull(b)
		case cfg.Deltas && c.Delta && !cfg.WholeObjects:
			return appendDelta(b, r.raw[i]-before.raw[i])
		}
	}
	return w.appendFull(b, r, i)
}

// appendDelta appends a delta of the smallest type (Blue Book Ed. 13, 4.1.5).
func appendDelta(b []byte, v int64) []byte {
	switch {
	case v >= 0 && v <= math.MaxUint8:
		return append(b, byte(axdr.TagDeltaUnsigned), byte(v))
	case v >= 0 && v <= math.MaxUint16:
		return append(b, byte(axdr.TagDeltaLongUnsigned), byte(v>>8), byte(v))
	case v >= 0:
		return append(b, byte(axdr.TagDeltaDoubleLongUnsigned), byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
	case v >= math.MinInt8:
		return append(b, byte(axdr.TagDeltaInteger), byte(v))
	case v >= math.MinInt16:
		return append(b, byte(axdr.TagDeltaLong), byte(v>>8), byte(v))
	default:
		return append(b, byte(axdr.TagDeltaDoubleLong), byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
	}
}

// appendFull appends cell i of r by itself.
func (w *writer) appendFull(b []byte, r *record, i int) []byte {
	c := &r.layout.columns[i]
	if c.clock {
		return w.appendTime(b, r)
	}
	if !w.m.cfg.WholeObjects {
		return c.append(b, r.raw[i], r.index)
	}
	n := 2
	if c.scales() {
		n = 3
	}
	b = axdr.AppendOctetString(axdr.AppendStructure(b, n), c.Object.Instance[:])
	b = c.append(b, r.raw[i], r.index)
	if c.scales() {
		b = c.appendScalerUnit(b)
	}
	return b
}

// appendTime appends the time stamp of r.
func (w *writer) appendTime(b []byte, r *record) []byte {
	if w.m.cfg.UnixClock {
		return axdr.AppendDoubleLongUnsigned(b, uint32(r.at.Unix()))
	}
	d := w.m.dateTime(r.at)
	if r.wildcard {
		d.Hour = 0xff
	}
	return w.m.appendDateTime(b, d)
}

// append appends a value of the column, that of row i if it is a text.
func (c *Column) append(b []byte, raw int64, i int) []byte {
	if c.Text != nil {
		return axdr.AppendVisibleString(b, c.Text(i))
	}
	switch c.Tag {
	case axdr.TagBoolean:
		return axdr.AppendBoolean(b, raw != 0)
	case axdr.TagInteger:
		return axdr.AppendInteger(b, int8(raw))
	case axdr.TagLong:
		return axdr.AppendLong(b, int16(raw))
	case axdr.TagDoubleLong:
		return axdr.AppendDoubleLong(b, int32(raw))
	case axdr.TagLong64:
		return axdr.AppendLong64(b, raw)
	case axdr.TagUnsigned:
		return axdr.AppendUnsigned(b, uint8(raw))
	case axdr.TagLongUnsigned:
		return axdr.AppendLongUnsigned(b, uint16(raw))
	case axdr.TagLong64Unsigned:
		return axdr.AppendLong64Unsigned(b, uint64(raw))
	case axdr.TagEnum:
		return axdr.AppendEnum(b, uint8(raw))
	case axdr.TagFloat32:
		return axdr.AppendFloat32(b, float32(raw))
	case axdr.TagFloat64:
		return axdr.AppendFloat64(b, float64(raw))
	default:
		return axdr.AppendDoubleLongUnsigned(b, uint32(raw))
	}
}

// sample is a row of the current layout with the values of row i.
func (w *writer) sample(at time.Time, i int) *record {
	r := &record{at: at.UTC(), layout: w.profile.layout, index: i, raw: make([]int64, len(w.profile.layout.columns))}
	for k := range r.raw {
		switch c := &r.layout.columns[k]; {
		case c.clock:
			r.raw[k] = r.at.Unix()
		case c.Text == nil:
			r.raw[k] = c.value(i)
		}
	}
	return r
}

// appendEndless appends an array that announces more rows than come.
func (w *writer) appendEndless(b []byte, rows []*record, step time.Duration) []byte {
	start := len(b)
	at, index := w.m.last, w.m.life*lifeStep
	if w.profile.next != nil {
		at = w.profile.next(at)
	}
	if len(rows) > 0 {
		at, index = rows[0].at, rows[0].index
	}
	b = axdr.AppendArray(b, endlessRows)
	for i := 0; len(b)-start < maxAnswer; i++ {
		b = w.appendRow(b, w.sample(at.Add(time.Duration(i)*step), index+i))
	}
	return b[:start+maxAnswer]
}

// appendCompact appends rows as a compact-array (Blue Book Ed. 13, 4.1.5), all
// with the columns of the current layout.
func (w *writer) appendCompact(b []byte, rows []*record) []byte {
	model := w.sample(w.m.last, 0)
	if w.objects == nil {
		for _, i := range w.picked(model) {
			w.objects = append(w.objects, model.layout.columns[i].Object)
		}
	}
	columns := w.picked(model)
	b = append(b, byte(axdr.TagCompactArray), byte(axdr.TagStructure), byte(len(columns)))
	var cell, contents []byte
	for _, i := range columns {
		cell = w.appendFull(cell[:0], model, i)
		b = appendDescription(b, cell)
	}
	for _, r := range rows {
		for k, i := range w.picked(r) {
			if i < 0 {
				cell = w.appendFull(cell[:0], model, columns[k])
			} else {
				cell = w.appendFull(cell[:0], r, i)
			}
			contents = appendContents(contents, cell)
		}
	}
	return append(axdr.AppendLength(b, len(contents)), contents...)
}

// appendDescription appends the type description of an element.
func appendDescription(b []byte, d axdr.Data) []byte {
	b = append(b, byte(d.Tag()))
	if d.Tag() != axdr.TagStructure {
		return b
	}
	n := len(b)
	b = append(b, 0)
	for e := range d.All() {
		b[n]++
		b = appendDescription(b, e)
	}
	return b
}

// appendContents appends an element without tags.
func appendContents(b []byte, d axdr.Data) []byte {
	if d.Tag() != axdr.TagStructure {
		return append(b, d[1:]...)
	}
	for e := range d.All() {
		b = appendContents(b, e)
	}
	return b
}
