package simmeter

import (
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// Units of the Blue Book, clause 4.3.2.
const (
	unitSecond      cosem.Unit = 7
	unitCelsius     cosem.Unit = 9
	unitWatt        cosem.Unit = 27
	unitVoltAmpere  cosem.Unit = 28
	unitVar         cosem.Unit = 29
	unitWattHour    cosem.Unit = 30
	unitVoltAmpereH cosem.Unit = 31
	unitVarHour     cosem.Unit = 32
	unitAmpere      cosem.Unit = 33
	unitVolt        cosem.Unit = 35
	unitHertz       cosem.Unit = 44
	unitCount       cosem.Unit = 255
)

// width is the type a register's value is sent in.
type width uint8

const (
	long width = iota
	longUnsigned
	doubleLong
	doubleLongUnsigned
)

func (w width) append(b []byte, v int64) []byte {
	switch w {
	case long:
		return axdr.AppendLong(b, int16(v))
	case longUnsigned:
		return axdr.AppendLongUnsigned(b, uint16(v))
	case doubleLong:
		return axdr.AppendDoubleLong(b, int32(v))
	default:
		return axdr.AppendDoubleLongUnsigned(b, uint32(v))
	}
}

// electricity is the code of a quantity without tariff: 1.0.c.d.0.255.
func electricity(c, d byte) obis.Code { return obis.Code{1, 0, c, d, 0, 255} }

func abstract(c, d, e byte) obis.Code { return obis.Code{0, 0, c, d, e, 255} }

// register is a Register (class 3) whose value is of width w.
func register(code obis.Code, w width, scaler int8, unit cosem.Unit, value func(r *reading) int64) object {
	return object{class: cosem.Register, code: code, attributes: []attribute{
		{id: 2, append: func(c *call, b []byte) []byte { return w.append(b, value(c.reading)) }},
		scalerUnit(3, scaler, unit),
	}}
}

func scalerUnit(id int8, scaler int8, unit cosem.Unit) attribute {
	return attribute{id: id, append: func(_ *call, b []byte) []byte {
		return cosem.ScalerUnit{Scaler: scaler, Unit: unit}.Append(b)
	}}
}

func sum(v [phases]int64) int64 { return v[0] + v[1] + v[2] }

// energy of all phases in one direction, mWs.
func (r *reading) energy(direction int) int64 {
	return r.active[0][direction] + r.active[1][direction] + r.active[2][direction]
}

// energies are the registers of energy: D = 8.
func energies() []object {
	const d = 8
	var objects []object
	add := func(code obis.Code, w width, scaler int8, unit cosem.Unit, value func(r *reading) int64) {
		objects = append(objects, register(code, w, scaler, unit, value))
	}
	for direction, c := range [directions]byte{1, 2} {
		add(electricity(c, d), doubleLongUnsigned, 0, unitWattHour,
			func(r *reading) int64 { return r.energy(direction) / wattHour })
		for tariff := range tariffs { // in 10 Wh
			add(obis.Code{1, 0, c, d, byte(tariff + 1), 255}, doubleLongUnsigned, 1, unitWattHour,
				func(r *reading) int64 { return r.byTariff[direction][tariff] / (10 * wattHour) })
		}
	}
	for direction, c := range [directions]byte{3, 4} { // QI+QII, QIII+QIV
		add(electricity(c, d), doubleLongUnsigned, 0, unitVarHour, func(r *reading) int64 {
			return (r.reactive[2*direction] + r.reactive[2*direction+1]) / wattHour
		})
	}
	for q := range quadrants {
		add(electricity(byte(5+q), d), doubleLongUnsigned, 0, unitVarHour,
			func(r *reading) int64 { return r.reactive[q] / wattHour })
	}
	for direction, c := range [directions]byte{9, 10} { // in 10 VAh
		add(electricity(c, d), doubleLongUnsigned, 1, unitVoltAmpereH,
			func(r *reading) int64 { return r.apparent[direction] / (10 * wattHour) })
	}
	add(electricity(15, d), doubleLongUnsigned, 0, unitWattHour,
		func(r *reading) int64 { return (r.energy(imported) + r.energy(exported)) / wattHour })
	add(electricity(16, d), doubleLong, 0, unitWattHour,
		func(r *reading) int64 { return (r.energy(imported) - r.energy(exported)) / wattHour })
	for p := range phases {
		for direction, c := range [directions]byte{21, 22} {
			add(electricity(c+byte(20*p), d), doubleLongUnsigned, 0, unitWattHour,
				func(r *reading) int64 { return r.active[p][direction] / wattHour })
		}
	}
	return objects
}

// in is v if the meter is in the state wanted, else 0.
func in(state, wanted int, v int64) int64 {
	if state != wanted {
		return 0
	}
	return v
}

// powers are the instantaneous powers, D = 7: totals in W, phases in 0.1 W.
func powers() []object {
	const d, milli = 7, 1000
	var objects []object
	add := func(code obis.Code, w width, scaler int8, unit cosem.Unit, value func(r *reading) int64) {
		objects = append(objects, register(code, w, scaler, unit, value))
	}
	for direction := range directions {
		o := byte(direction)
		add(electricity(1+o, d), doubleLongUnsigned, 0, unitWatt,
			func(r *reading) int64 { return rounded(r.flowing(direction, r.power), milli) })
		add(electricity(3+o, d), doubleLongUnsigned, 0, unitVar,
			func(r *reading) int64 { return rounded(r.flowing(direction, r.reactivePower), milli) })
		add(electricity(9+o, d), doubleLongUnsigned, 0, unitVoltAmpere,
			func(r *reading) int64 { return rounded(r.flowing(direction, r.apparentPower), milli) })
	}
	add(electricity(15, d), doubleLongUnsigned, 0, unitWatt,
		func(r *reading) int64 { return rounded(sum(r.power), milli) })
	add(electricity(16, d), doubleLong, 0, unitWatt, func(r *reading) int64 {
		return round(float64(r.flowing(imported, r.power)-r.flowing(exported, r.power)) / milli)
	})
	for p := range phases {
		for direction := range directions {
			o := byte(20*p + direction)
			add(electricity(21+o, d), doubleLongUnsigned, -1, unitWatt,
				func(r *reading) int64 { return in(r.direction[p], direction, rounded(r.power[p], milli/10)) })
			add(electricity(23+o, d), doubleLongUnsigned, -1, unitVar,
				func(r *reading) int64 { return in(r.direction[p], direction, rounded(r.reactivePower[p], milli/10)) })
			add(electricity(29+o, d), doubleLongUnsigned, -1, unitVoltAmpere,
				func(r *reading) int64 { return in(r.direction[p], direction, rounded(r.apparentPower[p], milli/10)) })
		}
	}
	return objects
}

// powerFactor of p and s in 1/1000.
func powerFactor(p, s int64) int64 {
	if s == 0 {
		return 1000
	}
	return min(rounded(p*1000, s), 1000)
}

// voltagesAndCurrents are the other instantaneous values.
func voltagesAndCurrents() []object {
	const d = 7
	objects := []object{
		register(electricity(14, d), longUnsigned, -2, unitHertz, func(r *reading) int64 { return r.frequency }),
		register(electricity(13, d), long, -3, unitCount,
			func(r *reading) int64 {
				return powerFactor(r.flowing(imported, r.power), r.flowing(imported, r.apparentPower))
			}),
		register(electricity(90, d), doubleLongUnsigned, -3, unitAmpere, func(r *reading) int64 { return sum(r.current) }),
	}
	for p := range phases {
		o := byte(20 * p)
		objects = append(objects,
			register(electricity(32+o, d), longUnsigned, -1, unitVolt, func(r *reading) int64 { return r.voltage[p] }),
			register(electricity(31+o, d), doubleLongUnsigned, -3, unitAmpere, func(r *reading) int64 { return r.current[p] }),
			register(electricity(33+o, d), long, -3, unitCount,
				func(r *reading) int64 { return powerFactor(r.power[p], r.apparentPower[p]) }),
		)
	}
	return append(objects,
		register(abstract(96, 9, 0), long, -1, unitCelsius, func(r *reading) int64 { return r.temperature }))
}
