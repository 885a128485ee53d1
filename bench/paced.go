//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/creack/pty"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter"
)

const (
	pacedBaud  = 9600
	pacedPolls = 21                   // the first one learns
	pacedDelay = 5 * time.Millisecond // the meter's own, before each answer
)

// paced polls over a serial line on which octet i of a message is due at t0 +
// (i+1) x 10 / 9600, and compares a poll with the time its octets need.
func paced(ctx context.Context, e environment) ([]figure, error) {
	line, err := pacedMeter(ctx, dlmstest.Config{Framing: dlmstest.FramingHDLC, ResponseDelay: pacedDelay}, simmeter.New(simmeter.Config{}))
	if err != nil {
		return nil, err
	}
	defer line.end()
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	keys := fmt.Sprintf("%s\n  baud_rate = %d\n  method = \"polling\"", atEndpoint("file://"+line.port), pacedBaud)
	name, err := configuration(dir, keys, request("bench", `interval = "100ms"`, twenty))
	if err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, e.binary, "dump", "-config", name, "-count", strconv.Itoa(pacedPolls)).Output()
	if err != nil {
		return nil, fmt.Errorf("paced line: %w\n%s", err, out)
	}
	var ratios, octets []float64
	for lines := bufio.NewScanner(strings.NewReader(string(out))); lines.Scan(); {
		duration, n, ok := pacedStatus(lines.Text())
		if ok {
			least := n*10/pacedBaud + pacedDelay.Seconds()
			ratios, octets = append(ratios, duration/least), append(octets, n)
		}
	}
	if len(ratios) < pacedPolls {
		return nil, fmt.Errorf("paced line: %d polls of %d\n%s", len(ratios), pacedPolls, out)
	}
	ratios = ratios[1:]
	slices.Sort(ratios)
	return []figure{
		{name: "serial line at 9600 baud, steady poll of 20 registers, beside the time of its octets", measured: ratios[len(ratios)/2], format: "%.3f", target: 1.05},
		{name: "  octets of it", measured: octets[len(octets)-1], format: "%.0f", target: 420},
	}, nil
}

// pacedStatus returns the duration and the octets of a status line.
func pacedStatus(line string) (duration, octets float64, ok bool) {
	rest, ok := strings.CutPrefix(line, "dlms_cosem_status,")
	if !ok {
		return 0, 0, false
	}
	for field := range strings.FieldsFuncSeq(rest, func(r rune) bool { return r == ' ' || r == ',' }) {
		name, value, _ := strings.Cut(field, "=")
		n, _ := strconv.ParseFloat(strings.TrimSuffix(value, "i"), 64)
		switch name {
		case "duration":
			duration = n
		case "rx_bytes", "tx_bytes":
			octets += n
		default:
		}
	}
	return duration, octets, true
}

// pacedLine is a paced line with a meter at its far end.
type pacedLine struct {
	port   string // the near end
	octets atomic.Int64
	end    func()
}

// pacedMeter plays a meter at the far end of a paced line.
func pacedMeter(ctx context.Context, cfg dlmstest.Config, objects dlmstest.Objects) (*pacedLine, error) {
	far, near, err := pty.Open()
	if err != nil {
		return nil, err
	}
	fd, err := syscall.Dup(int(far.Fd()))
	_ = far.Close()
	if err == nil {
		err = syscall.SetNonblock(fd, true)
	}
	if err != nil {
		return nil, err
	}
	line := os.NewFile(uintptr(fd), "far end")
	meter := dlmstest.NewMeter(cfg, objects)
	l := &pacedLine{port: near.Name()}
	ctx, cancel := context.WithCancel(ctx)
	ours, theirs := net.Pipe()
	var all sync.WaitGroup
	all.Go(func() { _ = meter.ServeConn(ctx, theirs) })
	all.Go(func() { l.pace(ours, line) })
	all.Go(func() { l.pace(line, ours) })
	l.end = func() {
		cancel()
		_ = line.Close()
		_ = ours.Close()
		_ = near.Close()
		all.Wait()
	}
	return l, nil
}

// pace copies with the speed of the line: what is read at once began at that
// moment, and is handed on octet by octet, as each is due.
func (l *pacedLine) pace(to io.Writer, from io.Reader) {
	b := make([]byte, 4096)
	var due time.Time
	for {
		n, err := from.Read(b)
		if now := time.Now(); due.Before(now) {
			due = now
		}
		l.octets.Add(int64(n))
		for i := range n {
			due = due.Add(10 * time.Second / pacedBaud)
			if wait := time.Until(due); wait > 0 {
				t := time.NewTimer(wait)
				<-t.C
			}
			if _, err := to.Write(b[i : i+1]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
