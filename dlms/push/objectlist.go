package push

import (
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// unitOf is a scaler and unit that was pushed as an attribute of its own.
type unitOf struct {
	class cosem.ClassID
	code  obis.Code
	unit  cosem.ScalerUnit
}

// mostUnits bounds the search among them.
const mostUnits = 1000

// column is a column of a profile.
type column struct {
	class     cosem.ClassID
	code      obis.Code
	attribute int8
}

// object is an entry of a push object list: four elements, or six with
// restriction and columns (versions 0, and 1 and later of the class).
type object struct {
	class     cosem.ClassID
	code      obis.Code
	attribute int8
	index     uint16
	columns   axdr.Data
}

const (
	objectLeast = 3 // elements of an entry without a data index
	objectMost  = 6
)

// cutObject reads an entry of a push object list.
func cutObject(d axdr.Data) (o object, ok bool) {
	n := d.Len()
	if d.Tag() != axdr.TagStructure || n < objectLeast || n > objectMost {
		return o, false
	}
	i := 0
	for e := range d.All() {
		switch i {
		case 0:
			v, _ := e.Int64()
			o.class, ok = cosem.ClassID(v), e.Tag() == axdr.TagLongUnsigned
		case 1:
			var b []byte
			b, ok = e.Octets()
			if ok = ok && len(b) == 6; ok {
				o.code = obis.Code(b)
			}
		case 2:
			v, _ := e.Int64()
			o.attribute, ok = int8(v), e.Tag() == axdr.TagInteger
		case 3:
			v, _ := e.Int64()
			o.index, ok = uint16(v), e.Tag() == axdr.TagLongUnsigned
		case 5:
			o.columns = e
		default:
		}
		if !ok {
			return o, false
		}
		i++
	}
	return o, true
}

// objectListIn reports whether d is a push object list; certain, whether it can
// be nothing else: an array of descriptors and values of two octets looks the
// same, but for data indexes, which are 0 as a rule.
func objectListIn(d axdr.Data) (is, certain bool) {
	if d.Tag() != axdr.TagArray || d.Len() == 0 {
		return false, false
	}
	certain = true
	for e := range d.All() {
		o, ok := cutObject(e)
		if !ok {
			return false, false
		}
		certain = certain && o.index == 0
	}
	return true, certain
}

// objectListAt returns which of the elements is a push object list whose values
// the others are; -1: none.
func (m *Mapper) objectListAt(base, end int) int {
	for i := base; i < end; i++ {
		if is, _ := objectListIn(m.stack[i]); is && m.offset(i, end-base-1) >= 0 {
			return i
		}
	}
	return -1
}

// offset returns by how many entries the object list is ahead of its values; -1
// if their numbers do not fit. The list may stand among the values, for it is
// an attribute of the push setup and may name itself.
func (m *Mapper) offset(at, values int) int {
	switch m.stack[at].Len() {
	case values + 1: // it names itself
		return 1
	case values:
		return 0
	default:
		return -1
	}
}

// nested maps a push object list and one list with all of its values. It
// reports false if the elements are something else.
func (m *Mapper) nested(base, end int) bool {
	if end-base != 2 || !complexData(m.stack[end-1]) || m.stack[end-1].Len() < 2 {
		return false
	}
	if is, _ := objectListIn(m.stack[base]); !is || m.offset(base, m.stack[end-1].Len()) < 0 {
		return false
	}
	list, values := m.stack[base], m.stack[end-1]
	m.stack = append(m.stack, list)
	for v := range values.All() {
		m.stack = append(m.stack, v)
	}
	m.path = append(m.path, 2)
	m.objectList(end, end, len(m.stack))
	m.path = m.path[:len(m.path)-1]
	m.stack = m.stack[:end]
	return true
}

// objectList maps the elements that the list at says what they are.
func (m *Mapper) objectList(base, at, end int) {
	list, itself := m.stack[at], m.offset(at, end-base-1) == 1
	m.collectUnits(base, at, end, itself)
	i := base
	n := 0
	skipped := !itself
	for e := range list.All() {
		n++
		o, _ := cutObject(e)
		if !skipped && (o.class == cosem.PushSetup || n == list.Len()) {
			skipped = true // the list itself
			continue
		}
		if i == at {
			i++
		}
		if i >= end || m.ended {
			return
		}
		m.object(o, i-base+1, m.stack[i])
		i++
	}
}

// collectUnits finds the scalers and units that are among the values.
func (m *Mapper) collectUnits(base, at, end int, itself bool) {
	m.units = m.units[:0]
	i, n, skipped := base, 0, !itself
	list := m.stack[at]
	for e := range list.All() {
		n++
		o, _ := cutObject(e)
		if !skipped && (o.class == cosem.PushSetup || n == list.Len()) {
			skipped = true
			continue
		}
		if i == at {
			i++
		}
		if i >= end || len(m.units) == mostUnits {
			return
		}
		if id, ok := cosem.ScalerAttribute(o.class); ok && id == o.attribute {
			if u, ok := unitStructure(m.stack[i]); ok {
				m.units = append(m.units, unitOf{o.class, o.code, u})
			}
		}
		i++
	}
}

// unit finds what was pushed for a value beside it.
func (m *Mapper) unit(class cosem.ClassID, code obis.Code) (cosem.ScalerUnit, bool) {
	for i := range m.units {
		if u := &m.units[i]; u.code == code && u.class == class {
			return u.unit, true
		}
	}
	return cosem.ScalerUnit{}, false
}

// object gives the value of an entry.
func (m *Mapper) object(o object, at int, d axdr.Data) {
	if id, ok := cosem.ScalerAttribute(o.class); ok && id == o.attribute {
		if _, ok := unitStructure(d); ok {
			return // it belongs to another value
		}
	}
	m.path = append(m.path, at)
	defer func() { m.path = m.path[:len(m.path)-1] }()
	if o.attribute == 0 {
		m.whole(o, d)
		return
	}
	e := m.named(o.code)
	e.Class, e.Attribute, e.Index = o.class, o.attribute, o.index
	if valueAttribute(o.class, o.attribute) {
		e.Unit, e.HasUnit = m.unit(o.class, o.code)
	}
	m.columns = m.columns[:0]
	for c := range o.columns.All() {
		if x, ok := cutObject(c); ok {
			m.columns = append(m.columns, column{x.class, x.code, x.attribute})
		}
	}
	m.value(e, d)
	m.columns = m.columns[:0]
}

// valueAttribute reports whether scaler and unit of a class are those of the
// attribute.
func valueAttribute(class cosem.ClassID, id int8) bool {
	return id == 2 || class == cosem.DemandRegister && id == 3
}

// whole gives the attributes of an object that was pushed as a whole: a
// structure that begins with its logical name.
func (m *Mapper) whole(o object, d axdr.Data) {
	if d.Tag() != axdr.TagStructure {
		e := m.named(o.code)
		e.Class = o.class
		m.value(e, d)
		return
	}
	scaler, hasScaler := cosem.ScalerAttribute(o.class)
	var unit cosem.ScalerUnit
	hasUnit := false
	if e, ok := d.Element(int(scaler) - 1); ok && hasScaler {
		unit, hasUnit = unitStructure(e)
	}
	id := int8(0)
	for part := range d.All() {
		id++
		if id == 1 || hasUnit && id == scaler || id == mostAttribute {
			continue
		}
		e := m.named(o.code)
		e.Class, e.Attribute = o.class, id
		if valueAttribute(o.class, id) {
			e.Unit, e.HasUnit = unit, hasUnit
		}
		m.path = append(m.path, int(id))
		m.value(e, part)
		m.path = m.path[:len(m.path)-1]
	}
}

// rows reports whether the value of a code is the buffer of a profile.
func rows(e *Entry, d axdr.Data) bool {
	if e.Class != cosem.ProfileGeneric && (e.Class != 0 || cosem.GuessClass(e.Code) != cosem.ProfileGeneric) {
		return false
	}
	for row := range d.All() {
		if row.Tag() != axdr.TagStructure {
			return false
		}
	}
	return d.Len() > 0
}

// rows gives the values of the rows of a profile, each row with its time.
func (m *Mapper) rows(profile Entry, buffer axdr.Data) {
	n := 0
	for row := range buffer.All() {
		n++
		var at axdr.Data
		for c := range row.All() {
			if t, ok := c.DateTime(); ok && t.Complete() {
				at = c
				break
			}
		}
		k := 0
		for c := range row.All() {
			k++
			if m.ended {
				return
			}
			if len(c) == len(at) && len(at) > 0 && &c[0] == &at[0] || c.Tag() == axdr.TagNull {
				continue
			}
			m.entry = profile
			e := &m.entry
			e.Row, e.Column, e.Time, e.Value = n, k, at, c
			if len(m.columns) == row.Len() {
				col := m.columns[k-1]
				e.Code, e.Class, e.Attribute = col.code, col.class, col.attribute
			}
			m.path = append(m.path, n, k)
			m.give()
			m.path = m.path[:len(m.path)-2]
		}
	}
}
