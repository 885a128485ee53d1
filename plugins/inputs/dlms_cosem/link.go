package dlms_cosem

import (
	"context"
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
	resident bool   // it runs for long, not once
	call     *call  // what is open; nil: nothing
	guest    *guest // a meter that has dialed in; nil: we connect

	unsettled bool // something may still come on a serial line

	wake chan struct{} // a request has become due

	mu       sync.Mutex    // guards the jobs' fields, and what follows: ticks come from another goroutine
	queue    []*job        // in the order of the file
	looked   time.Time     // when take was called last
	lastTick time.Time     // zero: there was none, or nobody waits for it
	tickGap  time.Duration // between the last two; 0: not known
}

// station is a device as one job sees it.
type station struct {
	*device
	health *health
	memory *memory
	plan   *reads           // what has to be read; nil: not known yet
	wanted bool             // it has to be run: not yet, or not with success
	again  schedule.Backoff // between the repetitions of a once request or of a run of the clock
	log    errorLog

	compared bool // the meter with the preset

	history *historian // of a profile
	more    bool       // there is more of it to read
}

func newLink(d *DLMS, e endpoint, out *output) *link {
	return &link{d: d, endpoint: e, out: out, health: map[deviceKey]*health{}, memories: map[string]*memory{}, wake: make(chan struct{}, 1)}
}

// add appends a request to the link's queue. Requests that reach a device in
// the same way share its back-off.
func (l *link) add(r *request) {
	if len(r.items) > 0 || len(r.profiles) == 0 {
		l.addJob(r)
	}
	for _, p := range r.profiles {
		l.addJob(r.ofProfile(p))
	}
}

func (l *link) addJob(r *request) {
	j := &job{r: r}
	ladder := schedule.ContactLadder()
	if r.schedule.ByClock() {
		ladder = schedule.RepeatLadder()
	}
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
		st := &station{device: dev, health: h, memory: m, again: schedule.Backoff{Ladder: ladder}, log: errorLog{seen: map[string]string{}}}
		if r.profile != nil {
			st.history = newHistorian(r.profile, l.out)
		}
		j.list = append(j.list, st)
	}
	l.queue = append(l.queue, j)
}

// shared reports whether somebody waits while a dead device is tried.
func (l *link) shared() bool {
	return len(l.queue) > 1 || len(l.queue[0].list) > 1
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
			l.takeResends(j)
			for _, st := range j.list {
				if ctx.Err() != nil {
					return
				}
				if st.wanted && (!j.onward || st.more) {
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
			timer.Reset(l.patience(wait))
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
		o := &outcome{at: now, result: resultBackoff, err: why, failed: len(j.r.items)}
		l.out.together(func(add adder) { add.addStatus(j.r, st.device, o, skipped) })
		l.report(j.r, st.device, resultBackoff)
		return
	}
	o := l.run(ctx, j.r, st, st.health.attempt(j.r, l.shared()))
	st.more = o.more
	switch {
	case o.complete:
		st.wanted = false
		st.again.Succeed()
	case o.more:
		l.goOn(j, o.ready)
	default:
		st.again.Fail(time.Now())
	}
	l.pass(ctx, j.r, st, o, skipped)
}

// pass passes on what a run has brought.
func (l *link) pass(ctx context.Context, r *request, st *station, o *outcome, skipped int) {
	ended := o.canceled || ctx.Err() != nil && o.result != resultSuccess // by us: that is no failure of the meter's
	if !ended {
		st.health.record(o, time.Now())
		st.log.report(l, r, st.device, o)
	}
	l.out.together(func(add adder) {
		add.addValues(r, st.device, o)
		if !ended {
			add.addStatus(r, st.device, o, skipped)
		}
	})
	if ended {
		return
	}
	l.report(r, st.device, o.result)
}

func (l *link) report(r *request, dev *device, res result) {
	if l.guest != nil && res == resultSuccess {
		l.guest.host.mu.Lock()
		l.guest.host.served(r)
		l.guest.host.mu.Unlock()
	}
	if l.d.OnRun != nil {
		l.d.OnRun(Run{Request: r.name, Address: dev.tag, Result: res.String()})
	}
}
