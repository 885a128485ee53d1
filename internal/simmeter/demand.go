package simmeter

import (
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// demands are the averages over a quarter of an hour and their maxima since
// the start of the month.
func demands() []object {
	var objects []object
	for direction, c := range [directions]byte{1, 2} {
		objects = append(objects,
			demandRegister(electricity(c, 4), direction),
			demandRegister(electricity(c, 5), direction))
		for e := range 1 + 2 {
			objects = append(objects, maximumDemand(obis.Code{1, 0, c, 6, byte(e), 255}, direction, e))
		}
	}
	return objects
}

// demandRegister is a Demand register (class 5; Blue Book Ed. 13, 4.3.4).
func demandRegister(code obis.Code, direction int) object {
	return object{class: cosem.DemandRegister, code: code, attributes: []attribute{
		{id: 2, append: func(c *call, b []byte) []byte { return appendMilliwatt(b, c.demand[direction]) }},
		{id: 3, append: func(c *call, b []byte) []byte { return appendMilliwatt(b, c.lastDemand[direction]) }},
		scalerUnit(4, 0, unitWatt),
		{id: 5, append: func(_ *call, b []byte) []byte { return axdr.AppendUnsigned(b, 0) }},
		{id: 6, append: func(c *call, b []byte) []byte { return c.appendTime(b, time.Unix(c.started, 0)) }},
		{id: 7, append: func(c *call, b []byte) []byte { return c.appendTime(b, time.Unix(c.started, 0)) }},
		{id: 8, append: func(_ *call, b []byte) []byte { return axdr.AppendDoubleLongUnsigned(b, quarter) }},
		{id: 9, append: func(_ *call, b []byte) []byte { return axdr.AppendLongUnsigned(b, 1) }},
	}}
}

// maximumDemand is an Extended register (class 4; Blue Book Ed. 13, 4.3.3). Its
// capture time is the end of the quarter, or the start of the month as long as
// there was no demand.
func maximumDemand(code obis.Code, direction, tariff int) object {
	return object{class: cosem.ExtendedRegister, code: code, attributes: []attribute{
		{id: 2, append: func(c *call, b []byte) []byte {
			return appendMilliwatt(b, c.maximum[direction][tariff].power)
		}},
		scalerUnit(3, 0, unitWatt),
		{id: 4, append: func(_ *call, b []byte) []byte { return axdr.AppendUnsigned(b, 0) }},
		{id: 5, append: func(c *call, b []byte) []byte {
			end := c.maximum[direction][tariff].end
			if end == 0 {
				end = c.model.first * quarter
			}
			return c.appendTime(b, time.Unix(end, 0))
		}},
	}}
}

// appendMilliwatt appends a power in W.
func appendMilliwatt(b []byte, v int64) []byte {
	return axdr.AppendDoubleLongUnsigned(b, uint32(rounded(v, 1000)))
}
