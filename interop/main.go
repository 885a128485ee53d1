// Interop reads foreign meters, on Gurux for Java and on jDLMS, with our library
// and our program, and compares every value with what they say they hold; it
// sends our program what a meter on Gurux would push; and it lets foreign clients
// in Python read our meter. It prints one line per cell: pass, fail, or n/a with
// the reason.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/interop/peer"
)

// cellTimeout is for one cell with the start of its meter.
const cellTimeout = 90 * time.Second

// A cell is one line of the table.
type cell struct {
	peer string // the foreign side
	name string
	run  func(ctx context.Context, p place) (note string, err error)
}

// place is where things are.
type place struct {
	root   string // of this module
	binary string // our program
}

// environment is what a cell with a foreign meter works with.
type environment struct {
	meter  *peer.Meter
	link   link
	binary string
}

// errNotApplicable wraps the reason why a cell says nothing.
var errNotApplicable = errors.New("not applicable")

func main() {
	binary := flag.String("binary", "bin/telegraf-dlms", "our program")
	only := flag.String("only", "", "only cells whose name contains this")
	parallel := flag.Int("parallel", runtime.NumCPU(), "cells at a time")
	flag.Parse()
	root, err := peer.Root()
	if err == nil {
		*binary, err = filepath.Abs(*binary)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(table(place{root: root, binary: *binary}, *only, max(*parallel, 1)))
}

// An outcome is what is said of a cell.
type outcome struct {
	verdict, note string
	took          time.Duration
}

// table runs the cells, a few at a time, and returns the exit status.
func table(p place, only string, parallel int) int {
	cells := slices.Concat(guruxMeter(), secureMeter(), suiteMeter(), jdlmsMeter(), histories(), foreignPushes(), foreignClients(), serialServers())
	cells = slices.DeleteFunc(cells, func(c cell) bool { return !strings.Contains(c.peer+" "+c.name, only) })
	began := time.Now()
	outcomes := make([]chan outcome, len(cells))
	for i := range outcomes {
		outcomes[i] = make(chan outcome, 1)
	}
	var next atomic.Int64
	for range parallel {
		go func() {
			for i := next.Add(1) - 1; i < int64(len(cells)); i = next.Add(1) - 1 {
				outcomes[i] <- cells[i].judge(p)
			}
		}()
	}
	results := map[string]int{}
	for i, c := range cells {
		o := <-outcomes[i]
		results[o.verdict]++
		fmt.Printf("interop  %-20s  %-52s %-4s %6.2f s  %s\n", c.peer, c.name, o.verdict, o.took.Seconds(), o.note)
	}
	fmt.Printf("interop: %d pass, %d fail, %d n/a in %.0f s\n", results["pass"], results["fail"], results["n/a"], time.Since(began).Seconds())
	if results["fail"] > 0 || results["pass"] == 0 {
		return 1
	}
	return 0
}

// judge runs the cell.
func (c cell) judge(p place) outcome {
	start := time.Now()
	note, err := c.attempt(p)
	o := outcome{verdict: "pass", note: note}
	switch {
	case errors.Is(err, errNotApplicable):
		o.verdict, o.note = "n/a", strings.TrimPrefix(err.Error(), errNotApplicable.Error()+": ")
	case err != nil:
		o.verdict, o.note = "fail", err.Error()
	}
	o.took = time.Since(start)
	return o
}

func (c cell) attempt(p place) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), cellTimeout)
	defer cancel()
	return c.run(ctx, p)
}

// withMeter runs a cell against a foreign meter of its own with these options.
func withMeter(stack peer.Stack, options []string, l link, run func(context.Context, *environment) (string, error)) func(context.Context, place) (string, error) {
	return func(ctx context.Context, p place) (string, error) {
		meter, err := stack.Start(ctx, p.root, options...)
		if err != nil {
			return "", err
		}
		defer meter.Stop()
		l.endpoint = meter.Address
		note, err := run(ctx, &environment{meter: meter, link: l, binary: p.binary})
		if err != nil && !errors.Is(err, errNotApplicable) {
			meter.Stop() // so that all it has said is here
			err = fmt.Errorf("%w%s", err, complaints(meter))
		}
		return note, err
	}
}

// complaints is what the meter said besides its events.
func complaints(m *peer.Meter) string {
	var b strings.Builder
	for _, line := range m.Log() {
		if !strings.HasPrefix(line, "event ") {
			fmt.Fprintf(&b, "\n\tmeter: %s", line)
		}
	}
	return b.String()
}
