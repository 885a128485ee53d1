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
	"strings"
	"sync"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
)

// hearing is how our program is set to listen, and how it is sent to.
type hearing struct {
	network  string // tcp or udp
	framing  string // as the peer calls it
	key      string // encryption_key; empty: none
	authKey  string
	keyed    bool // the keys are set although messages do without
	unproven bool // allow_unauthenticated
	refuses  bool // none of the messages is to become a value
	items    bool // items say what the short names are
	dials    bool // each message comes on a connection of its own
}

// listening is our program while it listens.
type listening struct {
	address string
	command *exec.Cmd
	dir     string        // its configuration and state
	lines   chan string   // what it prints
	done    chan struct{} // closed at the end of its log

	mu  sync.Mutex
	log []string
}

// start runs our program as a user would.
func (h hearing) start(ctx context.Context, binary string, list []*pushed) (l *listening, err error) {
	dir, err := os.MkdirTemp("", "interop")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	file := filepath.Join(dir, "pushes.conf")
	if err := os.WriteFile(file, []byte(h.config(list)), 0o600); err != nil {
		return nil, err
	}
	l = &listening{dir: dir, lines: make(chan string, 1000), done: make(chan struct{}), command: exec.CommandContext(ctx, binary, "dump", "-config", file)}
	l.command.Env = append(os.Environ(), "STATE_DIRECTORY="+dir)
	stdout, err := l.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := l.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := l.command.Start(); err != nil {
		return nil, err
	}
	address := make(chan string, 1)
	go l.follow(stderr, address)
	go l.read(stdout)
	select {
	case l.address = <-address:
	case <-ctx.Done():
	}
	if l.address == "" {
		_ = l.command.Process.Kill()
		_ = l.command.Wait()
		return nil, fmt.Errorf("our program does not listen%s", l.complaints())
	}
	return l, nil
}

// config is the configuration that fits the messages.
func (h hearing) config(list []*pushed) string {
	var b strings.Builder
	framing := h.framing
	if framing == "apdu" {
		framing = "auto" // it has no name
	}
	fmt.Fprintf(&b, "[[inputs.dlms_cosem]]\nendpoint = \"%s-listen://127.0.0.1:0\"\nframing = %q\nsend_requests = false\ntimestamp = \"meter\"\n", h.network, framing)
	if h.key != "" {
		fmt.Fprintf(&b, "encryption_key = %q\nauthentication_key = %q\n", h.key, h.authKey)
	}
	if h.unproven {
		b.WriteString("allow_unauthenticated = true\n")
	}
	b.WriteString("[[inputs.dlms_cosem.request]]\nname = \"pushes\"\n")
	if !h.items {
		return b.String()
	}
	b.WriteString("referencing = \"sn\"\n")
	for _, m := range list {
		for i, name := range m.ShortNames {
			fmt.Fprintf(&b, "[[inputs.dlms_cosem.request.item]]\nobis = %q\nbase_name = %d\n", m.Expected[i].OBIS, name-8)
		}
	}
	return b.String()
}

// follow keeps what our program logs. The address is where it listens.
func (l *listening) follow(stderr io.Reader, address chan<- string) {
	defer close(l.done)
	defer close(address)
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		l.mu.Lock()
		l.log = append(l.log, lines.Text())
		l.mu.Unlock()
		if _, at, ok := strings.Cut(lines.Text(), "Listening for meters at "); ok {
			select {
			case address <- at:
			default: // again
			}
		}
	}
	_, _ = io.Copy(io.Discard, stderr)
}

// read passes on what our program prints.
func (l *listening) read(stdout io.Reader) {
	defer close(l.lines)
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		l.lines <- lines.Text()
	}
	_, _ = io.Copy(io.Discard, stdout)
}

// telegramTimeout is for what our program makes of a message that it has got.
const telegramTimeout = 30 * time.Second

// telegram waits for the metrics of a message, of which the status is the last.
// With an error, they are what came of them.
func (l *listening) telegram(ctx context.Context) (list []point, err error) {
	ctx, cancel := context.WithTimeout(ctx, telegramTimeout)
	defer cancel()
	for {
		select {
		case line, ok := <-l.lines:
			if !ok {
				return list, errors.New("our program has ended")
			}
			p, err := parsePoint(line)
			if err != nil {
				return list, fmt.Errorf("%q: %w", line, err)
			}
			list = append(list, p)
			if p.name == "dlms_cosem_status" {
				return list, nil
			}
			if p.name != "dlms_cosem" {
				return list, fmt.Errorf("unexpected: %s", line)
			}
		case <-ctx.Done():
			return list, fmt.Errorf("no status came: %w", ctx.Err())
		}
	}
}

// stop ends our program as a user would. It must have no more to say, and must
// not have failed.
func (l *listening) stop(ctx context.Context) error {
	defer func() { _ = os.RemoveAll(l.dir) }()
	if err := l.command.Process.Signal(os.Interrupt); err != nil {
		return errors.Join(err, l.command.Wait())
	}
	late := context.AfterFunc(ctx, func() { _ = l.command.Process.Kill() })
	defer late()
	var rest []error
	for line := range l.lines {
		if line != "" {
			rest = append(rest, fmt.Errorf("at the end our program still prints: %s", line))
		}
	}
	<-l.done
	return errors.Join(append(rest, l.command.Wait())...)
}

// complaints are what our program has logged.
func (l *listening) complaints() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	for _, line := range l.log {
		fmt.Fprintf(&b, "\n\tour program: %s", line)
	}
	return b.String()
}

// errors are what our program has logged as such.
func (l *listening) errors() (list []error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.log {
		if strings.HasPrefix(line, "E!") {
			list = append(list, fmt.Errorf("our program complains: %s", line))
		}
	}
	return list
}

// point is a line of line protocol.
type point struct {
	line   string
	name   string
	tags   map[string]string
	fields map[string]any
	time   time.Time
}

func parsePoint(line string) (point, error) {
	p := point{line: line, tags: map[string]string{}, fields: map[string]any{}}
	d := lineprotocol.NewDecoderWithBytes([]byte(line))
	if !d.Next() {
		return p, errors.New("no line of line protocol")
	}
	name, err := d.Measurement()
	if err != nil {
		return p, err
	}
	p.name = string(name)
	for {
		key, value, err := d.NextTag()
		if err != nil {
			return p, err
		}
		if key == nil {
			break
		}
		p.tags[string(key)] = string(value)
	}
	for {
		key, value, err := d.NextField()
		if err != nil {
			return p, err
		}
		if key == nil {
			break
		}
		p.fields[string(key)] = value.Interface()
	}
	p.time, err = d.Time(lineprotocol.Nanosecond, time.Time{})
	return p, err
}
