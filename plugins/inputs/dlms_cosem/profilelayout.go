package dlms_cosem

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/internal/history"
)

// profileFacts are what a profile says of its rows, as kept in the state.
type profileFacts struct {
	Captured []byte        `json:"captured,omitempty"` // capture_objects, encoded
	Class    cosem.ClassID `json:"class,omitempty"`
	Period   int64         `json:"period,omitempty"` // seconds; 0: not periodic
	Order    history.Order `json:"order,omitempty"`
	LIFO     bool          `json:"lifo,omitempty"` // the profile says so; Order is what was seen
	Sort     []byte        `json:"sort,omitempty"` // sort_object, encoded
}

// layout is what the cells of a profile's rows are.
type layout struct {
	objects []cosem.CaptureObject
	clock   int  // the column with the rows' time; -1: there is none
	unix    bool // it counts seconds since 1970
	columns []column
	items   []*item // of the columns, in their order
	period  time.Duration
	by      cosem.CaptureObject // by which rows can be selected
}

// column is a cell that becomes a field.
type column struct {
	at    int // of the cell
	it    *item
	field string
	event bool // it is the code of an event
	whole bool // all attributes of an object
	index int  // element of the attribute; 0: all of it
}

// unixClock is the clock that counts seconds (Blue Book Ed. 13, clause 6.2.5).
func unixClock() obis.Code { return obis.Code{0, 0, 1, 1, 0, 255} }

func localClock() cosem.CaptureObject {
	at := clockAttribute()
	return cosem.CaptureObject{Class: at.Class, Instance: at.Instance, Attribute: at.ID}
}

// newLayout makes a layout of what a profile says of itself.
func newLayout(p *profile, f *profileFacts) (*layout, error) {
	objects, err := cosem.ParseCaptureObjects(f.Captured)
	switch {
	case err != nil:
		return nil, err
	case len(objects) == 0:
		return nil, errors.New("the profile has no columns (its capture_objects are empty): nothing can be in it")
	}
	l := &layout{objects: objects, clock: -1, period: time.Duration(f.Period) * time.Second}
	for i, o := range objects {
		if o.Class == cosem.Clock && valueID(o) == 2 {
			l.clock = i
			break
		}
		if o.Instance == unixClock() && valueID(o) == 2 {
			l.clock, l.unix = i, true
			break
		}
	}
	if l.clock < 0 { // the time of a capture is a time, too
		l.clock = slices.IndexFunc(objects, func(o cosem.CaptureObject) bool {
			return o.Class == cosem.ExtendedRegister && o.Attribute == 5 || o.Class == cosem.DemandRegister && o.Attribute == 6
		})
	}
	l.by = localClock()
	if l.clock >= 0 && (objects[l.clock].Class == cosem.Clock || l.unix) {
		l.by = objects[l.clock]
		l.by.Attribute = 2
	}
	if sort, err := cosem.ParseCaptureObject(f.Sort); err == nil && (sort.Class == cosem.Clock || sort.Instance == unixClock()) {
		l.by = sort
	}
	fields := map[string]bool{}
	for i, o := range objects {
		if i == l.clock || len(p.columns) > 0 && !slices.ContainsFunc(p.columns, func(c chosenColumn) bool { return c.fits(o) }) {
			continue
		}
		c := p.column(o)
		c.at = i
		for n, name := 2, c.field; fields[c.field]; n++ {
			c.field = name + "_" + strconv.Itoa(n)
		}
		fields[c.field] = true
		l.columns = append(l.columns, c)
		l.items = append(l.items, c.it)
	}
	return l, nil
}

// same reports whether the columns are those.
func (f *profileFacts) same(g *profileFacts) bool {
	return bytes.Equal(f.Captured, g.Captured) && f.Class == g.Class && f.Period == g.Period
}

// column makes a field of a capture object: as the item of the same attribute,
// if there is one.
func (p *profile) column(o cosem.CaptureObject) column {
	c := column{index: int(o.DataIndex), whole: o.Attribute == 0}
	class, id := int(o.Class), int(valueID(o))
	conf, same := Item{}, Item{OBIS: o.Instance.String(), Attribute: &id}
	if i := slices.IndexFunc(p.known, func(k Item) bool { return k.alike(same) && k.Element == nil }); i >= 0 {
		conf = p.known[i]
	}
	for _, chosen := range p.columns {
		if chosen.name != "" && chosen.fits(o) {
			conf.Name = chosen.name
		}
	}
	conf.OBIS, conf.Attribute, conf.Timestamp, conf.BaseName, conf.Index = same.OBIS, same.Attribute, "", nil, nil
	if class != 0 {
		conf.Class = &class
	}
	c.event = eventCode(o)
	if conf.Name == "" && c.event {
		conf.Name = "event"
	}
	c.it = buildItem(scope{p: &problems{}}, &conf, true)
	c.field = c.it.fieldName(c.it.class)
	if c.index > 0 && conf.Name == "" {
		c.field += "_" + strconv.Itoa(c.index)
	}
	return c
}

// eventCode reports whether a column holds the codes of an event log.
func eventCode(o cosem.CaptureObject) bool {
	return o.Instance[0] == 0 && o.Instance[2] == 96 && o.Instance[3] == 11 && valueID(o) == 2
}

// value is the cell's part that the column stands for.
func (c *column) value(cell axdr.Data) (axdr.Data, error) {
	if c.whole && cell.Tag() == axdr.TagStructure {
		d, ok := cell.Element(int(c.it.id) - 1)
		if !ok {
			return nil, fmt.Errorf("the column has attribute 0 and holds %s: no attribute %d in it", counted(cell.Len(), "element"), c.it.id)
		}
		cell = d
	}
	if c.index > 0 && isComplex(cell) { // some meters give the structure after all
		d, ok := cell.Element(c.index - 1)
		if !ok {
			return nil, fmt.Errorf("the column has data index %d and holds %s", c.index, counted(cell.Len(), "element"))
		}
		cell = d
	}
	return cell, nil
}
