//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/e2e/telegram"
)

const (
	pushMeters = 10000
	pushRounds = 10
	// pushWindow is how many telegrams are under way at most. The usual buffer of
	// a socket (208 KiB) holds some 120 of them, with what the kernel adds.
	pushWindow = 64
	// pushPatience is how long a telegram may take, until it counts as lost.
	pushPatience = 5 * time.Second
)

// pushRegisters are the values of a push, besides the logical device name.
var pushRegisters = []telegram.Value{
	{OBIS: [6]byte{1, 0, 1, 8, 0, 255}, Unit: 30}, {OBIS: [6]byte{1, 0, 2, 8, 0, 255}, Unit: 30},
	{OBIS: [6]byte{1, 0, 1, 7, 0, 255}, Unit: 27}, {OBIS: [6]byte{1, 0, 2, 7, 0, 255}, Unit: 27},
	{OBIS: [6]byte{1, 0, 32, 7, 0, 255}, Scaler: -1, Unit: 35}, {OBIS: [6]byte{1, 0, 52, 7, 0, 255}, Scaler: -1, Unit: 35}, {OBIS: [6]byte{1, 0, 72, 7, 0, 255}, Scaler: -1, Unit: 35},
	{OBIS: [6]byte{1, 0, 31, 7, 0, 255}, Scaler: -2, Unit: 33}, {OBIS: [6]byte{1, 0, 51, 7, 0, 255}, Scaler: -2, Unit: 33}, {OBIS: [6]byte{1, 0, 71, 7, 0, 255}, Scaler: -2, Unit: 33},
}

// pushes measures 100,000 telegrams from 10,000 meters, plain and ciphered.
func pushes(ctx context.Context, e environment) ([]figure, error) {
	var figures []figure
	for _, ciphered := range []bool{false, true} {
		f, err := pushLoad(ctx, e, ciphered)
		if err != nil {
			return nil, fmt.Errorf("pushes, ciphered %t: %w", ciphered, err)
		}
		figures = append(figures, f...)
	}
	mapper, err := mapperCost()
	return append(figures, mapper...), err
}

func pushLoad(ctx context.Context, e environment, ciphered bool) ([]figure, error) {
	telegrams, err := pushTelegrams(ciphered)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	h, err := startHearer(ctx, e, dir, ciphered)
	if err != nil {
		return nil, err
	}
	before, err := processUse(h.command.Process.Pid)
	if err != nil {
		return nil, errors.Join(err, h.stop())
	}
	began := time.Now()
	lost, err := h.send(ctx, telegrams, pushWindow)
	took := time.Since(began)
	after, useErr := processUse(h.command.Process.Pid)
	if err := errors.Join(err, useErr); err != nil {
		return nil, errors.Join(err, h.stop())
	}
	n := float64(len(telegrams))
	kind := "plain"
	if ciphered {
		kind = "ciphered"
	}
	name := fmt.Sprintf("%d telegrams of %d values from %d UDP meters, %s", len(telegrams), len(pushRegisters)+1, pushMeters, kind)
	figures := []figure{
		{name: name + ": lost", measured: float64(lost), format: "%.0f", target: 0},
		{name: "  CPU per telegram", measured: float64((after.cpu - before.cpu).Microseconds()) / n, format: "%.0f us", compare: true},
		{name: "  telegrams per second", measured: (n - float64(lost)) / took.Seconds(), format: "%.0f", compare: true},
		{name: "  RSS", measured: after.rss / 1024, format: "%.0f MiB", compare: true},
		{name: "  RSS per meter above the base", measured: (after.rss - before.rss) / pushMeters, format: "%.1f KiB", compare: true},
	}
	more := pushBurst
	if ciphered {
		more = pushAgain
	}
	f, err := more(ctx, e, dir, h, telegrams)
	return append(figures, f...), err
}

// pushBurst lets all meters push at the same moment, as at the full hour.
func pushBurst(ctx context.Context, _ environment, _ string, h *hearer, telegrams [][]byte) ([]figure, error) {
	lost, err := h.send(ctx, telegrams[:pushMeters], pushMeters)
	return []figure{
		{name: fmt.Sprintf("  lost of %d more that come at once", pushMeters), measured: float64(lost), format: "%.0f", compare: true},
	}, errors.Join(err, h.stop())
}

// pushAgain ends the program, starts it again and sends it the last telegram of
// each meter once more: none may be taken.
func pushAgain(ctx context.Context, e environment, dir string, h *hearer, telegrams [][]byte) ([]figure, error) {
	began := time.Now()
	if err := h.stop(); err != nil {
		return nil, err
	}
	took := time.Since(began)
	h, err := startHearer(ctx, e, dir, true)
	if err != nil {
		return nil, err
	}
	taken, err := h.replay(ctx, telegrams[len(telegrams)-pushMeters:])
	return []figure{
		{name: "  end of the program, its state saved", measured: took.Seconds(), format: "%.2f s", target: 3},
		{name: fmt.Sprintf("  taken after a restart, of %d old telegrams", pushMeters), measured: float64(taken), format: "%.0f", target: 0},
	}, errors.Join(err, h.stop())
}

// pushTelegrams are the datagrams of all meters, round by round.
func pushTelegrams(ciphered bool) (list [][]byte, err error) {
	ciphers := make([]*telegram.Cipher, pushMeters)
	for round := range uint32(pushRounds) {
		for i := range uint32(pushMeters) {
			values := append([]telegram.Value(nil), pushRegisters...)
			for j := range values {
				values[j].Raw = 2300 + (round+i)%100
			}
			b, err := telegram.Notification(round, telegram.Body(nil, telegram.Pairs, fmt.Sprintf("SIM%013d", i), values))
			if err != nil {
				return nil, err
			}
			if ciphered {
				if ciphers[i] == nil {
					if ciphers[i], err = telegram.NewCipher(telegram.KeysOf(i)); err != nil {
						return nil, err
					}
				}
				b = ciphers[i].Protect(b, 1000+round)
			}
			if b, err = telegram.Wrapped(b); err != nil {
				return nil, err
			}
			list = append(list, b)
		}
	}
	return list, nil
}

// hearer is our program while it listens.
type hearer struct {
	command *exec.Cmd
	stdin   io.Closer
	socket  net.Conn

	good chan struct{} // one for each telegram that has become metrics
	bad  atomic.Int64  // status metrics of something else
}

// startHearer runs the program with a port for datagrams, and connects to it.
func startHearer(ctx context.Context, e environment, dir string, ciphered bool) (h *hearer, err error) {
	h = &hearer{good: make(chan struct{}, pushMeters*pushRounds)}
	keys := ""
	if ciphered {
		name := filepath.Join(dir, "meters.csv")
		if err := writeKeys(name); err != nil {
			return nil, err
		}
		keys = fmt.Sprintf("keys_file = %q", name)
	}
	name := filepath.Join(dir, "dlms.conf")
	conf := fmt.Sprintf("[[inputs.dlms_cosem]]\n  endpoint = \"udp-listen://127.0.0.1:0\"\n  send_requests = false\n  state_dir = %q\n  %s\n  [[inputs.dlms_cosem.request]]\n    name = \"bench\"\n", dir, keys)
	if err := os.WriteFile(name, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	h.command = exec.CommandContext(ctx, e.binary, "-config", name)
	if h.stdin, err = h.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := h.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	log, err := h.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := h.command.Start(); err != nil {
		return nil, err
	}
	go h.count(out)
	address, err := listeningAt(log)
	if err == nil {
		h.socket, err = net.Dial("udp", address)
	}
	if err != nil {
		return nil, errors.Join(err, h.stop())
	}
	return h, nil
}

// listeningAt returns where the program listens, by what it says.
func listeningAt(log io.Reader) (string, error) {
	lines := bufio.NewScanner(log)
	var said strings.Builder
	for lines.Scan() {
		if _, address, ok := strings.Cut(lines.Text(), "Listening for meters at "); ok {
			go func() { // the rest: meters that have fallen silent
				_, _ = io.Copy(io.Discard, log)
			}()
			return address, nil
		}
		fmt.Fprintln(&said, lines.Text())
	}
	return "", fmt.Errorf("the program does not listen: %s", said.String())
}

// writeKeys writes the keys of all meters.
func writeKeys(name string) error {
	var b strings.Builder
	b.WriteString("title,encryption_key,authentication_key\n")
	for i := range uint32(pushMeters) {
		k := telegram.KeysOf(i)
		fmt.Fprintf(&b, "%s,%s,%s\n", telegram.Hex(k.Title[:]), telegram.Hex(k.Encryption[:]), telegram.Hex(k.Authentication[:]))
	}
	return os.WriteFile(name, []byte(b.String()), 0o600)
}

// count takes what the program writes until its end.
func (h *hearer) count(out io.Reader) {
	defer close(h.good)
	r := bufio.NewReaderSize(out, 1<<20)
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		if !bytes.HasPrefix(line, []byte("dlms_cosem_status,")) {
			continue
		}
		switch {
		case bytes.Contains(line, []byte("result=success")):
			h.good <- struct{}{}
		case bytes.Contains(line, []byte("result=timeout")): // it has sent all that it had to
		default:
			h.bad.Add(1)
		}
	}
}

// send sends telegrams, of which at most so many are under way at a time, and
// returns how many have not become metrics.
func (h *hearer) send(ctx context.Context, list [][]byte, window int) (lost int, err error) {
	waiting := 0
	patience := time.NewTimer(pushPatience)
	defer patience.Stop()
	arrived := func() error {
		patience.Reset(pushPatience)
		select {
		case _, open := <-h.good:
			if !open {
				return errors.New("the program ended")
			}
			waiting--
		case <-patience.C:
			lost += waiting
			waiting = 0
		case <-ctx.Done():
			return ctx.Err()
		}
		return nil
	}
	for _, b := range list {
		for waiting >= window {
			if err := arrived(); err != nil {
				return lost, err
			}
		}
		if _, err := h.socket.Write(b); err != nil {
			return lost, err
		}
		waiting++
	}
	for waiting > 0 {
		if err := arrived(); err != nil {
			return lost, err
		}
	}
	if bad := h.bad.Load(); bad > 0 {
		return lost, fmt.Errorf("%d telegrams were not understood", bad)
	}
	return lost, nil
}

// replay sends telegrams at a steady pace and returns how many were taken.
func (h *hearer) replay(ctx context.Context, list [][]byte) (taken int, err error) {
	const perTick, tick = 10, 5 * time.Millisecond
	t := time.NewTicker(tick)
	defer t.Stop()
	end := time.Now()
	for len(list) > 0 || time.Since(end) < time.Second {
		select {
		case _, open := <-h.good:
			if !open {
				return taken, errors.New("the program ended")
			}
			taken++
		case <-t.C:
			for i := 0; i < perTick && len(list) > 0; i++ {
				if _, err := h.socket.Write(list[0]); err != nil {
					return taken, err
				}
				list, end = list[1:], time.Now()
			}
		case <-ctx.Done():
			return taken, ctx.Err()
		}
	}
	return taken, nil
}

func (h *hearer) stop() error {
	if h.socket != nil {
		_ = h.socket.Close()
	}
	_ = h.stdin.Close()
	for range h.good { // until it ends
	}
	return h.command.Wait()
}
