package dlms_cosem

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// session is one run on one device. What is kept for the next is in the
// station's memory, and in the call of its link.
type session struct {
	l  *link
	r  *request
	st *station
	o  *outcome

	*call          // the connection
	free    func() // gives back the slot for opening one; nil without
	fresh   bool   // its association was opened by this run
	began   dlms.Stats
	answers int           // attributes that the meter has answered, be it with a refusal
	keepRaw bool          // keep what the meter returned, for people
	armed   *armedCounter // of the protected association; nil: there is none
	raised  bool          // it was raised by what the meter said

	plan     *reads
	refusals []*dlms.AccessError // of the plan's reads
	readings []reading
	scalers  map[cosem.Attribute]scalerReading // read in this run
	name     identity
	firmware identity
	names    cosem.ShortNames // the object list, if it was read in this run

	profileRun
}

// profileRun is what is known in a run of a profile.
type profileRun struct {
	entries     int64            // rows in its buffer; negative: it does not tell
	offset      *time.Duration   // of the meter's clock from ours; nil: it was not read
	clockForm   axdr.DateTime    // how the clock writes times
	held        int              // rows that were not passed on
	heldBack    error            // why the first of them was not
	withheld    map[string]error // columns without values, by their fields
	oriented    bool             // newestFirst is known
	newestFirst bool             // the first entry is the newest
	nextEntry   int64            // for nextOf
	nextOf      *target
	template    axdr.Data // of compact data
	templateID  axdr.Data
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
	if s.r.profile != nil {
		s.concludeProfile(err)
		return
	}
	o := s.o
	o.err, o.readings = err, s.readings
	if s.readings == nil {
		o.failed = len(s.r.items)
		o.result = classify(err)
		return
	}
	now := time.Now()
	z := s.zone()
	for i := range s.readings {
		if x := &s.readings[i]; x.got && x.v.hasWhen && s.r.items[i].isClock(x.class) {
			s.learnZone(x.v.when, now)
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

// zone is how the device writes times, as far as it is known.
func (s *session) zone() *zone {
	z := &s.st.health.zone
	z.location, z.mode = s.r.location, s.r.deviation
	if s.memory().Inverted && z.sign == deviationAuto {
		z.sign = deviationInverted
	}
	return z
}

// learnZone takes from the clock's time which sign its deviation has.
func (s *session) learnZone(t axdr.DateTime, now time.Time) {
	z := s.zone()
	if z.learn(t, now) {
		s.l.d.Log.Infof("%s: The clock's deviation has the sign opposite to the standard's; it is read so (deviation = \"inverted\" states it)", s.r.where(s.st.device))
	}
	if m, inverted := s.memory(), z.sign == deviationInverted; m.Inverted != inverted {
		m.Inverted, m.dirty = inverted, true
	}
}

// finish applies scaler, unit and time to a value.
func (s *session) finish(it *item, x *reading, z *zone, now time.Time) error {
	if err := s.finishValue(it, x, z, now); err != nil || !it.meterTime {
		return err
	}
	if x.v.hasWhen && it.isClock(x.class) {
		at, text, ok := z.read(x.v.when, now)
		if !ok {
			return errUnspecified(text)
		}
		x.at = at
		return stampable(at, text)
	}
	return s.meterTime(it, x, z, now)
}

// finishValue applies scaler, unit and zone to a value.
func (s *session) finishValue(it *item, x *reading, z *zone, now time.Time) error {
	if x.v.hasWhen {
		at, text, ok := z.read(x.v.when, now)
		x.v.text, x.v.hasText = cleanText(text), true
		if ok {
			x.v.number, x.v.hasNumber = unixSeconds(at), true
		}
		return nil
	}
	if !x.v.hasNumber || !x.v.scalable {
		return nil
	}
	scaler, err := s.scaler(it, x)
	if err != nil {
		return err
	}
	x.v.number = it.scaled(x.v.number, scaler)
	if math.IsInf(x.v.number, 0) || math.IsNaN(x.v.number) {
		return fmt.Errorf("the value times 10^%d (scaler) and scale is too large for a number: check whether the meter's scaler and data_type are right", scaler)
	}
	return nil
}

// scalerReading is what is known about a scaler and unit.
func (s *session) scalerReading(at cosem.Attribute) scalerReading {
	m := s.memory()
	if su, known := m.Scalers[attributeKey(at)]; known {
		return scalerReading{su: su}
	}
	if r, tried := s.scalers[at]; tried && r.err != nil {
		return r
	}
	if r, refused := m.refused[at]; refused {
		return scalerReading{err: r.err}
	}
	return scalerReading{err: errors.New("it was not read")}
}

// scaler finds the scaler and sets the unit: the item's own before the meter's.
func (s *session) scaler(it *item, x *reading) (scaler int, err error) {
	if at, ok := it.scalerAttribute(x.class); ok {
		sr := s.scalerReading(at)
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
