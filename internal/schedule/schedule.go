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
)

var methodNames = [...]string{Gather: "gather", Once: "once", Polling: "polling"}

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

// A Schedule is a method with its interval: the pause between two polls, and
// the shortest pause before a once request is repeated.
type Schedule struct {
	Method   Method
	Interval time.Duration
}

// First returns the first instant at which a request is due by itself. ok is
// false if it waits for a tick.
func (s Schedule) First(start time.Time) (due time.Time, ok bool) {
	switch s.Method {
	case Once, Polling:
		return start, true
	default:
		return time.Time{}, false
	}
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
	default:
	}
	return list
}
