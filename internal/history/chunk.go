package history

import "time"

const (
	// MostOctets is how large the answer to one request may be, before it is broken off and gone on with in smaller parts: memory of
	// the meter, time on the line, and what is lost if it is cut off.
	MostOctets = 64 << 10
	// wanted is what is aimed at below it: rows differ in length.
	wanted = 48 << 10
	// PatienceOfOthers is how long an answer may take: others wait for the line meanwhile.
	PatienceOfOthers = 10 * time.Second

	firstRows   = 32
	growth      = 4
	longestSpan = 10 * 366 * 24 * time.Hour
)

// Chunks finds out how much may be asked for at once. Zero is good to begin
// with.
type Chunks struct {
	span    time.Duration
	rows    int // that fit, by what was measured
	stretch time.Duration
}

// Rows is how many rows to ask for, at most most.
func (c *Chunks) Rows(most int) int {
	if c.rows == 0 {
		c.rows = firstRows
	}
	return max(1, min(c.rows, most))
}

// Span is the time to ask for, for as many rows.
func (c *Chunks) Span(period time.Duration, most int) time.Duration {
	if period > 0 {
		stretch := max(c.stretch, 1)
		rows := min(time.Duration(c.Rows(most)), longestSpan/period+1) // no more than can be counted
		return min(period*rows, longestSpan/stretch) * stretch
	}
	if c.span == 0 {
		c.span = 24 * time.Hour
	}
	return c.span
}

// Took takes an answer of so many rows, fresh ones among them, and octets into
// account, which took so long.
func (c *Chunks) Took(rows, fresh, octets int, d time.Duration) {
	c.stretch = max(c.stretch, 1)
	switch {
	case fresh > 0:
		c.stretch = 1
	case c.stretch < 1<<8:
		c.stretch *= growth
	default:
	}
	if rows > 0 {
		fit := wanted * rows / max(octets, 1)
		if quick := int64(PatienceOfOthers) * int64(rows) / max(int64(d), 1); quick < int64(fit) {
			fit = int(quick)
		}
		c.rows = max(1, min(fit, max(c.rows, rows)*growth))
	}
	switch {
	case c.span == 0:
	case fresh == 0:
		c.span = min(c.span*growth, longestSpan)
	default:
		fit := float64(c.span) * float64(c.rows) / float64(rows)
		c.span = time.Duration(max(float64(time.Minute), min(fit, float64(c.span)*growth, float64(longestSpan))))
	}
}

// Failed makes the next one smaller: this one was too much for the line, or for
// the meter.
func (c *Chunks) Failed() {
	c.rows, c.span, c.stretch = max(1, c.rows/growth), max(c.span/growth, time.Minute), 1
}
