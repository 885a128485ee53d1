package history

import (
	"math"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

const (
	fifo, lifo = 1, 2 // sort_method
	crystal    = 1    // clock_base
)

// object is an object of the meter. get appends an attribute that is among
// attributes; the logical name is not.
type object struct {
	class      cosem.ClassID
	version    uint8
	code       obis.Code
	attributes []int8
	get        func(id int8, sel *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult)
}

// Get appends the value of an attribute (dlmstest.Objects).
func (m *Meter) Get(_ uint16, at cosem.Attribute, sel *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.catchUp()
	objects := m.objects()
	for i := range objects {
		o := &objects[i]
		switch {
		case o.code != at.Instance:
			continue
		case o.class != at.Class:
			return b, xdlms.ObjectClassInconsistent
		case at.ID == 1:
			return axdr.AppendOctetString(b, o.code[:]), xdlms.Success
		}
		for _, id := range o.attributes {
			if id == at.ID {
				return o.get(id, sel, b)
			}
		}
		return b, xdlms.ReadWriteDenied
	}
	return b, xdlms.ObjectUndefined
}

// objects are all objects of the meter, in the order of its object list.
func (m *Meter) objects() []object {
	list := []object{
		{class: cosem.AssociationLN, version: 1, code: associationObject, attributes: []int8{2}, get: m.getObjectList},
		data(LogicalDeviceName, func(b []byte) []byte { return axdr.AppendOctetString(b, []byte(m.cfg.Name)) }),
		data(FirmwareObject, func(b []byte) []byte { return axdr.AppendVisibleString(b, m.cfg.Firmware) }),
		{class: cosem.Clock, code: ClockObject, attributes: []int8{2, 3, 4, 8, 9}, get: func(id int8, _ *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
			return m.appendClock(b, id), xdlms.Success
		}},
		data(UnixClockObject, func(b []byte) []byte {
			return axdr.AppendDoubleLongUnsigned(b, uint32(m.clock().Unix()))
		}),
	}
	known := map[obis.Code]bool{ClockObject: true, UnixClockObject: true}
	for _, p := range m.profiles {
		for i := range p.layout.columns {
			if c := &p.layout.columns[i]; !known[c.Object.Instance] {
				known[c.Object.Instance] = true
				list = append(list, m.columnObject(p, c))
			}
		}
	}
	for _, p := range m.profiles {
		list = append(list, object{class: cosem.ProfileGeneric, version: 1, code: p.code, attributes: []int8{2, 3, 4, 5, 6, 7, 8},
			get: func(id int8, sel *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
				if id == 2 {
					return m.buffer(p, sel, b)
				}
				return m.appendProfile(b, p, id), xdlms.Success
			}})
	}
	return list
}

// data is an object of class 1.
func data(code obis.Code, value func(b []byte) []byte) object {
	return object{class: cosem.Data, code: code, attributes: []int8{2}, get: func(_ int8, _ *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
		return value(b), xdlms.Success
	}}
}

// columnObject is what a column captures. It shows the value of the last row.
func (m *Meter) columnObject(p *profile, c *Column) object {
	o := object{class: c.Object.Class, code: c.Object.Instance, attributes: []int8{c.Object.Attribute}}
	if c.scales() {
		o.attributes = append(o.attributes, 3)
	}
	o.get = func(id int8, _ *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
		if id != c.Object.Attribute {
			return c.appendScalerUnit(b), xdlms.Success
		}
		r := &record{index: max(p.count-1, 0) + m.life*lifeStep}
		raw := c.value(r.index)
		if p == m.events && len(p.all) > 0 {
			raw = p.all[len(p.all)-1].raw[len(p.layout.columns)-1]
		}
		if n := int(c.Object.DataIndex); n > 0 {
			b = axdr.AppendStructure(b, n)
			for range n - 1 {
				b = axdr.AppendUnsigned(b, 0)
			}
		}
		return c.append(b, raw, r.index), xdlms.Success
	}
	return o
}

// scales tells whether attribute 3 is a scaler and a unit.
func (c *Column) scales() bool {
	return c.Object.Class == cosem.Register || c.Object.Class == cosem.ExtendedRegister
}

func (c *Column) appendScalerUnit(b []byte) []byte {
	unit := c.Unit
	if unit == cosem.UnitUndefined {
		unit = cosem.UnitNone
	}
	return axdr.AppendEnum(axdr.AppendInteger(axdr.AppendStructure(b, 2), c.Scaler), uint8(unit))
}

func (m *Meter) getObjectList(_ int8, _ *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
	var list []cosem.Object
	for _, o := range m.objects() {
		entry := cosem.Object{Class: o.class, Version: o.version, Instance: o.code}
		for _, id := range append([]int8{1}, o.attributes...) {
			access := cosem.AttributeAccess{ID: id, Mode: cosem.ReadOnly}
			if o.class == cosem.ProfileGeneric && id == 2 {
				access.Selectors = []int8{int8(cosem.SelectorRange), int8(cosem.SelectorEntry)}
			}
			entry.Attributes = append(entry.Attributes, access)
		}
		list = append(list, entry)
	}
	return cosem.AppendObjectList(b, list), xdlms.Success
}

// appendClock appends an attribute of the Clock.
func (m *Meter) appendClock(b []byte, id int8) []byte {
	now := m.clock().In(m.cfg.Location)
	d := m.dateTime(now)
	winter, summer := time.Date(now.Year(), 1, 1, 0, 0, 0, 0, now.Location()), time.Date(now.Year(), 7, 1, 0, 0, 0, 0, now.Location())
	if winter.IsDST() {
		winter, summer = summer, winter
	}
	switch id {
	case 2:
		return m.appendDateTime(b, d)
	case 3:
		return axdr.AppendLong(b, m.dateTime(winter).Deviation)
	case 4:
		return axdr.AppendUnsigned(b, d.Status)
	case 8:
		return axdr.AppendBoolean(b, summer.IsDST())
	default:
		return axdr.AppendEnum(b, crystal)
	}
}

// dateTime is t as the meter writes it.
func (m *Meter) dateTime(t time.Time) axdr.DateTime {
	d := axdr.FromTime(t.In(m.cfg.Location))
	if !m.cfg.DSTBit {
		d.Status &^= axdr.StatusDaylightSaving
	}
	switch m.cfg.Deviation {
	case DeviationInverted:
		d.Deviation = -d.Deviation
	case DeviationUnspecified:
		d.Deviation = axdr.DeviationUnspecified
	default:
	}
	return d
}

func (m *Meter) appendDateTime(b []byte, d axdr.DateTime) []byte {
	if m.cfg.TaggedTimes {
		return axdr.AppendDateTime(b, d)
	}
	var octets [12]byte
	return axdr.AppendOctetString(b, d.Append(octets[:0]))
}

// appendProfile appends an attribute of a profile but its buffer.
func (m *Meter) appendProfile(b []byte, p *profile, id int8) []byte {
	switch id {
	case 3:
		var captured []cosem.CaptureObject
		for i := range p.layout.columns {
			captured = append(captured, m.cfg.captured(&p.layout.columns[i]))
		}
		return cosem.AppendCaptureObjects(b, captured)
	case 4:
		seconds := uint32(0)
		if p == m.load && !m.cfg.PeriodZero {
			seconds = uint32(m.cfg.Period / time.Second)
		}
		return axdr.AppendDoubleLongUnsigned(b, seconds)
	case 5:
		if m.cfg.LIFO {
			return axdr.AppendEnum(b, lifo)
		}
		return axdr.AppendEnum(b, fifo)
	case 6:
		var o cosem.CaptureObject
		if at := p.layout.clock(); at >= 0 && m.cfg.SortByClock {
			o = m.cfg.captured(&p.layout.columns[at])
		}
		return o.Append(b)
	case 7:
		n := int64(len(p.rows))
		if m.claim >= 0 {
			n = m.claim
		}
		return axdr.AppendDoubleLongUnsigned(b, uint32(min(n, math.MaxUint32)))
	default:
		return axdr.AppendDoubleLongUnsigned(b, uint32(m.cfg.Capacity))
	}
}
