//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter/history"
)

// monthOfRows are 30 days of quarters of an hour.
const monthOfRows = 30 * 96

// profiles reads load profiles of five columns.
func profiles(ctx context.Context, e environment) ([]figure, error) {
	var figures []figure
	for _, measure := range []func(context.Context, environment) ([]figure, error){pacedProfile, rowAllocations, profileMemory, besidePeers} {
		f, err := measure(ctx, e)
		if err != nil {
			return nil, fmt.Errorf("profile: %w", err)
		}
		figures = append(figures, f...)
	}
	return figures, nil
}

// profileRun is what a run of our program that reads a profile has used.
type profileRun struct {
	lines     int
	took, cpu time.Duration
	peak      float64 // MiB resident, as it was within a tick of the end
}

// runProgram runs our program and counts the lines that begin with a prefix.
func runProgram(ctx context.Context, e environment, prefix string, arguments ...string) (r profileRun, err error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	command := exec.CommandContext(ctx, e.binary, arguments...)
	command.Env = append(os.Environ(), "STATE_DIRECTORY="+dir, "TZ=UTC")
	var complaints bytes.Buffer
	command.Stderr = &complaints
	out, err := command.StdoutPipe()
	if err != nil {
		return r, err
	}
	began := time.Now()
	if err := command.Start(); err != nil {
		return r, err
	}
	ended := make(chan struct{})
	peaks := make(chan float64, 1)
	go func() { peaks <- peakUntil(ended, command.Process.Pid) }()
	r.lines, err = countLines(out, prefix)
	err = errors.Join(err, command.Wait())
	r.took = time.Since(began)
	close(ended)
	r.cpu = command.ProcessState.UserTime() + command.ProcessState.SystemTime()
	if r.peak = <-peaks; err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(arguments, " "), err, complaints.String())
	}
	return r, err
}

// peakUntil looks at the high-water mark of a process until it ends. That of a
// process that has ended is gone, and what wait returns counts its parent, too.
func peakUntil(ended <-chan struct{}, pid int) (peak float64) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if mib, err := highWater(pid); err == nil {
			peak = mib
		}
		select {
		case <-ended:
			return peak
		case <-tick.C:
		}
	}
}

// countLines counts the lines that begin with a prefix, and keeps none of them.
func countLines(r io.Reader, prefix string) (n int, err error) {
	b := make([]byte, 0, 128<<10)
	for {
		got, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+got]
		rest := b
		for {
			line, after, whole := bytes.Cut(rest, []byte("\n"))
			if !whole {
				break
			}
			if bytes.HasPrefix(line, []byte(prefix)) {
				n++
			}
			rest = after
		}
		b = b[:copy(b, rest)]
		switch {
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return n, err
		case len(b) == cap(b):
			return n, errors.New("a line without end")
		}
	}
}

// asCSV has our program write the rows of a range.
func asCSV(ctx context.Context, e environment, endpoint, framing string, from, to time.Time, want int, more ...string) (profileRun, error) {
	arguments := []string{"profile", endpoint, history.LoadProfile.String(), "-framing", framing,
		"-from", from.Format(time.RFC3339), "-to", to.Format(time.RFC3339), "-format", "csv"}
	r, err := runProgram(ctx, e, "", append(arguments, more...)...)
	if r.lines--; err == nil && r.lines != want { // without the head
		err = fmt.Errorf("profile: %d rows of %d", r.lines, want)
	}
	return r, err
}

// pacedProfile reads 30 days over a line of 9,600 baud and compares it with the
// time that its octets need, in both directions one after the other.
func pacedProfile(ctx context.Context, e environment) ([]figure, error) {
	meter := history.New(history.Config{Past: monthOfRows * history.DefaultPeriod})
	rows := meter.Captured(history.LoadProfile)
	if len(rows) < monthOfRows {
		return nil, fmt.Errorf("the meter has %d rows", len(rows))
	}
	rows = rows[len(rows)-monthOfRows:]
	line, err := pacedMeter(ctx, dlmstest.Config{Framing: dlmstest.FramingHDLC}, meter)
	if err != nil {
		return nil, err
	}
	defer line.end()
	r, err := asCSV(ctx, e, "file://"+line.port, "hdlc", rows[0].Time, rows[len(rows)-1].Time, monthOfRows)
	if err != nil {
		return nil, err
	}
	octets := float64(line.octets.Load())
	return []figure{
		{name: fmt.Sprintf("profile of 30 days x 96 rows x 5 columns at %d baud, beside the time of its octets", pacedBaud), measured: r.took.Seconds() * pacedBaud / 10 / octets, format: "%.3f", target: 1.05},
		{name: "  time of it", measured: r.took.Seconds(), format: "%.1f s", compare: true},
		{name: "  octets of it, beside those of its rows", measured: octets / (monthOfRows * rowOctets), format: "%.3f", compare: true},
	}, nil
}

// longFrames are as long as the meter takes them, and as the peers ask for.
const longFrames = 1024

// rangeReader reads rows with the library, over a connection that stays.
type rangeReader struct {
	transport   net.Conn
	association *dlms.Association
	rows        cosem.Rows
	period      time.Duration
}

func openRange(ctx context.Context, address string, framing dlms.Framing) (*rangeReader, error) {
	var dialer net.Dialer
	transport, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	cfg := dlms.ConnConfig{Framing: framing, ClientAddress: 16, LogicalAddress: 1}
	if framing == dlms.HDLC {
		cfg.MaxInfo = longFrames
	}
	conn, err := dlms.NewConn(transport, cfg)
	if err == nil {
		var a *dlms.Association
		if a, err = conn.Associate(ctx, dlms.AssociationConfig{}); err == nil {
			return &rangeReader{transport: transport, association: a, period: history.DefaultPeriod}, nil
		}
	}
	return nil, errors.Join(err, transport.Close())
}

func (r *rangeReader) close(ctx context.Context) error {
	return errors.Join(r.association.Release(ctx), r.transport.Close())
}

// read reads a range, and returns how many rows have a time, and what their
// numbers add up to.
func (r *rangeReader) read(ctx context.Context, from, to time.Time) (n int, sum int64, err error) {
	buffer := cosem.Attribute{Class: cosem.ProfileGeneric, Instance: history.LoadProfile, ID: 2}
	clock := cosem.CaptureObject{Class: cosem.Clock, Instance: history.ClockObject, Attribute: 2}
	end := func(t time.Time) axdr.Data { return axdr.AppendOctetString(nil, axdr.FromTime(t).Append(nil)) }
	selection := cosem.RangeSelection(end(from), end(to), clock, nil)
	r.rows.Reset(5, 0, r.period)
	err = r.association.GetRows(ctx, buffer, &selection, func(d axdr.Data) error {
		cells, err := r.rows.Cut(d)
		if err != nil {
			return err
		}
		if t, ok := cells[0].DateTime(); ok {
			if _, ok = t.Time(time.UTC); ok {
				n++
			}
		}
		for _, c := range cells[1:] {
			v, _ := c.Int64()
			sum += v
		}
		return nil
	})
	return n, sum, err
}

// rowAllocations is what a row more costs in an answer in blocks: the
// difference between a long and a short one, each read after a first time.
func rowAllocations(ctx context.Context, _ environment) ([]figure, error) {
	const few, many = 1000, 11000
	var figures []figure
	for _, framing := range []dlms.Framing{dlms.HDLC, dlms.Wrapper} {
		meter, err := startRows(ctx, many, strings.ToLower(framing.String()))
		if err != nil {
			return nil, err
		}
		var counts [2]uint64
		r, err := openRange(ctx, meter.address, framing)
		if err == nil {
			for i, rows := range []int{few, many} {
				if counts[i], err = r.allocations(ctx, meter.last.Add(time.Duration(1-rows)*r.period), meter.last, rows); err != nil {
					break
				}
			}
			err = errors.Join(err, r.close(ctx))
		}
		if err := errors.Join(err, meter.stop()); err != nil {
			return nil, err
		}
		figures = append(figures,
			figure{name: fmt.Sprintf("profile over %s in blocks, library: allocations per row", framing), measured: (float64(counts[1]) - float64(counts[0])) / (many - few), format: "%.3f", target: 0},
			figure{name: fmt.Sprintf("  of the whole read of %d rows", many), measured: float64(counts[1]), format: "%.0f", compare: true})
	}
	return figures, nil
}

// allocations is the least of several reads: the runtime allocates, too.
func (r *rangeReader) allocations(ctx context.Context, from, to time.Time, want int) (least uint64, err error) {
	for i := range repetitions + 1 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		n, _, err := r.read(ctx, from, to)
		runtime.ReadMemStats(&after)
		if err != nil || n != want {
			return 0, fmt.Errorf("%d rows of %d: %w", n, want, err)
		}
		if count := after.Mallocs - before.Mallocs; i <= 1 || count < least { // the first one makes room
			least = count
		}
	}
	return least, nil
}

// profileMemory is what our program needs for a few rows, and for very many.
func profileMemory(ctx context.Context, e environment) ([]figure, error) {
	const few, many = 1000, 1_000_000
	var csv, dump [2]profileRun
	for i, rows := range []int{few, many} {
		meter, err := startRows(ctx, rows, "wrapper")
		if err != nil {
			return nil, err
		}
		csv[i], err = asCSV(ctx, e, "tcp://"+meter.address, "wrapper", meter.first, meter.last, rows)
		if err == nil {
			dump[i], err = dumpProfile(ctx, e, meter, rows)
		}
		if err := errors.Join(err, meter.stop()); err != nil {
			return nil, err
		}
	}
	var figures []figure
	for _, of := range []struct {
		name string
		runs [2]profileRun
	}{{"program, profile as csv", csv}, {"plugin, profile by dump -once", dump}} {
		figures = append(figures,
			figure{name: fmt.Sprintf("%s: RSS at its highest, %d rows", of.name, few), measured: of.runs[0].peak, format: "%.1f MiB", compare: true},
			figure{name: fmt.Sprintf("  the same, %d rows", many), measured: of.runs[1].peak, format: "%.1f MiB", target: of.runs[0].peak + flatWithin},
			figure{name: "  rows per second", measured: many / of.runs[1].took.Seconds(), format: "%.0f", compare: true},
			figure{name: "  CPU per row", measured: float64(of.runs[1].cpu.Nanoseconds()) / many / 1e3, format: "%.1f us", compare: true})
	}
	return figures, nil
}

// flatWithin is by how many MiB the resident set may differ and is called flat:
// what the garbage collector lets grow before it has seen a first answer in full.
const flatWithin = 10

// dumpProfile has the plugin read a whole profile once.
func dumpProfile(ctx context.Context, e environment, meter rowMeter, want int) (r profileRun, err error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "dlms.conf")
	lookback := time.Since(meter.first).Truncate(time.Second) + time.Minute
	text := fmt.Sprintf(`[[inputs.dlms_cosem]]
  endpoint = "tcp://%s"
  framing = "wrapper"
  state_dir = %q
  [[inputs.dlms_cosem.request]]
    name = "bench"
    [[inputs.dlms_cosem.request.profile]]
      obis = %q
      lookback = "%s"
      rate = 10000000
`, meter.address, dir, history.LoadProfile.String(), lookback)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		return r, err
	}
	r, err = runProgram(ctx, e, "dlms_cosem_profile,", "dump", "-config", name, "-once")
	if err == nil && r.lines != want {
		err = fmt.Errorf("dump: %d rows of %d", r.lines, want)
	}
	return r, err
}

// highWater is the most that a process was resident, in MiB.
func highWater(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(rest)
	if !ok || len(fields) == 0 {
		return 0, errors.New("no VmHWM in /proc")
	}
	kib, err := strconv.ParseFloat(fields[0], 64)
	return kib / 1024, err
}
