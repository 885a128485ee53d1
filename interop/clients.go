package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A client is a foreign program that reads our meter. It is called with HOST,
// PORT, framing, referencing, and with what else link.arguments has.
type client struct {
	folder string // in interop, with client.py and what it needs under target
	name   string
	names  []string // ways of referencing that it knows
	behind bool     // it knows devices behind a gateway
	least  int      // registers it has to have read

	secured []securedCell
}

var clients = []client{
	{folder: "gurux-python", name: "Gurux Python 1.0.203", names: []string{"ln", "sn"}, behind: true, least: 25, secured: guruxSecured()},
	{folder: "dlms-cosem", name: "dlms-cosem 25.1.0", names: []string{"ln"}, least: 5, secured: dlmsCosemSecured()},
}

// foreignClients are the cells in which the meter is ours.
func foreignClients() []cell {
	var list []cell
	for _, c := range clients {
		add := func(name string, l link) {
			l.password = password
			list = append(list, cell{peer: c.name, name: name, run: func(ctx context.Context, p place) (string, error) { return c.reads(ctx, p, l) }})
		}
		for _, names := range c.names {
			for _, framing := range []string{"hdlc", "wrapper"} {
				for _, auth := range []string{"none", "low"} {
					name := fmt.Sprintf("%s %s %s, reads our meter", strings.ToUpper(names), framing, auth)
					add(name, link{framing: framing, low: auth == "low", short: names == "sn"})
				}
			}
		}
		for _, framing := range []string{"hdlc", "wrapper"} {
			if c.behind {
				add("LN "+framing+" none, reads our meter behind a gateway", link{framing: framing, device: "10203040"})
			}
		}
		for _, s := range c.secured {
			list = append(list, s.cell(c))
		}
	}
	return list
}

// seen is what a client has read.
type seen struct {
	Objects   int    `json:"objects"`
	Name      string `json:"0.0.42.0.0.255"`
	Serial    string `json:"0.0.96.1.0.255"`
	Registers map[string]struct {
		Value float64 `json:"value"`
		Unit  uint8   `json:"unit"`
	} `json:"registers"`
	Rows    [][]any `json:"rows"`    // of the load profile
	Blocks  int     `json:"blocks"`  // that were asked for
	Listed  int     `json:"listed"`  // attributes read in a list
	Counter uint32  `json:"counter"` // the next invocation counter
}

// reads starts our meter and lets the client read it, then our own program, then
// the client again: what only counts upwards has to do so through all three.
func (c client) reads(ctx context.Context, p place, l link) (note string, err error) {
	stop, err := l.simulate(ctx, p.binary, "tcp://127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer stop()
	got, err := c.read(ctx, p, l)
	if err != nil {
		return "", err
	}
	values, err := c.compare(ctx, p, l, got)
	if err != nil {
		return "", err
	}
	last, err := c.read(ctx, p, l)
	if err != nil {
		return "", err
	}
	for code, value := range values {
		if last := last.Registers[code].Value; value > last {
			return "", fmt.Errorf("%s: our program has read %v, then it %v", code, value, last)
		}
	}
	return fmt.Sprintf("%d objects, %d registers, %d of them counters", got.Objects, len(got.Registers), len(values)), nil
}

// compare lets our program read what the client has read, and returns the values
// of the registers that only count upwards.
func (c client) compare(ctx context.Context, p place, l link, got seen) (counters map[string]float64, err error) {
	listed, err := ours[listedObject](ctx, p.binary, l, "objects", "-no-values")
	if err != nil {
		return nil, err
	}
	if got.Objects != len(listed) {
		return nil, fmt.Errorf("it lists %d objects, our program %d", got.Objects, len(listed))
	}
	if len(got.Registers) < c.least {
		return nil, fmt.Errorf("it has read %d registers, want at least %d", len(got.Registers), c.least)
	}
	again, err := ours[reading](ctx, p.binary, l, "get", append([]string{"0.0.42.0.0.255", "0.0.96.1.0.255"}, got.codes()...)...)
	if err != nil {
		return nil, err
	}
	if got.Name != again[0].Text || got.Serial != again[1].Text {
		return nil, fmt.Errorf("it has read %q and %q, our program %q and %q", got.Name, got.Serial, again[0].Text, again[1].Text)
	}
	counters = map[string]float64{}
	for i, code := range got.codes() {
		o, first := again[i+2], got.Registers[code]
		value, ok := o.Value.(float64)
		if !ok || o.Error != "" || o.Unit != symbols[first.Unit] {
			return nil, fmt.Errorf("%s: it has read %+v, our program %+v", code, first, o)
		}
		if !strings.Contains(code, ".8.") || strings.HasPrefix(code, "1.0.16.8.") { // import less export falls, too
			continue
		}
		if value < first.Value {
			return nil, fmt.Errorf("%s: it has read %v, then our program %v", code, first.Value, value)
		}
		counters[code] = value
	}
	if len(counters) == 0 {
		return nil, fmt.Errorf("none of its registers is a counter: %v", got.codes())
	}
	return counters, nil
}

// codes are those of the registers, sorted.
func (s seen) codes() []string {
	var list []string
	for code := range s.Registers {
		list = append(list, code)
	}
	slices.Sort(list)
	return list
}

// read runs the client once, with more arguments than those of the link.
func (c client) read(ctx context.Context, p place, l link, more ...string) (s seen, err error) {
	folder := filepath.Join(p.root, "interop", c.folder)
	host, port, _ := strings.Cut(l.endpoint, ":")
	arguments := slices.Concat([]string{filepath.Join(folder, "client.py"), host, port}, l.arguments(), more)
	out, err := run(exec.CommandContext(ctx, filepath.Join(folder, "target", "venv", "bin", "python"), arguments...))
	if err != nil {
		return s, fmt.Errorf("%s (make python-peers installs it): %w", c.name, err)
	}
	return s, json.Unmarshal(out, &s)
}

// arguments are what a client needs to be told besides the endpoint.
func (l link) arguments() []string {
	list := []string{l.framing, "ln"}
	if l.short {
		list[1] = "sn"
	}
	switch {
	case l.secure != nil:
		list = append(list, l.secure.arguments(l.password)...)
	case l.low:
		list = append(list, "--client", "32", "--authentication", "low", "--password", l.password)
	default:
	}
	if l.device != "" {
		list = append(list, "--gateway", l.device)
	}
	return list
}

// listedObject is one element of what `objects -format json` prints.
type listedObject struct {
	OBIS string `json:"obis"`
}

// simulate starts our meter for l, and sets where it is.
func (l *link) simulate(ctx context.Context, binary, listen string, more ...string) (stop func(), err error) {
	c := exec.CommandContext(ctx, binary, slices.Concat([]string{"simulate", "-listen", listen}, l.flags(), more)...)
	c.Env = l.environ()
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	r := bufio.NewReader(out)
	line, err := r.ReadString('\n')
	if err == nil {
		var u *url.URL
		if u, err = url.Parse(strings.TrimSpace(line)); err == nil {
			l.endpoint = u.Host
		}
	}
	if err != nil {
		stop()
		return nil, fmt.Errorf("our meter: %w", err)
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	return stop, nil
}
