package dlms_cosem

import (
	"math/rand/v2"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/internal/schedule"
)

// job is a request in the queue of its link.
type job struct {
	r       *request
	due     time.Time // zero: not due
	running bool
	begun   bool // a once request has been run
	skipped int  // runs that were due and are not made up for, since the last one
	list    []*station

	repeat time.Time // when the devices of the last run of the clock that failed are tried again; zero: they are not
	until  time.Time // and how long
	again  bool      // this run is such a repetition

	further time.Time // when more of a profile is to be read; zero: there is no more
	onward  bool      // this run goes on with it

	resend []profileSpan // what is to be read once more
}

// wakeAtLeast is how often a link with requests of the clock looks at it:
// timers stand still while the host sleeps, the clock does not.
const wakeAtLeast = time.Minute

// begin sets what is due by itself. Many links do not all begin at once.
func (l *link) begin(now time.Time, links int) {
	l.resident = true
	for _, j := range l.queue {
		due, ok := j.r.schedule.First(now)
		if !ok {
			continue
		}
		if links >= jitterFrom && !j.r.schedule.ByClock() {
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
		if j.r.schedule.Method != schedule.Gather {
			continue
		}
		if !l.lastTick.IsZero() {
			l.tickGap = gap
		}
		l.lastTick = now
		j.call(now)
	}
	l.mu.Unlock()
	l.rouse()
}

// trigger makes an event request due. It reports whether the request is the
// link's.
func (l *link) trigger(r *request, now time.Time) bool {
	l.mu.Lock()
	found := false
	for _, j := range l.queue {
		if j.r.name == r.name {
			found = true
			j.call(now)
		}
	}
	l.mu.Unlock()
	l.rouse()
	return found
}

// call makes a job due, unless it is already or is running.
func (j *job) call(now time.Time) {
	if j.running || !j.due.IsZero() {
		j.skipped++
		return
	}
	j.due = now
}

// rouse has the link look at its queue.
func (l *link) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// next is when a job is to run: because it is due, or to repeat what failed.
func (j *job) next() time.Time {
	at := j.due
	for _, other := range [...]time.Time{j.repeat, j.further} {
		if !other.IsZero() && (at.IsZero() || other.Before(at)) {
			at = other
		}
	}
	return at
}

// goOn has more of a profile read, behind what others want.
func (l *link) goOn(j *job, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); at.Before(now) {
		at = now
	}
	j.further = at
}

// othersDue reports whether a request waits for the link.
func (l *link) othersDue(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range l.queue {
		if at := j.next(); !j.running && !at.IsZero() && !at.After(now) {
			return true
		}
	}
	return false
}

// take returns the request that is due first, of several the first in the
// file; nil if none is, and how long until one is (negative: none is known).
func (l *link) take(now time.Time) (j *job, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.queue {
		if next, ok := c.r.schedule.Again(l.looked, now); ok {
			c.due, c.repeat = next, time.Time{}
		}
	}
	l.looked = now
	for {
		j = nil
		for _, c := range l.queue {
			if at := c.next(); !at.IsZero() && (j == nil || at.Before(j.next())) {
				j = c
			}
		}
		if j == nil {
			return nil, -1
		}
		if at := j.next(); at.After(now) {
			return nil, at.Sub(now)
		}
		if j.timely(now) {
			j.running = true
			return j, 0
		}
	}
}

// timely reports whether a job whose time has come is still to be run. An
// instant of the clock that is too long ago is not, and neither is a repetition
// that would take the time of the next run.
func (j *job) timely(now time.Time) bool {
	j.again, j.onward = false, false
	next := j.next()
	if next == j.further {
		j.again, j.onward, j.further = true, true, time.Time{}
		return true
	}
	j.further = time.Time{} // it goes on anyway
	if next != j.due {
		j.again, j.repeat = true, time.Time{}
		return !now.After(j.until)
	}
	s := j.r.schedule
	if !s.ByClock() {
		return true
	}
	instant, run, missed, next := s.Missed(j.due, now)
	j.skipped += missed
	j.due = next
	if run {
		j.repeat, j.until = time.Time{}, s.Until(instant, next)
	}
	return run
}

// started sets when a request is due again, and which of its devices are read.
func (l *link) started(j *job, now time.Time) (skipped int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch due := j.due; {
	case j.onward: // when it is due by itself stays
	case j.r.schedule.ByClock(): // is set
	case j.r.schedule.Method == schedule.Polling:
		j.due = j.r.schedule.AfterPoll(due, now)
	default:
		j.due = time.Time{}
	}
	if !j.again && !j.onceBegun() {
		for _, st := range j.list {
			st.wanted = true
			st.again.Succeed()
		}
	}
	skipped, j.skipped = j.skipped, 0
	return skipped
}

// onceBegun reports whether this is the repetition of a once request.
func (j *job) onceBegun() bool {
	if j.r.schedule.Method != schedule.Once {
		return false
	}
	begun := j.begun
	j.begun = true
	return begun
}

// finished sets when a request that failed is repeated: one that has to succeed
// once, or one of the clock.
func (l *link) finished(j *job, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	j.running = false
	ready, open := j.ready()
	switch {
	case !open:
	case j.r.schedule.Method == schedule.Once:
		j.due = j.r.schedule.AfterFailure(now, ready)
	case j.r.schedule.ByClock() && !ready.After(j.until):
		j.repeat = ready
	default:
	}
}

// ready is when the first of the devices that are still wanted may be tried
// again; open is false if there is none.
func (j *job) ready() (ready time.Time, open bool) {
	for _, st := range j.list {
		if !st.wanted {
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
	return ready, open
}

// patience is how long to wait for something that is so far away.
func (l *link) patience(wait time.Duration) time.Duration {
	for _, j := range l.queue {
		if j.r.schedule.ByClock() {
			return min(wait, wakeAtLeast)
		}
	}
	return wait
}
