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
	case null(d):
	default:
		m.path = append(m.path, 1)
		m.unnamed(d, cosem.ScalerUnit{}, false)
	}
}

// unnamed gives a value of which only the place is known.
func (m *Mapper) unnamed(d axdr.Data, u cosem.ScalerUnit, hasUnit bool) {
	m.entry = Entry{Attribute: 2, Value: d, Unit: u, HasUnit: hasUnit}
	m.give()
}

// list maps a structure or array, whatever its arrangement.
func (m *Mapper) list(d axdr.Data) {
	if objectListIn(d) {
		return // what would be its values does not fit it
	}
	base, units, third := len(m.stack), len(m.units), m.third
	for e := range d.All() {
		m.stack = append(m.stack, e)
	}
	end := len(m.stack)
	if !m.objects(base, end) {
		record := d.Tag() == axdr.TagStructure && m.record(base, end)
		if !record {
			m.learn(base, end)
			m.sequence(base, end)
		}
	}
	m.stack, m.units, m.third = m.stack[:base], m.units[:units], third
}

// plain gives elements of which nothing is known, and maps the lists among them.
func (m *Mapper) plain(base, i, end int) {
	m.loose = -1
	for i < end && !m.ended {
		i += m.single(base, i, end)
	}
}

// single maps an element that no code tells of. A scaler and unit behind it are
// its own, unless some stand in front of it too. It returns how many elements
// these are.
func (m *Mapper) single(base, i, end int) int {
	d := m.stack[i]
	switch {
	case m.isUnit(i):
		m.loose = i
		return 1
	case null(d), m.isCode(i):
		return 1
	default:
	}
	m.path = append(m.path, i-base+1)
	n := 1
	if complexData(d) {
		m.list(d)
	} else {
		var u cosem.ScalerUnit
		hasUnit := false
		if i+1 < end && (i == base || m.loose != i-1) {
			if u, hasUnit = unitStructure(m.stack[i+1]); hasUnit {
				n++
			}
		}
		m.unnamed(d, u, hasUnit)
	}
	m.path = m.path[:len(m.path)-1]
	return n
}

// rhythm is what is known about elements that stand one after the other: a
// value is the one of the code in front of it only where all of them agree.
type rhythm struct {
	codes    int  // how many there are
	pairs    int  // of these, with one value and nothing else
	flats    int  // of these, with a value, and scaler and unit as two elements
	broken   int  // of these, with several values, but for the last one
	last     int  // the last one
	tail     bool // and behind value, class, scaler and unit
	doubtful bool // what is in front of the first may be its value
	classed  bool // a class stands in front of each
	backward bool // each stands behind its value
}

// boundary reports whether what is at i, nulls aside, is not a further value of
// the code in front of it.
func (m *Mapper) boundary(i, end int, classed bool) bool {
	for i < end && null(m.stack[i]) {
		i++
	}
	switch {
	case i >= end, m.isCode(i):
		return true
	case complexData(m.stack[i]):
		return !m.isUnit(i)
	default:
		return m.descriptor(i, end, classed)
	}
}

// descriptor reports whether class and code begin at i, with a value behind
// them: where not all codes have a class, an attribute tells that it is one.
func (m *Mapper) descriptor(i, end int, classed bool) bool {
	if i+2 >= end || !m.isClass(i) || !m.isCode(i+1) {
		return false
	}
	return classed || i+3 < end && m.stack[i+2].Tag() == axdr.TagInteger && !m.isCode(i+3)
}

// rhythmOf looks at all of the elements before any is named.
func (m *Mapper) rhythmOf(base, end int) (r rhythm) {
	classes, tails, first, final := 0, 0, -1, -1
	number, unit := false, false // in front of the first code
	for i := base; i < end; i++ {
		if !null(m.stack[i]) {
			final = i
		}
		if !m.isCode(i) || m.isList(i) {
			class := i+1 < end && m.isClass(i) && m.isCode(i+1)
			number = number || r.codes == 0 && isNumber(m.stack[i]) && !class
			unit = unit || r.codes == 0 && m.isUnit(i)
			continue
		}
		if r.codes == 0 {
			first = i
		}
		r.codes++
		r.last = i
		if i > base && m.isClass(i-1) {
			classes++
		}
		if i > base+2 && m.isUnit(i-1) && m.isClass(i-2) && simple(m.stack[i-3]) {
			tails++
		}
	}
	if r.codes == 0 {
		return r
	}
	r.classed = classes == r.codes && first == base+1
	r.tail = tails == r.codes
	if first > base+1 {
		unit = unit || m.stack[first-1].Tag() == axdr.TagEnum && m.stack[first-2].Tag() == axdr.TagInteger
	}
	r.backward = unit || r.last == final && first > base && !m.isCode(final-1) && !complexData(m.stack[base])
	r.doubtful = number && !r.classed
	for i := first; i <= r.last; i++ {
		if m.isCode(i) && !m.isList(i) {
			m.countGroup(&r, base, i, end, first)
		}
	}
	return r
}

// countGroup adds to a rhythm what is behind the code at i.
func (m *Mapper) countGroup(r *rhythm, base, i, end, first int) {
	v := i + 1
	if v >= end || m.isCode(v) || null(m.stack[v]) || m.isUnit(v) {
		return
	}
	value := v
	if i > base && m.isClass(i-1) && m.stack[v].Tag() == axdr.TagInteger && v+1 < end {
		value++
	}
	if code, _ := codeOf(m.stack[i]); own(code, m.stack[value]) {
		r.doubtful = false
	}
	_, flat := m.flatUnit(v+1, end, r.classed)
	switch {
	case flat:
		r.flats++
	case v+1 < end && m.isUnit(v+1):
	case m.boundary(v+1, end, r.classed):
		if i == first || !m.isCode(i-1) {
			r.pairs++
		}
	case i < r.last && (i == base || !m.isClass(i-1)):
		r.broken++
	default:
	}
}

// sequence maps elements one after the other: codes, each with its value and
// perhaps scaler and unit; lists inside; and values without a code.
func (m *Mapper) sequence(base, end int) {
	m.loose = -1
	r := m.rhythmOf(base, end)
	mixed := false
	for i := base; i < end; i++ {
		mixed = mixed || objectListIn(m.stack[i])
	}
	for i := base; i < end && !m.ended; {
		n := 0
		if mixed {
			n = m.nested(base, i, end)
		} else if r.codes > 0 {
			n = m.group(base, i, end, &r)
		}
		if n == 0 {
			n = m.single(base, i, end)
		}
		i += n
	}
}

// group maps the elements at i that belong to one code. It returns how many
// they are, 0 if they are none.
func (m *Mapper) group(base, i, end int, r *rhythm) int {
	switch {
	case m.isCode(i) && !m.isList(i):
		if n := m.run(base, i, end, r); n > 0 {
			return n
		}
		if r.backward {
			return 1
		}
		code, _ := codeOf(m.stack[i])
		return m.behind(base, i, i+1, end, Entry{Named: true, Code: code, Attribute: 2}, r)
	case !r.backward && m.isClass(i) && i+2 < end && m.isCode(i+1):
		return m.classed(base, i, end, r)
	case r.tail && i+3 < end && simple(m.stack[i]) && m.isClass(i+1) && m.isUnit(i+2) && m.isCode(i+3):
		// value, class, scaler and unit, code
		code, _ := codeOf(m.stack[i+3])
		m.entry = Entry{Named: true, Code: code, Attribute: 2}
		m.entry.Class, _ = classOf(m.stack[i+1])
		m.entry.Unit, m.entry.HasUnit = unitStructure(m.stack[i+2])
		m.valueAt(base, i)
		return 4
	default:
		return 0
	}
}

// run passes over codes that stand behind each other. The second may be the
// value of the first; or all are a head, whose values come later: then none of
// those is told. It returns 0 if the code at i is followed by something else.
func (m *Mapper) run(base, i, end int, r *rhythm) int {
	n := 1
	for i+n < end && m.isCode(i+n) && !m.isList(i+n) {
		n++
	}
	if n == 1 {
		return 0
	}
	tail := i + n
	for tail < end && null(m.stack[tail]) {
		tail++
	}
	odd := n & 1
	if n-odd > 0 && (odd == 1 || tail == end) && r.pairs > 1 && r.broken == 0 && !r.backward && !r.doubtful {
		for k := i; k+1 < i+n; k += 2 {
			code, _ := codeOf(m.stack[k])
			m.entry = Entry{Named: true, Code: code, Attribute: 2}
			m.valueAt(base, k+1)
		}
	}
	return n - odd
}

// valueAt gives the value at i to the entry that has been begun.
func (m *Mapper) valueAt(base, i int) {
	m.path = append(m.path, i-base+1)
	m.value(&m.entry, m.stack[i])
	m.path = m.path[:len(m.path)-1]
}

// classed maps class and code, then perhaps attribute and data index or a
// scaler, and the value.
func (m *Mapper) classed(base, i, end int, r *rhythm) int {
	code, _ := codeOf(m.stack[i+1])
	e := Entry{Named: true, Code: code, Attribute: 2}
	e.Class, _ = classOf(m.stack[i])
	v := i + 2
	if m.stack[v].Tag() != axdr.TagInteger {
		if !r.classed {
			return 0
		}
		return m.behind(base, i, v, end, e, r)
	}
	v++
	if v >= end {
		return v - i
	}
	if !attribute(&e, m.stack[v-1], m.stack[v], m.third) {
		return v - i
	}
	if id, ok := cosem.ScalerAttribute(e.Class); ok && id == e.Attribute {
		return v + 1 - i // scaler and unit, which belong to another value
	}
	if index := m.stack[v]; index.Tag() == axdr.TagLongUnsigned && v+1 < end {
		switch {
		case m.isCode(v + 1): // value of this attribute, or of another code
			return v - i
		case !simple(m.stack[v+1]), m.boundary(v+1, end, true):
		case !dataIndex(&e, index), !m.boundary(v+2, end, true): // a value, and something behind it
			return v - i
		default:
			v++
		}
	}
	return m.behind(base, i, v, end, e, r)
}

// attribute sets what the integer behind class and code says. It reports false
// if that is not sure.
func attribute(e *Entry, d, value axdr.Data, t third) bool {
	v, _ := d.Int64()
	id, hasScaler := cosem.ScalerAttribute(e.Class)
	a, ok := attributeOf(d)
	switch {
	case t == scalerThird:
		e.Unit, e.HasUnit = cosem.ScalerUnit{Scaler: int8(v), Unit: cosem.UnitUndefined}, true
	case v == 0: // the whole object, or a scaler that does nothing
		if complexData(value) {
			e.Attribute = 0
		}
	case !ok, t == doubtfulThird:
		return false
	case hasScaler && a == id:
		e.Attribute = a
		return isUnit(value)
	default:
		e.Attribute = a
	}
	return true
}

// dataIndex sets the data index, and reports whether it can be one: elements of
// what has none cannot be chosen.
func dataIndex(e *Entry, d axdr.Data) bool {
	v, _ := d.Int64()
	e.Index = uint16(v)
	return v == 0 || !plainClass(e.Class)
}

// plainClass reports whether the values of a class have no elements.
func plainClass(c cosem.ClassID) bool {
	return c == cosem.Register || c == cosem.ExtendedRegister || c == cosem.DemandRegister || c == cosem.DisconnectControl
}

// behind maps the value at v of the code whose elements begin at i, and its
// scaler and unit. It returns how many elements these are.
func (m *Mapper) behind(base, i, v, end int, e Entry, r *rhythm) int {
	if v >= end {
		return v - i
	}
	if u, ok := unitStructure(m.stack[v]); ok { // in front of the value
		if v++; v < end && simple(m.stack[v]) && !m.isCode(v) && !r.backward && m.boundary(v+1, end, r.classed) {
			e.Unit, e.HasUnit = u, true
			m.entry = e
			m.valueAt(base, v)
			return v + 1 - i
		}
		return v - i
	}
	switch {
	case null(m.stack[v]): // the meter has none
		if v++; v < end && m.isUnit(v) {
			v++
		}
		return v - i
	case m.isCode(v) && (e.Class == 0 || e.Attribute == 1 || !m.boundary(v+1, end, true)):
		return v - i
	case complexData(m.stack[v]) && e.Class == 0 && holdsCode(m.stack[v]):
		return v - i // it tells itself what it is
	case e.Class == 0 && m.descriptor(v, end, false):
		return v - i // it is the class of another
	default:
	}
	after := v + 1
	if after < end && m.isUnit(after) && (m.boundary(after+1, end, r.classed) || isNumber(m.stack[v]) && !m.isClass(v)) {
		e.Unit, e.HasUnit = unitStructure(m.stack[after])
		after++
	} else if u, ok := m.flatUnit(after, end, r.classed); ok && (!r.doubtful || r.codes > 1 && r.flats == r.codes) {
		e.Unit, e.HasUnit = u, true
		after += 2
	} else if !m.sure(i, v, base, end, &e, r) {
		return v - i
	}
	m.entry = e
	m.valueAt(base, v)
	return after - i
}

// sure reports whether the value at v, with neither scaler nor unit, is the one
// of the code whose elements begin at i.
func (m *Mapper) sure(i, v, base, end int, e *Entry, r *rhythm) bool {
	bounded := m.boundary(v+1, end, r.classed)
	switch {
	case e.Class != 0 && bounded && !r.doubtful, own(e.Code, m.stack[v]):
		return true
	case e.Class != 0, r.backward, r.doubtful, r.broken > 0:
		return false
	case r.codes == 1:
		return bounded && e.Code[5] == 255
	case bounded:
		return true
	default: // a value without code behind the last pair
		return i == r.last && r.pairs > 0 && (i == base || !m.isCode(i-1) || m.isList(i-1))
	}
}

// own reports whether a value is what the code says by itself, whatever comes
// behind it: a date and time at a clock, text at a number of the device.
func own(c obis.Code, d axdr.Data) bool {
	if isClock(c) {
		t, ok := d.DateTime()
		return ok && t.Complete()
	}
	id := c[2] == 42 || c[2] == 96 && c[3] <= 1 || c[0] != 0 && c[2] == 0 && (c[3] == 0 || c[3] == 2)
	return id && printable(d) != nil
}

// flatUnit reads scaler and unit that stand as two elements, an integer and an
// enum, in front of the next code or the end.
func (m *Mapper) flatUnit(i, end int, classed bool) (u cosem.ScalerUnit, ok bool) {
	if i+2 > end || m.stack[i].Tag() != axdr.TagInteger || m.stack[i+1].Tag() != axdr.TagEnum || !m.boundary(i+2, end, classed) {
		return u, false
	}
	return cosem.ScalerUnit{Scaler: int8(m.stack[i][1]), Unit: cosem.Unit(m.stack[i+1][1])}, true
}

// value gives the value of a code: as it is, without the structure that holds
// it together with its scaler and unit, or row by row.
func (m *Mapper) value(e *Entry, d axdr.Data) {
	if v, u, ok := withUnit(e, d); ok {
		e.Unit, e.HasUnit = u, true
		d = v
	}
	switch {
	case null(d):
		return // the meter has none
	case e.Attribute == 1:
		return // the code once more
	case isUnit(d):
		return // the scaler and unit of a value that is not there, or elsewhere
	case e.Attribute == 0 && complexData(d):
		m.whole(e.Class, e.Code, d)
		return
	case e.Attribute == 2 && rows(e, d):
		m.rows(*e, d)
		return
	case e.Attribute == 0: // some meters have it for the value of a register
		e.Attribute = 2
	default:
	}
	if valueAttribute(e.Class, e.Attribute) && !e.HasUnit {
		e.Unit, e.HasUnit = m.unit(e.Class, e.Code)
	}
	e.Value = d
	m.give()
}

// withUnit takes a structure of a value and its scaler and unit apart: these
// may be a structure, or an integer and an enum behind the value of a register.
func withUnit(e *Entry, d axdr.Data) (v axdr.Data, u cosem.ScalerUnit, ok bool) {
	n := d.Len()
	if d.Tag() != axdr.TagStructure || n < 2 || n > 3 {
		return nil, u, false
	}
	var p [3]axdr.Data
	i := 0
	for part := range d.All() {
		p[i] = part
		i++
	}
	if n == 3 {
		class := e.Class
		if class == 0 {
			class = cosem.GuessClass(e.Code)
		}
		_, register := cosem.ScalerAttribute(class)
		if !register || !simple(p[0]) || p[1].Tag() != axdr.TagInteger || p[2].Tag() != axdr.TagEnum {
			return nil, u, false
		}
		return p[0], cosem.ScalerUnit{Scaler: int8(p[1][1]), Unit: cosem.Unit(p[2][1])}, true
	}
	v = p[0]
	if u, ok = unitStructure(p[1]); !ok {
		v = p[1]
		u, ok = unitStructure(p[0])
	}
	return v, u, ok && !complexData(v)
}
