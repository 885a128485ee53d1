package dlms_cosem

import (
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/internal/history"
)

// profileValue is a cell of a row, decoded.
type profileValue struct {
	field string
	v     value
	got   bool
}

// errLayout is a row that the columns do not fit.
var errLayout = errors.New("the row does not fit the profile's columns")

// profileReader makes rows of what the meter returns in one answer.
type profileReader struct {
	s    *session
	h    *historian
	l    *layout
	zone zone
	now  time.Time
}

func (s *session) profileReader(h *historian) *profileReader {
	x := &profileReader{s: s, h: h, l: h.layout, zone: *s.zone(), now: time.Now()}
	if x.zone.mode == deviationAuto && x.zone.sign == deviationAuto {
		x.zone.mode = deviationStandard // a guess by nearness would change from one reading of a row to the next
	}
	return x
}

// row makes a row of its encoding.
func (x *profileReader) row(d axdr.Data) (r history.Row[[]profileValue], err error) {
	l, cutter := x.l, &x.h.cells
	if old := x.h.before; old != nil && d.Len() != len(l.objects) && d.Len() == len(old.objects) {
		l, cutter = old, &x.h.older
	}
	cells, err := cutter.Cut(d)
	if err != nil {
		x.h.beginRows() // what is left out in the next rows refers to this one
		return r, fmt.Errorf("%w: %w", errLayout, err)
	}
	if l.clock < 0 {
		return r, fmt.Errorf("the profile has no clock among its columns: its rows have no time")
	}
	if r.Stamp, err = x.stamp(cells[l.clock]); err != nil {
		return r, err
	}
	print := fnv.New64a()
	for i, c := range cells {
		if i != l.clock {
			_, _ = print.Write(c)
		}
	}
	r.Print = print.Sum64()
	r.Of = make([]profileValue, len(l.columns))
	for i := range l.columns {
		c := &l.columns[i]
		r.Of[i].field = c.field
		r.Of[i].v, r.Of[i].got = x.value(c, cells[c.at])
		if text, known := x.h.p.events[formatNumber(r.Of[i].v.number)]; c.event && r.Of[i].got && known && !r.Of[i].v.hasText {
			r.Of[i].v.text, r.Of[i].v.hasText = text, true
		}
	}
	return r, nil
}

// beginRows begins a sequence of rows, in which each may refer to the one before.
func (h *historian) beginRows() {
	period := h.layout.period
	if order := h.record.Facts.Order; order == history.NewestFirst || order == history.OrderUnknown && h.record.Facts.LIFO {
		period = -period
	}
	h.cells.Reset(len(h.layout.objects), h.layout.clock, period)
	if h.before != nil {
		h.older.Reset(len(h.before.objects), h.before.clock, period)
	}
}

// value makes a value of a cell. What cannot be had is absent, and told once.
func (x *profileReader) value(c *column, cell axdr.Data) (value, bool) {
	cell, err := c.value(cell)
	var v value
	if err == nil {
		v, err = c.it.decode(c.it.class, cell)
	}
	if err == nil {
		out := reading{class: c.it.class, v: v, got: true}
		err = x.s.finishValue(c.it, &out, &x.zone, x.now)
		v = out.v
	}
	switch {
	case err == nil:
		return v, true
	case errors.Is(err, errNoValue):
		return v, false
	default:
		if x.s.withheld[c.field] == nil {
			x.s.withheld[c.field] = fmt.Errorf("column %s: %w", c.it.describe(c.it.class), err)
		}
		return v, false
	}
}

// stamp is the time of a row.
func (x *profileReader) stamp(cell axdr.Data) (history.Stamp, error) {
	if n, ok := cell.Int64(); ok {
		s := history.Stamp{At: time.Unix(n, 0).UTC()}
		return s, x.stampable(s.At, s.At.Format(time.RFC3339))
	}
	t, ok := cell.DateTime()
	switch {
	case !ok && isNull(cell):
		return history.Stamp{}, fmt.Errorf("a row without time, and nothing to derive it from: it is held back")
	case !ok:
		return history.Stamp{}, fmt.Errorf("the time of a row is %s: a date-time was expected; it is held back", shorten(cell.String(), 80))
	}
	t = x.zone.normal(t, x.now)
	s, ok := history.StampOf(t, x.zone.location)
	if !ok {
		return s, fmt.Errorf("the time of a row, %s, is no instant: parts of it are not specified; it is held back", cleanText(t.String()))
	}
	return s, x.stampable(s.At, cleanText(t.String()))
}

func (x *profileReader) stampable(at time.Time, text string) error {
	if err := stampable(at, text); err != nil {
		return fmt.Errorf("a row is held back: %w", err)
	}
	return nil
}
