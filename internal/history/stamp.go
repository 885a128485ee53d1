package history

import (
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

// A Stamp is the time of a row, as far as the row itself tells it.
type Stamp struct {
	At time.Time
	// Other is the other instant of the same local time, where a clock that was set back has passed it twice and states no deviation;
	// else zero.
	Other time.Time
	// Summer says that it is a summer time without doubt, Bit that the meter has marked it so.
	Summer, Bit bool
}

// StampOf reads a complete date-time, which has the sign of the standard.
func StampOf(t axdr.DateTime, loc *time.Location) (s Stamp, ok bool) {
	if s.At, ok = t.Time(loc); !ok || t.Deviation != axdr.DeviationUnspecified {
		return s, ok
	}
	s.Bit = t.Status&axdr.StatusDaylightSaving != 0 && t.Status != 0xFF
	first, second := t, t
	first.Status, second.Status = axdr.StatusDaylightSaving, 0
	a, _ := first.Time(loc)
	b, _ := second.Time(loc)
	switch {
	case a.Equal(b):
		s.Summer = s.At.In(location(loc)).IsDST()
	case s.At.Equal(a):
		s.Other = b
	default:
		s.Other = a
	}
	return s, true
}

func location(loc *time.Location) *time.Location {
	if loc == nil {
		return time.UTC
	}
	return loc
}

// resolver tells the two instants of a local time apart by the order of the
// rows, where the meter does not mark summer times.
type resolver struct {
	before time.Time
	marks  bool // a summer time was marked
}

// time is when a row was captured; rows come in the order of the buffer.
func (r *resolver) time(s Stamp) time.Time {
	if s.Summer {
		r.marks = s.Bit
	}
	at := s.At
	if !s.Other.IsZero() && !r.marks && !s.Bit && !r.before.IsZero() {
		first, second := s.At, s.Other
		if second.Before(first) {
			first, second = second, first
		}
		at = second
		if first.After(r.before) {
			at = first
		}
	}
	r.before = at
	return at
}
