package dlms_cosem

import (
	"maps"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/influxdata/telegraf"
)

// Measurements.
const (
	valueMeasurement  = "dlms_cosem"
	wideMeasurement   = "dlms_cosem_wide"
	statusMeasurement = "dlms_cosem_status"
)

// output passes metrics and errors on, until it is closed: Telegraf wants
// nothing more once Stop has returned.
type output struct {
	acc    telegraf.Accumulator
	closed atomic.Bool
}

func newOutput(acc telegraf.Accumulator) *output { return &output{acc: acc} }

func (o *output) close() { o.closed.Store(true) }

// adder adds a metric; its maps may be used again when it returns.
type adder func(measurement string, fields map[string]any, tags map[string]string, at time.Time)

// grouper is what an accumulator may be beside: one that takes the metrics of
// a run together, so that they share a write.
type grouper interface {
	AddTogether(list func(add func(measurement string, fields map[string]any, tags map[string]string, at time.Time)))
}

// together passes on the metrics that list adds.
func (o *output) together(list func(add adder)) {
	if o.closed.Load() {
		return
	}
	if acc, ok := o.acc.(grouper); ok {
		acc.AddTogether(func(add func(string, map[string]any, map[string]string, time.Time)) { list(add) })
		return
	}
	list(func(measurement string, fields map[string]any, tags map[string]string, at time.Time) {
		if len(fields) > 0 && !o.closed.Load() {
			o.acc.AddFields(measurement, fields, tags, at)
		}
	})
}

// tracking returns an accumulator that tells which metrics were written; nil:
// there is none.
func (o *output) tracking(most int) telegraf.TrackingAccumulator {
	if o.acc == nil || o.closed.Load() {
		return nil
	}
	return o.acc.WithTracking(most)
}

func (o *output) addError(err error) {
	if !o.closed.Load() {
		o.acc.AddError(err)
	}
}

// deviceTags are the tags that all metrics of a device have.
func deviceTags(r *request, dev *device) map[string]string {
	tags := make(map[string]string, len(r.tags)+8)
	maps.Copy(tags, r.tags)
	tags["meter"] = r.meter
	tags["source"] = r.endpoint.address
	if dev.tag != "" {
		tags["address"] = dev.tag
	}
	if dev.id != "" {
		tags["device"] = dev.id
	}
	if r.profile != nil {
		tags["profile"] = r.profile.name
	}
	if r.logical != 1 {
		tags["logical"] = strconv.Itoa(int(r.logical))
	}
	return tags
}

// addValues adds the values of a run.
func (add adder) addValues(r *request, dev *device, run *outcome) {
	if r.wide {
		add.addWide(r, dev, run)
		return
	}
	tags, fields := deviceTags(r, dev), make(map[string]any, 2)
	for i := range run.readings {
		x := &run.readings[i]
		if !x.got {
			continue
		}
		at := x.at
		if at.IsZero() {
			at = run.at
		}
		clear(fields)
		x.v.fields(fields, "value", "text", "flag")
		setItemTags(tags, r.items[i], x)
		add(r.measurement, fields, tags, at)
	}
}

// setItemTags sets the tags of one value in place of those of another. Class
// and attribute are only there if they are not what everybody would expect.
func setItemTags(tags map[string]string, it *item, x *reading) {
	attribute, class, code := "", "", it.obis.String()
	if it.placed {
		code = ""
	}
	if it.id != 2 {
		attribute = strconv.Itoa(int(it.id))
	}
	if x.class != it.usual && !it.placed {
		class = strconv.Itoa(int(x.class))
	}
	for _, tag := range [...][2]string{
		{"obis", code}, {"name", it.name}, {"unit", x.unit}, {"attribute", attribute}, {"class", class},
	} {
		if tag[1] != "" {
			tags[tag[0]] = tag[1]
		} else {
			delete(tags, tag[0])
		}
	}
}

// addWide adds the values of a run as the fields of one metric.
func (add adder) addWide(r *request, dev *device, run *outcome) {
	fields := make(map[string]any, len(run.readings))
	for i := range run.readings {
		if x := &run.readings[i]; x.got {
			name := r.items[i].fieldName(x.class)
			x.v.fields(fields, name, name+"_text", name+"_flag")
		}
	}
	add(r.measurement, fields, deviceTags(r, dev), run.at)
}

// fields adds the fields of a value. A field has the same type for ever.
func (v *value) fields(fields map[string]any, number, text, flag string) {
	if v.hasNumber {
		fields[number] = v.number
	}
	if v.hasText {
		fields[text] = v.text
	}
	if v.hasFlag {
		fields[flag] = v.flag
	}
}

// addStatus adds how a run went.
func (add adder) addStatus(r *request, dev *device, run *outcome, skipped int) {
	tags := deviceTags(r, dev)
	tags["request"] = r.name
	tags["result"] = run.result.String()
	fields := map[string]any{
		"duration":     run.duration.Seconds(),
		"frame_errors": int64(run.stats.FrameErrors),
		"items_failed": int64(run.failed),
		"items_ok":     int64(run.ok),
		"result_code":  int64(run.result),
		"retries":      int64(run.stats.Retries),
		"round_trips":  int64(run.stats.RoundTrips),
		"rx_bytes":     run.stats.RxBytes,
		"skipped":      int64(skipped),
		"tx_bytes":     run.stats.TxBytes,
	}
	if r.profile != nil {
		fields["rows"], fields["gaps"] = run.rows, run.gaps
		if run.clockOffset != nil {
			fields["clock_offset"] = run.clockOffset.Round(time.Millisecond).Seconds()
		}
	}
	add(statusMeasurement, fields, tags, run.at)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
