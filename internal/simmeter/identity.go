package simmeter

import (
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

const firmware = "SIM 2.4.1"

// data is a Data object (class 1).
func data(code obis.Code, value func(c *call, b []byte) []byte) object {
	return object{class: cosem.Data, code: code, attributes: []attribute{{id: 2, append: value}}}
}

// identification are the names and numbers of the meter.
func identification() []object {
	return []object{
		data(abstract(42, 0, 0), func(c *call, b []byte) []byte {
			return axdr.AppendOctetString(b, []byte(c.LogicalDeviceName()))
		}),
		data(abstract(96, 1, 0), func(c *call, b []byte) []byte {
			return axdr.AppendOctetString(b, []byte(c.serial))
		}),
		data(electricity(0, 2), func(_ *call, b []byte) []byte { return axdr.AppendVisibleString(b, firmware) }),
		{class: cosem.SAPAssignment, code: abstract(41, 0, 0), attributes: []attribute{
			{id: 2, append: func(c *call, b []byte) []byte {
				b = axdr.AppendArray(b, len(c.saps))
				for _, s := range c.saps {
					b = axdr.AppendLongUnsigned(axdr.AppendStructure(b, 2), s.address)
					b = axdr.AppendOctetString(b, []byte(s.name))
				}
				return b
			}},
		}},
	}
}

// services are objects about the meter itself.
func services() []object {
	return []object{
		data(codeStatus, func(_ *call, b []byte) []byte { return axdr.AppendUnsigned(b, 0) }),
		data(abstract(96, 14, 0), func(c *call, b []byte) []byte { return axdr.AppendUnsigned(b, uint8(c.tariff+1)) }),
		data(abstract(96, 7, 21), func(_ *call, b []byte) []byte { return axdr.AppendLongUnsigned(b, 3) }),
		data(abstract(97, 97, 0), func(_ *call, b []byte) []byte { return axdr.AppendBitString(b, []byte{0}, 8) }),
		{class: cosem.Register, code: abstract(96, 8, 0), attributes: []attribute{
			{id: 2, append: func(c *call, b []byte) []byte {
				started := c.start.Unix() - Capacity*quarter
				return axdr.AppendDoubleLongUnsigned(b, uint32(max(c.latest.Unix()-started, 0)))
			}},
			scalerUnit(3, 0, unitSecond),
		}},
		register(obis.Code{1, 0, 0, 8, 4, 255}, longUnsigned, 0, unitSecond, func(*reading) int64 { return quarter }),
		registerActivation(),
		{class: cosem.DisconnectControl, code: abstract(96, 3, 10), attributes: []attribute{
			{id: 2, append: func(_ *call, b []byte) []byte { return axdr.AppendBoolean(b, true) }},
			{id: 3, append: func(_ *call, b []byte) []byte { return axdr.AppendEnum(b, 1) }}, // connected
			{id: 4, append: func(_ *call, b []byte) []byte { return axdr.AppendEnum(b, 0) }}, // no mode
		}},
		hdlcSetup(),
	}
}

// registerActivation says which tariff registers count (class 6; Blue Book
// Ed. 13, 4.3.5).
func registerActivation() object {
	masks := []string{"T1", "T2"}
	return object{class: cosem.RegisterActivation, code: abstract(14, 0, 0), attributes: []attribute{
		{id: 2, append: func(_ *call, b []byte) []byte {
			b = axdr.AppendArray(b, len(masks))
			for i := range masks {
				code := obis.Code{1, 0, 1, 8, byte(i + 1), 255}
				b = axdr.AppendStructure(b, 2)
				b = axdr.AppendLongUnsigned(b, uint16(cosem.Register))
				b = axdr.AppendOctetString(b, code[:])
			}
			return b
		}},
		{id: 3, append: func(_ *call, b []byte) []byte {
			b = axdr.AppendArray(b, len(masks))
			for i, mask := range masks {
				b = axdr.AppendStructure(b, 2)
				b = axdr.AppendOctetString(b, []byte(mask))
				b = axdr.AppendUnsigned(axdr.AppendArray(b, 1), uint8(i+1))
			}
			return b
		}},
		{id: 4, append: func(c *call, b []byte) []byte { return axdr.AppendOctetString(b, []byte(masks[c.tariff])) }},
	}}
}

// hdlcSetup is IEC HDLC setup (class 23; Blue Book Ed. 13, 4.7.2) of a meter
// with the defaults of dlmstest.
func hdlcSetup() object {
	u16 := func(id int8, v uint16) attribute {
		return attribute{id: id, append: func(_ *call, b []byte) []byte { return axdr.AppendLongUnsigned(b, v) }}
	}
	u8 := func(id int8, v uint8) attribute {
		return attribute{id: id, append: func(_ *call, b []byte) []byte { return axdr.AppendUnsigned(b, v) }}
	}
	return object{class: cosem.IECHDLCSetup, version: 1, code: abstract(22, 0, 0), attributes: []attribute{
		{id: 2, append: func(_ *call, b []byte) []byte { return axdr.AppendEnum(b, 5) }}, // 9600 baud
		u8(3, 1), u8(4, 1),
		u16(5, dlmstest.DefaultMaxInfo), u16(6, dlmstest.DefaultMaxInfo),
		u16(7, 25), u16(8, uint16(dlmstest.DefaultHDLCInactivity/time.Second)),
		u16(9, 17),
	}}
}

// associationObjects are the Association LN the client is in (class 15; Blue
// Book Ed. 13, 4.4.4).
func associationObjects() []object {
	context := []byte{0x60, 0x85, 0x74, 0x05, 0x08, 0x01, byte(acse.LN)}
	mechanism := func(client uint16) []byte {
		name := []byte{0x60, 0x85, 0x74, 0x05, 0x08, 0x02, byte(acse.None)}
		if client != dlmstest.PublicClient {
			name[len(name)-1] = byte(acse.Low)
		}
		return name
	}
	return []object{{class: cosem.AssociationLN, version: 1, code: abstract(40, 0, 0), attributes: []attribute{
		{id: 2, append: func(c *call, b []byte) []byte { return c.appendObjectList(b) }},
		{id: 3, append: func(c *call, b []byte) []byte {
			b = axdr.AppendInteger(axdr.AppendStructure(b, 2), int8(c.client))
			return axdr.AppendLongUnsigned(b, 1)
		}},
		{id: 4, append: func(_ *call, b []byte) []byte { return axdr.AppendOctetString(b, context) }},
		{id: 5, append: func(_ *call, b []byte) []byte {
			conformance := dlmstest.DefaultConformance
			b = axdr.AppendStructure(b, 6)
			b = axdr.AppendBitString(b, []byte{byte(conformance >> 16), byte(conformance >> 8), byte(conformance)}, 24)
			b = axdr.AppendLongUnsigned(b, dlmstest.DefaultMaxPDU)
			b = axdr.AppendLongUnsigned(b, dlmstest.DefaultMaxPDU)
			b = axdr.AppendUnsigned(b, xdlms.Version)
			return axdr.AppendOctetString(axdr.AppendInteger(b, 0), nil)
		}},
		{id: 6, append: func(c *call, b []byte) []byte { return axdr.AppendOctetString(b, mechanism(c.client)) }},
		{id: 8, append: func(_ *call, b []byte) []byte { return axdr.AppendEnum(b, 2) }}, // associated
	}}}
}

// appendObjectList appends all objects with their rights, the logical name
// included.
func (c *call) appendObjectList(b []byte) []byte {
	list := make([]cosem.Object, 0, len(c.list))
	for _, o := range c.list {
		entry := cosem.Object{Class: o.class, Version: o.version, Instance: o.code}
		entry.Attributes = append(entry.Attributes, cosem.AttributeAccess{ID: 1, Mode: cosem.ReadOnly})
		for _, a := range o.attributes {
			access := cosem.AttributeAccess{ID: a.id, Mode: cosem.ReadOnly}
			if a.selected != nil {
				access.Selectors = []int8{int8(cosem.SelectorRange), int8(cosem.SelectorEntry)}
			}
			entry.Attributes = append(entry.Attributes, access)
		}
		list = append(list, entry)
	}
	return cosem.AppendObjectList(b, list)
}
