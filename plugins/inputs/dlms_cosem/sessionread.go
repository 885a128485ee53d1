package dlms_cosem

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
)

// asking is what an attribute is asked for.
type asking uint8

const (
	askName     asking = iota // who the meter is
	askFirmware               //
	askScaler                 // a scaler and unit
	askValue                  // a value, or its capture time
)

// ask is an attribute in the list of a run.
type ask struct {
	at   cosem.Attribute
	what asking
	read int // of the plan, for a value
}

const (
	// loneScaler is every how many runs a scaler is read again where it costs a message of its own.
	loneScaler = 10
	// leap is by how much a number of the meter may grow or shrink from one run to the next before its scaler is
	// looked at: scalers change by powers of ten.
	leap = 5
)

func (s *session) memory() *memory { return s.st.memory }

// begin makes ready for what the meter will answer.
func (s *session) begin() {
	if m := s.memory(); s.st.plan == nil || s.st.plan.version != m.version {
		s.st.plan = s.r.planReads(m)
	}
	s.plan = s.st.plan
	s.as.SetNames(s.plan.names)
	s.readings = make([]reading, len(s.r.items))
	for i, it := range s.r.items {
		s.readings[i] = reading{class: it.class, err: s.plan.refused[i]}
	}
	s.scalers = map[cosem.Attribute]scalerReading{}
	s.refusals = make([]*dlms.AccessError, len(s.plan.list))
}

// read asks for the values in as few messages as the meter allows, and with
// them for what is not known about it; then for what follows from the answers.
// The error returned says that the association is lost.
func (s *session) read(ctx context.Context) error {
	s.name, s.firmware, s.names = identity{}, identity{}, nil
	err := s.learnNames(ctx)
	s.begin()
	if err != nil {
		return err
	}
	identity := s.fresh && !s.keepRaw
	err = s.askFor(ctx, s.asks(identity))
	if identity && err != nil && s.whoAnswers() == "" && s.memory().Name != "" {
		s.begin() // it may be another meter
		return err
	}
	if identity && err == nil {
		s.checkPreset()
	}
	if identity && !s.sameMeter() {
		if err == nil {
			err = s.learnNames(ctx)
		}
		s.begin() // nothing is made of what was asked for by knowledge of another meter
		if err == nil {
			err = s.askFor(ctx, s.asks(false))
		}
	}
	if err == nil {
		err = s.settleScalers(ctx)
	}
	if err == nil {
		err = s.climbAll(ctx)
	}
	if err == nil {
		err = s.checkLeaps(ctx)
	}
	if err != nil {
		s.learnScalers()
		s.doubtLeaps()
		return err
	}
	s.askOnce(ctx)
	return nil
}

// asks lists what a run begins with: on a new association who the meter is,
// what is not known yet, the values, and one known scaler, to see whether it
// has changed.
func (s *session) asks(identity bool) []ask {
	m := s.memory()
	list := make([]ask, 0, len(s.plan.list)+3)
	if identity && m.tells(nameAttribute()) {
		list = append(list, ask{at: nameAttribute(), what: askName})
	}
	if identity && m.Firmware != "" {
		list = append(list, ask{at: firmwareAttribute(s.r), what: askFirmware})
	}
	missing := s.plan.missingScalers(m)
	for _, at := range missing {
		list = append(list, ask{at: at, what: askScaler})
	}
	for i := range s.plan.list {
		list = append(list, ask{at: s.plan.list[i].at, what: askValue, read: i})
	}
	if len(missing) > 0 {
		return list
	}
	if size := s.as.ListSize(); size < 2 || len(list)%size == 0 {
		if m.apart++; m.apart < loneScaler {
			return list
		}
		m.apart = 0
	}
	if at, ok := s.plan.nextScaler(m); ok {
		list = append(list, ask{at: at, what: askScaler})
	}
	return list
}

// askFor reads a list and gives the answers to what they are for.
func (s *session) askFor(ctx context.Context, list []ask) error {
	ats := make([]cosem.Attribute, len(list))
	for i := range list {
		ats[i] = list[i].at
	}
	return s.as.GetList(ctx, ats, func(i int, d axdr.Data, err error) {
		_, refused := refusedWith(err)
		if err == nil || refused {
			s.answers++
		}
		switch list[i].what {
		case askName:
			s.name.take(d, err)
		case askFirmware:
			s.firmware.take(d, err)
		case askScaler:
			s.scalers[ats[i]] = parseScaler(d, err)
		default:
			s.takeRead(list[i].read, d, err)
		}
	})
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

// takeRead gives what was read to the items that it is for.
func (s *session) takeRead(n int, d axdr.Data, err error) {
	rd := &s.plan.list[n]
	errors.As(err, &s.refusals[n])
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

// learnScalers takes note of the scalers and units that were read. changed is
// one that is not what it was.
func (s *session) learnScalers() (changed *cosem.Attribute) {
	m, now := s.memory(), time.Now()
	for at, read := range s.scalers {
		known, have := m.Scalers[attributeKey(at)]
		if have && (read.err == nil && read.su != known || refusedForGood(read.err)) {
			changed = &at
		}
		m.learnScaler(at, read, now)
	}
	return changed
}

// settleScalers learns the scalers that were read. If one has changed, nothing
// that was learned is believed any more, and all scalers are read anew.
func (s *session) settleScalers(ctx context.Context) error {
	m := s.memory()
	if at := s.learnScalers(); at != nil {
		s.l.d.Log.Warnf("%s: Scaler and unit of %s are not what they were: all that was learned about the meter is read anew",
			s.r.where(s.st.device), at.Instance)
		name, firmware := m.Name, m.Firmware
		m.forget()
		m.Name, m.Firmware = name, firmware
		s.learnScalers()
	}
	missing := s.plan.missingScalers(m)
	var list []ask
	for _, at := range missing {
		if _, tried := s.scalers[at]; !tried {
			list = append(list, ask{at: at, what: askScaler})
		}
	}
	if len(list) == 0 {
		return nil
	}
	err := s.askFor(ctx, list)
	s.learnScalers()
	return err
}

// leaps lists the items whose number is so far from the last one that their
// scaler may have changed, and was not read in this run.
func (s *session) leaps() (items []int) {
	m := s.memory()
	for i := range s.readings {
		x, it := &s.readings[i], s.r.items[i]
		at, ok := it.scalerAttribute(x.class)
		if !ok || !x.got || !x.v.scalable || x.v.number == 0 {
			continue
		}
		before, known := m.raws[it]
		ratio := math.Abs(x.v.number / before)
		if _, read := s.scalers[at]; known && !read && (ratio >= leap || ratio <= 1./leap) {
			items = append(items, i)
		}
	}
	return items
}

// checkLeaps reads the scalers of numbers that have changed by much: a value is
// not made of a scaler that may have changed with it.
func (s *session) checkLeaps(ctx context.Context) error {
	s.learnScalers() // those of classes that were found
	var list []ask
	asked := map[cosem.Attribute]bool{}
	for _, i := range s.leaps() {
		at, _ := s.r.items[i].scalerAttribute(s.readings[i].class)
		if !asked[at] {
			asked[at] = true
			list = append(list, ask{at: at, what: askScaler})
		}
	}
	if len(list) > 0 {
		if err := s.askFor(ctx, list); err != nil {
			return err
		}
		if err := s.settleScalers(ctx); err != nil {
			return err
		}
	}
	for i := range s.readings {
		if x := &s.readings[i]; x.got && x.v.scalable && x.v.number != 0 {
			s.memory().raws[s.r.items[i]] = x.v.number
		}
	}
	return nil
}

// doubtLeaps holds back such numbers where the association was lost before
// their scalers could be looked at.
func (s *session) doubtLeaps() {
	for _, i := range s.leaps() {
		s.readings[i].got, s.readings[i].err = false, nil
	}
}
