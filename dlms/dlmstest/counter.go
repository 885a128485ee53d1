package dlmstest

import (
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

const (
	maxCounter  = 1<<32 - 1
	highCounter = maxCounter - 0xf // what the counter object shows by Faults.HighCounters
)

// CounterObject is the Data object whose value is the highest invocation counter
// that the meter has accepted: the frame counter of the security setup.
var CounterObject = obis.Code{0, 0, 43, 1, 0, 255}

// series names the counters of one sender under one key, none of which may come
// twice (Green Book Ed. 9, 9.2.3.3.7.3), in whatever APDU or answer to a challenge.
type series struct {
	title     [security.TitleLength]byte
	key       [security.KeyLength]byte
	dedicated bool
}

// accept takes a counter of a series, or refuses it because it is not higher
// than all before. lowest is the lowest that would have done. An answer to a
// challenge may stand in an envelope: its counter comes before that one, or
// after it, but is another.
func (m *Meter) accept(s series, counter uint32, around *envelope) (lowest uint64, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next, known := m.lowest[s]
	if !known && !s.dedicated && m.cfg.ClientCounter > 0 {
		next = uint64(m.cfg.ClientCounter) + 1
	}
	lowest = next
	fresh := uint64(counter) >= next
	if around != nil && around.by.series == s {
		fresh = uint64(counter) >= around.lowest && counter != around.counter
	}
	if !fresh {
		m.counters.RepeatedCounters++
		if !m.faults.fixed().AnyCounter {
			return lowest, false
		}
	}
	m.lowest[s] = max(next, uint64(counter)+1)
	if !s.dedicated {
		m.highest = max(m.highest, counter)
	}
	return lowest, true
}

// next returns a counter for the meter's own use; with again the one it has used
// last.
func (m *Meter) next(again bool) uint32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if again && m.own > m.cfg.Counter {
		return m.own - 1
	}
	m.own++
	return m.own - 1
}

// readCounter appends the value of an attribute of the CounterObject.
func (m *Meter) readCounter(at cosem.Attribute, b []byte) ([]byte, xdlms.DataAccessResult) {
	switch {
	case at.Class != cosem.Data:
		return b, xdlms.ObjectClassInconsistent
	case at.ID == 1:
		return axdr.AppendOctetString(b, CounterObject[:]), xdlms.Success
	case at.ID != 2:
		return b, xdlms.ReadWriteDenied
	case m.faults.take(func(f *Faults) *int { return &f.HighCounters }):
		return axdr.AppendDoubleLongUnsigned(b, highCounter), xdlms.Success
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return axdr.AppendDoubleLongUnsigned(b, m.highest), xdlms.Success
}
