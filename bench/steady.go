//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/interop/peer"
)

// steady is what a poll of 20 registers costs once all is known: counted
// between reader and meter, as the difference between a short and a long run.
func steady(ctx context.Context, e environment) ([]figure, error) {
	simulated, stop, err := simulator(ctx, e, "hdlc")
	if err != nil {
		return nil, err
	}
	defer stop()
	foreign, err := peer.Gurux.Start(ctx, e.root, "--framing", "hdlc")
	if err != nil {
		return nil, err
	}
	defer foreign.Stop()
	var registers []string
	for _, r := range foreign.Contents.Registers {
		registers = append(registers, r.OBIS)
	}
	var figures []figure
	for _, meter := range []struct {
		name, address string
		codes         []string
	}{
		{"our meter", strings.TrimPrefix(simulated, "tcp://"), twenty},
		{"Gurux for Java", foreign.Address, registers},
	} {
		for _, c := range []struct {
			name, keys    string
			trips, octets float64
			compareOctets bool
		}{
			{"kept open", "", 1, 420, false},
			{"kept open, 128-octet frames", "max_info = 128", 2, 0, true},
			{`keep_open = "never"`, `keep_open = "never"`, 5, 0, true},
		} {
			trips, octets, err := steadyPoll(ctx, e, meter.address, c.keys, meter.codes)
			if err != nil {
				return nil, fmt.Errorf("steady poll of %s, %s: %w", meter.name, c.name, err)
			}
			name := "20 registers over HDLC, steady, " + c.name + ", " + meter.name
			figures = append(figures,
				figure{name: name, measured: trips, format: "%.1f round trips", target: c.trips},
				figure{name: name, measured: octets, format: "%.0f octets", target: c.octets, compare: c.compareOctets})
		}
	}
	return figures, nil
}

const (
	fewPolls  = 2
	manyPolls = 42
)

// steadyPoll returns the round trips and octets of one poll among many.
func steadyPoll(ctx context.Context, e environment, meter, keys string, codes []string) (trips, octets float64, err error) {
	var counts [2]peer.Counts
	for i, polls := range []int{fewPolls, manyPolls} {
		if counts[i], err = countPolls(ctx, e, meter, keys, codes, polls); err != nil {
			return 0, 0, err
		}
	}
	const polls = manyPolls - fewPolls
	few, many := counts[0], counts[1]
	return float64(many.RoundTrips-few.RoundTrips) / polls, float64(many.Up+many.Down-few.Up-few.Down) / polls, nil
}

// countPolls polls so often, from an empty state, and counts what passes.
func countPolls(ctx context.Context, e environment, meter, keys string, codes []string, polls int) (peer.Counts, error) {
	proxy, err := peer.StartProxy(meter)
	if err != nil {
		return peer.Counts{}, err
	}
	defer proxy.Stop()
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return peer.Counts{}, err
	}
	defer os.RemoveAll(dir)
	if err := pollSoOften(ctx, e, proxy.Address, dir, keys, codes, polls); err != nil {
		return peer.Counts{}, err
	}
	return proxy.Counts(), nil
}

// pollSoOften polls with a state in dir.
func pollSoOften(ctx context.Context, e environment, meter, dir, keys string, codes []string, polls int) error {
	name, err := configuration(dir, atEndpoint("tcp://"+meter)+"\n  method = \"polling\"\n  "+keys, request("bench", `interval = "20ms"`, codes))
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, e.binary, "dump", "-config", name, "-count", strconv.Itoa(polls)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("dump: %w\n%s", err, out)
	}
	if n := strings.Count(string(out), "result=success"); n < polls {
		return fmt.Errorf("%d of %d polls succeeded:\n%s", n, polls, out)
	}
	return nil
}
