package schedule

import (
	"fmt"
	"strconv"
	"strings"
)

// String is how the expression was read, field by field: "second 0, minute 0,
// hour 12, every day".
func (c *Cron) String() string {
	if c.onlyStart {
		return "once, at the start of the program"
	}
	var list []string
	add := func(name string, low, high int, set uint64, names []string) {
		if full := uint64(1)<<(high+1) - uint64(1)<<low; set == full {
			list = append(list, "every "+name)
			return
		}
		list = append(list, name+" "+ranges(set, names))
	}
	add("second", 0, 59, c.second, nil)
	add("minute", 0, 59, c.minute, nil)
	add("hour", 0, 23, uint64(c.hour), nil)
	add("day", 1, 31, uint64(c.day), nil)
	const everyMonth, everyWeekday = 1<<13 - 2, 1<<8 - 2
	if c.month != everyMonth {
		add("month", 1, 12, uint64(c.month), []string{"", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"})
	}
	if c.weekday != everyWeekday {
		text := ranges(uint64(c.weekday), []string{"", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"})
		if c.day != 1<<32-2 {
			text = "if it is " + text
		}
		list = append(list, text)
	}
	if c.years != nil {
		var years []string
		for i, y := range c.years {
			if i == 5 && len(c.years) > 6 {
				years = append(years, fmt.Sprintf("... %d", c.years[len(c.years)-1]))
				break
			}
			years = append(years, strconv.Itoa(y))
		}
		list = append(list, "year "+strings.Join(years, ","))
	}
	s := strings.Join(list, ", ")
	if c.atStart {
		s += "; and once at the start of the program"
	}
	return s
}

// ranges writes a set as 1-5,7.
func ranges(set uint64, names []string) string {
	name := func(n int) string {
		if names != nil {
			return names[n]
		}
		return strconv.Itoa(n)
	}
	var list []string
	for low := 0; low < 64; low++ {
		if set>>low&1 == 0 {
			continue
		}
		high := low
		for high < 63 && set>>(high+1)&1 == 1 {
			high++
		}
		switch high - low {
		case 0:
			list = append(list, name(low))
		case 1:
			list = append(list, name(low), name(high))
		default:
			list = append(list, name(low)+"-"+name(high))
		}
		low = high
	}
	return strings.Join(list, ",")
}
