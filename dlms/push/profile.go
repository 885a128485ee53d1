package push

import (
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
)

// columnsOf notes the columns of a profile: its capture objects.
func (m *Mapper) columnsOf(list axdr.Data) {
	m.columns = m.columns[:0]
	for e := range list.All() {
		o, ok := cutObject(e)
		if !ok {
			m.columns = m.columns[:0]
			return
		}
		m.columns = append(m.columns, o)
	}
}

// columnsFrom notes the columns of the profile that an entry of a push object
// list is about: those of the entry, or its capture objects if they are pushed
// too.
func (m *Mapper) columnsFrom(o *object) {
	m.columnsOf(o.columns)
	if len(m.columns) > 0 || o.class != cosem.ProfileGeneric || o.attribute != 2 {
		return
	}
	for i := range m.captures {
		if c := &m.captures[i]; c.code == o.code {
			m.columnsOf(c.columns)
			return
		}
	}
}

// rows reports whether the value of a code is the buffer of a profile.
func rows(e *Entry, d axdr.Data) bool {
	if d.Tag() != axdr.TagArray || e.Class != cosem.ProfileGeneric && (e.Class != 0 || cosem.GuessClass(e.Code) != cosem.ProfileGeneric) {
		return false
	}
	for row := range d.All() {
		if !complexData(row) {
			return false
		}
	}
	return d.Len() > 0
}

// rows gives the values of the rows of a profile, each row with its time. A row
// whose time is left out, since it follows from the one before and the capture
// period, is left out.
func (m *Mapper) rows(profile Entry, buffer axdr.Data) {
	n := 0
	timed := false
	for row := range buffer.All() {
		n++
		at, place := rowTime(row)
		timed = timed || place > 0
		if timed && place == 0 {
			continue
		}
		k := 0
		for c := range row.All() {
			k++
			if m.ended {
				return
			}
			if k == place || null(c) {
				continue
			}
			told := len(m.columns) > 0
			if told && len(m.columns) != row.Len() {
				continue // which is which is not known
			}
			m.entry = profile
			e := &m.entry
			e.Row, e.Column, e.Time = n, k, at
			if !told {
				e.Index = uint16(k) // the name of the profile alone would be that of all of them
			} else {
				o := &m.columns[k-1]
				e.Named, e.Code, e.Class, e.Attribute, e.Index = true, o.code, o.class, o.attribute, o.index
				if o.attribute == 0 { // some meters have it for the value of a register
					e.Attribute = 2
				}
				if valueAttribute(o.class, e.Attribute) {
					e.Unit, e.HasUnit = m.unit(o.class, o.code)
				}
			}
			m.path = append(m.path, n, k)
			e.Value = c
			m.give()
			m.path = m.path[:len(m.path)-2]
		}
	}
}

// rowTime returns the time of a row and its place, from 1; 0: it has none.
func rowTime(row axdr.Data) (at axdr.Data, place int) {
	k := 0
	for c := range row.All() {
		k++
		if t, ok := c.DateTime(); ok && t.Complete() {
			return c, k
		}
	}
	return nil, 0
}
