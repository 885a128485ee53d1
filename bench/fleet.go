//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter"
)

// serveFleet plays so many meters, each on a port of its own, until standard
// input ends. Its first line lists the ports. One in every dead takes
// connections and says nothing; 0: none does.
func serveFleet(meters, dead int) error {
	ctx, cancel := context.WithCancel(context.Background())
	objects := simmeter.New(simmeter.Config{})
	var (
		all       sync.WaitGroup
		listeners []net.Listener
		ports     []string
	)
	defer func() {
		cancel()
		for _, l := range listeners {
			_ = l.Close()
		}
		all.Wait()
	}()
	for i := range meters {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		listeners = append(listeners, l)
		_, port, _ := net.SplitHostPort(l.Addr().String())
		ports = append(ports, port)
		if dead > 0 && i%dead == 0 {
			all.Go(func() { ignore(l) })
			continue
		}
		meter := dlmstest.NewMeter(dlmstest.Config{Framing: dlmstest.FramingHDLC}, objects)
		all.Go(func() { _ = meter.Serve(ctx, l) })
	}
	fmt.Println(strings.Join(ports, " "))
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// ignore takes connections and says nothing.
func ignore(l net.Listener) {
	var all sync.WaitGroup
	defer all.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		all.Go(func() {
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		})
	}
}

// fleet is a running process with meters.
type fleet struct {
	ports   []string
	command *exec.Cmd
	stdin   io.Closer
}

// startFleet runs this program as a fleet.
func startFleet(ctx context.Context, meters, dead int) (*fleet, error) {
	return startSelf(ctx, "-fleet", strconv.Itoa(meters), "-dead", strconv.Itoa(dead))
}

// startSelf runs this program as meters; the words of its first line are the ports.
func startSelf(ctx context.Context, flags ...string) (*fleet, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	f := &fleet{command: exec.CommandContext(ctx, program, flags...)}
	f.command.Stderr = os.Stderr
	out, err := f.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if f.stdin, err = f.command.StdinPipe(); err != nil {
		return nil, err
	}
	if err := f.command.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", strings.Join(flags, " "), err), f.stop())
	}
	f.ports = strings.Fields(line)
	return f, nil
}

func (f *fleet) stop() error {
	_ = f.stdin.Close()
	return f.command.Wait()
}
