package history

import (
	"slices"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// buffer appends attribute 2 of a profile (Blue Book Ed. 13, 4.3.6).
func (m *Meter) buffer(p *profile, sel *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
	if m.cfg.IgnoreSelectors {
		sel = nil
	}
	w := writer{m: m, profile: p}
	rows := slices.Clone(p.rows)
	if sel == nil {
		m.order(rows)
		return m.answer(w, rows, nil, b)
	}
	ok := false
	switch {
	case m.cfg.NoSelectiveAccess:
	case sel.Selector == cosem.SelectorRange && !m.cfg.NoRange:
		rows, ok = m.selectRange(&w, rows, sel.Parameters)
	case sel.Selector == cosem.SelectorEntry && !m.cfg.NoEntry:
		rows, ok = m.selectEntries(&w, rows, sel.Parameters)
	default:
	}
	switch {
	case !ok && m.cfg.RefuseEmpty:
		return axdr.AppendArray(b, 0), xdlms.Success
	case !ok && m.cfg.Refusal != xdlms.Success:
		return b, m.cfg.Refusal
	case !ok:
		return b, xdlms.OtherReason
	}
	return m.answer(w, rows, sel, b)
}

// order puts rows, the oldest first, in the order of the buffer.
func (m *Meter) order(rows []*record) {
	if m.cfg.LIFO {
		slices.Reverse(rows)
	}
}

// answer appends rows in the order in which they are.
func (m *Meter) answer(w writer, rows []*record, sel *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
	switch {
	case m.endless != 0 && w.profile == m.load:
		return w.appendEndless(b, rows, m.endless), xdlms.Success
	case len(rows) == 0 && sel != nil && m.cfg.ErrorOnEmpty != xdlms.Success:
		return b, m.cfg.ErrorOnEmpty
	case len(rows) == 0 && m.cfg.NullOnEmpty:
		return axdr.AppendNull(b), xdlms.Success
	}
	start := len(b)
	if m.cfg.CompactArray {
		b = w.appendCompact(b, rows)
	} else {
		b = axdr.AppendArray(b, len(rows))
		for _, r := range rows {
			b = w.appendRow(b, r)
		}
	}
	if len(b)-start > maxAnswer {
		return b[:start], xdlms.LongGetAborted
	}
	return b, xdlms.Success
}

// limit is an end of a range. Without a time it is none.
type limit struct {
	none bool
	at   time.Time
}

// selectRange is selective access 1. It reports false for what the meter refuses.
func (m *Meter) selectRange(w *writer, rows []*record, parameters axdr.Data) ([]*record, bool) {
	var d axdr.Decoder
	d.Reset(parameters)
	d.Structure(4)
	d.Structure(4)
	class, name, attribute, index := d.LongUnsigned(), d.Octets(), d.Integer(), d.LongUnsigned()
	from, fromOK := m.limit(w.profile, d.Data())
	to, toOK := m.limit(w.profile, d.Data())
	selected := d.Data()
	if d.Err() != nil || !fromOK || !toOK {
		return nil, false
	}
	at := w.profile.layout.clock()
	if at < 0 {
		return nil, false
	}
	clock := w.profile.layout.columns[at].Object
	if cosem.ClassID(class) != clock.Class || string(name) != string(clock.Instance[:]) || index != 0 {
		return nil, false
	}
	if attribute != clock.Attribute && (attribute != 0 || !m.cfg.AttributeZero) {
		return nil, false
	}
	objects, err := cosem.ParseCaptureObjects(selected)
	if err != nil {
		return nil, false
	}
	for _, o := range objects {
		if m.find(w.profile.layout, o) < 0 {
			return nil, false
		}
	}
	if len(objects) > 0 {
		w.objects = objects
	}
	rows = slices.DeleteFunc(rows, func(r *record) bool {
		t := r.at
		if m.cfg.LocalOnly {
			t = wall(t.In(m.cfg.Location))
		}
		before := !from.none && (t.Before(from.at) || m.cfg.ExclusiveFrom && t.Equal(from.at))
		after := !to.none && (t.After(to.at) || m.cfg.ExclusiveTo && t.Equal(to.at))
		return before || after
	})
	m.order(rows)
	return rows, true
}

// wall is the time in UTC that looks like t.
func wall(t time.Time) time.Time {
	year, month, day := t.Date()
	return time.Date(year, month, day, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// limit reads an end of a range. It reports false for one that the meter refuses.
func (m *Meter) limit(p *profile, d axdr.Data) (limit, bool) {
	if m.cfg.UnixClock {
		n, ok := d.Uint64()
		if !ok || d.Tag() != axdr.TagDoubleLongUnsigned {
			return limit{}, false
		}
		t := time.Unix(int64(n), 0).In(m.cfg.Location)
		round := m.rounded(p, t)
		if m.cfg.LocalOnly {
			t = wall(t)
		}
		return limit{at: t}, round
	}
	at, ok := d.DateTime()
	if !ok {
		return limit{}, false
	}
	form := WithDeviation
	if at.Deviation == axdr.DeviationUnspecified {
		form = WithoutDeviation
	}
	if m.cfg.Range != 0 && m.cfg.Range&form == 0 {
		return limit{}, false
	}
	if !at.Complete() {
		return limit{none: true}, true
	}
	local := at
	local.Deviation = axdr.DeviationUnspecified
	fields, _ := local.Time(time.UTC)
	if !m.rounded(p, fields) {
		return limit{}, false
	}
	if m.cfg.LocalOnly {
		return limit{at: fields}, true
	}
	if m.cfg.Deviation == DeviationInverted && form == WithDeviation {
		at.Deviation = -at.Deviation
	}
	t, ok := at.Time(m.cfg.Location)
	return limit{at: t}, ok
}

// rounded tells whether the fields of t are as round as the meter wants them.
func (m *Meter) rounded(p *profile, t time.Time) bool {
	if !m.cfg.RoundedOnly {
		return true
	}
	period := time.Minute
	if p == m.load {
		period = m.cfg.Period
	}
	t = wall(t)
	return t.Second() == 0 && t.Nanosecond() == 0 && t.Unix()%max(int64(period/time.Second), 1) == 0
}

// selectEntries is selective access 2: rows and columns by number, from 1; 0 as
// the last number is the last one there is.
func (m *Meter) selectEntries(w *writer, rows []*record, parameters axdr.Data) ([]*record, bool) {
	var d axdr.Decoder
	d.Reset(parameters)
	d.Structure(4)
	from, to := int64(d.DoubleLongUnsigned()), int64(d.DoubleLongUnsigned())
	first, last := int(d.LongUnsigned()), int(d.LongUnsigned())
	if d.Err() != nil {
		return nil, false
	}
	columns := len(w.profile.layout.columns)
	if last == 0 {
		last = columns
	}
	first, last = max(first, 1), min(last, columns)
	if first > last {
		return nil, false
	}
	w.first, w.last = first, last
	if m.cfg.EntryNewestFirst {
		slices.Reverse(rows)
	} else {
		m.order(rows)
	}
	n := int64(len(rows))
	if to == 0 {
		to = n
	}
	start, end := max(from, 1)-1, min(to, n)
	if start >= end {
		return nil, true
	}
	return rows[start:end], true
}

// find is the position of a column in a layout, -1 without.
func (m *Meter) find(l *layout, o cosem.CaptureObject) int {
	return slices.IndexFunc(l.columns, func(c Column) bool { return m.cfg.captured(&c) == o || c.Object == o })
}
