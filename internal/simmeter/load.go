package simmeter

import (
	"math"
	"time"
)

const (
	phases  = 3
	tariffs = 4
	quarter = 900 // seconds of a load profile interval

	// Capacity is how many rows the load profile holds: 40 days.
	Capacity = 40 * 24 * 4

	maxYears = 10 // that a meter lives: a clock beyond that stands still
)

// Directions of active energy and of apparent energy.
const (
	imported = iota
	exported
	directions
)

// Quadrants of reactive energy, QI to QIV.
const quadrants = 4

// quadrantOf is the quadrant of a phase by its direction: loads are inductive,
// and so is the inverter, which gives QI and QIII.
var quadrantOf = [directions]int{imported: 0, exported: 2}

// panels is the phase of the inverter.
const panels = 2

// ratioOne is 1 in the fixed point numbers of row.
const ratioOne = 1 << 10

// milliWattHour is 1 mWh in mWs, wattHour 1 Wh.
const (
	milliWattHour = 3600
	wattHour      = 1000 * milliWattHour
)

// row is one quarter of an hour: what the registers held at its start, and what
// flows while it lasts. Energies are in mWs, mvars and mVAs. A phase either
// imports or exports during a quarter, and the meter adds up both without
// setting them off: so import always counts, and the phases add up to the totals.
type row struct {
	active   [phases][directions]int64
	reactive [quadrants]int64
	apparent [directions]int64
	byTariff [directions][tariffs]int64
	maximum  [directions][1 + 2]maximum // of the billing period, total and by tariff

	flow      [phases]int64 // active energy of the quarter, positive
	reactance [phases]int64 // reactive to active power, x ratioOne, positive
	apparance [phases]int64 // apparent to active power, x ratioOne
	direction [phases]int
	tariff    int
	month     time.Month // in which the quarter starts, local time
}

// maximum is the highest average power of a quarter, in mW, and when that
// quarter ended.
type maximum struct {
	power int64
	end   int64 // Unix seconds
}

// model is the load of a meter over time. Its rows are computed as time goes
// on and kept as long as the profile needs them.
type model struct {
	seed  uint64
	loc   *time.Location
	first int64 // number of the quarter of rows[0], counted from 1970
	end   int64 // number of the last quarter
	rows  []row
}

// newModel returns a model whose registers start to count Capacity quarters
// before start.
func newModel(seed uint64, loc *time.Location, start time.Time) *model {
	now, _ := floorDiv(start.Unix(), quarter)
	m := &model{seed: seed, loc: loc, first: now - Capacity, end: now + maxYears*366*24*4}
	var r row
	for p := range phases {
		// Readings of a meter that was there before its profile: 3 to 6 MWh per phase.
		for d, share := range [directions]int64{imported: 1, exported: 5} {
			e := int64(3e3+3e3*random(seed, kindInitial, p, int64(d))) * 1000 * wattHour / share
			r.active[p][d] = e
			r.apparent[d] += e + e/16
			r.reactive[d*2] += e / 4
			r.reactive[d*2+1] += e / 16
			r.byTariff[d][0] += e / 8 * 5
			r.byTariff[d][1] += e - e/8*5
		}
	}
	m.plan(m.first, m.local(m.first), &r)
	m.rows = append(make([]row, 0, Capacity+Capacity/4), r)
	return m
}

// row returns quarter q, or the nearest one there is.
func (m *model) row(q int64) *row {
	q = max(min(q, m.end), m.first)
	for q >= m.first+int64(len(m.rows)) {
		m.extend()
	}
	return &m.rows[q-m.first]
}

// extend adds one row, and forgets the oldest ones once they are many.
func (m *model) extend() {
	if len(m.rows) == cap(m.rows) {
		n := copy(m.rows, m.rows[len(m.rows)-Capacity-1:])
		m.first += int64(len(m.rows) - n)
		m.rows = m.rows[:n]
	}
	r := m.rows[len(m.rows)-1]
	q := m.first + int64(len(m.rows))
	t := m.local(q)
	r.finish(q*quarter, t.Month() != r.month)
	m.plan(q, t, &r)
	m.rows = append(m.rows, r)
}

func (m *model) local(q int64) time.Time {
	return time.Unix(q*quarter, 0).In(m.loc)
}

// finish adds what has flowed to the registers; end is in Unix seconds. A new
// month is a new billing period.
func (r *row) finish(end int64, newMonth bool) {
	for p, e := range r.flow {
		d := r.direction[p]
		r.active[p][d] += e
		r.reactive[quadrantOf[d]] += e * r.reactance[p] / ratioOne
		r.apparent[d] += e * r.apparance[p] / ratioOne
		r.byTariff[d][r.tariff] += e
	}
	for d, e := range r.total() {
		for _, i := range []int{0, 1 + r.tariff} {
			if m := &r.maximum[d][i]; e/quarter > m.power {
				*m = maximum{power: e / quarter, end: end}
			}
		}
	}
	if newMonth {
		for d := range r.maximum {
			for i := range r.maximum[d] {
				r.maximum[d][i] = maximum{end: end}
			}
		}
	}
}

// plan decides what flows in quarter q, which starts at the local time t: a
// household over a small shop, with solar panels on one phase.
func (m *model) plan(q int64, t time.Time, r *row) {
	r.month = t.Month()
	hour := float64(t.Hour()) + float64(t.Minute())/60
	load := m.consumption(q, t, hour)
	var share [phases]float64
	var sum float64
	for p, usual := range [phases]float64{0.42, 0.33, 0.25} {
		share[p] = usual * (1 + 0.3*around(m.seed, kindShare, p, q))
		sum += share[p]
	}
	for p := range phases {
		watt := load * share[p] / sum
		if p == panels {
			watt -= m.sun(q, t, hour)
		}
		tan := 0.15 + 0.25*random(m.seed, kindReactive, p, q)
		r.direction[p] = imported
		if watt < 0 {
			r.direction[p] = exported
			tan /= 3 // of an inverter
		}
		r.flow[p] = int64(max(math.Abs(watt), 20)*1000) * quarter
		r.reactance[p] = int64(tan * ratioOne)
		r.apparance[p] = int64(math.Round(math.Hypot(1, tan) * ratioOne))
	}
	r.tariff = tariffAt(t)
}

// tariffAt is 0 (T1) by day, 1 (T2) at night and at the weekend.
func tariffAt(t time.Time) int {
	weekend := t.Weekday() == time.Saturday || t.Weekday() == time.Sunday
	if !weekend && t.Hour() >= 6 && t.Hour() < 22 {
		return 0
	}
	return 1
}

// consumption is the average load of a quarter in W.
func (m *model) consumption(q int64, t time.Time, hour float64) float64 {
	w := 170 + 480*bump(hour, 7, 1.2) + 420*bump(hour, 12.5, 1.4) + 1250*bump(hour, 19.5, 2)
	if d := t.Weekday(); d >= time.Monday && d <= time.Friday {
		w += 800 * bump(hour, 13.5, 3.5) // the shop
	}
	w *= 0.7 + 0.6*random(m.seed, kindLoad, 0, q)
	if hour >= 7 && hour < 22 && random(m.seed, kindAppliance, 0, q) < 0.08 {
		w += 1900 // oven, washing machine
	}
	return w
}

// sun is what the panels yield in W: 4 kW at their best.
func (m *model) sun(q int64, t time.Time, hour float64) float64 {
	season := math.Sin(2 * math.Pi * float64(t.YearDay()-81) / 365)
	length := 12 + 4*season
	x := (hour - (12.5 - length/2)) / length
	if x <= 0 || x >= 1 {
		return 0
	}
	sky := random(m.seed, kindWeather, 0, int64(t.Year())*366+int64(t.YearDay()))
	return 4000 * math.Sin(math.Pi*x) * (0.65 + 0.3*season) * sky * (0.85 + 0.15*random(m.seed, kindWeather, 1, q))
}

// bump is 1 at the middle and falls to nothing some widths away.
func bump(hour, middle, width float64) float64 {
	x := (hour - middle) / width
	return math.Exp(-x * x)
}

// The noise of the power within a quarter is made by pushing its energy back
// and forth in time: in each step by at most so many seconds, and not at all
// at both ends. So the energy of the quarter stays what it is, and the power,
// the slope, stays within 46 % of its average.
var pushes = [...]struct {
	kind kind
	step int64   // seconds
	push float64 // seconds
}{
	{kindMinute, 60, 0.15 * 60},
	{kindTenSeconds, 10, 0.06 * 10},
	{kindSecond, 1, 0.02},
}

// flowed is how much of flow, mWs, has passed on one phase s whole seconds
// after the start of quarter q. The power is constant during each second.
func (m *model) flowed(q int64, phase int, flow, s int64) int64 {
	if s <= 0 || s >= quarter {
		return flow * min(max(s, 0), quarter) / quarter
	}
	shifted := float64(s)
	for _, n := range pushes {
		i, into := floorDiv(s, n.step)
		f := float64(into) / float64(n.step)
		last := quarter / n.step
		shifted += n.push * (m.knot(n.kind, phase, q, i, last)*(1-f) + m.knot(n.kind, phase, q, i+1, last)*f)
	}
	return int64(float64(flow) / quarter * shifted)
}

func (m *model) knot(k kind, phase int, q, i, last int64) float64 {
	if i <= 0 || i >= last {
		return 0
	}
	return around(m.seed, k, phase, q*quarter+i)
}
