package push

import (
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
)

// mostParts is how many elements a structure about one code has at most: class,
// code, attribute, data index, value, scaler and unit, and perhaps a time.
const mostParts = 8

// parts are the elements of a structure about one code.
type parts struct {
	front, behind   [mostParts]int // places of those on either side of the code
	fronts, behinds int
	code, unit      int // places; unit -1: there is none
	scalerUnit      cosem.ScalerUnit
	lastBehind      int // how many of those behind the code there are without nulls at the end
}

// split takes a structure about one code apart. It reports false for others.
func (m *Mapper) split(base, end int) (p parts, ok bool) {
	if end-base < 2 || end-base > mostParts {
		return p, false
	}
	p.code, p.unit = -1, -1
	for i := base; i < end; i++ {
		isCode := m.isCode(i)
		u, isUnit := unitStructure(m.stack[i])
		switch {
		case isCode && p.code < 0:
			p.code = i
		case isCode && (end-base != 2 || m.isList(base)) && (i < base+3 || i != end-1 || !m.isClass(base)):
			return p, false // but a code may be a value
		case isUnit && p.unit < 0:
			p.unit, p.scalerUnit = i, u
		case complexData(m.stack[i]) && holdsCode(m.stack[i]):
			return p, false // a list, and not of one code
		case p.code < 0:
			p.front[p.fronts] = i
			p.fronts++
		default:
			p.behind[p.behinds] = i
			p.behinds++
			if !null(m.stack[i]) {
				p.lastBehind = p.behinds
			}
		}
	}
	return p, p.code >= 0
}

// record maps a structure that is about one code, with its parts in one of the
// orders that are known. It reports false if it is something else.
func (m *Mapper) record(base, end int) bool {
	p, ok := m.split(base, end)
	if !ok {
		return false
	}
	if m.isList(p.code) && !(p.fronts == 1 && m.isClass(base)) {
		return false // it tells which list it is
	}
	code, _ := codeOf(m.stack[p.code])
	m.entry = Entry{Named: true, Code: code, Attribute: 2, Unit: p.scalerUnit, HasUnit: p.unit >= 0}
	switch {
	case p.fronts == 0:
		return m.codeFirst(base, &p)
	case p.fronts == 1 && p.code == base+1 && m.isClass(base) && p.behinds > 0:
		m.entry.Class, _ = classOf(m.stack[base])
		if !m.classFirst(base, &p) {
			m.plain(base, p.behind[0]+1, end) // of a value, not of an attribute
		}
		return true
	case p.fronts == 1 && p.code == base+1 && m.isClass(base):
		return true // class and code, or a value and its code
	case p.behinds > 0:
		if isNumber(m.stack[p.front[0]]) && p.lastBehind > 0 {
			m.plain(base, base, end) // either may be the value
			return true
		}
		return false
	case p.fronts == 2 && m.isClass(base+1) && p.unit >= 0:
		m.entry.Class, _ = classOf(m.stack[base+1])
	case p.fronts != 1, len(m.path) == 0 && p.unit < 0:
		// Outermost, a value and a code may be two elements of a list that has no more.
		return false
	default:
	}
	m.valueAt(base, p.front[0])
	return true
}

// codeFirst maps the parts behind a code that nothing is in front of.
func (m *Mapper) codeFirst(base int, p *parts) bool {
	n := max(p.lastBehind, min(p.behinds, 1))
	switch n {
	case 0:
		return true // a scaler and unit without a value
	case 1:
		m.valueAt(base, p.behind[0])
		return true
	case 2:
		return m.withTime(base, p.behind[0], p.behind[1])
	case 3:
		a, b := m.stack[p.behind[1]], m.stack[p.behind[2]]
		if a.Tag() != axdr.TagInteger || b.Tag() != axdr.TagEnum || p.unit >= 0 || !simple(m.stack[p.behind[0]]) {
			return false
		}
		m.entry.Unit, m.entry.HasUnit = cosem.ScalerUnit{Scaler: int8(a[1]), Unit: cosem.Unit(b[1])}, true
		m.valueAt(base, p.behind[0])
		return true
	default:
		return false
	}
}

// withTime maps two elements, a number and the time that it is of.
func (m *Mapper) withTime(base, a, b int) bool {
	if _, ok := m.time(a); ok {
		a, b = b, a
	}
	at, ok := m.time(b)
	if !ok || isClock(m.entry.Code) || !isNumber(m.stack[a]) {
		return false
	}
	m.entry.Time = at
	m.valueAt(base, a)
	return true
}

func (m *Mapper) time(i int) (axdr.Data, bool) {
	t, ok := m.stack[i].DateTime()
	return m.stack[i], ok && t.Complete()
}

// classFirst maps what stands behind class and code: an attribute and perhaps a
// data index, or a scaler, or neither, and the value. It reports false if it is
// not sure which is what.
func (m *Mapper) classFirst(base int, p *parts) bool {
	e := &m.entry
	rest := p.behind[:p.behinds]
	if first := m.stack[rest[0]]; first.Tag() == axdr.TagInteger {
		if len(rest) == 1 {
			return true // a reference; or, with scaler and unit, these themselves
		}
		t := m.third
		if id, ok := cosem.ScalerAttribute(e.Class); ok {
			t = max(t, thirdOf(first, m.stack[rest[1]], id))
		}
		if !attribute(e, first, m.stack[rest[1]], t) {
			return false
		}
		if p.unit >= 0 {
			e.Unit = p.scalerUnit
		}
		rest = rest[1:]
	}
	n := len(rest)
	for n > 1 && null(m.stack[rest[n-1]]) {
		n--
	}
	if n > 1 && m.stack[rest[0]].Tag() == axdr.TagLongUnsigned && e.Attribute != 0 && len(rest) < p.behinds {
		v, _ := m.stack[rest[0]].Int64()
		_, flat := m.flatUnit(rest[1], rest[n-1]+1, false)
		if v == 0 || !plainClass(e.Class) && !flat {
			e.Index = uint16(v)
			rest, n = rest[1:], n-1
		}
	}
	switch {
	case n == 1:
	case n == 2:
		return m.withTime(base, rest[0], rest[1])
	case n == 3 && !e.HasUnit && rest[2] == rest[0]+2:
		u, ok := m.flatUnit(rest[1], rest[2]+1, false)
		if !ok {
			return false
		}
		e.Unit, e.HasUnit = u, true
	default:
		return false
	}
	m.valueAt(base, rest[0])
	return true
}
