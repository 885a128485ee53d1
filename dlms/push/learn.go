package push

import (
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
)

// third is what the integer behind class and code is: as a rule the attribute,
// with some meters the scaler of the value.
type third uint8

const (
	attributeThird third = iota
	doubtfulThird        // 0, which may be either, stands in one of them
	scalerThird
)

// learn finds what the elements tell about each other: the scaler of one that
// is another one of them, and what the integer behind class and code is.
func (m *Mapper) learn(base, end int) {
	m.third = attributeThird
	for _, d := range m.stack[base:end] {
		if d.Tag() != axdr.TagStructure || d.Len() < 4 {
			continue
		}
		var e [4]axdr.Data
		i := 0
		for part := range d.All() {
			if i == len(e) {
				break
			}
			e[i] = part
			i++
		}
		m.learnFrom(e[:])
	}
	for i := base; i+3 < end; i++ {
		m.learnFrom(m.stack[i : i+4])
	}
}

// learnFrom notes what four elements tell if they are class, code, an integer
// and a value.
func (m *Mapper) learnFrom(e []axdr.Data) {
	class, ok := classOf(e[0])
	if !ok {
		return
	}
	code, ok := codeOf(e[1])
	id, hasScaler := cosem.ScalerAttribute(class)
	if !ok || !hasScaler {
		return
	}
	a, isAttribute := attributeOf(e[2])
	if u, ok := unitStructure(e[3]); ok && isAttribute && a == id && len(m.units) < mostUnits {
		m.units = append(m.units, unitOf{class, code, u})
	}
	m.third = max(m.third, thirdOf(e[2], e[3], id))
}

// thirdOf judges the integer between the code of an object and a value, whose
// class has its scaler and unit at the attribute id.
func thirdOf(integer, value axdr.Data, id int8) third {
	if _, isCode := codeOf(value); isCode || integer.Tag() != axdr.TagInteger || !simple(value) {
		return attributeThird
	}
	a, ok := attributeOf(integer)
	switch {
	case ok && a != 1 && a != id:
		return attributeThird
	case integer[1] == 0: // a scaler, or the attribute that stands for all of them
		return doubtfulThird
	default:
		return scalerThird
	}
}
