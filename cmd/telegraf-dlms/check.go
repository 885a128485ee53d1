package main

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/internal/execd"
	"github.com/telegraf-dlms/telegraf-dlms/plugins/inputs/dlms_cosem"
)

// nextRuns is how many runs of each request check foresees.
const nextRuns = 5

// runCheck validates a configuration and shows what would be done.
func runCheck(_ context.Context, c *command, s streams, args []string) int {
	fs := c.newFlags()
	var file fileFlags
	file.register(fs)
	if _, err := c.parse(fs, args, 0, 0, s.err); err != nil {
		return exitFor(err)
	}
	log := execd.NewLogger(s.err, file.debug)
	d, ok := file.load(log)
	if !ok {
		return exitUsage
	}
	for _, w := range d.Weaknesses() {
		log.Warn(w)
	}
	var text strings.Builder
	writePlan(&text, file.config, d.Plan(), time.Now())
	return c.show(s, text.String(), exitOK)
}

// writePlan shows the plan, link by link.
func writePlan(w io.Writer, file string, plan []dlms_cosem.PlannedRequest, now time.Time) {
	var links []string
	byLink := map[string][]dlms_cosem.PlannedRequest{}
	for _, p := range plan {
		if byLink[p.Link] == nil {
			links = append(links, p.Link)
		}
		byLink[p.Link] = append(byLink[p.Link], p)
	}
	fmt.Fprintf(w, "%s: no mistakes; %s, %s\n", file, count(len(links), "link"), count(len(plan), "request"))
	for _, link := range links {
		requests := byLink[link]
		fmt.Fprintf(w, "\n%s", link)
		if len(requests) > 1 && !requests[0].Listens {
			fmt.Fprintf(w, ": %s, one after the other", count(len(requests), "request"))
		}
		if requests[0].Listens {
			fmt.Fprintf(w, ": %s", count(len(requests), "request"))
		}
		fmt.Fprintln(w)
		for len(requests) > 0 {
			n := 1
			for n < len(requests) && alike(requests[0], requests[n]) {
				n++
			}
			writeRequests(w, requests[:n], now)
			requests = requests[n:]
		}
	}
}

// alike reports whether two requests differ in nothing but their names and
// physical addresses.
func alike(a, b dlms_cosem.PlannedRequest) bool {
	return a.Enabled == b.Enabled && a.Logical == b.Logical && a.Framing == b.Framing && a.Client == b.Client &&
		a.Login == b.Login && a.Method == b.Method && a.Interval == b.Interval && a.When == b.When && a.Timezone == b.Timezone && a.Timeout == b.Timeout &&
		a.Layout == b.Layout && a.Hears == b.Hears && slices.Equal(a.Items, b.Items) && reflect.DeepEqual(a.Profiles, b.Profiles)
}

// writeRequests shows requests that are alike: their names one by one, all else
// once.
func writeRequests(w io.Writer, requests []dlms_cosem.PlannedRequest, now time.Time) {
	p := requests[0]
	state := ""
	if !p.Enabled {
		state = ", switched off by enabled = false"
	}
	var rows [][]string
	line := func(key, value string) { rows = append(rows, []string{"    " + key, value}) }
	address := fmt.Sprintf("logical %d", p.Logical)
	if len(requests) == 1 {
		fmt.Fprintf(w, "  request %q%s\n", p.Name, state)
		line("meter", p.Meter)
		if len(p.Addresses) > 0 {
			address += ", physical " + strings.Join(p.Addresses, ", ")
		}
	} else {
		fmt.Fprintf(w, "  %s alike%s\n", count(len(requests), "request"), state)
		writeNames(w, requests)
	}
	line("runs", describeMethod(p))
	if runs := p.Next(now, nextRuns); p.Enabled && len(runs) > 0 {
		line("next", strings.Join(runTimes(runs), ", "))
	}
	if p.Listens {
		line("hears", p.Framing+", from "+p.Hears)
		if len(p.Addresses) > 0 {
			line("address", address)
		}
	} else {
		line("speaks", fmt.Sprintf("%s, client %d, authentication %s", p.Framing, p.Client, p.Login))
		line("address", address)
		line("timeout", shortDuration(p.Timeout))
	}
	line("layout", p.Layout)
	writeColumns(w, rows)

	if p.Listens && len(p.Items) == 0 {
		fmt.Fprintln(w, "    no items: all that is heard, under its standard name")
		return
	}
	writeItems(w, p)
	writeProfiles(w, p)
}

func writeItems(w io.Writer, p dlms_cosem.PlannedRequest) {
	if len(p.Items) == 0 {
		return
	}
	rows := [][]string{{"    " + count(len(p.Items), "item"), "OBIS", "ATTRIBUTE", "CLASS"}}
	for _, it := range p.Items {
		class := fmt.Sprintf("%d %s", it.Class, it.ClassName)
		if it.Guessed {
			class += ", by the code"
		}
		rows = append(rows, []string{"    " + dash(it.Name), it.OBIS, strconv.Itoa(it.Attribute), class})
	}
	writeColumns(w, rows)
}

// writeProfiles lists the profiles that a request reads.
func writeProfiles(w io.Writer, p dlms_cosem.PlannedRequest) {
	if len(p.Profiles) == 0 {
		return
	}
	rows := [][]string{{"    " + count(len(p.Profiles), "profile"), "OBIS", "COLUMNS", "FIRST RUN", "OLDEST ROW", "READ AGAIN", "ROWS/S"}}
	days := func(d time.Duration, none string) string {
		switch {
		case d == 0:
			return none
		case d%(24*time.Hour) == 0:
			return strconv.Itoa(int(d/(24*time.Hour))) + "d"
		default:
			return shortDuration(d)
		}
	}
	for _, f := range p.Profiles {
		columns := "all"
		if len(f.Columns) > 0 {
			columns = strings.Join(f.Columns, ", ")
		}
		rows = append(rows, []string{"    " + f.Name, f.OBIS, columns, "last " + days(f.Lookback, "0s"), days(f.MaxAge, "any"), days(f.Reread, "never"), strconv.Itoa(f.Rate)})
	}
	writeColumns(w, rows)
}

// writeNames lists what tells requests apart that are alike else.
func writeNames(w io.Writer, requests []dlms_cosem.PlannedRequest) {
	physical := slices.ContainsFunc(requests, func(p dlms_cosem.PlannedRequest) bool { return len(p.Addresses) > 0 })
	rows := [][]string{{"    REQUEST", "METER"}}
	if physical {
		rows[0] = append(rows[0], "PHYSICAL ADDRESS")
	}
	for _, p := range requests {
		row := []string{"    " + p.Name, p.Meter}
		if physical {
			row = append(row, dash(strings.Join(p.Addresses, ", ")))
		}
		rows = append(rows, row)
	}
	writeColumns(w, rows)
}

func describeMethod(p dlms_cosem.PlannedRequest) string {
	switch p.Method {
	case "gather":
		return "at each gather tick: a newline on standard input, or every -poll_interval"
	case "listen":
		return "whenever something comes: nothing is asked"
	case "once":
		return "once, at start; repeated until it succeeds"
	case "polling":
		return "at start and every " + shortDuration(p.Interval)
	case "times", "cron":
		return p.When + "; time zone " + p.Timezone
	case "event":
		return "when it is triggered: telegraf-dlms trigger " + shellWord(p.Name)
	default:
		return p.Method
	}
}

// shellWord quotes a name for a shell if it has to be.
func shellWord(s string) string {
	if strings.IndexFunc(s, func(r rune) bool {
		return !(r == '-' || r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// runTimes writes the times of runs; the date only where it changes, and the
// offset from UTC where the clocks change between them.
func runTimes(runs []time.Time) []string {
	offset := func(t time.Time) int {
		_, seconds := t.Zone()
		return seconds
	}
	changes := slices.ContainsFunc(runs, func(t time.Time) bool { return offset(t) != offset(runs[0]) })
	out := make([]string, len(runs))
	var before time.Time
	for i, t := range runs {
		layout := time.DateTime
		if sameDay(t, before) {
			layout = time.TimeOnly
		}
		if changes {
			layout += " -0700"
		}
		out[i] = t.Format(layout)
		before = t
	}
	return out
}

func sameDay(a, b time.Time) bool {
	return a.YearDay() == b.YearDay() && a.Year() == b.Year()
}

// shortDuration writes 15m, not 15m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}
