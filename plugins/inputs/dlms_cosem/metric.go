package dlms_cosem

import (
	"maps"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/metric"
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

func (o *output) add(measurement string, fields map[string]any, tags map[string]string, at time.Time) {
	if !o.closed.Load() && len(fields) > 0 {
		o.acc.AddFields(measurement, fields, tags, at)
	}
}

// groupAdder is what an accumulator may be beside: one that takes the metrics of
// a run together, so that they share a write.
type groupAdder interface{ AddMetrics(list []telegraf.Metric) }

// group collects metrics for an accumulator that takes several at once; others
// get them one by one.
type group struct {
	o    *output
	acc  groupAdder // nil: one by one
	list []telegraf.Metric
}

func (o *output) group(size int) *group {
	g := &group{o: o}
	if acc, ok := o.acc.(groupAdder); ok {
		g.acc, g.list = acc, make([]telegraf.Metric, 0, size)
	}
	return g
}

func (g *group) add(measurement string, fields map[string]any, tags map[string]string, at time.Time) {
	if g.acc == nil {
		g.o.add(measurement, fields, tags, at)
	} else if len(fields) > 0 {
		g.list = append(g.list, metric.New(measurement, tags, fields, at))
	}
}

// pass hands the metrics over.
func (g *group) pass() {
	if len(g.list) > 0 && !g.o.closed.Load() {
		g.acc.AddMetrics(g.list)
	}
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
	if r.logical != 1 {
		tags["logical"] = strconv.Itoa(int(r.logical))
	}
	return tags
}

// emitValues passes on the values of a run.
func (o *output) emitValues(r *request, dev *device, run *outcome) {
	if r.wide {
		o.emitWide(r, dev, run)
		return
	}
	g := o.group(len(run.readings))
	defer g.pass()
	for i := range run.readings {
		x := &run.readings[i]
		if !x.got {
			continue
		}
		fields := make(map[string]any, 2)
		x.v.fields(fields, "value", "text", "flag")
		at := x.at
		if at.IsZero() {
			at = run.at
		}
		g.add(r.measurement, fields, itemTags(r, dev, r.items[i], x), at)
	}
}

// itemTags are the tags of one value. Class and attribute are only there if
// they are not what everybody would expect.
func itemTags(r *request, dev *device, it *item, x *reading) map[string]string {
	tags := deviceTags(r, dev)
	tags["obis"] = it.obis.String()
	if it.name != "" {
		tags["name"] = it.name
	}
	if x.unit != "" {
		tags["unit"] = x.unit
	}
	if it.id != 2 {
		tags["attribute"] = strconv.Itoa(int(it.id))
	}
	if x.class != it.usual {
		tags["class"] = strconv.Itoa(int(x.class))
	}
	return tags
}

// emitWide passes on the values of a run as the fields of one metric.
func (o *output) emitWide(r *request, dev *device, run *outcome) {
	fields := make(map[string]any, len(run.readings))
	for i := range run.readings {
		if x := &run.readings[i]; x.got {
			name := r.items[i].fieldName(x.class)
			x.v.fields(fields, name, name+"_text", name+"_flag")
		}
	}
	o.add(r.measurement, fields, deviceTags(r, dev), run.at)
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

// emitStatus passes on how a run went.
func (o *output) emitStatus(r *request, dev *device, run *outcome, skipped int) {
	tags := deviceTags(r, dev)
	tags["request"] = r.name
	tags["result"] = run.result.String()
	o.add(statusMeasurement, map[string]any{
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
	}, tags, run.at)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
