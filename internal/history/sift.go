package history

import (
	"slices"
	"time"
)

// A Mark is how a row is known again: by its time, and a print of its values.
type Mark struct {
	Time   time.Time `json:"time"`
	Print  uint64    `json:"print"`
	Number int       `json:"number,omitempty"` // among the rows of that time, from 0
}

// Known reports whether there is a row at all.
func (m Mark) Known() bool { return !m.Time.IsZero() }

// A Position is up to where a profile has been passed on.
type Position struct {
	Anchor  Mark      `json:"anchor,omitzero"` // the last row in the order of the buffer
	Covered time.Time `json:"covered"`         // up to here, itself included, everything was in an answer
}

// Order is that of the rows in an answer.
type Order uint8

// The orders of sort_method (Blue Book Ed. 13, clause 4.3.6) as far as they
// matter here.
const (
	OrderUnknown Order = iota // it shows in the first answer
	OldestFirst
	NewestFirst
	OrderOfValues // by something else than time
)

// A Row is what is to be known of a row.
type Row[R any] struct {
	Stamp Stamp
	Print uint64
	Of    R
}

// mostHeld is how many rows may wait for what comes behind them.
const mostHeld = 20_000

// A Sift finds the new rows of answers, and gives each the time under which it
// is written: the k-th of a time k nanoseconds later, the same whenever it is
// read. Zero is good for a profile that was never read.
type Sift[R any] struct {
	// Pass takes a new row and its time.
	Pass func(at time.Time, r R)
	// Order is that of the answers. The first one that shows it sets it.
	Order Order
	// Supposed is the order while none was seen: of rows of one time alone none is.
	Supposed Order
	// Period between two rows; 0: there is none, and no gaps.
	Period time.Duration
	// Gaps is how many rows are missing between those that were passed on and the ones before.
	Gaps int64

	from    Position
	last    Mark      // of the answer
	top     time.Time // the latest time in it
	before  time.Time
	resolve resolver
	found   bool // the anchor
	shift   int  // that many rows of the anchor's time are gone from the buffer
	counts  map[time.Time]int
	recent  []time.Time // the keys of counts, a ring
	oldest  int
	held    []passing[R] // may be new if the anchor is gone
	stack   []Row[R]     // to be put into order
	whole   bool         // the answer has ended
}

// passing is a row with its time.
type passing[R any] struct {
	mark   Mark
	before time.Time // of the row before
	of     R
}

// Begin begins an answer, which goes on from a position.
func (s *Sift[R]) Begin(from Position) {
	*s = Sift[R]{Pass: s.Pass, Order: s.Order, Supposed: s.Supposed, Period: s.Period, Gaps: s.Gaps, from: from,
		before: from.Anchor.Time, counts: map[time.Time]int{}, recent: s.recent[:0], held: s.held[:0], stack: s.stack[:0]}
}

// Row takes the next row of the answer.
func (s *Sift[R]) Row(r Row[R]) {
	if s.Order == OldestFirst {
		s.take(r)
		return
	}
	s.stack = append(s.stack, r)
	if len(s.stack) >= mostHeld {
		s.drain()
	}
}

// End ends the answer: it came as a whole.
func (s *Sift[R]) End() {
	s.whole = true
	s.drain()
	s.release()
}

// Break ends the answer where it was broken off: more was to come.
func (s *Sift[R]) Break() { s.drain() }

// Found reports whether the anchor was in the answer, if there was one to find.
func (s *Sift[R]) Found() bool { return s.found || !s.from.Anchor.Known() }

// Position is up to where the profile has been passed on with the rows of the
// answer so far; covered is up to where a whole answer was asked for. It is the
// one of before where what came cannot be gone on from.
func (s *Sift[R]) Position(covered time.Time) Position {
	last := s.last
	if last.Time.Equal(s.from.Anchor.Time) {
		last.Number += s.shift
	}
	switch {
	case s.whole:
		// What lies above the end that was asked for came with all that lies between.
		p := Position{Anchor: s.from.Anchor, Covered: later(later(s.from.Covered, covered), s.top)}
		if last.Known() {
			p.Anchor = last
		}
		return p
	case s.Order == OldestFirst && last.Known() && (s.Found() || len(s.held) == 0) && last.Time.After(s.from.Covered):
		return Position{Anchor: last, Covered: last.Time}
	case s.Order == OldestFirst && last.Known() && s.found:
		return Position{Anchor: last, Covered: s.from.Covered}
	default:
		return s.from
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// drain takes the rows that were put aside, in order.
func (s *Sift[R]) drain() {
	if len(s.stack) == 0 {
		return
	}
	if s.Order == OrderUnknown {
		s.Order = orderOf(s.stack)
	}
	order := s.Order
	if order == OrderUnknown {
		order = s.Supposed
	}
	switch order {
	case NewestFirst:
		slices.Reverse(s.stack)
	case OrderOfValues:
		slices.SortStableFunc(s.stack, func(a, b Row[R]) int { return a.Stamp.At.Compare(b.Stamp.At) })
	default:
	}
	newest, had := s.last, s.last.Known()
	for _, r := range s.stack {
		s.take(r)
	}
	if had && order == NewestFirst {
		s.last = newest // the rows of this part are older
	}
	clear(s.stack)
	s.stack = s.stack[:0]
}

// orderOf looks at which way the times of rows go.
func orderOf[R any](rows []Row[R]) Order {
	up, down := 0, 0
	for i := 1; i < len(rows); i++ {
		switch rows[i].Stamp.At.Compare(rows[i-1].Stamp.At) {
		case 1:
			up++
		case -1:
			down++
		default:
		}
	}
	switch {
	case down > up:
		return NewestFirst
	case up > 0:
		return OldestFirst
	default:
		return OrderUnknown
	}
}

// take takes a row, the older ones first.
func (s *Sift[R]) take(r Row[R]) {
	at := s.resolve.time(r.Stamp)
	m := Mark{Time: at, Print: r.Print, Number: s.count(at)}
	p := passing[R]{mark: m, before: s.before, of: r.Of}
	s.before, s.last, s.top = at, m, later(s.top, at)
	anchor := s.from.Anchor
	switch {
	case anchor.Known() && !s.found && at.Equal(anchor.Time) && r.Print == anchor.Print && m.Number == anchor.Number:
		s.find(0)
	case at.After(s.from.Covered), s.found:
		s.pass(p)
	case anchor.Known() && !at.Before(anchor.Time) && len(s.held) < mostHeld:
		s.held = append(s.held, p)
	default: // passed on long ago, or from before the time that matters
	}
}

// find takes note that the anchor was there: what came before it is known.
func (s *Sift[R]) find(shift int) {
	s.found, s.shift = true, shift
	clear(s.held)
	s.held = s.held[:0]
}

// release passes on what was held for an anchor that did not come. Of rows of
// one time the first may be gone, and the anchor is there under another number.
func (s *Sift[R]) release() {
	held, anchor := s.held, s.from.Anchor
	for i := len(held) - 1; i >= 0; i-- {
		if m := held[i].mark; m.Time.Equal(anchor.Time) && m.Print == anchor.Print {
			s.found, s.shift = true, anchor.Number-m.Number
			held = held[i+1:]
			break
		}
	}
	if !s.found && s.Period == 0 && len(held) > 0 { // the anchor is gone, and all before it: others of its time come behind it
		s.shift = anchor.Number + 1
	}
	for _, p := range held {
		s.pass(p)
	}
	clear(s.held)
	s.held = s.held[:0]
}

func (s *Sift[R]) pass(p passing[R]) {
	if s.Period > 0 && !p.before.IsZero() {
		if missing := int64((p.mark.Time.Sub(p.before) + s.Period/2) / s.Period); missing > 1 {
			s.Gaps += missing - 1
		}
	}
	k := p.mark.Number
	if p.mark.Time.Equal(s.from.Anchor.Time) {
		k += s.shift
	}
	s.Pass(p.mark.Time.Add(time.Duration(k)), p.of)
}

// count is how many rows of that time came before in the answer, as far as the
// last mostHeld rows tell.
func (s *Sift[R]) count(at time.Time) int {
	at = at.UTC()
	n, known := s.counts[at]
	s.counts[at] = n + 1
	if known {
		return n
	}
	if len(s.recent) < mostHeld {
		s.recent = append(s.recent, at)
		return n
	}
	delete(s.counts, s.recent[s.oldest])
	s.recent[s.oldest] = at
	s.oldest = (s.oldest + 1) % len(s.recent)
	return n
}
