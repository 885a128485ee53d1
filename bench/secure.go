//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
	"github.com/telegraf-dlms/telegraf-dlms/interop/peer"
)

// What the simulated meter of these measurements has.
const (
	secureKey  = "000102030405060708090A0B0C0D0E0F"
	secureAuth = "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF"
	secureName = "4D4D4D0000BC614E"
	openTarget = 0.4 // us for a ciphered APDU of 1 KiB
)

// secured compares ciphered polls with plain ones, and times the opening of an
// APDU.
func secured(ctx context.Context, e environment) ([]figure, error) {
	var figures []figure
	for _, framing := range []string{"hdlc", "wrapper"} {
		f, err := securedTrips(ctx, e, framing)
		if err != nil {
			return nil, fmt.Errorf("ciphered polls over %s: %w", framing, err)
		}
		figures = append(figures, f...)
	}
	opened, err := openings(ctx, e)
	return append(figures, opened...), err
}

// securedSimulator is a meter whose client 1 logs in by GMAC, beside the public
// one.
func securedSimulator(ctx context.Context, e environment, framing string) (address string, stop func(), err error) {
	endpoint, stop, err := simulator(ctx, e, framing,
		"-authentication", "high-gmac", "-encryption_key", "env:BENCH_KEY", "-authentication_key", "env:BENCH_AUTH")
	return strings.TrimPrefix(endpoint, "tcp://"), stop, err
}

// securedRuns are the round trips and octets between reader and meter of several runs
// of the program with one state.
func securedRuns(ctx context.Context, e environment, meter, framing, keys string, counts ...int) (list []peer.Counts, err error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for _, polls := range counts {
		proxy, err := peer.StartProxy(meter)
		if err != nil {
			return nil, err
		}
		// The state keeps its counters by key, and what it has learned by
		// endpoint: one that changes with each run costs the scalers again.
		err = securedPolls(ctx, e, proxy.Address, dir, framing, keys, polls)
		list = append(list, proxy.Counts())
		proxy.Stop()
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

func securedPolls(ctx context.Context, e environment, meter, dir, framing, keys string, polls int) error {
	name := filepath.Join(dir, "dlms.conf")
	text := fmt.Sprintf("[[inputs.dlms_cosem]]\n  %s\n  framing = %q\n  state_dir = %q\n  method = \"polling\"\n  %s\n%s",
		atEndpoint("tcp://"+meter), framing, dir, keys, request("bench", `interval = "20ms"`, twenty))
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, e.binary, "dump", "-config", name, "-count", fmt.Sprint(polls)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("dump: %w\n%s", err, out)
	}
	if n := bytes.Count(out, []byte("result=success")); n < polls {
		return fmt.Errorf("%d of %d polls succeeded:\n%s", n, polls, out)
	}
	return nil
}

// securedTrips counts what protection costs over a framing.
func securedTrips(ctx context.Context, e environment, framing string) ([]figure, error) {
	meter, stop, err := securedSimulator(ctx, e, framing)
	if err != nil {
		return nil, err
	}
	defer stop()
	plainMeter, stopPlain, err := simulator(ctx, e, framing)
	if err != nil {
		return nil, err
	}
	defer stopPlain()
	plainMeter = strings.TrimPrefix(plainMeter, "tcp://")
	ciphered := fmt.Sprintf("client_address = 1\n  authentication = \"high-gmac\"\n  encryption_key = %q\n  authentication_key = %q\n  ", secureKey, secureAuth)
	var figures []figure
	for _, c := range []struct{ name, keys string }{{"kept open", ""}, {`keep_open = "never"`, `keep_open = "never"`}} {
		var trips, octets [2]float64
		var first []peer.Counts
		for i, m := range []struct{ address, keys string }{{plainMeter, ""}, {meter, ciphered}} {
			n, err := securedRuns(ctx, e, m.address, framing, m.keys+c.keys, 1, fewPolls, manyPolls)
			if err != nil {
				return nil, err
			}
			const polls = manyPolls - fewPolls
			trips[i] = float64(n[2].RoundTrips-n[1].RoundTrips) / polls
			octets[i] = float64(n[2].Up+n[2].Down-n[1].Up-n[1].Down) / polls
			first = append(first, n[0], n[1])
		}
		name := "20 registers over " + framing + ", steady, " + c.name + ", ciphered"
		if c.keys == "" {
			figures = append(figures, figure{name: name, measured: trips[1], format: "%.1f round trips", target: trips[0]})
		} else {
			figures = append(figures, figure{name: name + ", beyond plain", measured: trips[1] - trips[0], format: "%.1f round trips", target: 1})
			reading := map[string]float64{"hdlc": 5, "wrapper": 4}[framing]
			// The first run has no counter; the second has, and polls twice.
			figures = append(figures, figure{name: "  the first poll, which has to read the counter, beyond plain", measured: float64(first[2].RoundTrips-first[0].RoundTrips) - 1, format: "%.0f round trips", target: reading})
		}
		figures = append(figures,
			figure{name: "  octets of it", measured: octets[1], format: "%.0f octets", compare: true},
			figure{name: "  octets of a plain one", measured: octets[0], format: "%.0f octets", compare: true})
	}
	return figures, nil
}

// openings times how an APDU of 1 KiB is opened, by us and by Gurux for Python.
func openings(ctx context.Context, e environment) ([]figure, error) {
	var parts [3][]byte
	for i, digits := range []string{secureName, secureKey, secureAuth} {
		b, err := hex.DecodeString(digits)
		if err != nil {
			return nil, err
		}
		parts[i] = b
	}
	c, err := security.NewContext(security.Keys{EncryptionKey: parts[1], AuthenticationKey: parts[2]})
	if err != nil {
		return nil, err
	}
	plain := append([]byte{0xC4, 1, 0xC1, 0, 9, 0x82, 0x03, 0xF8}, make([]byte, 1016)...)
	sealed := c.Seal(nil, parts[0], security.Authenticated|security.Encrypted, 1, plain)
	buffer := make([]byte, 0, 2*len(plain))
	var times []float64
	allocations := 0.0
	for range repetitions {
		var failed error
		r := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Open(buffer[:0], parts[0], sealed, nil); err != nil {
					failed = err
				}
			}
		})
		if failed != nil {
			return nil, failed
		}
		times = append(times, float64(r.T.Nanoseconds())/float64(r.N)/1e3)
		allocations = float64(r.AllocsPerOp())
	}
	ours := figure{name: "APDU of 1 KiB opened, authenticated and encrypted, suite 0", measured: median(times), format: "%.2f us", target: openTarget}
	envelope := xdlms.Ciphered{Tag: xdlms.TagGeneralGloCiphering, Title: parts[0], Protected: sealed}
	command := exec.CommandContext(ctx, filepath.Join(e.root, "interop/gurux-python/target/venv/bin/python"), filepath.Join(e.root, "interop/gurux-python/bench.py"), secureName, secureKey, secureAuth, hex.EncodeToString(envelope.Append(nil)))
	out, err := command.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w\n%s", err, exit.Stderr)
		}
		return nil, fmt.Errorf("interop/gurux-python/bench.py: %w (make python-peers makes its environment)", err)
	}
	var nanoseconds float64
	var size int
	if _, err := fmt.Sscan(string(out), &nanoseconds, &size); err != nil || size != len(plain) {
		return nil, fmt.Errorf("interop/gurux-python/bench.py says %q, %d octets were expected: %w", out, len(plain), err)
	}
	return []figure{
		ours,
		{name: "  allocations of it", measured: allocations, format: "%.0f", target: 0},
		{name: "  the same, Gurux for Python", measured: nanoseconds / 1e3, format: "%.0f us", compare: true},
		{name: "  compared with it", measured: nanoseconds / 1e3 / ours.measured, format: "%.0f times", compare: true},
	}, nil
}
