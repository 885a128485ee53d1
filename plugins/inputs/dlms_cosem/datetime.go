package dlms_cosem

import (
	"fmt"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

// deviation says what to make of the deviation in a date-time. By the standard
// (Green Book Ed. 9, clause 4.1.6.1 of the Blue Book's date formats) it is what
// has to be added to local time to get UTC; many meters have it the other way
// round.
type deviation uint8

const (
	deviationAuto deviation = iota
	deviationStandard
	deviationInverted
	deviationIgnore
)

func parseDeviation(s string) deviation {
	switch s {
	case "standard":
		return deviationStandard
	case "inverted":
		return deviationInverted
	case "ignore":
		return deviationIgnore
	default:
		return deviationAuto
	}
}

const (
	clockNear   = 24 * time.Hour   // a clock that is further off says nothing about the sign
	captureNear = 30 * time.Minute // a date-time of this age is one of just now
)

// zone reads the date-times of one device.
type zone struct {
	location *time.Location
	mode     deviation
	sign     deviation // what the device's clock has shown: auto until then
}

// learn takes from the clock's own time which sign the device uses. It reports
// whether it has found the sign to be inverted just now.
func (z *zone) learn(t axdr.DateTime, now time.Time) (inverted bool) {
	if z.mode != deviationAuto || t.Deviation == axdr.DeviationUnspecified || t.Deviation == 0 {
		return false
	}
	standard, ok1 := t.Time(z.location)
	other, ok2 := invert(t).Time(z.location)
	if !ok1 || !ok2 {
		return false
	}
	a, b := standard.Sub(now).Abs(), other.Sub(now).Abs()
	before := z.sign
	switch {
	case min(a, b) > clockNear:
		return false
	case b < a:
		z.sign = deviationInverted
	default:
		z.sign = deviationStandard
	}
	return z.sign == deviationInverted && before != deviationInverted
}

// invert turns the sign of the deviation.
func invert(t axdr.DateTime) axdr.DateTime {
	if t.Deviation != axdr.DeviationUnspecified {
		t.Deviation = -t.Deviation
	}
	return t
}

// normal gives the date-time the deviation of the standard.
func (z *zone) normal(t axdr.DateTime, now time.Time) axdr.DateTime {
	mode := z.mode
	if mode == deviationAuto {
		mode = z.sign
	}
	switch mode {
	case deviationIgnore:
		t.Deviation = axdr.DeviationUnspecified
	case deviationInverted:
		t = invert(t)
	case deviationAuto: // the clock was not read: only a date-time of just now can tell
		standard, ok1 := t.Time(z.location)
		other, ok2 := invert(t).Time(z.location)
		if ok1 && ok2 && standard.Sub(now).Abs() > captureNear && other.Sub(now).Abs() <= captureNear {
			t = invert(t)
		}
	default:
	}
	return t
}

// read gives the instant and its text: the meter's own wall clock and offset,
// without an offset if the meter does not state it. ok is false if parts of the
// date-time are not specified; there is only text then.
func (z *zone) read(t axdr.DateTime, now time.Time) (at time.Time, text string, ok bool) {
	t = z.normal(t, now)
	at, ok = t.Time(z.location)
	if !ok {
		return time.Time{}, cleanText(t.String()), false
	}
	const layout = "2006-01-02T15:04:05.99"
	if t.Deviation == axdr.DeviationUnspecified {
		t.Deviation = 0 // the fields as they are, in whatever zone they are
		wall, _ := t.Time(time.UTC)
		return at, wall.Format(layout), true
	}
	return at, at.In(time.FixedZone("", -60*int(t.Deviation))).Format(layout + "Z07:00"), true
}

// unixSeconds is an instant as a number.
func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// unixValue is a date-time that the meter counts in Unix seconds.
func unixValue(seconds int64) (value, error) {
	return value{number: float64(seconds), hasNumber: true,
		text: time.Unix(seconds, 0).UTC().Format(time.RFC3339), hasText: true}, nil
}

// timeText is hh:mm:ss, with hundredths if there are any.
func timeText(t axdr.Time) string {
	s := t.String()
	if len(s) == len("00:00:00.00") && (t.Hundredths == 0 || t.Hundredths == 0xFF) {
		return s[:len("00:00:00")]
	}
	return s
}

// errUnspecified is for a date-time that is no instant.
func errUnspecified(text string) error {
	return fmt.Errorf("%s is no instant: parts of it are not specified", text)
}

// The years that a metric can have: it counts nanoseconds since 1970 in 64 bits.
const firstYear, lastYear = 1970, 2261

// stampable returns an error for a time that cannot be a metric's.
func stampable(t time.Time, text string) error {
	if y := t.UTC().Year(); y < firstYear || y > lastYear {
		return fmt.Errorf("%s cannot be the time of a metric: the years %d to %d can", text, firstYear, lastYear)
	}
	return nil
}
