package execd

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/metric"
)

// Accumulator writes metrics as line protocol. It implements
// telegraf.Accumulator and may be used by many goroutines.
//
// An Add blocks until its lines were written: a reader that does not drain
// holds up who adds. After Close, and after a write failed, an Add returns at
// once and its metric is lost. Each write holds whole lines and at most
// MaxWrite octets.
type Accumulator struct {
	out     *output
	log     telegraf.Logger
	batches sync.Pool // of *batch
}

// NewAccumulator returns an accumulator that writes lines to w and reports
// errors to the log. Close ends its goroutine.
func NewAccumulator(w io.Writer, log telegraf.Logger) *Accumulator {
	out := &output{
		w:        w,
		requests: make(chan *request),
		closed:   make(chan struct{}),
		failed:   make(chan struct{}),
	}
	go out.run()
	return &Accumulator{out: out, log: log}
}

// Close makes every Add return, those that wait included. A write under way is
// not waited for.
func (a *Accumulator) Close() { a.out.close() }

// Failed returns a channel that is closed when a write has failed; Err tells
// why.
func (a *Accumulator) Failed() <-chan struct{} { return a.out.failed }

// Err returns the error of the write that failed. It is valid after Failed is
// closed.
func (a *Accumulator) Err() error { return a.out.err }

// stuck returns for how long the current write has been under way.
func (a *Accumulator) stuck() time.Duration {
	since := a.out.since.Load()
	if since == 0 {
		return 0
	}
	return time.Duration(time.Now().UnixNano() - since)
}

// AddFields implements telegraf.Accumulator.
func (a *Accumulator) AddFields(name string, fields map[string]any, tags map[string]string, t ...time.Time) {
	a.add(name, fields, tags, telegraf.Untyped, t)
}

// AddGauge implements telegraf.Accumulator.
func (a *Accumulator) AddGauge(name string, fields map[string]any, tags map[string]string, t ...time.Time) {
	a.add(name, fields, tags, telegraf.Gauge, t)
}

// AddCounter implements telegraf.Accumulator.
func (a *Accumulator) AddCounter(name string, fields map[string]any, tags map[string]string, t ...time.Time) {
	a.add(name, fields, tags, telegraf.Counter, t)
}

// AddSummary implements telegraf.Accumulator.
func (a *Accumulator) AddSummary(name string, fields map[string]any, tags map[string]string, t ...time.Time) {
	a.add(name, fields, tags, telegraf.Summary, t)
}

// AddHistogram implements telegraf.Accumulator.
func (a *Accumulator) AddHistogram(name string, fields map[string]any, tags map[string]string, t ...time.Time) {
	a.add(name, fields, tags, telegraf.Histogram, t)
}

func (a *Accumulator) add(name string, fields map[string]any, tags map[string]string, kind telegraf.ValueType, t []time.Time) {
	at := time.Now()
	if len(t) > 0 {
		at = t[0]
	}
	a.AddMetric(metric.New(name, tags, fields, at, kind))
}

// AddMetric implements telegraf.Accumulator. A metric that tracks its delivery
// is accepted once its lines were written, else rejected.
func (a *Accumulator) AddMetric(m telegraf.Metric) {
	b := a.batch()
	b.enc.metric(m)
	if added := b.add(); b.end() && added {
		m.Accept()
	} else {
		m.Reject()
	}
}

// AddTogether calls list with a function that adds untyped metrics, whose lines
// share as few writes as hold them. Their maps may be used again when that
// returns.
func (a *Accumulator) AddTogether(list func(add func(name string, fields map[string]any, tags map[string]string, t time.Time))) {
	b := a.batch()
	list(func(name string, fields map[string]any, tags map[string]string, t time.Time) {
		b.enc.maps(name, fields, tags, t)
		b.add()
	})
	b.end()
}

// batch collects lines for one write.
type batch struct {
	a     *Accumulator
	enc   encoder
	lines []byte
	lost  bool // a write was not made
}

func (a *Accumulator) batch() *batch {
	if b, ok := a.batches.Get().(*batch); ok {
		return b
	}
	return &batch{a: a, lines: make([]byte, 0, MaxWrite)}
}

// add takes the lines of the encoder's metric. It returns false if there are
// none for a reason that is reported.
func (b *batch) add() bool {
	lines, err := b.enc.encode()
	if err != nil {
		b.a.AddError(err)
	}
	for _, line := range lines {
		if len(b.lines)+len(line) > MaxWrite {
			b.write()
		}
		b.lines = append(b.lines, line...)
	}
	return len(lines) > 0 || err == nil
}

func (b *batch) write() {
	if len(b.lines) > 0 && !b.lost {
		b.lost = !b.a.out.write(b.lines)
	}
	if b.lost {
		b.lines = nil // they may still be under way
	}
	b.lines = b.lines[:0]
}

// end returns true if all was written. The batch is not to be used any more.
func (b *batch) end() bool {
	b.write()
	if b.lost {
		return false
	}
	b.a.batches.Put(b)
	return true
}

// SetPrecision implements telegraf.Accumulator. Times are written as they come.
func (a *Accumulator) SetPrecision(time.Duration) {}

// AddError implements telegraf.Accumulator: an "E! " line.
func (a *Accumulator) AddError(err error) {
	if err != nil {
		a.log.Error(err)
	}
}

// WithTracking implements telegraf.Accumulator. Delivered means that the write
// returned, which is all a process before Telegraf can know.
//
// The channel of Delivered holds maxTracked notifications (at least one), so
// none is lost if the caller reads them later. One more than that is dropped,
// with an "E! " line: it never blocks.
func (a *Accumulator) WithTracking(maxTracked int) telegraf.TrackingAccumulator {
	return &tracking{Accumulator: a, delivered: make(chan telegraf.DeliveryInfo, max(maxTracked, 1))}
}

type tracking struct {
	*Accumulator
	delivered chan telegraf.DeliveryInfo
}

// AddTrackingMetric implements telegraf.TrackingAccumulator. As with
// AddTrackingMetricGroup, the notification comes before it returns.
func (t *tracking) AddTrackingMetric(m telegraf.Metric) telegraf.TrackingID {
	m, id := metric.WithTracking(m, t.onDelivery)
	t.AddMetric(m)
	return id
}

// AddTrackingMetricGroup implements telegraf.TrackingAccumulator. The lines of
// the group share as few writes as hold them. The group is accepted if every
// write was made, else rejected, whatever of it was written; a metric without
// line protocol (which is reported) rejects it, too. A group without lines is
// accepted.
//
// The one notification of the group is in the channel of Delivered before this
// returns, thus before the caller knows the ID: who reads the channel in
// another goroutine has to keep IDs it does not know yet; who reads it
// afterwards finds there what it knows. The elements of the slice are replaced
// by metrics that carry the ID.
func (t *tracking) AddTrackingMetricGroup(group []telegraf.Metric) telegraf.TrackingID {
	group, id := metric.WithGroupTracking(group, t.onDelivery)
	b, written := t.batch(), true
	for _, m := range group {
		b.enc.metric(m)
		written = b.add() && written
	}
	written = b.end() && written
	for _, m := range group {
		if written {
			m.Accept()
		} else {
			m.Reject()
		}
	}
	return id
}

func (t *tracking) Delivered() <-chan telegraf.DeliveryInfo { return t.delivered }

func (t *tracking) onDelivery(info telegraf.DeliveryInfo) {
	select {
	case t.delivered <- info:
	default:
		t.AddError(errors.New("more metrics are tracked than the accumulator was made for"))
	}
}

// output is the goroutine that owns the writer. Lines which wait at the same
// time share a write.
type output struct {
	w        io.Writer
	requests chan *request
	since    atomic.Int64 // when the current write began, Unix nanoseconds; 0 = none

	once   sync.Once
	closed chan struct{}

	failed chan struct{}
	err    error // set before failed is closed
}

type request struct {
	line    []byte
	written chan bool
}

func (o *output) close() { o.once.Do(func() { close(o.closed) }) }

// write returns true after the line was written.
func (o *output) write(line []byte) bool {
	req := &request{line, make(chan bool, 1)}
	select {
	case <-o.closed:
		return false
	default:
	}
	select {
	case o.requests <- req:
	case <-o.closed:
		return false
	}
	select {
	case ok := <-req.written:
		return ok
	case <-o.closed:
		select {
		case ok := <-req.written:
			return ok
		default:
			return false
		}
	}
}

func (o *output) run() {
	var first *request
	for {
		if first == nil {
			select {
			case first = <-o.requests:
			case <-o.closed:
				return
			}
		}
		batch, buf := []*request{first}, first.line
		first = nil
		for first == nil {
			var req *request
			select {
			case req = <-o.requests:
			default:
			}
			if req == nil {
				break
			}
			if len(buf)+len(req.line) > MaxWrite {
				first = req
				break
			}
			batch, buf = append(batch, req), append(buf, req.line...)
		}
		o.since.Store(time.Now().UnixNano())
		_, err := o.w.Write(buf)
		o.since.Store(0)
		if err != nil { // told before the requests are answered: who adds may look at once
			o.err = err
			close(o.failed)
			o.close()
		}
		for _, req := range batch {
			req.written <- err == nil
		}
		if err != nil {
			return
		}
	}
}
