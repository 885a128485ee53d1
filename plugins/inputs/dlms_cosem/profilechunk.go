package dlms_cosem

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/internal/history"
)

// target is what a chunk is read for: what is new, or a range again.
type target struct {
	pos  history.Position
	end  time.Time // rows behind it do not matter; zero: all do
	live bool      // the position is that of the profile
}

// mostStuck is how many answers in a row may lead nowhere.
const mostStuck = 32

// catchUp reads chunk by chunk, until all is read or others want the link.
func (s *session) catchUp(ctx context.Context) error {
	h := s.st.history
	h.live, h.refused = nil, false
	stuck := 0
	for caughtUp := false; ; {
		t := s.nextTarget(caughtUp)
		if t == nil {
			return nil
		}
		before := t.pos
		done, err := s.chunk(ctx, t)
		s.keepProfile()
		if err != nil {
			return err
		}
		if stuck++; done || t.pos != before {
			stuck = 0
		}
		if stuck > mostStuck {
			return fmt.Errorf("nothing of it can be gone on with: %d requests in a row brought no new row", stuck)
		}
		switch {
		case !done:
		case t.live:
			caughtUp = true
		case t == h.again:
			h.again = nil
			h.note(func(rec *profileRecord) { rec.Resend = rec.Resend[min(1, len(rec.Resend)):] })
			s.keepProfile()
		default:
			h.once.done = true
		}
		if !s.mayGoOn(ctx) {
			if ctx.Err() == nil && s.nextTarget(caughtUp) == nil {
				return nil
			}
			s.o.more, s.o.ready = true, h.ready
			return ctx.Err()
		}
	}
}

// nextTarget is what is to be read next; nil: nothing is.
func (s *session) nextTarget(caughtUp bool) *target {
	h := s.st.history
	now := s.meterNow()
	switch {
	case h.once != nil:
		if h.once.done {
			return nil
		}
		return &h.once.target
	case !caughtUp:
		if h.live != nil {
			return h.live
		}
		t := &target{pos: h.position(), live: true}
		if t.pos.Covered.IsZero() { // kept from now on: what lies in lookback at first does not fall out of it while nothing can be written
			t.pos = history.Position{Covered: now.Add(-h.p.lookback)}
			h.record.Position, h.dirty = t.pos, true
		}
		if oldest := now.Add(-h.p.maxAge); h.p.maxAge > 0 && t.pos.Covered.Before(oldest) {
			t.pos = history.Position{Covered: oldest}
		}
		s.setBack(t)
		h.live = t
		return t
	}
	s.planReread(now)
	rec := &h.record
	if len(rec.Resend) == 0 {
		return nil
	}
	if h.again == nil {
		h.again = &target{pos: history.Position{Covered: rec.Resend[0].From.Add(-1)}, end: rec.Resend[0].To}
	}
	return h.again
}

// planReread has the last part of the profile read again when it is time.
func (s *session) planReread(now time.Time) {
	h := s.st.history
	rec := &h.record
	switch host := time.Now(); {
	case h.p.reread == 0:
	case rec.RereadAt.IsZero() || rec.RereadAt.After(host):
		rec.RereadAt, h.dirty = host, true
	case host.Sub(rec.RereadAt) >= h.p.reread && rec.resend(profileSpan{From: now.Add(-h.p.reread - h.layout.period), To: now}):
		rec.RereadAt, h.dirty = host, true
	default:
	}
}

// setBack looks whether the meter's clock was set back since it was looked at
// last, so far that what is new may have times before the last known row. Then
// all is read once more from there on, which changes nothing in a database; what
// was captured before, under times that are still to come, is read beside it.
func (s *session) setBack(t *target) {
	h := s.st.history
	rec := &h.record
	if s.offset == nil || rec.Offset == nil || *s.offset >= *rec.Offset {
		return
	}
	lowest, latest := rec.At.Add(*s.offset), time.Now().Add(*rec.Offset)
	if !lowest.Before(t.begin(h.layout.period)) {
		return
	}
	s.l.d.Log.Infof("%s: The meter's clock was set back: profile %q is read once more from %s on", s.r.where(s.st.device), h.p.name, lowest.Format(time.RFC3339))
	if t.pos.Covered.Before(latest) {
		rec.resend(profileSpan{From: t.pos.Covered.Add(1), To: latest})
	}
	t.pos = history.Position{Covered: lowest.Add(-h.layout.period)}
	rec.Position, h.cursor, h.dirty = t.pos, nil, true
	offset := *s.offset
	rec.Offset, rec.At = &offset, time.Now()
}

// begin is from where on rows are asked for: a period before the last known one,
// for whom there is one.
func (t *target) begin(period time.Duration) time.Time {
	return earlier(t.pos.Anchor.Time, t.pos.Covered).Add(-max(period, 2*time.Second)) // clocks are not read more exactly
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// chunk reads the next part of a target. done means that nothing is left.
func (s *session) chunk(ctx context.Context, t *target) (done bool, err error) {
	h := s.st.history
	if h.layout.clock < 0 {
		return true, fmt.Errorf("none of its %d columns is a clock: its rows have no time", len(h.layout.objects))
	}
	if h.record.Facts.Class != cosem.ProfileGeneric {
		return true, s.compactData(ctx, t)
	}
	now, host := s.meterNow(), time.Now()
	limit := now
	if !t.end.IsZero() && (t.end.Before(now) || t == h.again) { // rows captured before the clock was set back have times to come
		limit = t.end
	}
	q := query{target: t, from: t.begin(h.layout.period), to: limit, final: true}
	if next := t.pos.Covered.Add(h.chunks.Span(h.layout.period, h.p.rate)); next.Before(limit) {
		q.to, q.final = next, false
	}
	if s.ambiguous(q.from) {
		q.from = q.from.Add(-3 * time.Hour)
	}
	if q.to.Before(q.from) {
		q.to = q.from
	}
	a, err := s.climbDown(ctx, &q)
	if a != nil {
		h.chunks.Took(a.rows, int(a.passed), a.octets, time.Since(host))
		s.o.rows += a.passed
	}
	switch {
	case err != nil:
		h.chunks.Failed()
		return true, err
	case t.live && s.offset != nil:
		offset := *s.offset
		h.note(func(rec *profileRecord) { rec.Offset, rec.At = &offset, host })
	default:
	}
	if a.more {
		h.chunks.Failed()
		return false, nil
	}
	return q.final, nil
}

// ambiguous reports whether the times of rows near t do not tell when it was:
// the meter states no deviation, and its clock is set back there.
func (s *session) ambiguous(t time.Time) bool {
	if s.clockForm.Deviation != axdr.DeviationUnspecified && s.st.history.record.Rung != history.RangeLocal {
		return false
	}
	_, before := t.Add(-3 * time.Hour).In(s.r.location).Zone()
	_, after := t.Add(3 * time.Hour).In(s.r.location).Zone()
	return before > after
}

// mayGoOn waits until more rows may be handed over. It reports false if others
// want the link meanwhile.
func (s *session) mayGoOn(ctx context.Context) bool {
	h := s.st.history
	for {
		if ctx.Err() != nil || s.l.othersDue(time.Now()) {
			return false
		}
		wait := time.Until(h.ready)
		if wait <= 0 {
			return true
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-s.l.wake:
		}
		timer.Stop()
	}
}

// handover takes the rows of an answer and hands them over in groups.
type handover struct {
	s    *session
	h    *historian
	t    *target
	sift *history.Sift[[]profileValue]
	tags map[string]string
	list []telegraf.Metric
	n    int64
	err  error
}

// pass takes a new row.
func (k *handover) pass(at time.Time, cells []profileValue) {
	if !k.t.end.IsZero() && at.Sub(k.t.end) >= time.Millisecond || k.err != nil {
		return
	}
	k.n++
	if k.h.give != nil {
		k.err = k.h.give(k.s, at, cells)
		return
	}
	if m := newRow(k.s.r, k.tags, cells, at); m != nil {
		k.list = append(k.list, m)
	}
}

// finish hands over what was taken so far, and what it means for the position.
// It waits as the rate demands: an answer has no more rows than may go out in a
// second, but for a whole buffer.
func (k *handover) finish(ctx context.Context, pos history.Position) {
	h, t := k.h, k.t
	apply := func(*profileRecord) {}
	switch {
	case t.live:
		apply = func(rec *profileRecord) { rec.Position = pos }
	case t == h.again:
		apply = func(rec *profileRecord) {
			if len(rec.Resend) > 0 {
				rec.Resend[0].From = pos.Covered.Add(1)
			}
		}
	default:
	}
	group, interval := h.p.groups()
	handed := len(k.list) > 0
	for len(k.list) > 0 {
		if k.err = waitUntil(ctx, h.ready); k.err != nil {
			return
		}
		n := min(group, len(k.list))
		if n == len(k.list) {
			h.hand(k.list, apply)
		} else {
			h.hand(k.list[:n], func(*profileRecord) {})
		}
		k.list = k.list[n:]
		h.ready = time.Now().Add(interval)
		if h.settle(); h.refused {
			k.err = errNotWritten
			return
		}
	}
	if !handed {
		h.hand(nil, apply)
	}
	if t.pos = pos; t.live {
		h.cursor = &pos
	}
	k.s.keepProfile()
}

// groups is how many rows are handed over together, and how long it is until the
// next ones, so that in no second there are more than the rate.
func (p *profile) groups() (rows int, interval time.Duration) {
	rows = min(groupRows, max(1, p.rate/4))
	return rows, (time.Second + time.Duration(p.rate/rows) - 1) / time.Duration(p.rate/rows)
}

// waitUntil waits for a time.
func waitUntil(ctx context.Context, t time.Time) error {
	wait := time.Until(t)
	if wait <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// errNotWritten ends a run whose rows were not written: they are read again.
var errNotWritten = errors.New("rows could not be passed on: they are read again")

// order keeps the order that the answers turned out to have.
func (k *handover) order() {
	if o := k.sift.Order; o != k.h.record.Facts.Order {
		k.h.record.Facts.Order = o
		k.h.note(func(rec *profileRecord) { rec.Facts.Order = o })
	}
}

// refusedSelection reports whether a meter does not take a request for a part of
// a profile, or says so of one that is empty.
func refusedSelection(err error) bool {
	var access *dlms.AccessError
	var exception *dlms.ExceptionError
	var service *dlms.ServiceError
	var size *dlms.RequestSizeError // by entry the request is shorter
	return errors.Is(err, errNotSelected) || errors.As(err, &access) || errors.As(err, &exception) || errors.As(err, &service) || errors.As(err, &size)
}

// endlessError is a buffer that goes on for longer than it can.
type endlessError struct{ rows, most int }

func (e *endlessError) Error() string {
	return fmt.Sprintf("the answer goes on after %d rows, more than the profile can have (%d): it was broken off", e.rows, e.most)
}
