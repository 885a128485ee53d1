package history

import (
	"slices"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// SetOffset sets how far the clock of the meter is ahead of true time. Ends of
// periods that it skips, or on which it lands, are not captured; those that come
// again are, once more.
func (m *Meter) SetOffset(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.setOffset(d)
}

// Jump advances the clock of the meter, or sets it back, as SetOffset does.
func (m *Meter) Jump(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.setOffset(m.offset + d)
}

func (m *Meter) setOffset(d time.Duration) {
	m.catchUp()
	m.offset = d
	m.last = m.clock()
}

// Clock is what the clock of the meter shows.
func (m *Meter) Clock() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.clock().In(m.cfg.Location)
}

// Outage cuts the power, or brings it back. The clock goes on, and nothing is
// captured. Whether the meter answers is up to who serves it.
func (m *Meter) Outage(off bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.catchUp()
	m.off = off
}

// Reset clears profiles, all of them without a name.
func (m *Meter) Reset(codes ...obis.Code) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.catchUp()
	for _, p := range m.profiles {
		if len(codes) == 0 || slices.Contains(codes, p.code) {
			p.evict(0)
		}
	}
}

// SetColumns changes the columns of the load profile beside its clock, nil
// being the default ones. The buffer is cleared, as the standard wants,
// unless keep is set: then it has rows of both kinds.
func (m *Meter) SetColumns(columns []Column, keep bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.catchUp()
	m.load.layout = m.cfg.loadLayout(columns)
	if !keep {
		m.load.evict(0)
	}
}

// Replace puts another meter in the place of this one, which has been running
// for past: its values differ, and its rows are not the old ones. An event log
// begins empty. The offset of the clock stays.
func (m *Meter) Replace(name string, past time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.catchUp()
	m.cfg.Name = name
	m.life++
	for _, p := range m.profiles {
		p.evict(0)
		p.count = 0
	}
	m.last = m.clock().Add(-past)
	m.catchUp()
}

// Event is an entry of the event log, now.
func (m *Meter) Event(code uint8) { m.Events(code, 1) }

// Events are n entries of the event log in the same second.
func (m *Meter) Events(code uint8, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.catchUp()
	at := m.clock().Truncate(time.Second)
	for range n {
		m.capture(m.events, at, &code)
	}
}

// Wildcard leaves the hour unspecified in the time stamps of the next n rows of
// the load profile. It does nothing to a clock in Unix seconds.
func (m *Meter) Wildcard(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.catchUp()
	m.wildcards = n
}

// WrongArity leaves out the last cell of the next n rows of the load profile.
func (m *Meter) WrongArity(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.catchUp()
	m.short = n
}

// ClaimEntries has entries_in_use of all profiles say n; negative is the truth.
func (m *Meter) ClaimEntries(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.claim = n
}

// Endless makes answers from the load profile that do not end: their head
// announces 2^24 rows, and rows with times that differ by step, which may be
// negative, come up to 8 MiB, within a row. They begin with the first row that
// was asked for. 0 is the truth again.
func (m *Meter) Endless(step time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.endless = step
}

// Change changes the configuration while the meter serves. Now, Offset, Past,
// Name, Billing and UnixClock have no effect any more, what concerns columns
// with the next SetColumns, a lower Capacity with the next row.
func (m *Meter) Change(change func(c *Config)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.catchUp()
	before := m.cfg
	change(&m.cfg)
	m.cfg.Name, m.cfg.UnixClock = before.Name, before.UnixClock
}

// Accelerated is a clock that shows start now and runs faster by a factor than
// the clock of the system.
func Accelerated(start time.Time, factor float64) func() time.Time {
	begin := time.Now()
	return func() time.Time {
		return start.Add(time.Duration(float64(time.Since(begin)) * factor))
	}
}
