package simmeter

import (
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

var (
	codeLoadProfile = electricity(99, 1)
	codeStatus      = abstract(96, 10, 1)
)

// column is one captured value of a row, read at the end of its quarter.
type column struct {
	object cosem.CaptureObject
	append func(c *call, b []byte, r *row, end time.Time) []byte
}

func loadProfileColumns() []column {
	const value = 2
	return []column{
		{cosem.CaptureObject{Class: cosem.Clock, Instance: codeClock, Attribute: value},
			func(c *call, b []byte, _ *row, end time.Time) []byte { return c.appendTime(b, end) }},
		{cosem.CaptureObject{Class: cosem.Data, Instance: codeStatus, Attribute: value},
			func(_ *call, b []byte, _ *row, _ time.Time) []byte { return axdr.AppendUnsigned(b, 0) }},
		{cosem.CaptureObject{Class: cosem.Register, Instance: electricity(1, 8), Attribute: value},
			func(_ *call, b []byte, r *row, _ time.Time) []byte { return r.appendEnergy(b, imported) }},
		{cosem.CaptureObject{Class: cosem.Register, Instance: electricity(2, 8), Attribute: value},
			func(_ *call, b []byte, r *row, _ time.Time) []byte { return r.appendEnergy(b, exported) }},
		{cosem.CaptureObject{Class: cosem.Register, Instance: electricity(32, 7), Attribute: value},
			func(c *call, b []byte, r *row, end time.Time) []byte {
				q := end.Unix() / quarter
				watt := c.model.flowed(q, 0, r.flow[0], 1)
				return axdr.AppendLongUnsigned(b, uint16(c.model.voltage(0, end.Unix(), watt, r.direction[0])))
			}},
	}
}

func (r *row) appendEnergy(b []byte, direction int) []byte {
	e := r.active[0][direction] + r.active[1][direction] + r.active[2][direction]
	return axdr.AppendDoubleLongUnsigned(b, uint32(e/wattHour))
}

// profiles are the load profile (class 7; Blue Book Ed. 13, 4.3.6): one row per
// quarter of an hour, the oldest first.
func profiles() []object {
	columns := loadProfileColumns()
	captured := make([]cosem.CaptureObject, 0, len(columns))
	for _, c := range columns {
		captured = append(captured, c.object)
	}
	return []object{{class: cosem.ProfileGeneric, version: 1, code: codeLoadProfile, attributes: []attribute{
		{id: 2, selected: func(c *call, sel *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
			return c.buffer(columns, captured, sel, b)
		}},
		{id: 3, append: func(_ *call, b []byte) []byte { return cosem.AppendCaptureObjects(b, captured) }},
		{id: 4, append: func(_ *call, b []byte) []byte { return axdr.AppendDoubleLongUnsigned(b, quarter) }},
		{id: 5, append: func(_ *call, b []byte) []byte { return axdr.AppendEnum(b, 1) }}, // FIFO
		{id: 6, append: func(_ *call, b []byte) []byte { return cosem.CaptureObject{}.Append(b) }},
		{id: 7, append: func(c *call, b []byte) []byte {
			first, end := c.rows()
			return axdr.AppendDoubleLongUnsigned(b, uint32(end-first))
		}},
		{id: 8, append: func(_ *call, b []byte) []byte { return axdr.AppendDoubleLongUnsigned(b, Capacity) }},
	}}}
}

// rows are the quarters the profile holds: from first up to, without, end.
func (c *call) rows() (first, end int64) {
	end = c.started / quarter
	return max(end-Capacity, c.model.first), end
}

// window is a part of a profile: rows by number of their quarter, and columns.
type window struct {
	first, end int64
	columns    []column
}

// buffer appends the rows that sel selects, all of them if it is nil.
func (c *call) buffer(columns []column, captured []cosem.CaptureObject, sel *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
	w := window{columns: columns}
	w.first, w.end = c.rows()
	ok := true
	if sel != nil {
		switch sel.Selector {
		case cosem.SelectorRange:
			ok = c.selectRange(&w, captured, sel.Parameters)
		case cosem.SelectorEntry:
			ok = selectEntries(&w, sel.Parameters)
		default:
			return b, xdlms.ScopeOfAccessViolated
		}
	}
	if !ok {
		return b, xdlms.TypeUnmatched
	}
	n := max(w.end-w.first, 0)
	b = axdr.AppendArray(b, int(n))
	for q := w.first; q < w.first+n; q++ {
		r := c.model.row(q + 1) // what the registers held when q was over
		b = axdr.AppendStructure(b, len(w.columns))
		for _, column := range w.columns {
			b = column.append(c, b, r, time.Unix((q+1)*quarter, 0))
		}
	}
	return b, xdlms.Success
}

// selectRange is selective access 1: rows by their time stamp, both ends
// included, and columns by their capture object, none meaning all. A time
// without date is no limit.
func (c *call) selectRange(w *window, captured []cosem.CaptureObject, parameters axdr.Data) bool {
	var d axdr.Decoder
	d.Reset(parameters)
	d.Structure(4)
	d.Structure(4)
	class, instance, attribute := d.LongUnsigned(), d.Octets(), d.Integer()
	d.Skip() // data index
	from, fromOK := d.Data().DateTime()
	to, toOK := d.Data().DateTime()
	selected := d.Data()
	if d.Err() != nil || !fromOK || !toOK {
		return false
	}
	if cosem.ClassID(class) != cosem.Clock || string(instance) != string(codeClock[:]) || attribute != 2 {
		return false
	}
	if t, ok := from.Time(c.loc); ok { // first row that ends at t or later
		q, rest := floorDiv(t.Unix(), quarter)
		if rest > 0 || t.Nanosecond() > 0 {
			q++
		}
		w.first = max(w.first, q-1)
	}
	if t, ok := to.Time(c.loc); ok { // last row that ends at t or before
		q, _ := floorDiv(t.Unix(), quarter)
		w.end = min(w.end, q)
	}
	objects, err := cosem.ParseCaptureObjects(selected)
	if err != nil {
		return false
	}
	if len(objects) == 0 {
		return true
	}
	all := w.columns
	w.columns = nil
	for _, o := range objects {
		for i := range captured {
			if captured[i] == o {
				w.columns = append(w.columns, all[i])
			}
		}
		if len(w.columns) > len(all) {
			return false
		}
	}
	return len(w.columns) > 0
}

// selectEntries is selective access 2: rows and columns by number, from 1; 0 as
// the last number is the last one there is.
func selectEntries(w *window, parameters axdr.Data) bool {
	var d axdr.Decoder
	d.Reset(parameters)
	d.Structure(4)
	from, to := int64(d.DoubleLongUnsigned()), int64(d.DoubleLongUnsigned())
	fromColumn, toColumn := int(d.LongUnsigned()), int(d.LongUnsigned())
	if d.Err() != nil {
		return false
	}
	start := w.first
	if to != 0 {
		w.end = min(w.end, start+to)
	}
	w.first = start + max(from, 1) - 1
	if toColumn == 0 {
		toColumn = len(w.columns)
	}
	toColumn = min(toColumn, len(w.columns))
	fromColumn = max(fromColumn, 1)
	if fromColumn > toColumn {
		return false
	}
	w.columns = w.columns[fromColumn-1 : toColumn]
	return true
}
