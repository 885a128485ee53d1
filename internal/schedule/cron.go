package schedule

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Cron is an expression of the manual's language, read and ready. Its fields
// are sets of numbers.
//
// 5 fields are minute, hour, day, month and weekday, at second 0; 6 begin with
// the second; 7 end with the year as well. Day and weekday must both match. A
// "?" is what the program's start has in that field.
type Cron struct {
	text  string
	notes []string

	second, minute uint64
	hour           uint32
	day            uint32
	month          uint16
	weekday        uint8 // bits 1 to 7, Monday to Sunday
	years          []int // nil: every year

	start     time.Time
	atStart   bool // it fires at start, and not again in that minute
	onlyStart bool // and never again
	location  *time.Location
}

// field is one of the fields of an expression.
type field struct {
	name      string
	low, high int
	names     []string // from low on
	start     func(time.Time) int
}

const (
	lowYear  = 1900
	highYear = 3000
	// farAhead is how many years are searched for an instant: 29 February is a
	// certain weekday at least every 40.
	farAhead = 60
)

func secondField() field {
	return field{"second", 0, 59, nil, func(t time.Time) int { return t.Second() }}
}

// fields are minute, hour, day, month and weekday.
func fields() []field {
	return []field{
		{"minute", 0, 59, nil, func(t time.Time) int { return t.Minute() }},
		{"hour", 0, 23, nil, func(t time.Time) int { return t.Hour() }},
		{"day", 1, 31, nil, func(t time.Time) int { return t.Day() }},
		{"month", 1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"},
			func(t time.Time) int { return int(t.Month()) }},
		{"weekday", 0, 7, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}, nil},
	}
}

func yearField() field { return field{"year", lowYear, highYear, nil, nil} }

// ParseCron reads an expression for a program that starts at start, in a time
// zone. The error says which field is wrong and what is allowed. An expression
// that can never fire after start is an error.
func ParseCron(expression string, start time.Time, location *time.Location) (*Cron, error) {
	tokens, err := cronTokens(expression)
	if err != nil {
		return nil, err
	}
	c := &Cron{text: strings.Join(tokens, " "), start: start, location: location}
	names := fields()
	switch len(tokens) {
	case 5:
		err = c.read(names, tokens)
		c.second = 1
	case 6:
		err = c.read(append([]field{secondField()}, names...), tokens)
		if err != nil {
			last := *c
			if c.read(append(slices.Clone(names), yearField()), tokens) == nil {
				c.second, err = 1, nil
				c.notes = append(c.notes, "the first of six fields cannot be the second here, so the last one is read as the year")
			} else {
				*c = last
			}
		}
	case 7:
		err = c.read(append(append([]field{secondField()}, names...), yearField()), tokens)
	default:
		err = fmt.Errorf("%d fields: 5 are minute hour day month weekday, 6 begin with the second, 7 end with the year", len(tokens))
	}
	if err != nil {
		return nil, err
	}
	if _, ok := c.First(start); !ok {
		return nil, fmt.Errorf("it never fires: %s", c.never())
	}
	return c, nil
}

// cronTokens splits an expression. Blanks after commas belong to a list, what
// stands in brackets is a comment, and fields that are missing on the right are *.
func cronTokens(expression string) ([]string, error) {
	text := expression
	if i := strings.IndexByte(text, '('); i >= 0 {
		if !strings.HasSuffix(strings.TrimSpace(text), ")") {
			return nil, fmt.Errorf("a bracket is opened and not closed")
		}
		text = text[:i]
	}
	var b strings.Builder
	for part := range strings.SplitSeq(text, ",") {
		if b.Len() > 0 {
			b.WriteByte(',')
			part = strings.TrimLeft(part, " \t")
		}
		b.WriteString(strings.TrimRight(part, " \t"))
	}
	text = b.String()
	tokens := strings.Fields(text)
	if len(tokens) == 0 {
		return nil, fmt.Errorf(`it is empty: e.g. "0 0 12 * * *" is every day at 12:00:00`)
	}
	for len(tokens) < 5 {
		tokens = append(tokens, "*")
	}
	return tokens, nil
}

// read reads tokens as these fields.
func (c *Cron) read(list []field, tokens []string) error {
	asked := map[string]bool{}
	hasYear := false
	c.years = nil
	for i, f := range list {
		set, err := f.parse(tokens[i], c.start.In(c.location))
		if err != nil {
			return err
		}
		asked[f.name] = tokens[i] == "?"
		switch f.name {
		case "second":
			c.second = set.mask()
		case "minute":
			c.minute = set.mask()
		case "hour":
			c.hour = uint32(set.mask())
		case "day":
			c.day = uint32(set.mask())
		case "month":
			c.month = uint16(set.mask())
		case "weekday":
			m := set.mask()
			c.weekday = uint8(m&^1 | m&1<<7)
		default:
			hasYear = true
			if tokens[i] != "*" {
				c.years = set
			}
		}
	}
	c.atStart = asked["minute"]
	c.onlyStart = asked["minute"] && asked["hour"] && asked["day"] && asked["month"] && !hasYear
	return nil
}

// numbers is a list of numbers in ascending order.
type numbers []int

func (n numbers) mask() (m uint64) {
	for _, v := range n {
		m |= 1 << v
	}
	return m
}

// parse reads one field: a list of *, numbers, names and ranges, with steps.
func (f field) parse(token string, start time.Time) (numbers, error) {
	if token == "?" {
		if f.start == nil {
			return nil, fmt.Errorf(`%s %q: use *`, f.name, token)
		}
		return numbers{f.start(start)}, nil
	}
	var set numbers
	for part := range strings.SplitSeq(token, ",") {
		low, high, step, err := f.parsePart(part)
		if err != nil {
			return nil, err
		}
		for v := low; v <= high; v += step {
			set = append(set, v)
		}
	}
	slices.Sort(set)
	return slices.Compact(set), nil
}

// parsePart reads *, 5, mon, 1-5, */10 or 0-30/10.
func (f field) parsePart(part string) (low, high, step int, err error) {
	body, by, stepped := strings.Cut(part, "/")
	first, last, ranged := strings.Cut(body, "-")
	switch {
	case body == "*":
		low, high = f.low, f.high
		if f.name == "weekday" {
			low = 1 // Sunday has two numbers
		}
	case ranged:
		if low, err = f.number(first, part, false); err == nil {
			high, err = f.number(last, part, true)
		}
		if err == nil && strings.EqualFold(first, last) {
			low = high // Sunday to Sunday is one day, though it has two numbers
		}
		if err == nil && low > high {
			err = fmt.Errorf("%s %q runs backwards: write it as two ranges", f.name, part)
		}
	default:
		low, err = f.number(body, part, false)
		high = low
		if err == nil && stepped {
			err = fmt.Errorf("%s %q: a step follows * or a range", f.name, part)
		}
	}
	step = 1
	if err == nil && stepped {
		if step, err = strconv.Atoi(by); err != nil || step < 1 || step > f.high-f.low {
			err = fmt.Errorf("%s %q: the step has to be 1 to %d", f.name, part, f.high-f.low)
		}
	}
	return low, high, step, err
}

// number reads a number or a name. As the end of a range Sunday is 7.
func (f field) number(s, part string, end bool) (int, error) {
	if i := slices.Index(f.names, strings.ToLower(s)); i >= 0 {
		if f.name == "weekday" && i == 0 && end {
			return 7, nil
		}
		return f.low + i, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < f.low || n > f.high || strings.HasPrefix(s, "+") {
		allowed := fmt.Sprintf("%d to %d", f.low, f.high)
		if f.names != nil {
			allowed += fmt.Sprintf(" or %s to %s", f.names[0], f.names[len(f.names)-1])
		}
		return 0, fmt.Errorf("%s %q: %s is allowed", f.name, part, allowed)
	}
	return n, nil
}

// never says what can never come.
func (c *Cron) never() string {
	if c.years != nil && c.years[len(c.years)-1] < c.start.In(c.location).Year() {
		return "its years are over"
	}
	return "there is no such day"
}

// Notes are what a user should know about how the expression was read.
func (c *Cron) Notes() []string { return c.notes }

// First returns the first instant at which it fires for a program that begins
// to run requests at now: at once, if the expression asks for that. ok is false
// if there is none.
func (c *Cron) First(now time.Time) (time.Time, bool) {
	if c.atStart {
		return now, true
	}
	return c.Next(now)
}

// Next returns the first instant after t at which it fires.
//
// A wall clock time that does not exist on a day fires at the first instant
// after the gap, one that comes twice fires once; with every hour in the hour
// field, real intervals are kept instead.
func (c *Cron) Next(t time.Time) (time.Time, bool) {
	if c.onlyStart {
		return time.Time{}, false
	}
	for {
		next, ok := c.next(t)
		if !ok || !c.atStart || next.Sub(c.start.Truncate(time.Minute)).Abs() >= time.Minute {
			return next, ok
		}
		t = next // in the minute of the start, which has fired already
	}
}

const everyHour = 1<<24 - 1

func (c *Cron) next(t time.Time) (time.Time, bool) {
	t = t.In(c.location)
	last := t.Year() + farAhead
	if c.years != nil {
		last = c.years[len(c.years)-1]
	}
	if c.hour == everyHour {
		return c.nextReal(t, last)
	}
	// What the day before has may have been pushed over midnight by a gap.
	y, m, d := t.AddDate(0, 0, -1).Date()
	for day := time.Date(y, m, d, 0, 0, 0, 0, time.UTC); day.Year() <= last; day = day.AddDate(0, 0, 1) {
		if !c.matches(day) {
			continue
		}
		if next, ok := c.nextOfDay(day, t); ok {
			return next, true
		}
	}
	return time.Time{}, false
}

// matches reports whether it fires on a day, given as midnight UTC.
func (c *Cron) matches(day time.Time) bool {
	weekday := uint8(1) << day.Weekday()
	if day.Weekday() == time.Sunday {
		weekday = 1 << 7
	}
	return c.day>>day.Day()&1 == 1 && c.month>>int(day.Month())&1 == 1 && c.weekday&weekday != 0 &&
		(c.years == nil || slices.Contains(c.years, day.Year()))
}

// nextOfDay finds the first instant after t among the wall clock times of a day.
// Their instants come in the same order: where the last one of an hour is not
// after t, none is.
func (c *Cron) nextOfDay(day, t time.Time) (time.Time, bool) {
	y, m, d := day.Date()
	at := func(hour, minute, second int) time.Time { return wallTime(y, m, d, hour, minute, second, c.location) }
	for h := range each(uint64(c.hour)) {
		if !at(h, 59, 59).After(t) {
			continue
		}
		for minute := range each(c.minute) {
			if !at(h, minute, 59).After(t) {
				continue
			}
			for second := range each(c.second) {
				if next := at(h, minute, second); next.After(t) {
					return next, true
				}
			}
		}
	}
	return time.Time{}, false
}

// nextReal finds the first instant after t whose wall clock matches.
func (c *Cron) nextReal(t time.Time, lastYear int) (time.Time, bool) {
	t = t.Truncate(time.Second).Add(time.Second)
	for t.Year() <= lastYear {
		y, m, d := t.Date()
		switch {
		case !c.matches(time.Date(y, m, d, 0, 0, 0, 0, time.UTC)):
			t = wallTime(y, m, d+1, 0, 0, 0, c.location)
		case c.minute>>t.Minute()&1 == 0:
			t = t.Add(time.Duration(60-t.Second()) * time.Second)
		case c.second>>t.Second()&1 == 0:
			t = t.Add(time.Second)
		default:
			return t, true
		}
	}
	return time.Time{}, false
}

// each iterates over the bits of a set in ascending order.
func each(set uint64) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for ; set != 0; set &= set - 1 {
			if !yield(bits.TrailingZeros64(set)) {
				return
			}
		}
	}
}
