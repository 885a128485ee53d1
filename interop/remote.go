package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// serialServers are the cells in which our program reads our meter through a
// foreign serial server.
func serialServers() []cell {
	const peer = "pyserial 3.5"
	return []cell{
		{peer: peer, name: "RFC 2217, HDLC at 19200 8N1", run: func(ctx context.Context, p place) (string, error) {
			return throughServer(ctx, p, []string{"-baud_rate", "19200"}, []string{"19200 8N1"})
		}},
		{peer: peer, name: "RFC 2217, HDLC at 2400 8E2", run: func(ctx context.Context, p place) (string, error) {
			return throughServer(ctx, p, []string{"-baud_rate", "2400", "-parity", "even", "-stop_bits", "2"}, []string{"2400 8E2"})
		}},
		{peer: peer, name: "RFC 2217, sign-on in mode E", run: func(ctx context.Context, p place) (string, error) {
			return throughServer(ctx, p, []string{"-protocol_mode", "dlms-iec"}, []string{"300 7E1", "9600 7E1", "9600 8N1"})
		}},
	}
}

// throughServer reads our meter behind a serial server, which has to have been
// told these settings, one after the other.
func throughServer(ctx context.Context, p place, flags, want []string) (note string, err error) {
	server, err := startServer(ctx, p)
	if err != nil {
		return "", err
	}
	defer server.stop()
	meter := link{framing: "hdlc"}
	mode := "dlms"
	if slices.Contains(flags, "dlms-iec") {
		mode = "dlms-iec"
	}
	stop, err := meter.simulate(ctx, p.binary, "file://"+server.meter, "-protocol_mode", mode)
	if err != nil {
		return "", err
	}
	defer stop()
	arguments := append([]string{"get", "rfc2217://" + server.address, "-format", "json", "0.0.96.1.0.255", "1.0.1.8.0.255"}, flags...)
	out, err := run(exec.CommandContext(ctx, p.binary, arguments...))
	if err != nil {
		return "", err
	}
	var got []reading
	if err := json.Unmarshal(out, &got); err != nil {
		return "", err
	}
	if len(got) != 2 || got[0].Text != "10203040" || got[1].Unit != "Wh" {
		return "", fmt.Errorf("read %s", out)
	}
	if told := server.told(); !slices.Equal(told, want) {
		return "", fmt.Errorf("the server was told %q, want %q", told, want)
	}
	return strings.Join(want, ", "), nil
}

// serialServer is a running interop/pyserial/server.py.
type serialServer struct {
	address, meter string
	stop           func()

	mu       sync.Mutex
	settings []string
}

func startServer(ctx context.Context, p place) (*serialServer, error) {
	folder := filepath.Join(p.root, "interop", "pyserial")
	c := exec.CommandContext(ctx, filepath.Join(folder, "target", "venv", "bin", "python"), filepath.Join(folder, "server.py"))
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("pyserial (make python-peers installs it): %w", err)
	}
	s := &serialServer{}
	done := make(chan struct{})
	s.stop = func() {
		_ = in.Close()
		<-done
		_ = c.Wait()
	}
	lines := bufio.NewScanner(out)
	var first struct {
		Port  int    `json:"port"`
		Meter string `json:"meter"`
	}
	if !lines.Scan() {
		err = errors.New("the serial server says nothing")
	} else {
		err = json.Unmarshal(lines.Bytes(), &first)
	}
	s.address, s.meter = net.JoinHostPort("127.0.0.1", strconv.Itoa(first.Port)), first.Meter
	go func() {
		defer close(done)
		for lines.Scan() {
			s.mu.Lock()
			s.settings = append(s.settings, lines.Text())
			s.mu.Unlock()
		}
	}()
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *serialServer) told() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.settings)
}
