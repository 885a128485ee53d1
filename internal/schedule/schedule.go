// Package schedule says when requests are due and when a meter that failed may
// be tried again. It is pure: the time is an argument, nothing waits here.
package schedule

import (
	"fmt"
	"time"
)

// A Method is what makes a request due.
type Method uint8

// The methods.
const (
	Gather  Method = 1 // each tick from outside
	Once    Method = 2 // at start, repeated until it first succeeds
	Polling Method = 3 // at start, then every interval
	Clock   Method = 4 // at times of the day
	Crontab Method = 5 // when an expression says so
	Event   Method = 6 // when it is triggered
)

var methodNames = [...]string{Gather: "gather", Once: "once", Polling: "polling", Clock: "times", Crontab: "cron", Event: "event"}

// String is the method's name in the configuration.
func (m Method) String() string {
	if int(m) < len(methodNames) && methodNames[m] != "" {
		return methodNames[m]
	}
	return fmt.Sprintf("unknown(%#02x)", uint8(m))
}

// ParseMethod returns the method of that name.
func ParseMethod(name string) (Method, bool) {
	for m, n := range methodNames {
		if n != "" && n == name {
			return Method(m), true
		}
	}
	return 0, false
}

// A Schedule is a method with what it needs: the pause between two polls, and
// the shortest pause before a once request is repeated; the times, or the
// expression.
type Schedule struct {
	Method   Method
	Interval time.Duration
	Times    *Times
	Cron     *Cron

	Grace  time.Duration // how late a run may begin that was missed
	Window time.Duration // how long a failed run is repeated
}

// ByClock reports whether the runs are instants of the wall clock.
func (s Schedule) ByClock() bool { return s.Method == Clock || s.Method == Crontab }

// First returns the first instant at which a request is due by itself. ok is
// false if it waits for a tick.
func (s Schedule) First(start time.Time) (due time.Time, ok bool) {
	switch s.Method {
	case Once, Polling:
		return start, true
	case Clock:
		return s.Times.Next(start), true
	case Crontab:
		return s.Cron.First(start)
	default:
		return time.Time{}, false
	}
}

// after is the first instant of the clock after t.
func (s Schedule) after(t time.Time) (time.Time, bool) {
	if s.Method == Clock {
		return s.Times.Next(t), true
	}
	return s.Cron.Next(t)
}

// setBack is by how much the clock has to be set back for its instants to be
// gone through again. What is less, a correction, runs none of them twice.
const setBack = time.Hour

// Again returns the next instant for a clock that showed before and shows now:
// ok is false if it was not set back so far that those between them come again.
func (s Schedule) Again(before, now time.Time) (next time.Time, ok bool) {
	if !s.ByClock() || now.Round(0).After(before.Round(0).Add(-setBack)) {
		return time.Time{}, false
	}
	return s.after(now)
}

// mostMissed is how many missed instants are counted one by one.
const mostMissed = 10000

// Missed looks at a request of the clock that was due at an instant and can run
// now. Of all instants that have come since, the last one is run, if it is not
// older than the grace; missed counts the others. next is the first one to
// come; zero if there is none.
func (s Schedule) Missed(due, now time.Time) (instant time.Time, run bool, missed int, next time.Time) {
	for instant = due; ; instant = next {
		var ok bool
		if next, ok = s.after(instant); !ok {
			next = time.Time{}
		}
		if !ok || next.After(now) {
			break
		}
		if missed++; missed >= mostMissed { // a host that slept for long
			if again, ok := s.after(now.Add(-s.Grace)); ok && again.After(next) {
				next = again
			}
		}
	}
	// A timer never fires at the very instant: less than a second is not late.
	if late := now.Sub(instant); late < time.Second || late <= s.Grace {
		run = true
	} else {
		missed++
	}
	return instant, run, missed, next
}

// Until returns how long a run of the clock that failed may be repeated: for
// the window, at most until half of the time to the next run has passed.
func (s Schedule) Until(instant, next time.Time) time.Time {
	end := instant.Add(s.Window)
	if next.IsZero() {
		return end
	}
	if half := instant.Add(next.Sub(instant) / 2); half.Before(end) {
		return half
	}
	return end
}

// AfterPoll returns when a polled request that was due and has been started is
// due next. A late run keeps to the rhythm as long as it can; a run that is
// late by an interval or more shifts the rhythm, so that runs never pile up.
func (s Schedule) AfterPoll(due, started time.Time) time.Time {
	if next := due.Add(s.Interval); next.After(started) {
		return next
	}
	return started.Add(s.Interval)
}

// AfterFailure returns when a once request is repeated: when the first of its
// devices may be tried again, but not before the interval has passed.
func (s Schedule) AfterFailure(finished, ready time.Time) time.Time {
	next := finished.Add(s.Interval)
	if ready.After(next) {
		return ready
	}
	return next
}

// Next lists the next n instants after now at which a request that starts at
// now is due, whatever happens to it: for people. Ticks are not foreseeable,
// and neither are repetitions.
func (s Schedule) Next(now time.Time, n int) []time.Time {
	var list []time.Time
	switch s.Method {
	case Once:
		if n > 0 {
			list = append(list, now)
		}
	case Polling:
		for i := range n {
			list = append(list, now.Add(time.Duration(i)*s.Interval))
		}
	case Clock, Crontab:
		for at, ok := s.First(now); ok && len(list) < n; at, ok = s.after(at) {
			list = append(list, at)
		}
	default:
	}
	return list
}
