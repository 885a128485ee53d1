package dlms_cosem

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// session is one run on one device. Nothing of it is kept for the next.
type session struct {
	l  *link
	r  *request
	st *station
	o  *outcome

	t    dlms.Transport
	conn *dlms.Conn
	as   *dlms.Association

	readings []reading
	scalers  map[cosem.Attribute]scalerReading
	keepRaw  bool // keep what the meter returned, for people
}

// reading is what has come for an item.
type reading struct {
	class      cosem.ClassID
	v          value
	got        bool
	err        error
	capture    axdr.DateTime
	hasCapture bool
	captureErr error
	unit       string
	at         time.Time // its own timestamp; zero: that of the run
	raw        axdr.Data
}

// scalerReading is a scaler and unit, or why there is none.
type scalerReading struct {
	su  cosem.ScalerUnit
	err error
}

// read reads scalers and units, then values, each in as few messages as the
// meter allows; then what a wrong guess of the class has left over. The error
// returned says that the association is lost.
func (s *session) read(ctx context.Context) error {
	s.readings = make([]reading, len(s.r.items))
	for i, it := range s.r.items {
		s.readings[i].class = it.class
	}
	s.scalers = make(map[cosem.Attribute]scalerReading, len(s.r.scalers))
	if len(s.r.scalers) > 0 {
		if err := s.as.GetList(ctx, s.r.scalers, func(i int, d axdr.Data, err error) {
			s.scalers[s.r.scalers[i]] = parseScaler(d, err)
		}); err != nil {
			return err
		}
	}
	ats := make([]cosem.Attribute, len(s.r.reads))
	for i, rd := range s.r.reads {
		ats[i] = rd.at
	}
	refused := make([]*dlms.AccessError, len(ats))
	if err := s.as.GetList(ctx, ats, func(i int, d axdr.Data, err error) {
		errors.As(err, &refused[i])
		s.take(&s.r.reads[i], d, err)
	}); err != nil {
		return err
	}
	for i := range s.r.reads {
		if rd := &s.r.reads[i]; rd.guessed && len(rd.items) > 0 && refused[i] != nil && otherClassMay(refused[i].Result) {
			if err := s.climb(ctx, rd, refused[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func parseScaler(d axdr.Data, err error) scalerReading {
	if err != nil {
		return scalerReading{err: err}
	}
	su, err := cosem.ParseScalerUnit(d)
	if err != nil {
		err = fmt.Errorf("%s: %w", shorten(d.String(), 80), err)
	}
	return scalerReading{su: su, err: err}
}

// take gives what was read to the items that it is for.
func (s *session) take(rd *read, d axdr.Data, err error) {
	for _, i := range rd.items {
		s.takeValue(i, rd.at.Class, d, err)
	}
	for _, i := range rd.capture {
		s.takeCapture(i, d, err)
	}
}

func (s *session) takeValue(i int, class cosem.ClassID, d axdr.Data, err error) {
	x := &s.readings[i]
	x.class, x.err = class, err
	if err != nil {
		return
	}
	if s.keepRaw {
		x.raw = d.Clone()
	}
	x.v, x.err = s.r.items[i].decode(class, d)
	x.got = x.err == nil
}

func (s *session) takeCapture(i int, d axdr.Data, err error) {
	x := &s.readings[i]
	x.captureErr = err
	if err == nil {
		x.capture, x.hasCapture = d.DateTime()
	}
}

// otherClassMay reports whether the object may be of another class than asked
// for: read-write-denied, object-undefined, object-class-inconsistent,
// type-unmatched.
func otherClassMay(res xdlms.DataAccessResult) bool {
	switch res {
	case xdlms.ReadWriteDenied, xdlms.ObjectUndefined, xdlms.ObjectClassInconsistent, xdlms.TypeUnmatched:
		return true
	default:
		return false
	}
}

// classLadder are the classes that are tried for an OBIS code.
func classLadder() []cosem.ClassID {
	return []cosem.ClassID{cosem.Register, cosem.ExtendedRegister, cosem.DemandRegister, cosem.Data}
}

// classError says that no class fits.
type classError struct {
	first *dlms.AccessError
	tried []string
}

func (e *classError) Error() string {
	return fmt.Sprintf("%s; as class %s it was refused too", refusalText(e.first.Result), strings.Join(e.tried, ", "))
}
func (e *classError) Unwrap() error { return e.first }

// climb reads an attribute as another class, one by one, once each.
func (s *session) climb(ctx context.Context, rd *read, first *dlms.AccessError) error {
	failure := &classError{first: first}
	for _, class := range classLadder() {
		scaler, hasScaler := cosem.ScalerAttribute(class)
		if class == rd.at.Class || cosem.AttributeName(class, rd.at.ID) == "" || hasScaler && scaler == rd.at.ID {
			continue
		}
		at := rd.at
		at.Class = class
		d, err := s.as.Get(ctx, at, nil)
		if err != nil {
			if s.lost(ctx) {
				return err
			}
			failure.tried = append(failure.tried, fmt.Sprint(uint16(class)))
			continue
		}
		for _, i := range rd.items {
			s.takeValue(i, class, d, nil)
		}
		return s.complete(ctx, rd, class)
	}
	if len(failure.tried) > 0 {
		for _, i := range rd.items {
			s.readings[i].err = failure
		}
	}
	return nil
}

// complete reads what belongs to the values of a class that was found.
func (s *session) complete(ctx context.Context, rd *read, class cosem.ClassID) error {
	for _, i := range rd.items {
		it := s.r.items[i]
		if at, ok := it.scalerAttribute(class); ok {
			if _, known := s.scalers[at]; !known {
				d, err := s.as.Get(ctx, at, nil)
				if err != nil && s.lost(ctx) {
					return err
				}
				s.scalers[at] = parseScaler(d, err)
			}
		}
		if at, ok := it.captureAttribute(class); ok {
			d, err := s.as.Get(ctx, at, nil)
			if err != nil && s.lost(ctx) {
				return err
			}
			s.takeCapture(i, d, err)
		}
	}
	return nil
}

func (s *session) lost(ctx context.Context) bool { return s.as.Lost() != nil || ctx.Err() != nil }

// scalerError says that a value had to be held back.
type scalerError struct {
	at        cosem.Attribute
	hasScaler bool // the item has a scaler of its own; only the unit is not known
	err       error
}

func (e *scalerError) Error() string {
	what := "scaler and unit"
	if e.hasScaler {
		what = "unit"
	}
	return fmt.Sprintf("the value was read, but not its %s (attribute %d): %s", what, e.at.ID, itemText(e.err, e.at))
}
func (e *scalerError) Unwrap() error { return e.err }

// captureError says that a value had to be held back for its time.
type captureError struct {
	at  cosem.Attribute
	err error
}

func (e *captureError) Error() string {
	return fmt.Sprintf("the value was read, but not its capture time (attribute %d): %s", e.at.ID, itemText(e.err, e.at))
}
func (e *captureError) Unwrap() error { return e.err }

// forGood reports whether the meter will not change its mind.
func forGood(err error) bool {
	var access *dlms.AccessError
	if !errors.As(err, &access) {
		return false
	}
	switch access.Result {
	case xdlms.TemporaryFailure, xdlms.DataBlockUnavailable, xdlms.LongGetAborted, xdlms.NoLongGetInProgress:
		return false
	default:
		return true
	}
}

// conclude makes metrics' values of the readings and counts them. err is why
// the run ended early.
func (s *session) conclude(err error) {
	o := s.o
	o.err, o.readings = err, s.readings
	if s.readings == nil {
		o.failed = len(s.r.items)
		o.result = classify(err)
		return
	}
	now := time.Now()
	z := &s.st.health.zone
	z.location, z.mode = s.r.location, s.r.deviation
	for i := range s.readings {
		if x := &s.readings[i]; x.got && x.v.hasWhen && s.r.items[i].isClock(x.class) && z.learn(x.v.when, now) {
			s.l.d.Log.Infof("%s: The clock's deviation has the sign opposite to the standard's; it is read so (deviation = \"inverted\" states it)", s.r.where(s.st.device))
		}
	}
	final, worst := true, error(nil)
	for i := range s.readings {
		x := &s.readings[i]
		if x.got {
			if x.err = s.finish(s.r.items[i], x, z, now); x.err == nil {
				o.ok++
				continue
			}
			x.got = false
		}
		o.failed++
		switch {
		case x.err == nil && err != nil: // not reached
		case x.err == nil:
			x.err = errors.New("the meter gave no answer for it")
		}
		final = final && forGood(x.err)
		if worst == nil {
			worst = x.err
		}
	}
	switch {
	case o.failed == 0:
		o.result, o.err = resultSuccess, nil
	case o.ok > 0:
		o.result = resultPartial
	case err != nil:
		o.result = classify(err)
	case forGood(worst) || errors.Is(worst, errNoValue):
		o.result = resultAccess
	default:
		o.result = classify(worst)
	}
	o.complete = o.failed == 0 || o.ok > 0 && err == nil && final
}

// finish applies scaler, unit and time to a value.
func (s *session) finish(it *item, x *reading, z *zone, now time.Time) error {
	if x.v.hasWhen {
		at, text, ok := z.read(x.v.when, now)
		x.v.text, x.v.hasText = cleanText(text), true
		if ok {
			x.v.number, x.v.hasNumber = unixSeconds(at), true
		}
		if it.meterTime && it.isClock(x.class) {
			if !ok {
				return errUnspecified(text)
			}
			x.at = at
			return stampable(at, text)
		}
	} else if x.v.hasNumber && x.v.scalable {
		scaler, err := s.scaler(it, x)
		if err != nil {
			return err
		}
		x.v.number = it.scaled(x.v.number, scaler)
		if math.IsInf(x.v.number, 0) || math.IsNaN(x.v.number) {
			return fmt.Errorf("the value times 10^%d (scaler) and scale is too large for a number: check whether the meter's scaler and data_type are right", scaler)
		}
	}
	if it.meterTime && x.at.IsZero() {
		return s.meterTime(it, x, z, now)
	}
	return nil
}

// scaler finds the scaler and sets the unit: the item's own before the meter's.
func (s *session) scaler(it *item, x *reading) (scaler int, err error) {
	if at, ok := it.scalerAttribute(x.class); ok {
		sr, read := s.scalers[at]
		if !read {
			sr.err = errors.New("it was not read")
		}
		// An own scaler is enough if the meter has no unit to tell.
		if sr.err != nil && (it.scaler == nil || !forGood(sr.err)) {
			return 0, &scalerError{at: at, hasScaler: it.scaler != nil, err: sr.err}
		}
		if sr.err == nil {
			scaler, x.unit = int(sr.su.Scaler), sr.su.Unit.Symbol()
		}
	}
	if it.scaler != nil {
		scaler = *it.scaler
	}
	if it.unit != nil {
		x.unit = *it.unit
	}
	return scaler, nil
}

// meterTime gives a reading the time at which the meter captured it.
func (s *session) meterTime(it *item, x *reading, z *zone, now time.Time) error {
	at, ok := it.captureAttribute(x.class)
	switch {
	case !ok:
		return fmt.Errorf(`class %d has no capture time: use timestamp = "run"`, uint16(x.class))
	case x.captureErr != nil:
		return &captureError{at: at, err: x.captureErr}
	case !x.hasCapture:
		return fmt.Errorf("the value was read, but its capture time (attribute %d) is no date-time", at.ID)
	}
	t, text, ok := z.read(x.capture, now)
	if !ok {
		return fmt.Errorf("the value was read, but its capture time %w", errUnspecified(text))
	}
	if err := stampable(t, text); err != nil {
		return fmt.Errorf("the value was read, but its capture time %w", err)
	}
	x.at = t
	return nil
}
