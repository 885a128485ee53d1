//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// reader is our program under load.
type reader struct {
	command  *exec.Cmd
	stdin    io.Closer
	statuses chan status
	dir      string
}

// status is a line of dlms_cosem_status.
type status struct {
	request string
	ok      bool
	at      time.Time
}

// startReader polls registers of meters at the ports, one request each.
func startReader(ctx context.Context, e environment, ports, codes []string, interval time.Duration) (*reader, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, port := range ports {
		b.WriteString(request("p"+port, fmt.Sprintf("%s\n    interval = %q", atEndpoint("tcp://127.0.0.1:"+port), interval), codes))
	}
	conf, err := configuration(dir, `method = "polling"`, b.String())
	if err != nil {
		return nil, err
	}
	r := &reader{command: exec.CommandContext(ctx, e.binary, "-config", conf), statuses: make(chan status, 1024), dir: dir}
	if r.stdin, err = r.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := r.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := r.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(r.statuses)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if s, ok := parseStatus(lines.Text()); ok {
				r.statuses <- s
			}
		}
	}()
	return r, nil
}

func parseStatus(line string) (s status, ok bool) {
	rest, ok := strings.CutPrefix(line, "dlms_cosem_status,")
	if !ok {
		return s, false
	}
	tags, _, _ := strings.Cut(rest, " ")
	for tag := range strings.SplitSeq(tags, ",") {
		switch name, value, _ := strings.Cut(tag, "="); name {
		case "request":
			s.request = value
		case "result":
			s.ok = value == "success"
		default:
		}
	}
	ns, err := strconv.ParseInt(line[strings.LastIndexByte(line, ' ')+1:], 10, 64)
	s.at = time.Unix(0, ns)
	return s, err == nil
}

// collect takes what comes until the time is over.
func (r *reader) collect(ctx context.Context, d time.Duration) (list []status, err error) {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case s, open := <-r.statuses:
			if !open {
				return list, errors.New("the program ended")
			}
			list = append(list, s)
		case <-t.C:
			return list, nil
		case <-ctx.Done():
			return list, ctx.Err()
		}
	}
}

func (r *reader) stop() error {
	_ = r.stdin.Close()
	for range r.statuses { // until it ends
	}
	return errors.Join(r.command.Wait(), os.RemoveAll(r.dir))
}

// lateness is by how much each run of a meter that answers came later than its
// rhythm says, in ascending order.
func lateness(list []status, interval time.Duration) []time.Duration {
	runs := map[string][]time.Time{}
	for _, s := range list {
		if s.ok {
			runs[s.request] = append(runs[s.request], s.at)
		}
	}
	var late []time.Duration
	for _, at := range runs {
		offset := func(t time.Time) time.Duration {
			since := t.Sub(at[0])
			return since - (since + interval/2).Truncate(interval)
		}
		first := time.Duration(0)
		for _, t := range at {
			first = min(first, offset(t))
		}
		for _, t := range at[1:] {
			late = append(late, offset(t)-first)
		}
	}
	slices.Sort(late)
	return late
}

const (
	fleetMeters   = 2000
	fleetDead     = 10 // one in so many
	fleetInterval = 10 * time.Second
	fleetTime     = 60 * time.Second
)

// manyMeters polls 2,000 meters in one process, and then holds 10,000
// connections.
func manyMeters(ctx context.Context, e environment) ([]figure, error) {
	base, err := resident(ctx, e, 1)
	if err != nil {
		return nil, err
	}
	f, err := startFleet(ctx, fleetMeters, fleetDead)
	if err != nil {
		return nil, err
	}
	r, err := startReader(ctx, e, f.ports, twenty[:3], fleetInterval)
	if err != nil {
		return nil, errors.Join(err, f.stop())
	}
	list, err := r.collect(ctx, fleetTime)
	used, usedErr := processUse(r.command.Process.Pid)
	theirs, theirsErr := processUse(f.command.Process.Pid)
	if err := errors.Join(err, usedErr, theirsErr, r.stop(), f.stop()); err != nil {
		return nil, fmt.Errorf("%d meters: %w", fleetMeters, err)
	}
	late := lateness(list, fleetInterval)
	if want := fleetMeters * 9 / 10 * 4; len(late) < want {
		return nil, fmt.Errorf("%d meters: %d runs came in time, at least %d are expected", fleetMeters, len(late), want)
	}
	name := fmt.Sprintf("%d meters every %s, one in %d dead", fleetMeters, fleetInterval, fleetDead)
	many, err := resident(ctx, e, 10000)
	if err != nil {
		return nil, err
	}
	return []figure{
		{name: name + ": p99 of lateness", measured: float64(late[len(late)*99/100].Microseconds()) / 1e3, format: "%.0f ms", target: 100},
		{name: name + ": CPU of our program", measured: used.cpu.Seconds() / fleetTime.Seconds() * 100, format: "%.1f %%", compare: true},
		{name: name + ": CPU of the meters", measured: theirs.cpu.Seconds() / fleetTime.Seconds() * 100, format: "%.1f %%", compare: true},
		{name: name + ": RSS per meter above the base", measured: (used.rss - base.rss) / fleetMeters, format: "%.1f KiB", target: 32},
		{name: "10000 connections: RSS", measured: many.rss / 1024, format: "%.0f MiB", compare: true},
		{name: "10000 connections: file descriptors", measured: float64(many.files), format: "%.0f", compare: true},
	}, nil
}

// resident polls so many meters until each was read, and returns what the
// program holds then.
func resident(ctx context.Context, e environment, meters int) (u use, err error) {
	const perFleet = 5000 // two descriptors each
	var ports []string
	for n := meters; n > 0; n -= perFleet {
		f, err := startFleet(ctx, min(n, perFleet), 0)
		if err != nil {
			return u, err
		}
		defer func() { _ = f.stop() }()
		ports = append(ports, f.ports...)
	}
	r, err := startReader(ctx, e, ports, twenty[:3], 25*time.Second)
	if err != nil {
		return u, err
	}
	seen := map[string]bool{}
	for len(seen) < meters && err == nil {
		select {
		case s, open := <-r.statuses:
			if !open {
				err = errors.New("the program ended")
			} else if s.ok {
				seen[s.request] = true
			}
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err == nil {
		u, err = processUse(r.command.Process.Pid)
	}
	if err := errors.Join(err, r.stop()); err != nil {
		return u, fmt.Errorf("%d connections, %d read: %w", meters, len(seen), err)
	}
	return u, nil
}

// pollCost is the processor time of our whole program for one poll of 20
// registers, at 1,000 polls per second.
func pollCost(ctx context.Context, e environment) ([]figure, error) {
	const (
		meters   = 100
		interval = 100 * time.Millisecond
		window   = 10 * time.Second
	)
	f, err := startFleet(ctx, meters, 0)
	if err != nil {
		return nil, err
	}
	r, err := startReader(ctx, e, f.ports, twenty, interval)
	if err != nil {
		return nil, errors.Join(err, f.stop())
	}
	_, err = r.collect(ctx, 3*time.Second) // until all is known
	before, err1 := processUse(r.command.Process.Pid)
	list, err2 := r.collect(ctx, window)
	after, err3 := processUse(r.command.Process.Pid)
	if err := errors.Join(err, err1, err2, err3, r.stop(), f.stop()); err != nil {
		return nil, err
	}
	polls := 0
	for _, s := range list {
		if s.ok {
			polls++
		}
	}
	if polls == 0 {
		return nil, errors.New("no poll succeeded")
	}
	return []figure{
		{name: "whole program, polls of 20 registers", measured: float64(polls) / window.Seconds(), format: "%.0f per second", target: 950, least: true},
		{name: "whole program, CPU per poll of 20 registers", measured: float64((after.cpu - before.cpu).Microseconds()) / float64(polls), format: "%.0f us", target: 300},
	}, nil
}

// use is what a process has used and holds.
type use struct {
	cpu   time.Duration
	rss   float64 // KiB
	files int
}

// processUse reads it from /proc.
func processUse(pid int) (u use, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const utime, stime, clockTick = 11, 12, 10 * time.Millisecond // behind the name; ticks are 100 Hz on Linux
	for _, i := range []int{utime, stime} {
		ticks, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return u, err
		}
		u.cpu += time.Duration(ticks) * clockTick
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			if u.rss, err = strconv.ParseFloat(strings.Fields(rest)[0], 64); err != nil {
				return u, err
			}
		}
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	u.files = len(files)
	return u, err
}
