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
		case 4:
			ok = complexData(e) || null(e)
		default:
			o.columns, ok = e, complexData(e) || null(e)
		}
		if !ok {
			return o, false
		}
		i++
	}
	return o, true
}

// self reports whether an entry is the push object list itself.
func (o *object) self() bool { return o.class == cosem.PushSetup && o.attribute == 2 }

// objectListIn reports whether d is a push object list. An array of class, code,
// attribute and values of two octets looks the same, but for data indexes: those
// are 0 where the attribute has no elements to choose from.
func objectListIn(d axdr.Data) bool {
	if d.Tag() != axdr.TagArray || d.Len() == 0 {
		return false
	}
	for e := range d.All() {
		o, ok := cutObject(e)
		if !ok || o.index != 0 && plainClass(o.class) {
			return false
		}
	}
	return true
}

// fit is how a push object list belongs to values.
type fit struct {
	ok   bool
	self int // entry that is the list itself and has no value; -1: there is none
}

// fits finds out whether the values from first to end, of which nulls at the
// end may be padding and the one at skip is none, are those of a push object
// list: there has to be one for each entry. The list is an attribute of the
// push setup and may name itself; then it has no value, or itself as the value.
func (m *Mapper) fits(list axdr.Data, first, skip, end int) fit {
	n, self := 0, -1
	for e := range list.All() {
		if o, _ := cutObject(e); o.self() && self < 0 {
			self = n
		}
		n++
	}
	count, used := 0, 0 // of values; of those up to the last that is not null
	selfValue := false
	for i := first; i < end; i++ {
		if i == skip {
			continue
		}
		if count == self {
			selfValue = null(m.stack[i]) || objectListIn(m.stack[i])
		}
		if count++; !null(m.stack[i]) {
			used = count
		}
	}
	with := count >= n && used <= n && (self < 0 || selfValue)
	without := self >= 0 && count >= n-1 && used <= n-1
	switch {
	case with == without: // it does not fit, or in two ways
		return fit{}
	case with:
		return fit{ok: true, self: -1}
	default:
		return fit{ok: true, self: self}
	}
}

// objects maps elements that are a push object list and its values. It reports
// false if they are something else.
func (m *Mapper) objects(base, end int) bool {
	const most = 8 // lists are tried: captured objects look the same
	tried := 0
	for at := base; at < end && tried < most; at++ {
		list := m.stack[at]
		if !objectListIn(list) {
			continue
		}
		tried++
		if at == base && m.nestedFits(base, end) {
			return false
		}
		f := m.fits(list, base, at, end)
		last := at+1 == end
		switch {
		case !f.ok, f.self < 0 && list.Len() == 1 && at > base:
		case f.self < 0 && at > base && !last: // in the middle, it would name itself
		case f.self >= 0 && at > base && !last && at-base != f.self:
		case m.allRows(list, base, at, end):
		default:
			m.objectList(list, f, base, at, end)
			return true
		}
	}
	return false
}

// nestedFits reports whether there are a push object list and one structure, of
// its values, and nothing else.
func (m *Mapper) nestedFits(base, end int) bool {
	for i := base + 2; i < end; i++ {
		if !null(m.stack[i]) {
			return false
		}
	}
	if base+1 >= end || m.stack[base+1].Tag() != axdr.TagStructure || isUnit(m.stack[base+1]) {
		return false
	}
	first := len(m.stack)
	for v := range m.stack[base+1].All() {
		m.stack = append(m.stack, v)
	}
	f := m.fits(m.stack[base], first, -1, len(m.stack))
	m.stack = m.stack[:first]
	return f.ok
}

// nested maps the push object list at i, and the list behind it that has all of
// its values, or rows of them. It returns 2, or 0 if they are something else.
func (m *Mapper) nested(base, i, end int) int {
	if i+1 >= end || !objectListIn(m.stack[i]) || !complexData(m.stack[i+1]) || isUnit(m.stack[i+1]) {
		return 0
	}
	list, values := m.stack[i], m.stack[i+1]
	first := len(m.stack)
	for v := range values.All() {
		m.stack = append(m.stack, v)
	}
	m.path = append(m.path, i+1-base+1)
	n := 2
	if m.allRows(list, first, -1, len(m.stack)) {
		m.columnsOf(list)
		m.rows(Entry{Class: cosem.ProfileGeneric, Attribute: 2}, values)
		m.columns = m.columns[:0]
	} else if f := m.fits(list, first, -1, len(m.stack)); f.ok {
		m.objectList(list, f, first, -1, len(m.stack))
	} else {
		n = 0
	}
	m.path, m.stack = m.path[:len(m.path)-1], m.stack[:first]
	return n
}

// allRows reports whether each value has an element for each entry of the list:
// then they are rows of a profile, and the list is its columns.
func (m *Mapper) allRows(list axdr.Data, first, skip, end int) bool {
	n := 0
	for i := first; i < end; i++ {
		if i == skip {
			continue
		}
		d := m.stack[i]
		if _, _, ok := withUnit(&Entry{}, d); ok || isUnit(d) || !complexData(d) || d.Len() != list.Len() || d.Len() < 2 {
			return false
		}
		n++
	}
	return n > 0
}

// objectList maps the values from base to end, but for the one at skip, as the
// list says what they are.
func (m *Mapper) objectList(list axdr.Data, f fit, base, skip, end int) {
	units, captures := len(m.units), len(m.captures)
	m.eachObject(list, f, base, skip, end, m.learnObject)
	m.eachObject(list, f, base, skip, end, m.object)
	m.units, m.captures = m.units[:units], m.captures[:captures]
}

// eachObject calls do with each entry, the number of its value and that.
func (m *Mapper) eachObject(list axdr.Data, f fit, base, skip, end int, do func(o object, at int, d axdr.Data)) {
	i, n := base, -1
	for e := range list.All() {
		if n++; n == f.self {
			continue
		}
		if i == skip {
			i++
		}
		if i >= end || m.ended {
			return
		}
		o, _ := cutObject(e)
		do(o, i-base+1, m.stack[i])
		i++
	}
}

// capture are the columns of a profile that were pushed beside its rows.
type capture struct {
	code    obis.Code
	columns axdr.Data
}

// learnObject notes a value that is about other values.
func (m *Mapper) learnObject(o object, _ int, d axdr.Data) {
	if id, ok := cosem.ScalerAttribute(o.class); ok && id == o.attribute {
		if u, ok := unitStructure(d); ok && len(m.units) < mostUnits {
			m.units = append(m.units, unitOf{o.class, o.code, u})
		}
	}
	if o.class == cosem.ProfileGeneric && o.attribute == 3 && objectListIn(d) && len(m.captures) < mostUnits {
		m.captures = append(m.captures, capture{o.code, d})
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

// object gives the value of an entry, which stands at a place.
func (m *Mapper) object(o object, at int, d axdr.Data) {
	if o.self() {
		return
	}
	m.path = append(m.path, at)
	if d.Tag() == axdr.TagStructure && o.attribute > 0 && tells(d, o.code) {
		m.list(d) // value and scaler and unit are in it
	} else {
		m.entry = Entry{Named: true, Code: o.code, Class: o.class, Attribute: o.attribute, Index: o.index}
		m.columnsFrom(&o)
		m.value(&m.entry, d)
		m.columns = m.columns[:0]
	}
	m.path = m.path[:len(m.path)-1]
}

// tells reports whether the first or second element of d is that code.
func tells(d axdr.Data, code obis.Code) bool {
	i := 0
	for e := range d.All() {
		if c, ok := codeOf(e); ok && c == code {
			return d.Len() > 1
		}
		if i++; i == 2 {
			break
		}
	}
	return false
}

// valueAttribute reports whether scaler and unit of a class are those of the
// attribute.
func valueAttribute(class cosem.ClassID, id int8) bool {
	return id == 2 || class == cosem.DemandRegister && id == 3
}

// whole gives the attributes of an object that was pushed as a whole: a
// structure that begins with its logical name.
func (m *Mapper) whole(class cosem.ClassID, code obis.Code, d axdr.Data) {
	if first, _ := d.Element(0); d.Tag() != axdr.TagStructure {
		return
	} else if c, ok := codeOf(first); !ok || c != code {
		return
	}
	scaler, hasScaler := cosem.ScalerAttribute(class)
	var unit cosem.ScalerUnit
	hasUnit := false
	if e, ok := d.Element(int(scaler) - 1); ok && hasScaler {
		unit, hasUnit = unitStructure(e)
	}
	if class == cosem.ProfileGeneric {
		columns, _ := d.Element(2)
		m.columnsOf(columns)
	}
	id := int8(0)
	for part := range d.All() {
		if id++; id > mostAttribute {
			break
		}
		if hasScaler && id == scaler {
			continue
		}
		m.entry = Entry{Named: true, Code: code, Class: class, Attribute: id}
		if valueAttribute(class, id) {
			m.entry.Unit, m.entry.HasUnit = unit, hasUnit
		}
		m.path = append(m.path, int(id))
		m.value(&m.entry, part)
		m.path = m.path[:len(m.path)-1]
	}
}
