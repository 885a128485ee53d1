package history

import (
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// lifeStep is how far the count of rows of a meter is from that of the one
// that it replaced.
const lifeStep = 1_000_000

// Row is a row that a profile has captured.
type Row struct {
	Sequence int       // among the rows of this profile and this meter, from 0
	Meter    string    // logical device name
	Time     time.Time // UTC: what the clock of the meter showed, and the row's time stamp means
	True     time.Time // UTC: when that was

	Columns []Column  // with the clock
	Raw     []int64   // one per column; the clock's is in Unix seconds, that of a text 0
	Values  []float64 // Raw with the scaler of the column

	Gone     bool // evicted, cleared, or of a meter that was replaced
	Wildcard bool // the hour of its time stamp is not specified
	Short    bool // its last cell is missing
}

// Value is the scaled value of the column with this logical name; false
// if there is none.
func (r *Row) Value(code obis.Code) (float64, bool) {
	for i := range r.Columns {
		if r.Columns[i].Object.Instance == code && !r.Columns[i].clock {
			return r.Values[i], true
		}
	}
	return 0, false
}

// record is a row of a profile.
type record struct {
	sequence        int
	meter           string
	at, truly       time.Time
	layout          *layout
	index           int // what values were made from
	raw             []int64
	gone            bool
	wildcard, short bool
}

// profile is an object of class 7.
type profile struct {
	code   obis.Code
	next   func(t time.Time) time.Time // when it captures; nil: on events only
	layout *layout
	count  int       // rows so far of this meter
	rows   []*record // the oldest first
	all    []*record
}

// capture captures a row at what the clock of the meter shows.
func (m *Meter) capture(p *profile, at time.Time, code *uint8) {
	r := &record{
		sequence: p.count, meter: m.cfg.Name, at: at.UTC(), truly: at.Add(-m.offset).UTC(),
		layout: p.layout, index: p.count + m.life*lifeStep, raw: make([]int64, len(p.layout.columns)),
	}
	for i := range p.layout.columns {
		switch c := &p.layout.columns[i]; {
		case c.clock:
			r.raw[i] = r.at.Unix()
		case code != nil:
			r.raw[i] = int64(*code)
		case c.Text == nil:
			r.raw[i] = c.value(r.index)
		}
	}
	if p == m.load {
		r.wildcard, r.short = m.wildcards > 0, m.short > 0
		m.wildcards, m.short = max(m.wildcards-1, 0), max(m.short-1, 0)
	}
	p.count++
	p.all = append(p.all, r)
	p.rows = append(p.rows, r)
	p.evict(m.cfg.Capacity)
}

// evict keeps the newest n rows.
func (p *profile) evict(n int) {
	for len(p.rows) > n {
		p.rows[0].gone = true
		p.rows = p.rows[1:]
	}
}

// Captured returns all rows that a profile has captured, in that order, also
// those that it has no more.
func (m *Meter) Captured(code obis.Code) []Row {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.catchUp()
	p := m.profile(code)
	if p == nil {
		return nil
	}
	rows := make([]Row, 0, len(p.all))
	for _, r := range p.all {
		row := Row{
			Sequence: r.sequence, Meter: r.meter, Time: r.at, True: r.truly, Columns: r.layout.columns,
			Raw: r.raw, Values: make([]float64, len(r.raw)), Gone: r.gone, Wildcard: r.wildcard, Short: r.short,
		}
		for i := range r.raw {
			row.Values[i] = r.layout.columns[i].scaled(r.raw[i])
		}
		rows = append(rows, row)
	}
	return rows
}

// profile is nil if there is none of that name.
func (m *Meter) profile(code obis.Code) *profile {
	for _, p := range m.profiles {
		if p.code == code {
			return p
		}
	}
	return nil
}
