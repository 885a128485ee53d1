package push

import (
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

func complexData(d axdr.Data) bool {
	return d.Tag() == axdr.TagArray || d.Tag() == axdr.TagStructure
}

func null(d axdr.Data) bool { return d.Tag() == axdr.TagNull || d.Tag() == axdr.TagDontCare }

// simple reports whether d is a value that has no elements.
func simple(d axdr.Data) bool { return !complexData(d) && !null(d) }

// isNumber reports whether d is anything but text, a time, or what has elements.
func isNumber(d axdr.Data) bool {
	switch d.Tag() {
	case axdr.TagOctetString, axdr.TagVisibleString, axdr.TagUTF8String, axdr.TagDateTime, axdr.TagDate, axdr.TagTime:
		return false
	default:
		return simple(d)
	}
}

// printable are the octets of a string of printable ASCII; nil of others.
func printable(d axdr.Data) []byte {
	b, ok := d.Octets()
	if !ok || len(b) == 0 || len(b) > 64 {
		return nil
	}
	for _, c := range b {
		if c < 0x20 || c > 0x7E {
			return nil
		}
	}
	return b
}

// codeOf returns the OBIS code that an octet-string holds, if it can be one.
func codeOf(d axdr.Data) (obis.Code, bool) {
	if len(d) != 8 || axdr.Tag(d[0]) != axdr.TagOctetString || d[1] != 6 {
		return obis.Code{}, false
	}
	if c := obis.Code(d[2:8]); plausible(c) {
		return c, true
	}
	return obis.Code{}, false
}

// plausible reports whether six octets can be an OBIS code: of a medium and a
// channel that exist, with a value group F that says "not used", or a billing
// period of what has one. Addresses, which often begin with 00, are none.
func plausible(c obis.Code) bool {
	switch {
	case c[0] > 15 || c[0] == 2 || c[0] == 3 || c[0] > 9 && c[0] < 15, c[1] > 199, c == (obis.Code{}):
		return false
	case c[5] == 255:
		return true
	default:
		return c[5] <= 126 && (c[0] != 0 || c[2] == 0) && (c[2] != 0 || c[3] != 0)
	}
}

// listID reports whether a code is that of a push setup: meters send it to say
// which list it is that follows.
func listID(c obis.Code) bool { return c[0] == 0 && c[2] == 25 && c[3] == 9 }

// isClock reports whether a code is that of a date and time.
func isClock(c obis.Code) bool { return c[0] == 0 && c[2] == 1 && c[3] == 0 }

func (m *Mapper) isCode(i int) bool {
	_, ok := codeOf(m.stack[i])
	return ok
}

func (m *Mapper) isList(i int) bool {
	c, ok := codeOf(m.stack[i])
	return ok && listID(c)
}

func (m *Mapper) isClass(i int) bool {
	_, ok := classOf(m.stack[i])
	return ok
}

func (m *Mapper) isUnit(i int) bool { return isUnit(m.stack[i]) }

func isUnit(d axdr.Data) bool {
	_, ok := unitStructure(d)
	return ok
}

// holdsCode reports whether an element of d, or of its elements, is a code: then
// d tells itself what it is.
func holdsCode(d axdr.Data) bool {
	for e := range d.All() {
		if _, ok := codeOf(e); ok {
			return true
		}
		for x := range e.All() {
			if _, ok := codeOf(x); ok {
				return true
			}
		}
	}
	return false
}

// unitStructure reads a structure of scaler and unit.
func unitStructure(d axdr.Data) (cosem.ScalerUnit, bool) {
	// 02 02 0F ss 16 uu
	if len(d) == 6 && d[0] == byte(axdr.TagStructure) && d[1] == 2 && d[2] == byte(axdr.TagInteger) && d[4] == byte(axdr.TagEnum) {
		return cosem.ScalerUnit{Scaler: int8(d[3]), Unit: cosem.Unit(d[5])}, true
	}
	return cosem.ScalerUnit{}, false
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
