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
		return r, fmt.Errorf("the row does not fit the profile's columns: %w", err)
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
		if c.event && r.Of[i].got && !r.Of[i].v.hasText {
			r.Of[i].v.text, r.Of[i].v.hasText = x.h.p.eventText(r.Of[i].v.number)
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

// stamp is the time of a row. It is the errors that are put into words.
func (x *profileReader) stamp(cell axdr.Data) (s history.Stamp, err error) {
	t, isTime := cell.DateTime()
	n, isCount := cell.Int64()
	ok := isCount
	switch {
	case isCount:
		s.At = time.Unix(n, 0).UTC()
	case isTime:
		s, ok = history.StampOf(x.zone.normal(t, x.now), x.zone.location)
	case isNull(cell):
		return s, errors.New("a row has no time, and there is nothing to derive it from")
	default:
		return s, fmt.Errorf("the time of a row is %s: a date-time was expected", shorten(cell.String(), 80))
	}
	if !ok {
		return s, fmt.Errorf("the time of a row, %s, is no instant: parts of it are not specified", cleanText(t.String()))
	}
	if y := s.At.UTC().Year(); y < firstYear || y > lastYear {
		return s, stampable(s.At, s.At.UTC().Format(time.RFC3339))
	}
	return s, nil
}
