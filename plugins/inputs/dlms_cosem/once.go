package dlms_cosem

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/influxdata/telegraf"
)

// RunOnce runs each enabled request, or the one that is named, one time,
// whatever its method: links in parallel, the requests of a link one by one. It
// returns how many runs of a device did not end in success. Back-off of earlier
// runs does not count. The error says that nothing could be run.
func (d *DLMS) RunOnce(ctx context.Context, acc telegraf.Accumulator, name string) (failed int, err error) {
	found := false
	for _, r := range d.requests {
		if r.name == name {
			found = true
			if !r.enabled {
				return 0, fmt.Errorf("request %q is not enabled", name)
			}
		}
	}
	if name != "" && !found {
		return 0, fmt.Errorf("there is no request %q: there is %s", name, d.requestNames())
	}
	defer d.openState()()
	out := newOutput(acc)
	defer out.close()
	wanted := func(r *request) bool { return r.enabled && (name == "" || r.name == name) }
	links, listeners := d.newLinks(out, wanted), d.newListeners(out, wanted)
	if len(links) == 0 && len(listeners) == 0 {
		return 0, errors.New("no request is enabled")
	}
	var (
		wg    sync.WaitGroup
		count atomic.Int64
	)
	for _, l := range links {
		wg.Go(func() { count.Add(int64(l.once(ctx))) })
	}
	for _, l := range listeners {
		wg.Go(func() { count.Add(int64(l.once(ctx))) })
	}
	wg.Wait()
	return int(count.Load()), ctx.Err()
}

func (d *DLMS) requestNames() string {
	var names []string
	for _, r := range d.requests {
		names = append(names, fmt.Sprintf("%q", r.name))
	}
	return strings.Join(names, ", ")
}

// once runs the link's requests one time. A device that failed just now gets a
// short attempt for its next request; one that refused the login none.
func (l *link) once(ctx context.Context) (failed int) {
	defer l.hangUp()
	for _, j := range l.queue {
		for _, st := range j.list {
			if ctx.Err() != nil {
				failed++
				continue
			}
			if h := st.health; !h.login.Ready(time.Now()) {
				l.runDevice(ctx, j, st, 0)
				failed++
				continue
			}
			o := l.run(ctx, j.r, st, st.health.attempt(j.r, l.shared()))
			l.pass(ctx, j.r, st, o, 0)
			if o.result != resultSuccess {
				failed++
			}
		}
	}
	return failed
}

// Reading is what was read for an item, for people.
type Reading struct {
	Address   string // physical address; empty without
	Class     uint16
	OBIS      string
	Attribute int
	Name      string // of the item; empty if it has none
	Type      string // of the data, in the standard's words; empty if nothing came
	Text      string // the value for people, without its unit
	Unit      string
	Value     any    // float64, string or bool; nil if there is none
	Raw       string // the data as it came, hexadecimal
	Err       error  // why there is no value
}

// A DeviceError is why one of several devices could not be read as a whole.
type DeviceError struct {
	Address string // physical address
	Err     error
}

func (e *DeviceError) Error() string { return "address " + e.Address + ": " + e.Err.Error() }
func (e *DeviceError) Unwrap() error { return e.Err }

// ReadOnce reads the items of the first request, on its devices one after the
// other. Values that are no metric's, structures and arrays, are given as text.
// The error joins one for each device which could not be read as a whole, a
// *DeviceError if the request has several; the readings of the others are there.
func (d *DLMS) ReadOnce(ctx context.Context) ([]Reading, error) {
	if len(d.requests) == 0 {
		return nil, errors.New("there is no request")
	}
	var (
		list []Reading
		errs []error
	)
	defer d.openFresh()()
	l := newLink(d, d.requests[0].endpoint, newOutput(nil))
	l.out.close()
	l.add(d.requests[0])
	defer l.hangUp()
	for _, j := range l.queue {
		for _, st := range j.list {
			s := &session{l: l, r: j.r, st: st, keepRaw: true}
			o := s.outcome(ctx, 0)
			for i := range o.readings {
				list = append(list, newReading(j.r.items[i], st.device, &o.readings[i]))
			}
			err := o.err
			if err != nil && len(j.r.devices) > 1 {
				err = &DeviceError{Address: st.device.tag, Err: err}
			}
			errs = append(errs, err)
		}
	}
	return list, errors.Join(errs...)
}

func newReading(it *item, dev *device, x *reading) Reading {
	r := Reading{
		Address: dev.tag, Class: uint16(x.class), OBIS: it.obis.String(), Attribute: int(it.id), Name: it.name,
		Unit: x.unit, Raw: hex.EncodeToString(x.raw), Err: x.err,
	}
	if len(x.raw) > 0 {
		r.Type = x.raw.Tag().String()
	}
	var structured *complexError
	switch {
	case errors.As(x.err, &structured):
		r.Text, r.Err = cleanText(x.raw.String()), nil
		r.Value = r.Text
	case !x.got && len(x.raw) > 0:
		r.Text = cleanText(x.raw.String())
	case x.got:
		r.Text, r.Value = x.v.shown()
	default:
	}
	return r
}
