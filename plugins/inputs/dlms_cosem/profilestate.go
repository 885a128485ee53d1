package dlms_cosem

import (
	"slices"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/metric"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/internal/history"
)

const (
	profilesBucket = "profiles"

	// groupRows is how many rows are passed on, and noted as passed on, together.
	groupRows = 250
	// mostGroups may be under way at a time.
	mostGroups = 64
	// mostResends may wait.
	mostResends = 16
)

// profileRecord is what is kept of a profile of a meter from one run, and one
// start of the program, to the next.
type profileRecord struct {
	Meter    string           `json:"meter,omitempty"` // its name, as in learned
	Position history.Position `json:"position"`
	Facts    profileFacts     `json:"facts"`
	Before   *profileFacts    `json:"before,omitempty"` // of the columns that it had: rows of them may still be in the buffer
	Rung     history.Rung     `json:"rung"`
	Proven   bool             `json:"proven,omitempty"` // the anchor was found by that rung
	Entry    uint32           `json:"entry,omitempty"`  // where the anchor was, by entry
	Entries  uint32           `json:"entries,omitempty"`
	Ends     int8             `json:"ends,omitempty"`   // positive: the first entry is the oldest one; negative: the newest
	Held     int64            `json:"held,omitempty"`   // rows that it had in the last run
	Offset   *time.Duration   `json:"offset,omitempty"` // of the meter's clock from ours
	At       time.Time        `json:"at,omitzero"`      // when it had that
	RereadAt time.Time        `json:"reread_at,omitzero"`
	Resend   []profileSpan    `json:"resend,omitempty"`
}

// profileSpan is a range of a profile that is to be written again.
type profileSpan struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// resend notes a range that is to be written again, unless too many wait.
func (rec *profileRecord) resend(span profileSpan) bool {
	room := len(rec.Resend) < mostResends
	if room {
		rec.Resend = append(rec.Resend, span)
	}
	return room
}

// historian reads one profile of one device, run after run. It belongs to the
// goroutine of its link.
type historian struct {
	p      *profile
	record profileRecord
	loaded bool
	layout *layout
	chunks history.Chunks
	cells  cosem.Rows
	before *layout // of record.Before
	older  cosem.Rows

	tracker telegraf.TrackingAccumulator
	give    func(s *session, at time.Time, cells []profileValue) error
	pending []pendingGroup
	cursor  *history.Position // beyond the record while groups are under way; nil: it is that of the record

	dirty   bool           // the record is to be saved
	failing bool           // the state did not take it
	live    *target        // what is new, in this run
	again   *target        // the first of record.Resend, as far as it was read
	asked   []profileSpan  // what people want to have written again
	once    *onceTarget    // read that, for people, and nothing else
	wrongBy *time.Duration // by how much the meter's clock was said to be wrong
	silent  int            // times in a row that a rung which is not proven was not answered at all
	ready   time.Time      // not before then, by the rate
	refused bool           // a group was not written in this run
}

// onceTarget is what people ask for.
type onceTarget struct {
	target
	done bool
}

func newHistorian(p *profile, out *output) *historian {
	return &historian{p: p, tracker: out.tracking(mostGroups)}
}

// pendingGroup is a group of rows that was handed over and is not known to be
// written.
type pendingGroup struct {
	id      telegraf.TrackingID
	apply   func(*profileRecord)
	written bool
}

// key is under what the position in a profile is kept. Two requests that read it
// each have their own.
func (p *profile) key(r *request, dev *device) string {
	return r.memoryKey(dev) + " profile " + p.obis.String() + " for " + r.name + " " + p.name
}

// load reads the record, once.
func (h *historian) load(k keeper, key string) error {
	if h.loaded {
		return nil
	}
	h.loaded = true
	found, err := k.Load(profilesBucket, key, &h.record)
	if err != nil || !found {
		h.record = profileRecord{}
	}
	return err
}

// position is up to where rows have been handed over.
func (h *historian) position() history.Position {
	if h.cursor != nil {
		return *h.cursor
	}
	return h.record.Position
}

// settle takes the groups whose lines were written into the record, in their
// order. Behind a group that was not written nothing counts: it is read again in
// the next run.
func (h *historian) settle() {
	for h.tracker != nil {
		select {
		case info := <-h.tracker.Delivered():
			i := slices.IndexFunc(h.pending, func(g pendingGroup) bool { return g.id == info.ID() })
			switch {
			case i < 0: // it came behind one that was not written
			case info.Delivered():
				h.pending[i].written = true
			default:
				h.pending, h.cursor, h.refused = h.pending[:i], nil, true
			}
			for len(h.pending) > 0 && h.pending[0].written {
				h.pending[0].apply(&h.record)
				h.pending, h.dirty = h.pending[1:], true
			}
		default:
			if len(h.pending) == 0 {
				h.cursor = nil
			}
			return
		}
	}
}

// note changes the record once all that was handed over is written.
func (h *historian) note(apply func(*profileRecord)) { h.hand(nil, apply) }

// hand hands a group of metrics over; apply is for the record when they are
// written.
func (h *historian) hand(list []telegraf.Metric, apply func(*profileRecord)) {
	if h.refused {
		return
	}
	if len(list) == 0 || h.tracker == nil {
		if len(h.pending) == 0 {
			apply(&h.record)
			h.dirty = true
		} else {
			last := &h.pending[len(h.pending)-1]
			before := last.apply
			last.apply = func(rec *profileRecord) { before(rec); apply(rec) }
		}
		return
	}
	id := h.tracker.AddTrackingMetricGroup(list)
	h.pending = append(h.pending, pendingGroup{id: id, apply: apply})
}

// newRow makes the metric of a row.
func newRow(r *request, tags map[string]string, cells []profileValue, at time.Time) telegraf.Metric {
	fields := make(map[string]any, len(cells))
	for i := range cells {
		c := &cells[i]
		if c.got {
			c.v.fields(fields, c.field, c.field+"_text", c.field+"_flag")
		}
	}
	if len(fields) == 0 {
		return nil
	}
	return metric.New(r.measurement, tags, fields, at.UTC())
}
