package dlms_cosem

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/push"
)

// heardValue is a value of a telegram that becomes a metric, or a field of one.
type heardValue struct {
	it *item
	reading
}

// emit makes metrics of the values of a telegram. l.mu is held.
func (e *ear) emit(r *request, h *heard, t *heardTelegram, stamp axdr.DateTime, hasStamp bool) {
	l := e.l
	h.zone.location, h.zone.mode = r.location, r.deviation
	if hasStamp && h.zone.learn(stamp, t.at) {
		l.d.Log.Infof("%s%s: The clock's deviation has the sign opposite to the standard's; it is read so (deviation = \"inverted\" states it)", l.where(), deviceText(h.id))
	}
	at, meterAt := t.at, time.Time{}
	if hasStamp {
		if when, text, ok := h.zone.read(stamp, t.at); ok && stampable(when, text) == nil {
			meterAt = when
		}
	}
	if r.listening.meterTime && !meterAt.IsZero() {
		at = meterAt
	}
	dev := &device{id: h.id, tag: e.addressTag(r, t)}
	o := &outcome{at: t.at, result: resultSuccess}
	o.stats.RxBytes = int64(t.octets)
	o.stats.FrameErrors = e.frameErrors()
	values := e.readings(r, h, t, o)
	switch {
	case o.failed > 0 && o.ok == 0:
		o.result = resultProtocol
	case o.failed > 0:
		o.result = resultPartial
	default:
	}
	h.good = t.at
	l.out.together(func(add adder) {
		add.addHeard(r, dev, values, at, meterAt)
		add.addStatus(r, dev, o, h.skipped)
	})
	h.skipped = 0
	if o.ok > 0 {
		l.served(r)
	}
	if l.d.OnRun != nil {
		l.d.OnRun(Run{Request: r.name, Address: h.id, Result: o.result.String()})
	}
}

// readings makes values of the entries that the request takes. l.mu is held.
func (e *ear) readings(r *request, h *heard, t *heardTelegram, o *outcome) []heardValue {
	auto := h.auto[r]
	if auto == nil {
		auto = map[entryKey]*item{}
		h.auto[r] = auto
	}
	values := e.values[:0]
	for i := range e.entries {
		x := &e.entries[i]
		it := r.heardItem(x, auto)
		if it == nil {
			continue
		}
		v, err := e.l.reading(r, h, it, x, t.at)
		var structured *complexError
		switch {
		case errors.Is(err, errNoValue):
		case it.standard && errors.As(err, &structured):
			e.l.complainWarn("complex "+r.name+h.id+it.describe(v.class), "%s%s: %s is left out: %v", e.l.where(), deviceText(h.id), it.describe(v.class), err)
		case err != nil:
			o.failed++
			e.l.complainLocked("value "+r.name+h.id+it.describe(v.class), fmt.Errorf("request %q, %s%s, item %s: %w", r.name, e.l.endpoint.address, deviceText(h.id), it.describe(v.class), err))
		default:
			o.ok++
			values = append(values, heardValue{it, v})
		}
	}
	e.values = values
	return values
}

// addHeard adds the values of a telegram, which came at one time and is of
// another by the meter's clock (zero: not known).
func (add adder) addHeard(r *request, dev *device, values []heardValue, at, meterAt time.Time) {
	tags := deviceTags(r, dev)
	if r.wide {
		fields := make(map[string]any, len(values))
		for i := range values {
			v := &values[i]
			name := v.it.fieldName(v.class)
			v.v.fields(fields, name, name+"_text", name+"_flag")
		}
		add(r.measurement, fields, tags, at)
		return
	}
	fields := make(map[string]any, 2)
	for i := range values {
		v := &values[i]
		stamp := at
		switch {
		case !v.at.IsZero():
			stamp = v.at
		case v.it.meterTime && !meterAt.IsZero():
			stamp = meterAt
		default:
		}
		clear(fields)
		v.v.fields(fields, "value", "text", "flag")
		setItemTags(tags, v.it, &v.reading)
		add(r.measurement, fields, tags, stamp)
	}
}

// addressTag is the tag of a station that the request names.
func (e *ear) addressTag(r *request, t *heardTelegram) string {
	for _, dev := range r.devices {
		if dev.physical == t.from.Lower {
			return dev.tag
		}
	}
	return ""
}

// frameErrors are the damaged frames since it was asked last.
func (e *ear) frameErrors() int {
	n := e.deframer.Stats().Errors
	d := n - e.errors
	e.errors = n
	return d
}

// reading makes a value of an entry. l.mu is held.
func (l *listener) reading(r *request, h *heard, it *item, x *push.Entry, now time.Time) (reading, error) {
	out := reading{class: x.Class}
	if out.class == 0 {
		out.class = it.class
	}
	v, err := it.decode(out.class, x.Value)
	if err != nil {
		return out, err
	}
	out.v = v
	if v.hasWhen {
		at, text, ok := h.zone.read(v.when, now)
		out.v.text, out.v.hasText = cleanText(text), true
		if ok {
			out.v.number, out.v.hasNumber = unixSeconds(at), true
		}
	} else if v.hasNumber && v.scalable {
		scaler := l.heardScaler(r, it, x, &out)
		out.v.number = it.scaled(v.number, scaler)
		if math.IsInf(out.v.number, 0) || math.IsNaN(out.v.number) {
			return out, fmt.Errorf("the value times 10^%d (scaler) and scale is too large for a number", scaler)
		}
		l.judge(r, h, it, &out)
	}
	if len(x.Time) > 0 && (x.Row > 0 || it.meterTime) {
		if t, ok := x.Time.DateTime(); ok {
			if at, text, ok := h.zone.read(t, now); ok && stampable(at, text) == nil {
				out.at = at
			}
		}
	}
	return out, nil
}

// heardScaler finds scaler and unit of a number: those that the user has set,
// those of the telegram, those of a list or preset. l.mu is held.
func (l *listener) heardScaler(r *request, it *item, x *push.Entry, out *reading) (scaler int) {
	if !it.apply {
		if it.unit != nil {
			out.unit = *it.unit
		}
		return 0
	}
	known := false
	if x.HasUnit {
		scaler, out.unit, known = int(x.Unit.Scaler), x.Unit.Unit.Symbol(), true
	} else if x.Item != nil && x.Item.HasUnit {
		scaler, out.unit, known = int(x.Item.Unit.Scaler), x.Item.Unit.Unit.Symbol(), true
	}
	own := !it.fallback || !known
	if it.scaler != nil && own {
		scaler, known = *it.scaler, true
	}
	if it.unit != nil && own {
		out.unit = *it.unit
	}
	if !known && it.unit == nil && unitKnown(out.class) && valueAttribute(out.class, it.id) {
		l.complainWarn("raw "+r.name+it.describe(out.class), "%s: %s comes without scaler and unit: its number is passed on as the meter has it; give scaler and unit for this item, or a preset that has them", l.where(), it.describe(out.class))
	}
	return scaler
}

// Plausible values of a meter in service, as the voltage at its terminals.
const (
	lowVolt, highVolt   = 80, 480
	lowHertz, highHertz = 45, 65
)

// judge warns of a number that can hardly be right, and leaves it as it is.
// l.mu is held.
func (l *listener) judge(r *request, h *heard, it *item, x *reading) {
	c, n := it.obis, x.v.number
	if c[0] != 1 || c[3] != 7 || n == 0 {
		return
	}
	low, high := 0., 0.
	switch c[2] {
	case 12, 32, 52, 72:
		low, high = lowVolt, highVolt
	case 14, 34, 54, 74:
		low, high = lowHertz, highHertz
	case 13, 33, 53, 73:
		low, high = -1, 1
	default:
		return
	}
	if n < low || n > high {
		l.complainWarn("judge "+r.name+h.id+c.String(), "%s%s: %s is %s %s: a number from %g to %g is expected; it is passed on as it is, look at its scaler", l.where(), deviceText(h.id), it.describe(x.class), formatNumber(n), x.unit, low, high)
	}
}
