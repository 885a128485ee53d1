package dlms_cosem

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/internal/schedule"
)

// link is one endpoint. Its requests run one by one, in the goroutine of loop.
type link struct {
	d        *DLMS
	endpoint endpoint
	out      *output
	health   map[deviceKey]*health
	memories map[string]*memory
	resident bool  // it runs for long, not once
	call     *call // what is open; nil: nothing

	wake chan struct{} // a request has become due

	mu       sync.Mutex    // guards the jobs' fields, and what follows: ticks come from another goroutine
	queue    []*job        // in the order of the file
	lastTick time.Time     // zero: there was none, or nobody waits for it
	tickGap  time.Duration // between the last two; 0: not known
}

// job is a request in the queue of its link.
type job struct {
	r       *request
	due     time.Time // zero: not due
	running bool
	skipped int // ticks that found it due or running, since its last run
	list    []*station
}

// station is a device as one job sees it.
type station struct {
	*device
	health *health
	memory *memory
	plan   *reads           // what has to be read; nil: not known yet
	done   bool             // a once request has succeeded here
	again  schedule.Backoff // between the repetitions of a once request
	log    errorLog
}

func newLink(d *DLMS, e endpoint, out *output) *link {
	return &link{d: d, endpoint: e, out: out, health: map[deviceKey]*health{}, memories: map[string]*memory{}, wake: make(chan struct{}, 1)}
}

// add appends a request to the link's queue. Requests that reach a device in
// the same way share its back-off.
func (l *link) add(r *request) {
	j := &job{r: r}
	for _, dev := range r.devices {
		key := r.deviceKey(dev)
		h := l.health[key]
		if h == nil {
			h = newHealth()
			l.health[key] = h
		}
		m := l.memories[r.memoryKey(dev)]
		if m == nil {
			m = newMemory(r.memoryKey(dev))
			l.memories[m.key] = m
		}
		j.list = append(j.list, &station{device: dev, health: h, memory: m, again: schedule.Backoff{Ladder: schedule.ContactLadder()}, log: errorLog{seen: map[string]string{}}})
	}
	l.queue = append(l.queue, j)
}

// shared reports whether somebody waits while a dead device is tried.
func (l *link) shared() bool {
	return len(l.queue) > 1 || len(l.queue[0].list) > 1
}

// begin sets what is due by itself. Many links do not all begin at once.
func (l *link) begin(now time.Time, links int) {
	l.resident = true
	for _, j := range l.queue {
		due, ok := j.r.schedule.First(now)
		if !ok {
			continue
		}
		if links >= jitterFrom {
			due = due.Add(rand.N(min(time.Duration(links)*jitterLink, j.r.schedule.Interval))) //nolint:gosec // no secret
		}
		j.due = due
	}
}

// tick makes the gather requests due.
func (l *link) tick(now time.Time) {
	l.mu.Lock()
	gap := now.Sub(l.lastTick)
	for _, j := range l.queue {
		if j.r.schedule.Method == schedule.Gather {
			if !l.lastTick.IsZero() {
				l.tickGap = gap
			}
			l.lastTick = now
		}
		switch {
		case j.r.schedule.Method != schedule.Gather:
		case j.running || !j.due.IsZero():
			j.skipped++
		default:
			j.due = now
		}
	}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// take returns the request that is due first, of several the first in the
// file; nil if none is, and how long until one is (negative: none is known).
func (l *link) take(now time.Time) (j *job, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.queue {
		if !c.due.IsZero() && (j == nil || c.due.Before(j.due)) {
			j = c
		}
	}
	if j == nil {
		return nil, -1
	}
	if j.due.After(now) {
		return nil, j.due.Sub(now)
	}
	j.running = true
	return j, 0
}

// started sets when a polled request is due again.
func (l *link) started(j *job, now time.Time) (skipped int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	due := j.due
	j.due = time.Time{}
	if j.r.schedule.Method == schedule.Polling {
		j.due = j.r.schedule.AfterPoll(due, now)
	}
	skipped, j.skipped = j.skipped, 0
	return skipped
}

// finished sets when a once request that failed is due again.
func (l *link) finished(j *job, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	j.running = false
	if j.r.schedule.Method != schedule.Once {
		return
	}
	var ready time.Time
	open := false
	for _, st := range j.list {
		if st.done {
			continue
		}
		until := st.health.until()
		if st.again.Until().After(until) {
			until = st.again.Until()
		}
		if !open || until.Before(ready) {
			ready = until
		}
		open = true
	}
	if open {
		j.due = j.r.schedule.AfterFailure(now, ready)
	}
}

// loop runs what is due until ctx ends.
func (l *link) loop(ctx context.Context) {
	defer l.hangUp()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		j, wait := l.take(time.Now())
		if j != nil {
			skipped := l.started(j, time.Now())
			for _, st := range j.list {
				if ctx.Err() != nil {
					return
				}
				if !st.done {
					l.runDevice(ctx, j, st, skipped)
				}
			}
			l.finished(j, time.Now())
			continue
		}
		if kept := l.rest(time.Now(), wait); kept >= 0 && (wait < 0 || kept < wait) {
			wait = kept
		}
		var due <-chan time.Time
		if wait >= 0 {
			timer.Reset(wait)
			due = timer.C
		}
		select {
		case <-ctx.Done():
		case <-l.wake:
		case <-due:
		}
	}
}

// runDevice runs a due request on one device, unless the device has to be left
// alone, and reports it.
func (l *link) runDevice(ctx context.Context, j *job, st *station, skipped int) {
	now := time.Now()
	if why := st.health.wait(now, j.r); why != nil {
		l.out.emitStatus(j.r, st.device, &outcome{at: now, result: resultBackoff, err: why, failed: len(j.r.items)}, skipped)
		l.report(j.r, st.device, resultBackoff)
		return
	}
	o := l.run(ctx, j.r, st, st.health.attempt(j.r, l.shared()))
	st.done = j.r.schedule.Method == schedule.Once && o.complete
	st.again.Fail(time.Now())
	l.pass(ctx, j.r, st, o, skipped)
}

// pass passes on what a run has brought.
func (l *link) pass(ctx context.Context, r *request, st *station, o *outcome, skipped int) {
	l.out.emitValues(r, st.device, o)
	if o.canceled || ctx.Err() != nil && o.result != resultSuccess {
		return // we ended it: that is no failure of the meter's
	}
	st.health.record(o, time.Now())
	st.log.report(l, r, st.device, o)
	l.out.emitStatus(r, st.device, o, skipped)
	l.report(r, st.device, o.result)
}

func (l *link) report(r *request, dev *device, res result) {
	if l.d.OnRun != nil {
		l.d.OnRun(Run{Request: r.name, Address: dev.tag, Result: res.String()})
	}
}
