package simmeter

import "time"

// reading is all that is measured at one instant. Energies are in mWs, mvars
// and mVAs, powers in mW, mvar and mVA.
type reading struct {
	active   [phases][directions]int64
	reactive [quadrants]int64
	apparent [directions]int64
	byTariff [directions][tariffs]int64
	maximum  [directions][1 + 2]maximum

	power         [phases]int64 // positive; which way, says direction
	reactivePower [phases]int64
	apparentPower [phases]int64
	direction     [phases]int
	tariff        int

	demand     [directions]int64 // average of the quarter so far
	lastDemand [directions]int64 // of the quarter before
	started    int64             // when the quarter started, Unix seconds

	voltage     [phases]int64 // 0.1 V
	current     [phases]int64 // mA
	frequency   int64         // 0.01 Hz
	temperature int64         // 0.1 degC
	second      int64         // Unix seconds
}

// at reads the meter at t.
func (m *model) at(t time.Time) reading {
	second, nanos := t.Unix(), int64(t.Nanosecond())
	q, s := floorDiv(second, quarter)
	if q < m.first || q > m.end {
		q = max(min(q, m.end), m.first)
		s, nanos = 0, 0
		second = q * quarter
	}
	last := m.row(q - 1).total()
	if q == m.first {
		last = [directions]int64{}
	}
	row := m.row(q)
	r := reading{
		active: row.active, reactive: row.reactive, apparent: row.apparent,
		byTariff: row.byTariff, maximum: row.maximum,
		direction: row.direction, tariff: row.tariff,
		started: q * quarter, second: second,
	}
	var sum [directions]int64
	for p := range phases {
		d := row.direction[p]
		from := m.flowed(q, p, row.flow[p], s)
		watt := m.flowed(q, p, row.flow[p], s+1) - from
		e := from + watt*nanos/int64(time.Second)
		sum[d] += e
		r.active[p][d] += e
		r.reactive[quadrantOf[d]] += e * row.reactance[p] / ratioOne
		r.apparent[d] += e * row.apparance[p] / ratioOne
		r.power[p] = watt
		r.reactivePower[p] = watt * row.reactance[p] / ratioOne
		r.apparentPower[p] = watt * row.apparance[p] / ratioOne
		r.voltage[p] = m.voltage(p, second, watt, d)
		r.current[p] = (r.apparentPower[p]*10 + r.voltage[p]/2) / r.voltage[p]
	}
	elapsed := s*1000 + nanos/int64(time.Millisecond)
	for d, e := range sum {
		r.byTariff[d][row.tariff] += e
		r.lastDemand[d] = last[d] / quarter
		if elapsed > 0 {
			r.demand[d] = e * 1000 / elapsed
		}
	}
	r.frequency = 5000 + round(2.5*wander(m.seed, kindFrequency, 0, second, 30)+around(m.seed, kindFrequencyFast, 0, second))
	r.temperature = 185 + round(30*wander(m.seed, kindTemperature, 0, second, 4*3600))
	return r
}

// total is the active energy of the quarter.
func (r *row) total() (sum [directions]int64) {
	for p, e := range r.flow {
		sum[r.direction[p]] += e
	}
	return sum
}

// flowing is the sum of a power over the phases of one direction.
func (r *reading) flowing(direction int, power [phases]int64) (sum int64) {
	for p, v := range power {
		if r.direction[p] == direction {
			sum += v
		}
	}
	return sum
}

// voltage of a phase in 0.1 V: it wanders, and falls with the load or rises
// with what is fed in.
func (m *model) voltage(phase int, second, milliwatt int64, direction int) int64 {
	v := 2308 + 22*wander(m.seed, kindVoltage, phase, second, 600) + 4*around(m.seed, kindVoltageFast, phase, second)
	sag := 4 * float64(milliwatt) / 1e6
	if direction == exported {
		sag = -sag
	}
	return round(v - sag)
}

func round(v float64) int64 {
	if v < 0 {
		return -int64(-v + 0.5)
	}
	return int64(v + 0.5)
}

// rounded divides to the nearest; a is not negative.
func rounded(a, by int64) int64 { return (a + by/2) / by }
