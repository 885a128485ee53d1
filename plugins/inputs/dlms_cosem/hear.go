package dlms_cosem

import (
	"errors"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/push"
)

// Hear takes octets that were heard before for what has come just now at the
// endpoint of the first request, which only listens, and adds its metrics with
// the time at. source is their tag source, and the device where no telegram says
// which it is. It returns how many telegrams were understood, and how many not.
func (d *DLMS) Hear(acc telegraf.Accumulator, source string, octets []byte, at time.Time) (good, bad int, err error) {
	if len(d.requests) == 0 || !d.requests[0].passive {
		return 0, 0, errors.New("the first request does not listen: set send_requests = false")
	}
	defer d.openState()()
	r := d.requests[0]
	r.endpoint.address = source
	out := newOutput(acc)
	defer out.close()
	before := d.OnRun
	defer func() { d.OnRun = before }()
	d.OnRun = func(run Run) {
		if run.Result == resultSuccess.String() || run.Result == resultPartial.String() {
			good++
		} else {
			bad++
		}
	}
	l := d.newListener(r.endpoint, out)
	l.passive = []*request{r}
	l.keys = newKeyring(l)
	e := newEar(l, nil, source)
	e.last = at
	e.take(octets, at)
	for e.deframer.Waiting() {
		e.deframer.Silence()
		e.drain(at)
	}
	return good, bad, nil
}

// PushLists are the lists by which the first request, which only listens, names
// values that come without OBIS codes or scalers: those of its preset, and those
// that are known by themselves.
func (d *DLMS) PushLists() []*push.List {
	if len(d.requests) == 0 {
		return nil
	}
	return d.requests[0].lists
}
