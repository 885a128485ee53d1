// Package peer starts foreign meters, as interop/gurux-java, and says what they
// hold, for the programs and tests that read them. Nothing of it is shipped.
package peer

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Register is a register of the meter: its value is Raw x 10^Scaler.
type Register struct {
	OBIS   string `json:"obis"`
	Raw    uint32 `json:"raw"`
	Scaler int    `json:"scaler"`
	Unit   uint8  `json:"unit"`
}

// Value is what a reader must come to; every scaler of the meter is -1.
func (r Register) Value() float64 { return float64(r.Raw) / 10 }

// A Number is a data object with a number.
type Number struct {
	OBIS  string `json:"obis"`
	Value int64  `json:"value"`
}

// Contents is what the meter holds, by its own account.
type Contents struct {
	Name      string     `json:"name"`
	Serial    string     `json:"serial"`
	Clock     int64      `json:"clock"` // Unix seconds; the clock stands still
	Data      []Number   `json:"data"`
	Registers []Register `json:"registers"`
	Extended  []Register `json:"extended"`
	Others    int        `json:"others"` // further objects in its list
	Profile   struct {
		OBIS    string    `json:"obis"`
		Columns []string  `json:"columns"` // registers, behind the clock
		Rows    [][]int64 `json:"rows"`    // Unix seconds and four raw values
	} `json:"profile"`
}

// A Stack is a Maven module in the folder interop, with a class interop.Meter.
type Stack struct {
	Name   string // and version
	folder string
	jar    string
}

// The stacks that there are.
var (
	Gurux = Stack{Name: "Gurux Java 4.0.47", folder: "gurux-java", jar: "gurux-meter.jar"}
	JDLMS = Stack{Name: "jDLMS 1.8.0", folder: "jdlms", jar: "jdlms-meter.jar"}
)

// A Meter is a running process.
type Meter struct {
	Address  string // HOST:PORT
	Contents Contents

	command *exec.Cmd
	stdin   io.Closer
	done    chan struct{} // closed at the end of stderr

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at each event
	events  map[string]int
	log     []string
}

// startTimeout is ample for a Java virtual machine on a busy host.
const startTimeout = 60 * time.Second

// Start runs the meter with the options of its class, under the Go module in
// root. Stop must be called; the meter also ends with this process, since its
// standard input does.
func (s Stack) Start(ctx context.Context, root string, options ...string) (*Meter, error) {
	arguments := append([]string{"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", s.ClassPath(root), "interop.Meter"}, options...)
	m := &Meter{
		command: exec.CommandContext(ctx, "java", arguments...),
		done:    make(chan struct{}),
		changed: make(chan struct{}),
		events:  map[string]int{},
	}
	stdin, err := m.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := m.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := m.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := m.command.Start(); err != nil {
		return nil, fmt.Errorf("the meter on %s: %w", s.Name, err)
	}
	m.stdin = stdin
	go m.follow(stderr)
	late := time.AfterFunc(startTimeout, func() { _ = m.command.Process.Kill() })
	err = m.introduce(stdout)
	if !late.Stop() && err == nil {
		err = errors.New("started too late")
	}
	if err != nil {
		m.Stop()
		return nil, fmt.Errorf("the meter on %s (make %s builds it): %w\n%s", s.Name, s.folder, err, strings.Join(m.Log(), "\n"))
	}
	return m, nil
}

// ClassPath is where its classes are, under the Go module in root.
func (s Stack) ClassPath(root string) string {
	target := filepath.Join(root, "interop", s.folder, "target")
	return filepath.Join(target, s.jar) + string(filepath.ListSeparator) + filepath.Join(target, "lib", "*")
}

// introduce reads the two lines that the meter says about itself.
func (m *Meter) introduce(stdout io.Reader) error {
	r := bufio.NewReader(stdout)
	line, err := r.ReadString('\n')
	if err != nil {
		return fmt.Errorf("no port: %w", err)
	}
	port, err := strconv.ParseUint(strings.TrimSpace(line), 10, 16)
	if err != nil {
		return fmt.Errorf("no port: %w", err)
	}
	m.Address = net.JoinHostPort("127.0.0.1", strconv.FormatUint(port, 10))
	line, err = r.ReadString('\n')
	if err != nil {
		return fmt.Errorf("no contents: %w", err)
	}
	return json.Unmarshal([]byte(line), &m.Contents)
}

// follow counts the events.
func (m *Meter) follow(stderr io.Reader) {
	defer close(m.done)
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		m.mu.Lock()
		m.log = append(m.log, lines.Text())
		if words := strings.Fields(lines.Text()); len(words) == 3 && words[0] == "event" {
			m.events[words[1]]++
		}
		close(m.changed)
		m.changed = make(chan struct{})
		m.mu.Unlock()
	}
}

// Events is how often connect, associate, answer, release or close has happened.
func (m *Meter) Events(name string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.events[name]
}

// WaitEvents waits until the event has happened n times.
func (m *Meter) WaitEvents(ctx context.Context, name string, n int) error {
	for {
		m.mu.Lock()
		seen, changed := m.events[name], m.changed
		m.mu.Unlock()
		if seen >= n {
			return nil
		}
		select {
		case <-changed:
		case <-m.done:
			return fmt.Errorf("the meter ended after %d events %s of %d", seen, name, n)
		case <-ctx.Done():
			return fmt.Errorf("%d events %s of %d: %w", seen, name, n, ctx.Err())
		}
	}
}

// Log returns what the meter said on stderr.
func (m *Meter) Log() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.log...)
}

// Stop switches the meter off: its connections break at once.
func (m *Meter) Stop() {
	_ = m.command.Process.Kill()
	_ = m.stdin.Close()
	<-m.done
	_ = m.command.Wait()
}

// Root finds the directory of go.mod above the current one.
func Root() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", err
	}
	name := strings.TrimSpace(string(out))
	if filepath.Base(name) != "go.mod" {
		return "", errors.New("not inside the module")
	}
	return filepath.Dir(name), nil
}
