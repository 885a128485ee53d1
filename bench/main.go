//go:build linux

// Bench measures what there are targets for and prints each figure beside its
// target. It fails when a measurement cannot be made, never for a figure.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/interop/peer"
)

const (
	// benchTimeout is for everything.
	benchTimeout = 20 * time.Minute
	// repetitions is of how many measurements of a time the median is shown.
	repetitions = 5
)

// figure is a line of the table.
type figure struct {
	name     string
	measured float64
	format   string // of measured and target, with their unit
	target   float64
	least    bool // the target is a lower limit
	compare  bool // there is no target, it is shown for comparison
}

func (f figure) verdict() string {
	switch {
	case f.least && f.measured >= f.target, !f.least && f.measured <= f.target:
		return "ok"
	case f.least:
		return "under"
	default:
		return "over"
	}
}

// median of some values, an odd number of them.
func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// environment is what the measurements work with.
type environment struct{ root, binary string }

// group is a set of figures that are measured together.
type group struct {
	name    string
	measure func(context.Context, environment) ([]figure, error)
}

func groups() []group {
	return []group{
		{"codec", benchmarks}, {"getlist", getList}, {"trips", roundTrips}, {"steady", steady}, {"paced", paced}, {"objects", objectLists}, {"names", shortNames},
		{"start", startTimes}, {"memory", memory}, {"size", size}, {"load", manyMeters}, {"cost", pollCost}, {"push", pushes}, {"secure", secured}, {"profile", profiles},
	}
}

func main() {
	binary := flag.String("binary", "bin/telegraf-dlms", "our program")
	meters := flag.Int("fleet", 0, "play so many meters instead, until standard input ends")
	dead := flag.Int("dead", 0, "one in so many of them is silent")
	rows := flag.Int("rows", 0, "play a meter with so many rows in its load profile instead, until standard input ends")
	framing := flag.String("framing", "hdlc", "of that meter")
	only := flag.String("only", "", "one group of figures: codec, getlist, trips, steady, paced, objects, names, start, memory, size, load, cost, push, secure, profile")
	flag.Parse()
	if *meters > 0 {
		if err := serveFleet(*meters, *dead); err != nil {
			fmt.Fprintln(os.Stderr, "fleet:", err)
			os.Exit(1)
		}
		return
	}
	if *rows > 0 {
		if err := serveRows(*rows, *framing); err != nil {
			fmt.Fprintln(os.Stderr, "meter:", err)
			os.Exit(1)
		}
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), benchTimeout)
	defer cancel()
	if err := run(ctx, *binary, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, binary, only string) error {
	root, err := peer.Root()
	if err != nil {
		return err
	}
	binary, err = filepath.Abs(binary)
	if err != nil {
		return err
	}
	e := environment{root: root, binary: binary}
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "FIGURE\tMEASURED\tTARGET\t")
	for _, group := range groups() {
		if only != "" && group.name != only {
			continue
		}
		figures, err := group.measure(ctx, e)
		if err != nil {
			return err
		}
		for _, f := range figures {
			target, verdict := "", ""
			if !f.compare {
				target, verdict = fmt.Sprintf(f.format, f.target), f.verdict()
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", f.name, fmt.Sprintf(f.format, f.measured), target, verdict)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		fmt.Println(strings.TrimRight(line, " \n"))
	}
	return nil
}
