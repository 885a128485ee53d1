package schedule

import "time"

// A Ladder lists the pauses after the first, second, ... failure in a row. The
// last pause stays.
type Ladder []time.Duration

// ContactLadder is for a device that cannot be reached or does not answer: it
// is tried once more when it is due next, then after 1, 2, 5 and 10 minutes.
func ContactLadder() Ladder {
	return Ladder{0, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute}
}

// RepeatLadder is for a run at a certain time that failed.
func RepeatLadder() Ladder {
	return Ladder{30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute}
}

// LoginLadder is for a device that refuses the login: 15 minutes, doubling to
// 24 hours, because meters lock after some wrong passwords.
func LoginLadder() Ladder {
	var l Ladder
	for d := 15 * time.Minute; d < 24*time.Hour; d *= 2 {
		l = append(l, d)
	}
	return append(l, 24*time.Hour)
}

// A Backoff counts failures in a row on a ladder. With its ladder set it is
// ready to use.
type Backoff struct {
	Ladder   Ladder
	failures int
	until    time.Time
}

// Fail notes a failure that was seen at now.
func (b *Backoff) Fail(now time.Time) {
	b.failures++
	b.until = now
	if n := len(b.Ladder); n > 0 {
		b.until = now.Add(b.Ladder[min(b.failures, n)-1])
	}
}

// Succeed forgets all failures.
func (b *Backoff) Succeed() {
	b.failures, b.until = 0, time.Time{}
}

// Failures is the number of failures in a row.
func (b *Backoff) Failures() int { return b.failures }

// Until is when the next attempt may be made; zero without a failure.
func (b *Backoff) Until() time.Time { return b.until }

// Ready reports whether an attempt may be made at now.
func (b *Backoff) Ready(now time.Time) bool { return !now.Before(b.until) }

// Last reports whether the last pause of the ladder has been reached.
func (b *Backoff) Last() bool { return b.failures > 0 && b.failures >= len(b.Ladder) }
