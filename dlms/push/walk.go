package push

import (
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// outermost maps the body itself.
func (m *Mapper) outermost(d axdr.Data) {
	switch {
	case complexData(d):
		m.list(d)
	case d.Tag() == axdr.TagNull || d.Tag() == axdr.TagDontCare:
	default:
		m.path = append(m.path, 1)
		m.unnamed(d)
	}
}

// unnamed gives a value of which only the place is known.
func (m *Mapper) unnamed(d axdr.Data) {
	m.entry = Entry{Attribute: 2, Value: d}
	m.give()
}

// list maps a structure or array, whatever its arrangement.
func (m *Mapper) list(d axdr.Data) {
	base := len(m.stack)
	for e := range d.All() {
		m.stack = append(m.stack, e)
	}
	end := len(m.stack)
	_, certain := objectListIn(d)
	if i := m.objectListAt(base, end); i >= 0 {
		m.objectList(base, i, end)
	} else if !certain && !m.nested(base, end) && (d.Tag() != axdr.TagStructure || !m.record(base, end)) {
		m.sequence(base, end)
	}
	m.stack = m.stack[:base]
}

// sequence maps elements one after the other: codes, each followed by its
// value and perhaps scaler and unit; lists inside; and values without a code.
func (m *Mapper) sequence(base, end int) {
	for i := base; i < end && !m.ended; {
		d := m.stack[i]
		n := 1
		switch code, isCode := codeOf(d); {
		case isCode && !listID(code):
			n = m.pair(base, i, end, m.named(code))
		case isCode: // the number of a list, which the meter has among its values
		case complexData(d):
			m.path = append(m.path, i-base+1)
			m.list(d)
			m.path = m.path[:len(m.path)-1]
		case d.Tag() == axdr.TagNull || d.Tag() == axdr.TagDontCare: // padding
		default:
			if n = m.descriptor(base, i, end); n == 0 {
				n = 1
				m.path = append(m.path, i-base+1)
				m.unnamed(d)
				m.path = m.path[:len(m.path)-1]
			}
		}
		i += n
	}
}

// listID reports whether a code is that of a push setup: meters send it to say
// which list it is that follows.
func listID(c obis.Code) bool { return c[0] == 0 && c[2] == 25 && c[3] == 9 }

// pair maps the code at i and the value behind it. It returns how many
// elements that are.
func (m *Mapper) pair(base, i, end int, e *Entry) int {
	n := 1
	if i+n < end {
		if u, ok := unitStructure(m.stack[i+n]); ok && i+n+1 < end { // before the value
			if _, isCode := codeOf(m.stack[i+n+1]); !isCode {
				e.Unit, e.HasUnit = u, true
				n++
			}
		}
	}
	if i+n >= end {
		return n
	}
	value := m.stack[i+n]
	if _, isCode := codeOf(value); isCode {
		return n // this code has no value
	}
	at := i + n - base + 1
	n++
	if i+n < end && !e.HasUnit {
		if u, ok := unitStructure(m.stack[i+n]); ok {
			e.Unit, e.HasUnit = u, true
			n++
		} else if u, ok := m.flatUnit(i+n, end); ok {
			e.Unit, e.HasUnit = u, true
			n += 2
		}
	}
	m.path = append(m.path, at)
	m.value(e, value)
	m.path = m.path[:len(m.path)-1]
	return n
}

// flatUnit reads scaler and unit that stand as two elements, an integer and an
// enum, in front of the next code or the end.
func (m *Mapper) flatUnit(i, end int) (u cosem.ScalerUnit, ok bool) {
	if i+2 > end || m.stack[i].Tag() != axdr.TagInteger || m.stack[i+1].Tag() != axdr.TagEnum {
		return u, false
	}
	if i+2 < end {
		if _, isCode := codeOf(m.stack[i+2]); !isCode {
			return u, false
		}
	}
	return cosem.ScalerUnit{Scaler: int8(m.stack[i][1]), Unit: cosem.Unit(m.stack[i+1][1])}, true
}

// descriptor maps class, code, attribute and value that stand one after the
// other. It returns how many elements that are, 0 if it is something else.
func (m *Mapper) descriptor(base, i, end int) int {
	if i+4 > end {
		return 0
	}
	class, ok := classOf(m.stack[i])
	if !ok {
		return 0
	}
	code, ok := codeOf(m.stack[i+1])
	if !ok {
		return 0
	}
	attribute, ok := attributeOf(m.stack[i+2])
	if !ok {
		return 0
	}
	e := m.named(code)
	e.Class, e.Attribute = class, attribute
	return 2 + m.pair(base, i+2, end, e)
}

// classOf reads a class id: a long-unsigned that the standard knows.
func classOf(d axdr.Data) (cosem.ClassID, bool) {
	if d.Tag() != axdr.TagLongUnsigned {
		return 0, false
	}
	v, _ := d.Int64()
	return cosem.ClassID(v), cosem.ClassID(v).Known()
}

// mostAttribute is the largest number of an attribute that classes have.
const mostAttribute = 30

// attributeOf reads the number of an attribute.
func attributeOf(d axdr.Data) (int8, bool) {
	if d.Tag() != axdr.TagInteger {
		return 0, false
	}
	v, _ := d.Int64()
	return int8(v), v >= 1 && v <= mostAttribute
}

// value gives the value of a code: as it is, without the structure that holds
// it together with its scaler and unit, or row by row.
func (m *Mapper) value(e *Entry, d axdr.Data) {
	switch {
	case d.Tag() == axdr.TagNull || d.Tag() == axdr.TagDontCare:
		return // the meter has none
	case e.Attribute == 1:
		return // the code once more
	case d.Tag() == axdr.TagStructure && d.Len() == 2 && !e.HasUnit:
		second, _ := d.Element(1)
		first, _ := d.Element(0)
		if u, ok := unitStructure(second); ok && !complexData(first) {
			e.Unit, e.HasUnit = u, true
			d = first
		}
	case d.Tag() == axdr.TagArray && e.Index == 0 && e.Attribute == 2 && rows(e, d):
		m.rows(*e, d)
		return
	default:
	}
	e.Value = d
	m.give()
}

// record maps a structure that is about one code, with its parts in any order:
// class, code, attribute, value, scaler and unit. It reports false if it is
// something else.
func (m *Mapper) record(base, end int) bool {
	at := -1
	for i := base; i < end; i++ {
		if _, ok := codeOf(m.stack[i]); ok {
			if at >= 0 && (end-base != 2 || i != base+1) {
				return false
			}
			if at < 0 {
				at = i
			}
		}
	}
	if at < 0 || end-base > 6 || end-base < 2 {
		return false
	}
	if end-base == objectLeast && at == base+1 {
		if _, isClass := classOf(m.stack[base]); isClass && m.stack[base+2].Tag() == axdr.TagInteger {
			return true // class, code and attribute: a reference, no value
		}
	}
	code, _ := codeOf(m.stack[at])
	if listID(code) && end-base > 2 && at > base {
		return false
	}
	e := Entry{Named: true, Code: code, Attribute: 2}
	var parts [6]int // what is not told apart yet
	n := 0
	for i := base; i < end; i++ {
		d := m.stack[i]
		if i == at {
			continue
		}
		if u, ok := unitStructure(d); ok && !e.HasUnit && end-base > 2 {
			e.Unit, e.HasUnit = u, true
			continue
		}
		parts[n] = i
		n++
	}
	value, ok := m.parts(&e, at, parts[:n])
	if !ok {
		return false
	}
	m.path = append(m.path, value-base+1)
	m.entry = e
	m.value(&m.entry, m.stack[value])
	m.path = m.path[:len(m.path)-1]
	return true
}

// parts tells the parts of a record apart that are neither its code nor a
// structure of scaler and unit. It returns which is the value.
func (m *Mapper) parts(e *Entry, at int, parts []int) (value int, ok bool) {
	if len(parts) > 1 {
		// The class stands in front of the code, or next to it behind the value.
		for k, i := range parts {
			if class, ok := classOf(m.stack[i]); ok && (i < at || k > 0 && i+1 == at) && (k == 0 && i+1 == at || k > 0) {
				e.Class = class
				parts = append(parts[:k], parts[k+1:]...)
				break
			}
		}
	}
	if len(parts) > 1 && parts[0] == at+1 {
		if attribute, ok := attributeOf(m.stack[parts[0]]); ok && e.Class != 0 {
			e.Attribute, parts = attribute, parts[1:]
			if len(parts) == 2 && m.stack[parts[0]].Tag() == axdr.TagLongUnsigned { // data index
				v, _ := m.stack[parts[0]].Int64()
				e.Index, parts = uint16(v), parts[1:]
			}
		} else if m.stack[parts[0]].Tag() == axdr.TagInteger && e.Class != 0 && len(parts) == 2 { // scaler
			v, _ := m.stack[parts[0]].Int64()
			e.Unit, e.HasUnit, parts = cosem.ScalerUnit{Scaler: int8(v), Unit: cosem.UnitUndefined}, true, parts[1:]
		}
	}
	if len(parts) == 3 && !e.HasUnit {
		if u, ok := m.flatUnit(parts[1], parts[2]+1); ok && parts[2] == parts[1]+1 {
			e.Unit, e.HasUnit, parts = u, true, parts[:1]
		}
	}
	if len(parts) != 1 {
		return 0, false
	}
	return parts[0], true
}
