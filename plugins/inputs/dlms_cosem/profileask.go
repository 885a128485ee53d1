package dlms_cosem

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/internal/history"
)

// query is a part of a profile that is asked for.
type query struct {
	target   *target
	from, to time.Time
	final    bool // to is now, or the end of the target
	accept   bool // take an answer without the anchor, too
}

// answer is what came for a query.
type answer struct {
	rows, octets int
	passed       int64 // rows that were new
	inside       int   // rows that lie in the range
	handed       bool  // the rows were handed over: the anchor was among them, or there is none
	beyond       bool  // there are none, but behind the range
	more         bool  // it is not all of the query
	err          error
}

const (
	// unlimited is how many rows a profile can have that does not tell.
	unlimited = 10_000_000
	// slackRows may be captured while the meter answers.
	slackRows = 1000
)

// errBroken says that an answer was broken off by us: what came of it is good.
var errBroken = errors.New("the answer is longer than was asked for")

// climbDown asks by the rung that is known to work, or finds one. A rung works
// if its answer has the anchor in it. If none has, the anchor is gone from the
// buffer, and the first answer that has any rows of the range is taken.
func (s *session) climbDown(ctx context.Context, q *query) (*answer, error) {
	h := s.st.history
	rec := &h.record
	expected := q.target.pos.Anchor.Known()
	start := rec.Rung
	if rec.Proven {
		a := s.ask(ctx, rec.Rung, q)
		switch {
		case a.err != nil && (!refusedSelection(a.err) || s.lost(ctx)):
			return a, a.err
		case a.err == nil && (a.handed || !expected):
			return a, nil
		case s.entries == 0 || a.err != nil && s.mayBeEmpty(q):
			return s.nothing(q), nil
		default:
		}
		s.l.d.Log.Debugf("%s: Profile %q cannot be gone on with %s now: %v", s.r.where(s.st.device), h.p.name, rec.Rung, a.err)
		start, rec.Ends, s.oriented = 0, 0, false
	}
	candidate, empty := -1, -1
	var refusal error
	for rung := start; rung <= history.Whole; rung++ {
		if !s.worth(rung, candidate, empty) {
			continue
		}
		a := s.ask(ctx, rung, q)
		switch {
		case a.err != nil && (!refusedSelection(a.err) || s.lost(ctx)):
			s.unanswered(rung, a)
			return a, a.err
		case a.err != nil:
			if refusal == nil {
				refusal = a.err
			}
		case a.handed:
			if a.rows > 0 {
				s.proved(rung, expected)
			}
			return a, nil
		case a.beyond:
			return a, nil
		case a.inside > 0 && candidate < 0:
			candidate = int(rung)
		case a.inside == 0 && a.rows > 0 && rung < history.ByEntry: // a selection means nothing to it
			rung, empty = history.ByEntry, -1
		case a.rows == 0 && rung == history.ByEntry: // it has rows, and gives none of them to any selection
			empty = -1
		case a.rows == 0 && empty < 0:
			empty = int(rung)
		default:
		}
	}
	switch {
	case candidate >= 0:
		q.accept = true
		s.proved(history.Rung(candidate), false)
		a := s.ask(ctx, history.Rung(candidate), q)
		return a, a.err
	case s.entries == 0 || empty >= 0 && !expected:
		return s.nothing(q), nil
	case empty >= 0: // the row that was read last is not there, nor another one: another time may tell
		return &answer{}, nil
	case refusal == nil:
		return &answer{}, nil
	default:
		return nil, refusal
	}
}

// worth reports whether a rung is worth a try.
func (s *session) worth(rung history.Rung, candidate, empty int) bool {
	h := s.st.history
	switch {
	case h.layout.unix && (rung == history.RangeWithout || rung == history.RangeRounded || rung == history.RangeRoundedWithout || rung == history.RangeLocal):
		return false // the same as the first
	case rung == history.ByEntry:
		return s.entries > 0 && candidate < 0
	case rung == history.Whole: // expensive: only if nothing else is understood
		return candidate < 0 && empty < 0
	default:
		return s.entries != 0 || empty < 0
	}
}

// proved keeps a rung.
func (s *session) proved(rung history.Rung, proven bool) {
	h := s.st.history
	h.silent = 0
	if rec := &h.record; rec.Rung != rung || rec.Proven != proven {
		if proven && rung != history.RangeWithDeviation && h.once == nil {
			s.l.d.Log.Infof("%s: Profile %q is read %s", s.r.where(s.st.device), h.p.name, rung)
		}
		h.note(func(rec *profileRecord) { rec.Rung, rec.Proven = rung, proven })
		rec.Rung, rec.Proven = rung, proven
	}
}

// unanswered takes note of a request that was not answered: there are meters
// that fall silent, or hang up, at a selection that they do not know.
func (s *session) unanswered(rung history.Rung, a *answer) {
	h := s.st.history
	if a.rows > 0 {
		return
	}
	if h.silent++; h.silent >= 2 && rung < history.Whole {
		h.silent, h.record.Rung = 0, rung+1
	}
}

// mayBeEmpty reports whether there need not be a row in a range, so that a
// refusal may mean that there is none.
func (s *session) mayBeEmpty(q *query) bool {
	pos := q.target.pos
	inRange := pos.Anchor.Known() && !pos.Anchor.Time.Before(q.from) && !pos.Anchor.Time.After(q.to)
	return s.entries == 0 || !inRange
}

// nothing is the answer of a range without rows.
func (s *session) nothing(q *query) *answer {
	k := &handover{s: s, h: s.st.history, t: q.target}
	anchor := q.target.pos.Anchor
	k.finish(context.Background(), history.Position{Anchor: anchor, Covered: q.covered(anchor)})
	return &answer{handed: true}
}

// lateRows is by how much a row may turn up later than its time says.
const lateRows = time.Minute

// covered is up to where an answer has told everything. It stays behind as long as no row is known, behind which others
// are new whatever their time: one that turns up late would be taken for an old one.
func (q *query) covered(anchor history.Mark) time.Time {
	late := q.to.Add(-lateRows)
	switch before := q.target.pos.Covered; {
	case anchor.Known() || !q.final:
		return q.to
	case late.Before(before):
		return before
	default:
		return late
	}
}

// ask asks by one rung, and takes what comes.
func (s *session) ask(ctx context.Context, rung history.Rung, q *query) *answer {
	switch rung {
	case history.ByEntry:
		return s.askEntries(ctx, q)
	case history.Whole:
		whole := *q
		whole.final, whole.to = true, s.meterNow()
		if end := q.target.end; !end.IsZero() && end.Before(whole.to) {
			whole.to = end
		}
		a := s.take(ctx, nil, &whole, rung)
		q.final, q.to = true, whole.to
		return a
	default:
		from, to := s.rangeZone().Ends(rung, q.from, q.to)
		sel := cosem.RangeSelection(from, to, s.st.history.layout.by, nil)
		return s.take(ctx, &sel, q, rung)
	}
}

// rangeZone is how the meter writes times.
func (s *session) rangeZone() history.Zone {
	h := s.st.history
	z := history.Zone{Clock: s.r.location, Local: s.r.location, Period: h.layout.period, Unix: h.layout.unix,
		Inverted: s.st.health.zone.sign == deviationInverted || s.r.deviation == deviationInverted}
	if d := s.clockForm.Deviation; s.offset != nil && d != axdr.DeviationUnspecified {
		_, offset := s.meterNow().In(s.r.location).Zone()
		if offset != -60*int(d) {
			z.Clock = time.FixedZone("", -60*int(d))
		}
	}
	return z
}

// take reads the rows of a selection.
func (s *session) take(ctx context.Context, sel *cosem.Selection, q *query, rung history.Rung) *answer {
	h, a := s.st.history, &answer{}
	accept := q.accept || rung == history.Whole
	sift := &history.Sift[[]profileValue]{Order: h.record.Facts.Order, Period: h.layout.period}
	k := &handover{s: s, h: h, t: q.target, sift: sift, tags: deviceTags(s.r, s.st.device)}
	if sift.Pass = k.pass; h.record.Facts.LIFO {
		sift.Supposed = history.NewestFirst
	}
	sift.Begin(q.target.pos)
	x := s.profileReader(h)
	h.beginRows()
	most := unlimited
	if s.entries >= 0 {
		most = int(s.entries) + slackRows
	}
	run := ctx
	ctx, renew, pause, end := s.patience(ctx)
	defer end()
	at := cosem.Attribute{Class: cosem.ProfileGeneric, Instance: h.p.obis, ID: 2}
	err := s.as.GetRows(ctx, at, sel, func(d axdr.Data) error {
		renew()
		s.answers++
		a.rows++
		a.octets += len(d)
		switch {
		case a.rows > most:
			return &endlessError{a.rows, most}
		case rung != history.Whole && a.octets > history.MostOctets:
			return errBroken
		}
		row, err := x.row(d)
		if err != nil {
			s.holdBack(err)
			return nil
		}
		if at := row.Stamp.At; !at.Before(q.from.Add(-rangeSlack)) && (rung >= history.ByEntry || !at.After(q.to.Add(rangeSlack))) {
			a.inside++
		}
		sift.Row(row)
		if len(k.list) >= groupRows && (accept || sift.Found()) {
			pause() // to wait here is not the meter's doing
			k.finish(run, sift.Position(time.Time{}))
			renew()
		}
		return k.err
	})
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	switch {
	case err == nil:
		sift.End()
	case errors.Is(err, errBroken):
		sift.Break()
		err, a.more = nil, true
	default:
	}
	a.err = err
	if a.handed = accept || sift.Found() && a.inside > 0; a.handed {
		covered := q.covered(sift.Position(q.to).Anchor)
		if a.more || !q.final && rung == history.ByEntry {
			covered = time.Time{}
		}
		before := q.target.pos
		k.order()
		pause()
		k.finish(run, sift.Position(covered))
		a.passed, s.o.gaps = k.n, s.o.gaps+sift.Gaps
		if a.more && q.target.pos == before {
			a.err = fmt.Errorf("%w: %s came, and nothing can be gone on from", errBroken, counted(a.rows, "row"))
		}
	}
	if k.err != nil {
		a.err = k.err
	}
	return a
}

// rangeSlack is by how much an answer may lie outside of what was asked for:
// ends are rounded, and clocks change to summer time.
const rangeSlack = 26 * time.Hour

// holdBack takes note of a row that cannot be passed on.
func (s *session) holdBack(err error) {
	if s.held++; s.heldBack == nil {
		s.heldBack = err
	}
}

// patience limits an answer by what comes of it: it may take long, but not stop.
func (s *session) patience(ctx context.Context) (limited context.Context, renew, pause, end func()) {
	limited, cancel := context.WithCancelCause(ctx)
	limit := s.r.timeout
	timer := time.AfterFunc(limit, func() { cancel(&budgetError{limit: limit.String(), err: context.DeadlineExceeded}) })
	return limited, func() { timer.Reset(limit) }, func() { timer.Stop() }, func() { timer.Stop(); cancel(nil) }
}
