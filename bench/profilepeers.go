//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/interop/peer"
)

const (
	warmReads  = 20 // not counted
	timedReads = 11
)

// monthRead is what a reader took for 30 days of rows.
type monthRead struct {
	by                  string
	wall, cpu           float64 // ms, the median of reads over a connection that stays, and the mean: Java tells CPU by 10 ms
	process, processCPU float64 // ms, of a whole process that reads once
}

// besidePeers reads the same 30 days from the same meter with our library and
// program, with Gurux for Python and with jDLMS, each in a process of its own.
func besidePeers(ctx context.Context, e environment) ([]figure, error) {
	var figures []figure
	for _, framing := range []dlms.Framing{dlms.HDLC, dlms.Wrapper} {
		name := strings.ToLower(framing.String())
		meter, err := startRows(ctx, monthOfRows, name)
		if err != nil {
			return nil, err
		}
		reads, err := monthReads(ctx, e, meter, framing)
		if err := errors.Join(err, meter.stop()); err != nil {
			return nil, fmt.Errorf("over %s: %w", name, err)
		}
		for _, what := range []struct {
			title, ours, format string
			of                  func(monthRead) float64
		}{
			{"one read", "our library", "%.1f ms", func(m monthRead) float64 { return m.wall }},
			{"CPU of one read", "our library", "%.1f ms", func(m monthRead) float64 { return m.cpu }},
			{"whole process that reads once", "our program", "%.0f ms", func(m monthRead) float64 { return m.process }},
			{"CPU of that process", "our program", "%.0f ms", func(m monthRead) float64 { return m.processCPU }},
		} {
			ours := what.of(reads[0])
			figures = append(figures, figure{name: fmt.Sprintf("30 days over %s on loopback, %s, %s", name, what.title, what.ours), measured: ours, format: what.format, compare: true})
			for _, theirs := range reads[1:] {
				figures = append(figures,
					figure{name: "  " + theirs.by, measured: what.of(theirs), format: what.format, compare: true},
					figure{name: "    beside ours", measured: what.of(theirs) / ours, format: "%.1f times", compare: true})
			}
		}
	}
	return figures, nil
}

// monthReads are ours first, and then those of the peers.
func monthReads(ctx context.Context, e environment, meter rowMeter, framing dlms.Framing) ([]monthRead, error) {
	ours, sum, err := ourMonth(ctx, e, meter, framing)
	if err != nil {
		return nil, err
	}
	reads := []monthRead{ours}
	python := filepath.Join(e.root, "interop", "gurux-python")
	_, port, _ := net.SplitHostPort(meter.address)
	for _, p := range []struct {
		name    string
		command []string
	}{
		{"Gurux for Python 1.0.203", []string{filepath.Join(python, "target", "venv", "bin", "python"), filepath.Join(python, "profile.py")}},
		{peer.JDLMS.Name, []string{"java", "-cp", peer.JDLMS.ClassPath(e.root), "interop.Reader"}},
	} {
		command := append(p.command, "127.0.0.1", port, strings.ToLower(framing.String()), fmt.Sprint(meter.first.Unix()), fmt.Sprint(meter.last.Unix()))
		theirs, err := peerMonth(ctx, command, sum)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		theirs.by = p.name
		reads = append(reads, theirs)
	}
	return reads, nil
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// ourMonth reads with the library in this process, and with the program.
func ourMonth(ctx context.Context, e environment, meter rowMeter, framing dlms.Framing) (m monthRead, sum int64, err error) {
	r, err := openRange(ctx, meter.address, framing)
	if err != nil {
		return m, 0, err
	}
	var walls, used []float64
	for i := range warmReads + timedReads {
		began, before := time.Now(), processorTime()
		n, total, err := r.read(ctx, meter.first, meter.last)
		wall, cpu := time.Since(began), processorTime()-before
		if err != nil || n != monthOfRows {
			return m, 0, errors.Join(fmt.Errorf("%d rows of %d", n, monthOfRows), err, r.close(ctx))
		}
		sum = total
		if i >= warmReads {
			walls, used = append(walls, milliseconds(wall)), append(used, milliseconds(cpu))
		}
	}
	if err := r.close(ctx); err != nil {
		return m, 0, err
	}
	m.wall, m.cpu = median(walls), mean(used)
	walls, used = nil, nil
	var more []string
	if framing == dlms.HDLC {
		more = []string{"-max_info", strconv.Itoa(longFrames)}
	}
	for range repetitions {
		run, err := asCSV(ctx, e, "tcp://"+meter.address, strings.ToLower(framing.String()), meter.first, meter.last, monthOfRows, more...)
		if err != nil {
			return m, 0, err
		}
		walls, used = append(walls, milliseconds(run.took)), append(used, milliseconds(run.cpu))
	}
	m.process, m.processCPU = median(walls), median(used)
	return m, sum, nil
}

// peerMonth runs a foreign reader, and checks what it has read.
func peerMonth(ctx context.Context, command []string, sum int64) (m monthRead, err error) {
	once, err := runPeer(ctx, append(command, strconv.Itoa(warmReads+timedReads)), sum)
	if err != nil {
		return m, err
	}
	m.wall, m.cpu = median(once.walls[warmReads:]), mean(once.cpus[warmReads:])
	var walls, used []float64
	for range repetitions {
		run, err := runPeer(ctx, append(command, "1"), sum)
		if err != nil {
			return m, err
		}
		walls, used = append(walls, milliseconds(run.took)), append(used, milliseconds(run.used))
	}
	m.process, m.processCPU = median(walls), median(used)
	return m, nil
}

// peerRun is what a process told of its reads, and used.
type peerRun struct {
	walls, cpus []float64 // ms
	took, used  time.Duration
}

func runPeer(ctx context.Context, arguments []string, sum int64) (r peerRun, err error) {
	command := exec.CommandContext(ctx, arguments[0], arguments[1:]...)
	var complaints bytes.Buffer
	command.Stderr, command.Env = &complaints, append(os.Environ(), "TZ=UTC")
	began := time.Now()
	out, err := command.Output()
	r.took = time.Since(began)
	if err != nil {
		return r, fmt.Errorf("%w\n%s", err, complaints.String())
	}
	r.used = command.ProcessState.UserTime() + command.ProcessState.SystemTime()
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var rows int
		var total, wall, cpu int64
		if _, err := fmt.Sscan(lines.Text(), &rows, &total, &wall, &cpu); err != nil || rows != monthOfRows || total != sum {
			return r, fmt.Errorf("%q, expected %d rows with the sum %d: %w", lines.Text(), monthOfRows, sum, err)
		}
		r.walls, r.cpus = append(r.walls, milliseconds(time.Duration(wall))), append(r.cpus, milliseconds(time.Duration(cpu)))
	}
	if want, _ := strconv.Atoi(arguments[len(arguments)-1]); len(r.walls) != want {
		return r, fmt.Errorf("%d reads of %d:\n%s", len(r.walls), want, out)
	}
	return r, nil
}
