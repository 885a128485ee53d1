package dlms_cosem

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/internal/history"
)

// sortLIFO is the sort_method that has the newest row first; those beyond sort by
// values.
const sortLIFO = 2

// clockNoticed is by how much the meter's clock may differ from ours before it
// is told.
const clockNoticed = time.Minute

// historyError is why a profile could not be read, or not all of it.
type historyError struct {
	profile string
	err     error
}

func (e *historyError) Error() string { return fmt.Sprintf("profile %q: %v", e.profile, e.err) }
func (e *historyError) Unwrap() error { return e.err }

// profileAsked is what a run begins with: who the meter is, its clock, and what the
// profile says of itself.
type profileAsked struct {
	captured, period, order, sort, entries, clock axdr.Data
	template, templateID                          axdr.Data                         // of compact data
	scalers                                       map[cosem.Attribute]scalerReading // one that is known, to see whether it has changed
	class                                         cosem.ClassID
	capturedErr                                   error // why there is no captured
}

// readProfile reads what is new in a profile, and passes it on.
func (s *session) readProfile(ctx context.Context) error {
	h := s.st.history
	if err := h.load(s.l.d.kept, h.p.key(s.r, s.st.device)); err != nil {
		s.l.d.Log.Warnf("%s: The position in profile %q cannot be used: %v; it is read from lookback on", s.r.where(s.st.device), h.p.name, err)
	}
	for _, span := range h.asked {
		h.dirty = h.record.resend(span) || h.dirty
	}
	h.asked = nil
	s.keepProfile()
	s.withheld = map[string]error{}
	err := s.budget(ctx, func(ctx context.Context) error { return s.beginProfile(ctx) })
	if err == nil {
		err = s.catchUp(ctx)
	}
	s.keepProfile()
	if err != nil {
		return &historyError{h.p.name, err}
	}
	return nil
}

// keepProfile takes up what was written meanwhile, and keeps the record.
func (s *session) keepProfile() {
	h := s.st.history
	if h.settle(); !h.dirty {
		return
	}
	err := s.l.d.kept.Save(profilesBucket, h.p.key(s.r, s.st.device), &h.record)
	if err != nil && !h.failing {
		s.l.d.Log.Warnf("%s: The position in profile %q cannot be kept: %v; after the next start rows are written once more", s.r.where(s.st.device), h.p.name, err)
	}
	h.dirty, h.failing = false, err != nil
}

// beginProfile asks who answers, and what the profile is.
func (s *session) beginProfile(ctx context.Context) error {
	s.name, s.firmware, s.names = identity{}, identity{}, nil
	if err := s.learnNames(ctx); err != nil {
		return err
	}
	s.begin()
	h := s.st.history
	var a profileAsked
	if err := s.askProfile(ctx, &a); err != nil {
		return err
	}
	if s.fresh {
		s.checkPreset()
		if !s.sameMeter() { // what was asked for by knowledge of another meter does not count
			if err := s.learnNames(ctx); err != nil {
				return err
			}
			s.begin()
			a = profileAsked{}
			if err := s.askProfile(ctx, &a); err != nil {
				return err
			}
		}
		s.begin()
	}
	if m := s.memory(); h.record.Meter != m.Name {
		if h.record.Position.Covered != (time.Time{}) {
			s.l.d.Log.Infof("%s: Profile %q is of another meter than before (%s, it was %s): it is read from lookback on",
				s.r.where(s.st.device), h.p.name, shownIdentity(m.Name), shownIdentity(h.record.Meter))
		}
		h.record = profileRecord{Meter: m.Name}
		h.cursor, h.pending, h.layout, h.chunks = nil, nil, nil, history.Chunks{}
		h.again, h.dirty = nil, true
	}
	if err := s.takeFacts(&a); err != nil {
		return err
	}
	if err := s.columnScalers(ctx, &a); err != nil {
		return err
	}
	s.takeClock(&a)
	return nil
}

// askProfile reads what a run begins with, in one list.
func (s *session) askProfile(ctx context.Context, a *profileAsked) error {
	h := s.st.history
	class := cosem.ProfileGeneric
	if cosem.GuessClass(h.p.obis) == cosem.CompactData || h.record.Facts.Class == cosem.CompactData {
		class = cosem.CompactData
	}
	of := func(id int8) cosem.Attribute { return cosem.Attribute{Class: class, Instance: h.p.obis, ID: id} }
	type place struct {
		at   cosem.Attribute
		to   *axdr.Data
		name *identity

		scaler bool
	}
	list := []place{{at: of(3), to: &a.captured}}
	if s.fresh && s.memory().tells(nameAttribute()) {
		list = append(list, place{at: nameAttribute(), name: &s.name})
	}
	if s.fresh && s.memory().Firmware != "" {
		list = append(list, place{at: firmwareAttribute(s.r), name: &s.firmware})
	}
	if clock := clockAttribute(); s.memory().tells(clock) {
		list = append(list, place{at: clock, to: &a.clock})
	}
	if class == cosem.CompactData {
		list = append(list, place{at: of(4), to: &a.templateID}, place{at: of(5), to: &a.template})
	} else {
		list = append(list, place{at: of(4), to: &a.period}, place{at: of(7), to: &a.entries})
		if len(h.record.Facts.Captured) == 0 {
			list = append(list, place{at: of(5), to: &a.order}, place{at: of(6), to: &a.sort})
		}
	}
	a.scalers = map[cosem.Attribute]scalerReading{}
	if at, ok := s.columnScaler(); ok {
		list = append(list, place{at: at, scaler: true})
	}
	ats := make([]cosem.Attribute, len(list))
	for i := range list {
		ats[i] = list[i].at
	}
	err := s.as.GetList(ctx, ats, func(i int, d axdr.Data, err error) {
		if _, refused := refusedWith(err); err == nil || refused {
			s.answers++
		}
		switch p := &list[i]; {
		case p.name != nil:
			p.name.take(d, err)
		case p.scaler:
			a.scalers[p.at] = parseScaler(d, err)
		case err == nil:
			*p.to = d.Clone()
		case p.to == &a.captured:
			a.capturedErr = err
		case p.to == &a.clock:
			s.leaveAlone(p.at, identity{untold: refusedForGood(err)})
		default: // the meter does not tell, and it goes without
		}
	})
	if err == nil && len(a.captured) == 0 && a.capturedErr != nil && class == cosem.ProfileGeneric && refusedForGood(a.capturedErr) && len(h.record.Facts.Captured) == 0 && unlikeProfile(h.p.obis) {
		h.record.Facts.Class = cosem.CompactData
		a.capturedErr = nil
		return s.askProfile(ctx, a)
	}
	a.class = class
	return err
}

// unlikeProfile reports whether an object may be something else than a profile:
// the standard has a group of codes for those.
func unlikeProfile(c obis.Code) bool { return cosem.GuessClass(c) != cosem.ProfileGeneric }

func clockAttribute() cosem.Attribute {
	return cosem.Attribute{Class: cosem.Clock, Instance: obis.Code{0, 0, 1, 0, 0, 255}, ID: 2}
}

// takeFacts makes the layout. Columns that have changed begin a new one; the
// position stays.
func (s *session) takeFacts(a *profileAsked) error {
	h := s.st.history
	f := h.record.Facts
	f.Class = a.class
	switch {
	case len(a.captured) > 0:
		f.Captured = a.captured
	case len(f.Captured) == 0 && a.capturedErr != nil:
		return a.capturedErr
	case len(f.Captured) == 0:
		return errors.New("the meter did not tell the columns (capture_objects, attribute 3)")
	default:
	}
	if n, ok := a.period.Int64(); ok && n >= 0 && n <= 366*24*3600 {
		f.Period = n
	}
	if len(a.sort) > 0 {
		f.Sort = a.sort
	}
	if n, ok := a.order.Int64(); ok && n > sortLIFO && f.Order == history.OrderUnknown {
		f.Order = history.OrderOfValues
	} else if ok {
		f.LIFO = n == sortLIFO
	}
	changed := len(h.record.Facts.Captured) > 0 && !f.same(&h.record.Facts)
	if h.layout == nil || changed {
		l, err := newLayout(h.p, &f)
		if err != nil {
			return err
		}
		h.layout = l
	}
	if changed {
		s.l.d.Log.Infof("%s: The columns of profile %q are not what they were: what is new is read by the new ones, of which there are %d",
			s.r.where(s.st.device), h.p.name, len(h.layout.objects))
		before := h.record.Facts
		h.record.Before, h.before = &before, nil
		clear(a.scalers) // it may be that of a column that is not there any more
		s.forgetColumns()
		f.Order, f.Sort = history.OrderUnknown, a.sort
	}
	h.record.Facts = f
	if before := h.record.Before; before != nil && h.before == nil {
		h.before, _ = newLayout(h.p, before) // it was one
	}
	s.template, s.templateID = a.template, a.templateID
	entries, known := a.entries.Int64()
	s.entries, s.oriented, s.nextOf = -1, false, nil
	if known && entries >= 0 && entries < 1<<32 {
		s.entries = entries
		s.lookCleared(changed)
	}
	return nil
}

// lookCleared looks whether the profile has fewer rows than before: who clears it
// may have configured the meter anew.
func (s *session) lookCleared(changed bool) {
	h := s.st.history
	if before := h.record.Held; s.entries < before && !changed {
		s.l.d.Log.Infof("%s: Profile %q was cleared: it has %d rows, it had %d; scalers and units are read anew", s.r.where(s.st.device), h.p.name, s.entries, before)
		s.forgetColumns()
	}
	if held := s.entries; held != h.record.Held {
		h.note(func(rec *profileRecord) { rec.Held = held })
		h.record.Held = held
	}
}

// forgetColumns has the scalers and units of the columns read anew. Those of
// columns that the profile had are needed for its older rows.
func (s *session) forgetColumns() {
	m := s.memory()
	for _, it := range s.st.history.layout.items {
		if at, ok := it.scalerAttribute(it.class); ok {
			delete(m.Scalers, attributeKey(at))
		}
	}
	m.changed()
}

// columnScaler is a known scaler of a column, in rotation, on a new association.
func (s *session) columnScaler() (at cosem.Attribute, ok bool) {
	l := s.st.history.layout
	if l == nil || !s.fresh {
		return at, false
	}
	r := *s.r
	r.items = l.items
	return r.planReads(s.memory()).nextScaler(s.memory())
}

// columnScalers reads scalers and units of the columns that are not known.
func (s *session) columnScalers(ctx context.Context, a *profileAsked) error {
	r, h := *s.r, s.st.history
	r.items = h.layout.items
	if h.before != nil {
		r.items = slices.Concat(r.items, h.before.items)
	}
	s.r, s.st.plan = &r, nil
	s.begin()
	s.scalers = a.scalers
	m := s.memory()
	var list []ask
	for _, at := range s.plan.missingScalers(m) {
		list = append(list, ask{at: at, what: askScaler})
	}
	if len(list) > 0 {
		if err := s.askFor(ctx, list); err != nil {
			return err
		}
	}
	if err := s.settleScalers(ctx); err != nil {
		return err
	}
	// A row without a value that may be had tomorrow would be passed on without it for ever.
	for _, at := range s.plan.missingScalers(m) {
		return fmt.Errorf("scaler and unit of %s: %w", at.Instance, s.scalerReading(at).err)
	}
	return nil
}

// takeClock compares the meter's clock with ours.
func (s *session) takeClock(a *profileAsked) {
	h, now := s.st.history, time.Now()
	s.offset = nil
	t, ok := a.clock.DateTime()
	if !ok {
		return
	}
	s.learnZone(t, now)
	x := s.profileReader(h)
	normal := x.zone.normal(t, now)
	at, ok := normal.Time(s.r.location)
	if !ok {
		return
	}
	s.clockForm = normal
	offset := at.Sub(now)
	s.offset, s.o.clockOffset = &offset, &offset
	wrong := offset.Abs() >= clockNoticed
	switch before := h.wrongBy; {
	case wrong && (before == nil || (offset-*before).Abs() >= clockNoticed):
		way := "ahead"
		if offset < 0 {
			way = "behind"
		}
		s.l.d.Log.Warnf("%s: The meter's clock is %s %s: the rows of profile %q are written under the times they have",
			s.r.where(s.st.device), offset.Abs().Round(time.Second), way, h.p.name)
		h.wrongBy = &offset
	case !wrong && before != nil:
		s.l.d.Log.Infof("%s: The meter's clock is right again", s.r.where(s.st.device))
		h.wrongBy = nil
	default:
	}
}

// meterNow is what the meter's clock shows.
func (s *session) meterNow() time.Time {
	if s.offset != nil {
		return time.Now().Add(*s.offset)
	}
	return time.Now()
}

// concludeProfile judges a run of a profile.
func (s *session) concludeProfile(err error) {
	o, h := s.o, s.st.history
	columns := 1
	if h.layout != nil {
		columns = max(1, len(h.layout.columns))
	}
	o.complete = err == nil && !o.more
	switch {
	case err != nil && o.rows == 0:
		o.result, o.failed = classify(err), columns
	case err != nil:
		o.result, o.ok, o.failed = resultPartial, columns, 1
	case s.heldBack != nil:
		o.result, o.ok, o.failed = resultPartial, columns, 1
		err = &historyError{h.p.name, fmt.Errorf("%s held back: %w", counted(s.held, "row"), s.heldBack)}
	case len(s.withheld) > 0:
		o.result, o.ok, o.failed = resultPartial, columns-len(s.withheld), len(s.withheld)
		err = &historyError{h.p.name, s.withheld[sortedKeys(s.withheld)[0]]}
	default:
		o.result, o.ok = resultSuccess, columns
	}
	o.err = err
}
