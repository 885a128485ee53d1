//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/interop/peer"
)

// benchmark is a Go benchmark and what of it has a target.
type benchmark struct {
	pkg, name string
	title     string
	unit      string  // of the result of go test -bench
	factor    float64 // from there to the figure
	format    string
	target    float64
	least     bool
}

var wanted = []benchmark{
	{"./dlms/axdr", "ProfileCursor", "profile of 1,000 x 5, cursor with time and float64", "MB/s", 1e-3, "%.2f GB/s", 0.8, true},
	{"./dlms/axdr", "ProfileCursor", "  allocations of it", "allocs/op", 1, "%.0f", 0, false},
	{"./dlms/axdr", "ProfileViews", "profile of 1,000 x 5, views", "MB/s", 1e-3, "%.2f GB/s", 0.3, true},
	{"./dlms/axdr", "ProfileViews", "  allocations of it", "allocs/op", 1, "%.0f", 0, false},
	{"./dlms/hdlc", "Frame", "HDLC frame of 1 KiB with FCS", "ns/op", 1e-3, "%.2f us", 0.8, false},
	{"./dlms/hdlc", "Frame", "  allocations of it", "allocs/op", 1, "%.0f", 0, false},
}

// benchmarks runs those of the packages, and the same decode with Gurux.
func benchmarks(ctx context.Context, e environment) ([]figure, error) {
	results := map[string][]float64{}
	for _, pkg := range []string{"./dlms/axdr", "./dlms/hdlc"} {
		command := exec.CommandContext(ctx, "go", "test", "-run=^$", "-bench=^Benchmark(ProfileCursor|ProfileViews|Frame)$", "-benchmem", fmt.Sprintf("-count=%d", repetitions), pkg)
		command.Dir = e.root
		out, err := command.CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", pkg, err, out)
		}
		collect(results, pkg, out)
	}
	var figures []figure
	for _, b := range wanted {
		values := results[b.pkg+" "+b.name+" "+b.unit]
		if len(values) == 0 {
			return nil, fmt.Errorf("Benchmark%s of %s gave no %s", b.name, b.pkg, b.unit)
		}
		f := figure{name: b.title, measured: median(values) * b.factor, format: b.format, target: b.target, least: b.least}
		figures = append(figures, f)
	}
	java, err := guruxDecode(ctx, e)
	if err != nil {
		return nil, err
	}
	// Beside ours: after the views and their allocations.
	ratio := func(of figure, how string) figure {
		return figure{name: "  " + how + " compared with it", measured: of.measured / java.measured, format: "%.1f times", compare: true}
	}
	peers := []figure{java, ratio(figures[0], "cursors"), ratio(figures[2], "views")}
	return append(figures[:4:4], append(peers, figures[4:]...)...), nil
}

var resultLine = regexp.MustCompile(`^Benchmark(\w+?)(?:/\S+)?(?:-\d+)?\s+\d+\s+(.*)$`)

// collect takes "value unit" pairs out of the output of go test -bench.
func collect(results map[string][]float64, pkg string, out []byte) {
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		m := resultLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		fields := strings.Fields(m[2])
		for i := 0; i+1 < len(fields); i += 2 {
			key := pkg + " " + m[1] + " " + fields[i+1]
			if value, err := strconv.ParseFloat(fields[i], 64); err == nil {
				results[key] = append(results[key], value)
			}
		}
	}
}

// guruxDecode lets Gurux for Java decode a buffer of the same shape.
func guruxDecode(ctx context.Context, e environment) (figure, error) {
	buffer := profileBuffer()
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return figure{}, err
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "buffer")
	if err := os.WriteFile(name, buffer, 0o600); err != nil {
		return figure{}, err
	}
	out, err := exec.CommandContext(ctx, "java", "-cp", peer.Gurux.ClassPath(e.root), "interop.Bench", name).Output()
	if err != nil {
		return figure{}, fmt.Errorf("interop.Bench: %w", err)
	}
	nanoseconds, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		return figure{}, err
	}
	return figure{name: "profile of 1,000 x 5, Gurux for Java", measured: float64(len(buffer)) / nanoseconds, format: "%.2f GB/s", compare: true}, nil
}

// profileBuffer is 1,000 rows of a capture time and four double-long-unsigned.
func profileBuffer() []byte {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b := axdr.AppendArray(nil, 1000)
	for i := range 1000 {
		b = axdr.AppendStructure(b, 5)
		b = axdr.AppendOctetString(b, axdr.FromTime(start.Add(time.Duration(i)*15*time.Minute)).Append(nil))
		for j := range 4 {
			b = axdr.AppendDoubleLongUnsigned(b, uint32(1000000*(j+1)+7*i))
		}
	}
	return b
}
