package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/interop/peer"
)

// rung is a way to ask for rows, and what the meter must refuse for our program
// to come down to it.
type rung struct {
	name   string
	refuse string
	event  string // of the meter, when it was asked in that way
}

var rungs = []rung{
	{"by range", "", "range"},
	{"by range without deviation", "deviation", "range"},
	{"by entry", "range", "entries"},
	{"whole", "range,entries", "whole"},
}

// histories are the cells in which our program reads the profile of a foreign
// meter. Its clock is 5 h 30 min ahead of UTC, so that a range in UTC misses the
// rows; that zone has no summer time, so that every day is alike.
func histories() []cell {
	const zone = "Asia/Kolkata"
	var list []cell
	add := func(stack peer.Stack, name string, options []string, l link, run func(context.Context, *environment) (string, error)) {
		list = append(list, cell{peer: stack.Name, name: name, run: withMeter(stack, options, l, run)})
	}
	recent := strconv.FormatInt(time.Now().Truncate(15*time.Minute).Unix(), 10)
	for _, r := range rungs {
		here := []string{"--zone", zone, "--last", recent}
		if r.refuse != "" {
			here = append(here, "--refuse", r.refuse)
		}
		for _, framing := range [][]string{{"hdlc", "--max-info", "128"}, {"wrapper"}} {
			options := slices.Concat([]string{"--auth", "low", "--framing"}, framing, here)
			name := "LN " + framing[0] + " low, "
			if framing[0] == "hdlc" {
				name += "128-octet frames, "
			}
			add(peer.Gurux, name+"our program's profile "+r.name, options, linkOf(options), r.profile)
			add(peer.Gurux, name+"our plugin's profile "+r.name, options, linkOf(options), r.collect)
		}
		l := link{framing: "wrapper", low: true, password: password}
		add(peer.JDLMS, "LN wrapper low, our program's profile "+r.name, here, l, r.profile)
		add(peer.JDLMS, "LN wrapper low, our plugin's profile "+r.name, here, l, r.collect)
	}
	for _, framing := range []string{"hdlc", "wrapper"} {
		options := []string{"--auth", "low", "--framing", framing, "--referencing", "sn", "--zone", zone, "--last", recent}
		add(peer.Gurux, "SN "+framing+" low, our program's profile by range", options, linkOf(options), rungs[0].profile)
		add(peer.Gurux, "SN "+framing+" low, our plugin's profile by range", options, linkOf(options), rungs[0].collect)
	}
	// A frame to the meter has no room for a range.
	narrow := []string{"--auth", "low", "--framing", "hdlc", "--max-info", "62", "--zone", zone, "--last", recent}
	add(peer.Gurux, "LN hdlc low, 62-octet frames, our program's profile by entry", narrow, linkOf(narrow), rungs[2].profile)
	summer := append([]string{"--auth", "low", "--framing", "wrapper"}, summerEnds...)
	add(peer.Gurux, "LN wrapper low, our program's profile, summer time ends", summer, linkOf(summer), rungs[0].profile)
	add(peer.JDLMS, "LN wrapper low, our program's profile, summer time ends", summerEnds, link{framing: "wrapper", low: true, password: password}, rungs[0].profile)
	return append(list, cell{peer: peer.JDLMS.Name, name: "LN hdlc, profile", run: func(context.Context, place) (string, error) {
		return "", fmt.Errorf("%w: its HDLC layer throws at an SNRM without parameters and counts no frames", errNotApplicable)
	}})
}

// profile lets our program read some rows by their times, and then all of them.
func (r rung) profile(ctx context.Context, e *environment) (note string, err error) {
	dir, err := os.MkdirTemp("", "interop")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	rows := e.meter.Contents.Profile.Rows
	// The end of summer time, where there is one, is among them.
	first, last := beforeEnd-10, beforeEnd+9
	at := func(i int, more int64) string { return time.Unix(rows[i][0]+more, 0).UTC().Format(time.RFC3339) }
	for _, part := range []struct {
		name, from, to string
		want           [][]int64
	}{
		{"ends at rows", at(first, 0), at(last, 0), rows[first : last+1]},
		{"ends between rows", at(first, -1), at(last, 1), rows[first : last+1]},
		{"ends within rows", at(first, 1), at(last, -1), rows[first+1 : last]},
		{"last rows", at(len(rows)-3, 0), "", rows[len(rows)-3:]},
		{"all", "first", "", rows},
	} {
		if part.from == "first" { // where that is has to be found out first, in whatever way
			if note, err = r.asked(ctx, e); err != nil {
				return "", err
			}
		}
		got, err := e.csv(ctx, dir, part.from, part.to)
		if err == nil {
			err = e.compare(got, part.want)
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return note, nil
}

// asked checks that the meter was asked in this way only.
func (r rung) asked(ctx context.Context, e *environment) (string, error) {
	if err := e.meter.WaitEvents(ctx, r.event, 1); err != nil {
		return "", err
	}
	var counts []string
	for _, event := range []string{"range", "entries", "whole"} {
		if n := e.meter.Events(event); n > 0 {
			counts = append(counts, fmt.Sprintf("%s %d", event, n))
		}
	}
	if len(counts) > 1 {
		return "", fmt.Errorf("the meter was asked in several ways: %s", strings.Join(counts, ", "))
	}
	return "answers: " + counts[0], nil
}

// historyRow is a row that our program has read.
type historyRow struct {
	at     time.Time
	values map[string]float64 // by the OBIS code of the register
}

// csv lets our program read rows; no to is the last one.
func (e *environment) csv(ctx context.Context, dir, from, to string) (list []historyRow, err error) {
	arguments := append([]string{"profile", "tcp://" + e.link.endpoint, e.meter.Contents.Profile.OBIS, "-format", "csv", "-from", from}, e.link.flags()...)
	if to != "" {
		arguments = append(arguments, "-to", to)
	}
	c := exec.CommandContext(ctx, e.binary, arguments...)
	c.Env = append(e.link.environ(), "STATE_DIRECTORY="+dir)
	out, err := run(c)
	if err != nil {
		return nil, fmt.Errorf("our program: %w", err)
	}
	lines, err := csv.NewReader(strings.NewReader(string(out))).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 || lines[0][0] != "time" {
		return nil, fmt.Errorf("no head of columns that begins with time: %.200q", out)
	}
	for _, line := range lines[1:] {
		row := historyRow{values: map[string]float64{}}
		if row.at, err = time.Parse(time.RFC3339Nano, line[0]); err != nil {
			return nil, err
		}
		for i, text := range line[1:] {
			code, unit, _ := strings.Cut(lines[0][i+1], " ")
			if row.values[code], err = strconv.ParseFloat(text, 64); err != nil {
				return nil, err
			}
			if want := e.unit(code); unit != want {
				return nil, fmt.Errorf("column %s: unit %q, want %q", code, unit, want)
			}
		}
		list = append(list, row)
	}
	return list, nil
}

// unit is that of a column, as in the head of a table.
func (e *environment) unit(code string) string {
	for _, r := range e.meter.Contents.Registers {
		if r.OBIS == code {
			return "[" + symbols[r.Unit] + "]"
		}
	}
	return ""
}

// compare compares rows with those of the meter, value by value; every scaler
// is -1.
func (e *environment) compare(got []historyRow, want [][]int64) error {
	columns := e.meter.Contents.Profile.Columns
	for i, row := range got {
		if i == len(want) {
			break
		}
		if wanted := time.Unix(want[i][0], 0); !row.at.Equal(wanted) {
			return fmt.Errorf("row %d of %d, where %d are wanted: of %s, want %s", i+1, len(got), len(want), row.at.UTC(), wanted.UTC())
		}
		if len(row.values) != len(columns) {
			return fmt.Errorf("row %d: %d columns, want %d", i+1, len(row.values), len(columns))
		}
		for j, code := range columns {
			if value, ok := row.values[code]; !ok || value != float64(want[i][j+1])/10 {
				return fmt.Errorf("row %d, %s: %v, want %v", i+1, code, value, float64(want[i][j+1])/10)
			}
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("%d rows, want %d", len(got), len(want))
	}
	return nil
}

// collect lets our program read as under Telegraf: a day at first, then what is
// new, which is nothing; and with another state all rows.
func (r rung) collect(ctx context.Context, e *environment) (note string, err error) {
	rows := e.meter.Contents.Profile.Rows
	const day = 24 * 4
	if err := e.collect(ctx, "24h5m", rows[len(rows)-1-day:]); err != nil {
		return "", fmt.Errorf("lookback of a day: %w", err)
	}
	if note, err = r.asked(ctx, e); err != nil {
		return "", err
	}
	if err := e.collect(ctx, "400h", rows); err != nil {
		return "", fmt.Errorf("lookback before the first row: %w", err)
	}
	return note, nil
}

// collect reads twice with the same state, which must not give a row twice.
func (e *environment) collect(ctx context.Context, lookback string, want [][]int64) (err error) {
	dir, err := os.MkdirTemp("", "interop")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.WriteFile(filepath.Join(dir, "profile.conf"), []byte(e.profileConfig(lookback)), 0o600); err != nil {
		return err
	}
	got, err := e.dump(ctx, dir)
	if err == nil {
		err = e.compare(got, want)
	}
	if err != nil {
		return err
	}
	if got, err = e.dump(ctx, dir); err == nil && len(got) > 0 {
		err = fmt.Errorf("%d rows of %s to %s were read again", len(got), got[0].at, got[len(got)-1].at)
	}
	return err
}

// profileConfig is the configuration of a profile as fast as it goes.
func (e *environment) profileConfig(lookback string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[[inputs.dlms_cosem]]\nendpoint = %q\nframing = %q\n", "tcp://"+e.link.endpoint, e.link.framing)
	if e.link.low {
		fmt.Fprintf(&b, "authentication = \"low\"\npassword = %q\n", e.link.password)
	}
	if e.link.short {
		b.WriteString("referencing = \"sn\"\n")
	}
	b.WriteString("[[inputs.dlms_cosem.request]]\nname = \"meter\"\n")
	fmt.Fprintf(&b, "[[inputs.dlms_cosem.request.profile]]\nobis = %q\nname = \"load\"\nlookback = %q\nrate = 100000\n", e.meter.Contents.Profile.OBIS, lookback)
	return b.String()
}

// dump lets our program read once, and returns the rows.
func (e *environment) dump(ctx context.Context, dir string) (list []historyRow, err error) {
	c := exec.CommandContext(ctx, e.binary, "dump", "-once", "-config", filepath.Join(dir, "profile.conf"))
	c.Env = append(os.Environ(), "STATE_DIRECTORY="+dir)
	out, err := run(c)
	if err != nil {
		return nil, fmt.Errorf("our program: %w", err)
	}
	rows, told := 0, false
	for line := range strings.Lines(string(out)) {
		p, err := parsePoint(line)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		switch {
		case p.name == "dlms_cosem_profile" && p.tags["profile"] == "load":
			row := historyRow{at: p.time, values: map[string]float64{}}
			for code, value := range p.fields {
				number, ok := value.(float64)
				if !ok {
					return nil, fmt.Errorf("%s is no float: %s", code, line)
				}
				row.values[code] = number
			}
			list = append(list, row)
		case p.name == "dlms_cosem_status" && p.tags["profile"] == "load":
			n, ok := p.fields["rows"].(int64)
			if gaps := p.fields["gaps"]; !ok || p.tags["result"] != "success" || gaps != int64(0) {
				return nil, fmt.Errorf("status: %s", line)
			}
			rows, told = rows+int(n), true
		default:
		}
	}
	if !told || rows != len(list) {
		return nil, fmt.Errorf("the status tells %d rows, there are %d:\n%.500s", rows, len(list), out)
	}
	return list, nil
}
