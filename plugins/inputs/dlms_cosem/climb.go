package dlms_cosem

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

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
	tried []cosem.ClassID
}

func (e *classError) Error() string {
	var tried []string
	for _, class := range e.tried {
		tried = append(tried, strconv.Itoa(int(class)))
	}
	return fmt.Sprintf("%s; as class %s it was refused too", refusalText(e.first.Result), strings.Join(tried, ", "))
}
func (e *classError) Unwrap() error { return e.first }

// climbAll reads what was refused as another class, where the class was a guess.
func (s *session) climbAll(ctx context.Context) error {
	for i := range s.plan.list {
		rd := &s.plan.list[i]
		first := s.refusals[i]
		if len(rd.items) == 0 || first == nil {
			continue
		}
		if rd.guessed && otherClassMay(first.Result) && !first.Unlisted {
			if err := s.climb(ctx, rd, first); err != nil {
				return err
			}
		} else if refusedForGood(first) {
			s.memory().refuse(rd.guess, first, time.Now())
		}
	}
	return nil
}

// climb reads an attribute as another class, one by one, once each.
func (s *session) climb(ctx context.Context, rd *read, first *dlms.AccessError) error {
	failure := &classError{first: first}
	final := refusedForGood(first)
	for _, class := range append([]cosem.ClassID{rd.guess.Class}, classLadder()...) {
		scaler, hasScaler := cosem.ScalerAttribute(class)
		if class == rd.at.Class || slices.Contains(failure.tried, class) ||
			cosem.AttributeName(class, rd.at.ID) == "" || hasScaler && scaler == rd.at.ID {
			continue
		}
		at := rd.at
		at.Class = class
		d, err := s.as.Get(ctx, at, nil)
		if err != nil {
			if s.lost(ctx) {
				return err
			}
			failure.tried = append(failure.tried, class)
			final = final && refusedForGood(err)
			continue
		}
		for _, i := range rd.items {
			s.takeValue(i, class, d, nil)
		}
		s.memory().learnClass(rd.guess, class)
		return s.complete(ctx, rd, class)
	}
	var err error = first
	if len(failure.tried) > 0 {
		err = failure
		for _, i := range rd.items {
			s.readings[i].err = failure
		}
	}
	if final {
		s.memory().refuse(rd.guess, err, time.Now())
	}
	return nil
}

// complete reads what belongs to the values of a class that was found.
func (s *session) complete(ctx context.Context, rd *read, class cosem.ClassID) error {
	for _, i := range rd.items {
		it := s.r.items[i]
		if at, ok := it.scalerAttribute(class); ok && !s.knows(at) {
			d, err := s.as.Get(ctx, at, nil)
			if err != nil && s.lost(ctx) {
				return err
			}
			s.scalers[at] = parseScaler(d, err)
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

// knows reports whether a scaler and unit was read before, or just now.
func (s *session) knows(at cosem.Attribute) bool {
	_, now := s.scalers[at]
	_, before := s.memory().Scalers[attributeKey(at)]
	return now || before
}

func (s *session) lost(ctx context.Context) bool { return s.as.Lost() != nil || ctx.Err() != nil }
