package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/interop/peer"
)

// startCounter is what the meter says it has accepted last, at its start.
const startCounter = 5000

// getTwice lets our program read with a state that it keeps: only the first time
// may it read the meter's invocation counter, and from then on it counts by itself.
func getTwice(ctx context.Context, e *environment) (string, error) {
	dir, err := os.MkdirTemp("", "interop")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	proxy, err := peer.StartProxy(e.meter.Address)
	if err != nil {
		return "", err
	}
	defer proxy.Stop()
	through := e.link
	through.endpoint = proxy.Address
	counters := []uint32{startCounter}
	var counts []peer.Counts
	for range 2 {
		if err := getRegisters(ctx, e, through, dir); err != nil {
			return "", err
		}
		counts = append(counts, proxy.Counts())
		counter, err := readCounter(ctx, e.link)
		if err != nil {
			return "", err
		}
		counters = append(counters, counter)
	}
	first, second := counts[0], counts[1]
	second.Connects -= first.Connects
	second.Up -= first.Up
	second.Down -= first.Down
	note := fmt.Sprintf("connections %d, %d; octets %d, %d; counters from %d up to %d, %d", first.Connects, second.Connects, first.Up+first.Down, second.Up+second.Down, counters[0]+1, counters[1], counters[2])
	if first.Connects != 2 || second.Connects != 1 || second.Up >= first.Up || counters[1] <= counters[0] || counters[2] <= counters[1] {
		return "", errors.New(note)
	}
	return note, nil
}

// getRaised tells our program a counter that the meter does not take any more.
func getRaised(ctx context.Context, e *environment) (string, error) {
	dir, err := os.MkdirTemp("", "interop")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	err = getRegisters(ctx, e, e.link, dir, "-invocation_counter", "3")
	if err != nil && strings.Contains(err.Error(), "deciphering-error") {
		return "", fmt.Errorf("%w: this server does not say that a counter is too low, but deciphering-error", errNotApplicable)
	}
	if err != nil {
		return "", err
	}
	counter, err := readCounter(ctx, e.link)
	if err == nil && counter <= startCounter {
		err = fmt.Errorf("the last counter was %d", counter)
	}
	return fmt.Sprintf("begun with 3, raised to %d", counter), err
}

// getRegisters lets our program read the registers, with a state in dir.
func getRegisters(ctx context.Context, e *environment, l link, dir string, flags ...string) error {
	registers := e.meter.Contents.Registers
	for _, r := range registers {
		flags = append(flags, r.OBIS)
	}
	got, err := oursIn[reading](ctx, dir, e.binary, l, "get", flags...)
	if err != nil {
		return err
	}
	if len(got) != len(registers) {
		return fmt.Errorf("%d readings for %d codes", len(got), len(registers))
	}
	for i, r := range registers {
		if g := got[i]; g.OBIS != r.OBIS || g.Value != r.Value() || g.Unit != symbols[r.Unit] {
			return fmt.Errorf("got %+v, want %v %s", g, r.Value(), symbols[r.Unit])
		}
	}
	return nil
}

// readCounter reads, as the public client, the counter that the meter has accepted last.
func readCounter(ctx context.Context, l link) (counter uint32, err error) {
	l.secure = nil
	s, err := l.open(ctx, 0)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	d, err := s.association.Get(ctx, cosem.Attribute{Class: cosem.Data, Instance: obis.Code{0, 0, 43, 1, 0, 255}, ID: 2}, nil)
	if err != nil {
		return 0, err
	}
	n, ok := d.Int64()
	if !ok || n < 0 || n > 1<<32-1 {
		return 0, fmt.Errorf("the counter is %s", d)
	}
	return uint32(n), nil
}
