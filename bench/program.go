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
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/interop/peer"
)

// request is a request for some registers, with more keys of its own.
func request(name, keys string, codes []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n  [[inputs.dlms_cosem.request]]\n    name = %q\n    %s\n", name, keys)
	for i, code := range codes {
		fmt.Fprintf(&b, "    [[inputs.dlms_cosem.request.item]]\n      name = \"item %d\"\n      obis = %q\n", i+1, code)
	}
	return b.String()
}

// configuration writes a plugin file, with an empty state beside it, and returns
// its name.
func configuration(dir, keys, requests string) (string, error) {
	name := filepath.Join(dir, "dlms.conf")
	text := fmt.Sprintf("[[inputs.dlms_cosem]]\n  framing = \"hdlc\"\n  state_dir = %q\n  %s\n%s", dir, keys, requests)
	return name, os.WriteFile(name, []byte(text), 0o600)
}

// atEndpoint is the key for it.
func atEndpoint(url string) string { return fmt.Sprintf("endpoint = %q", url) }

// simulator runs `telegraf-dlms simulate` until stop is called; its flags may
// name the keys of the secured meter.
func simulator(ctx context.Context, e environment, framing string, flags ...string) (endpoint string, stop func(), err error) {
	command := exec.CommandContext(ctx, e.binary, append([]string{"simulate", "-listen", "127.0.0.1:0", "-framing", framing}, flags...)...)
	command.Env = append(os.Environ(), "BENCH_KEY="+secureKey, "BENCH_AUTH="+secureAuth)
	out, err := command.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := command.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = command.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, out)
		_ = command.Wait()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("simulate: %w", err)
	}
	return strings.TrimSpace(line), stop, nil
}

// twenty are registers of the simulated meter.
var twenty = []string{
	"1.0.1.8.0.255", "1.0.2.8.0.255", "1.0.3.8.0.255", "1.0.4.8.0.255", "1.0.1.8.1.255",
	"1.0.1.8.2.255", "1.0.1.7.0.255", "1.0.2.7.0.255", "1.0.3.7.0.255", "1.0.9.7.0.255",
	"1.0.31.7.0.255", "1.0.51.7.0.255", "1.0.71.7.0.255", "1.0.32.7.0.255", "1.0.52.7.0.255",
	"1.0.72.7.0.255", "1.0.13.7.0.255", "1.0.14.7.0.255", "1.0.21.7.0.255", "1.0.41.7.0.255",
}

// roundTrips polls 20 registers once with dump, from an empty state, and counts.
func roundTrips(ctx context.Context, e environment) ([]figure, error) {
	endpoint, stop, err := simulator(ctx, e, "hdlc")
	if err != nil {
		return nil, err
	}
	defer stop()
	ours, err := countTrips(ctx, e, strings.TrimPrefix(endpoint, "tcp://"), twenty)
	if err != nil {
		return nil, err
	}
	meter, err := peer.Gurux.Start(ctx, e.root, "--framing", "hdlc")
	if err != nil {
		return nil, err
	}
	defer meter.Stop()
	var codes []string
	for _, r := range meter.Contents.Registers {
		codes = append(codes, r.OBIS)
	}
	foreign, err := countTrips(ctx, e, meter.Address, codes)
	if err != nil {
		return nil, err
	}
	return []figure{
		{name: "20 registers over HDLC, empty state, our meter", measured: ours, format: "%.0f round trips", target: 6},
		{name: "20 registers over HDLC, empty state, Gurux for Java", measured: foreign, format: "%.0f round trips", target: 6},
	}, nil
}

func countTrips(ctx context.Context, e environment, meter string, codes []string) (float64, error) {
	proxy, err := peer.StartProxy(meter)
	if err != nil {
		return 0, err
	}
	defer proxy.Stop()
	if _, err := dumpOnce(ctx, e, "tcp://"+proxy.Address, codes); err != nil {
		return 0, err
	}
	return float64(proxy.Counts().RoundTrips), nil
}

// dumpOnce runs `dump -once` and returns the time to the first line of it.
func dumpOnce(ctx context.Context, e environment, endpoint string, codes []string) (time.Duration, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	conf, err := configuration(dir, atEndpoint(endpoint), request("bench", "", codes))
	if err != nil {
		return 0, err
	}
	command := exec.CommandContext(ctx, e.binary, "dump", "-config", conf, "-once")
	var complaints strings.Builder
	command.Stderr = &complaints
	out, err := command.StdoutPipe()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := command.Start(); err != nil {
		return 0, err
	}
	r := bufio.NewReader(out)
	line, readErr := r.ReadString('\n')
	took := time.Since(began)
	_, _ = io.Copy(io.Discard, r)
	if err := errors.Join(command.Wait(), readErr); err != nil {
		return 0, fmt.Errorf("dump -once: %w\n%s", err, complaints.String())
	}
	if !strings.HasPrefix(line, "dlms_cosem,") {
		return 0, fmt.Errorf("dump -once began with %q", line)
	}
	return took, nil
}

// startTimes is the median of several starts.
func startTimes(ctx context.Context, e environment) ([]figure, error) {
	endpoint, stop, err := simulator(ctx, e, "hdlc")
	if err != nil {
		return nil, err
	}
	defer stop()
	var times []time.Duration
	for range 11 {
		took, err := dumpOnce(ctx, e, endpoint, twenty[:1])
		if err != nil {
			return nil, err
		}
		times = append(times, took)
	}
	slices.Sort(times)
	median := times[len(times)/2]
	return []figure{{name: "start to first metric, dump -once on loopback", measured: median.Seconds() * 1e3, format: "%.1f ms", target: 50}}, nil
}

// memory is the largest resident set while one meter is polled.
func memory(ctx context.Context, e environment) ([]figure, error) {
	endpoint, stop, err := simulator(ctx, e, "hdlc")
	if err != nil {
		return nil, err
	}
	defer stop()
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	conf, err := configuration(dir, atEndpoint(endpoint), request("bench", "", twenty))
	if err != nil {
		return nil, err
	}
	const polls = 100
	command := exec.CommandContext(ctx, e.binary, "-config", conf, "-poll_interval", "20ms")
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	peak, err := watch(out, command.Process.Pid, polls)
	_ = stdin.Close()
	_, _ = io.Copy(io.Discard, out)
	if err := errors.Join(err, command.Wait()); err != nil {
		return nil, fmt.Errorf("polling: %w", err)
	}
	return []figure{{name: fmt.Sprintf("RSS at its highest, %d polls of 20 registers", polls), measured: peak, format: "%.1f MiB", target: 15}}, nil
}

// watch reads lines until the status of so many polls has come, and then the
// high-water mark of the process in MiB.
func watch(out io.Reader, pid, polls int) (float64, error) {
	lines := bufio.NewScanner(out)
	for n := 0; n < polls && lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "dlms_cosem_status,") {
			n++
		}
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	return highWater(pid)
}

// size is that of the binary as built.
func size(_ context.Context, e environment) ([]figure, error) {
	info, err := os.Stat(e.binary)
	if err != nil {
		return nil, err
	}
	return []figure{{name: "stripped binary", measured: float64(info.Size()) / (1 << 20), format: "%.2f MiB", target: 8}}, nil
}
