package dlms_cosem

import (
	"context"
	"errors"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/internal/history"
)

// Entries are counted by their age here: 0 is the oldest one. The standard
// counts from 1 in the order of the buffer, which on some meters is from the
// newest one.

// entrySelection selects the entries from first to last.
func (s *session) entrySelection(first, last int64) *cosem.Selection {
	from, to := uint32(first+1), uint32(last+1)
	if s.newestFirst {
		from, to = uint32(s.entries-last), uint32(s.entries-first)
	}
	sel := cosem.EntrySelection(from, to, 1, 0)
	return &sel
}

// entryTime reads the time of one entry. An entry whose time is none gives
// false.
func (s *session) entryTime(ctx context.Context, n int64) (at time.Time, ok bool, err error) {
	h := s.st.history
	x := s.profileReader(h)
	h.beginRows()
	buffer := cosem.Attribute{Class: cosem.ProfileGeneric, Instance: h.p.obis, ID: 2}
	rows := 0
	err = s.budget(ctx, func(ctx context.Context) error {
		return s.as.GetRows(ctx, buffer, s.entrySelection(n, n), func(d axdr.Data) error {
			if rows++; rows > slackRows {
				return errBroken
			}
			if r, err := x.row(d); err == nil && rows == 1 {
				at, ok = r.Stamp.At, true
			}
			return nil
		})
	})
	s.answers++
	if rows > 1 { // it gave more than was asked for: the time is not that of the entry
		return at, false, errors.Join(err, errNotSelected)
	}
	return at, ok, err
}

// errNotSelected says that a meter returns other entries than were asked for.
var errNotSelected = errors.New("one entry was asked for, more came")

// askEntries asks for the rows of a range by their numbers.
func (s *session) askEntries(ctx context.Context, q *query) *answer {
	h := s.st.history
	if !s.oriented {
		if err := s.orient(ctx); err != nil {
			return &answer{err: err}
		}
	}
	rows := int64(h.chunks.Rows(h.p.rate))
	if q.target.pos.Anchor.Known() {
		rows++ // that one is not new
	}
	first, guessed := s.guessEntry(q)
	for {
		if first < 0 {
			var err error
			if first, err = s.findEntry(ctx, q.from); err != nil {
				return &answer{err: err}
			}
		}
		last := min(first+rows-1, s.entries-1)
		if first > last { // all are older
			s.nothing(q)
			return &answer{handed: true}
		}
		if at, ok, err := s.farther(ctx, q, first); err != nil || ok {
			if ok {
				q.to = at.Add(-1)
				s.nothing(q)
			}
			return &answer{beyond: ok, err: err}
		}
		part := *q
		part.final = last == s.entries-1
		if part.final {
			part.to = s.meterNow()
		}
		a := s.take(ctx, s.entrySelection(first, last), &part, history.ByEntry)
		if a.err == nil && !a.handed && guessed {
			guessed, first = false, -1
			continue
		}
		if a.err == nil && a.handed {
			q.final, q.to = part.final, part.to
			if !part.final {
				q.to = q.target.pos.Covered
			}
			s.nextEntry, s.nextOf = last, q.target
			h.note(func(rec *profileRecord) { rec.Entry, rec.Entries = uint32(last+1), uint32(s.entries) })
		}
		return a
	}
}

// farther looks whether the range is empty, and the next row is behind it: then
// it is no wonder that nothing came by range.
func (s *session) farther(ctx context.Context, q *query, first int64) (at time.Time, farther bool, err error) {
	if rec := &s.st.history.record; rec.Proven || q.final || q.target.pos.Anchor.Known() {
		return at, false, nil
	}
	at, ok, err := s.entryTime(ctx, first)
	return at, ok && at.After(q.to), err
}

// guessEntry is where the anchor should be by what was before; -1: it has to be
// looked for.
func (s *session) guessEntry(q *query) (n int64, guessed bool) {
	rec, period := &s.st.history.record, s.st.history.layout.period
	anchor := q.target.pos.Anchor
	switch {
	case s.nextOf == q.target && s.nextEntry >= 0:
		return s.nextEntry, true
	case !q.target.live || !anchor.Known() || rec.Entry == 0 || int64(rec.Entry) > s.entries:
		return -1, false
	case int64(rec.Entries) == s.entries && period > 0:
		return max(0, s.entries-2-int64(s.meterNow().Sub(anchor.Time)/period)), true
	default:
		return int64(rec.Entry) - 1, true
	}
}

// orient finds out which end of the buffer is the older one, by neighbours at
// several places: at one of them the clock may have been set back.
func (s *session) orient(ctx context.Context) error {
	rec := &s.st.history.record
	if rec.Ends != 0 {
		s.newestFirst, s.oriented = rec.Ends < 0, true
		return nil
	}
	s.newestFirst = false
	places := [][2]int64{{0, s.entries - 1}}
	if n := s.entries; n > 3 {
		places = [][2]int64{{0, 1}, {n / 2, n/2 + 1}, {n - 2, n - 1}}
	}
	ends := int8(0)
	for _, p := range places {
		a, okA, err := s.entryTime(ctx, p[0])
		if err != nil {
			return err
		}
		b, okB, err := s.entryTime(ctx, p[1])
		if err != nil {
			return err
		}
		if okA && okB {
			ends += int8(b.Compare(a))
		}
	}
	s.newestFirst, s.oriented = ends < 0 || ends == 0 && rec.Facts.LIFO, true
	s.st.history.note(func(rec *profileRecord) { rec.Ends = ends })
	return nil
}

// findEntry is the first entry of that time or later, the number of entries if
// there is none. Times need not grow everywhere: then it is one of several such
// places.
func (s *session) findEntry(ctx context.Context, t time.Time) (int64, error) {
	low, high := int64(0), s.entries
	for low < high {
		mid := low + (high-low)/2
		at, ok, err := s.entryTime(ctx, mid)
		for step := int64(1); err == nil && !ok && mid+step < high && step < 8; step++ {
			at, ok, err = s.entryTime(ctx, mid+step)
		}
		switch {
		case err != nil:
			return 0, err
		case ok && at.Before(t):
			low = mid + 1
		default:
			high = mid
		}
	}
	return low, nil
}
