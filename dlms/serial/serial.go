// Package serial drives serial ports for package dlms: RS-232, RS-485 adapters
// and optical heads. It is the library's only third-party import.
package serial

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"go.bug.st/serial"
)

// Parity is the parity bit of a character.
type Parity uint8

// The parities.
const (
	None Parity = iota
	Even
	Odd
)

// Line is what is done with a control line.
type Line uint8

// The settings of DTR and RTS.
const (
	Auto Line = iota // left as the driver has it
	On
	Off
	Send // RTS only: on while something is sent, to turn the direction of an RS-485 adapter
)

// Settings are the format of characters and the control lines. The zero value
// is 9600 8N1 with the lines as the driver has them.
type Settings struct {
	Baud     int // 0: 9600
	DataBits int // 7 or 8; 0: 8
	Parity   Parity
	StopBits int // 1 or 2; 0: 1
	DTR, RTS Line
}

// Defaulted fills in what is 0.
func (s Settings) Defaulted() Settings {
	if s.Baud == 0 {
		s.Baud = 9600
	}
	if s.DataBits == 0 {
		s.DataBits = 8
	}
	if s.StopBits == 0 {
		s.StopBits = 1
	}
	return s
}

// Octet is how long a character takes on the line.
func (s Settings) Octet() time.Duration {
	s = s.Defaulted()
	bits := 1 + s.DataBits + s.StopBits
	if s.Parity != None {
		bits++
	}
	return time.Duration(bits) * time.Second / time.Duration(s.Baud)
}

// device is what is needed of a port of go.bug.st/serial.
type device interface {
	SetMode(mode *serial.Mode) error
	SetReadTimeout(t time.Duration) error
	Read(p []byte) (int, error)
	Write(p []byte) (int, error)
	Drain() error
	ResetInputBuffer() error
	ResetOutputBuffer() error
	SetDTR(dtr bool) error
	SetRTS(rts bool) error
	Close() error
}

const (
	// slice is the longest that a read of the device takes: deadlines are looked at between two.
	slice = 50 * time.Millisecond
	// quietTime is how long nothing may come until the line is called quiet, and quietPatience how long that is waited for.
	quietTime     = 30 * time.Millisecond
	quietPatience = 500 * time.Millisecond
	// drainPatience is how long the last octets have to leave, beyond the time they need.
	drainPatience = 2 * time.Second
	// turnAround is how long an adapter has to turn the direction of its line.
	turnAround = time.Millisecond
)

// An OpenError says why a port cannot be opened.
type OpenError struct {
	Name string
	Kind OpenKind
	Err  error
}

// OpenKind is the kind of reason.
type OpenKind uint8

// The reasons.
const (
	OpenOther OpenKind = iota
	OpenMissing
	OpenBusy
	OpenPermission
	OpenNoPort      // it is no serial port
	OpenMode        // it does not have this speed or format
	OpenDescriptors // the program has too many files open
)

var openTexts = [...]string{
	OpenOther: "cannot be opened", OpenMissing: "there is no such port", OpenBusy: "another program has it open",
	OpenPermission: "permission denied", OpenNoPort: "it is no serial port", OpenMode: "it does not have this speed or format",
	OpenDescriptors: "too many files are open for a port",
}

func (e *OpenError) Error() string {
	s := e.Name + ": " + openTexts[e.Kind]
	if e.Kind == OpenOther && e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}
func (e *OpenError) Unwrap() error { return e.Err }

// ErrGone is the end of a port whose adapter was pulled out.
var ErrGone = fmt.Errorf("the serial port is gone (unplugged?): %w", io.EOF)

// A Port is a serial port. It implements dlms.Transport: deadlines may be set by
// another goroutine and end a Read or Write within 50 ms. A Read and a Write may
// be under way at the same time; all else belongs to one goroutine.
type Port struct {
	name string
	dev  device

	mu          sync.Mutex // guards what follows
	read, write time.Time  // the deadlines
	stuck       error      // a write that did not end: the port is given up

	settings Settings
}

// Open opens a port by its name, /dev/ttyUSB0 or COM3. The error is an
// *OpenError.
func Open(name string, s Settings) (*Port, error) {
	s = s.Defaulted()
	if err := checkName(name); err != nil {
		return nil, err
	}
	dev, err := serial.Open(name, mode(s))
	if err != nil {
		return nil, &OpenError{Name: name, Kind: openKind(err), Err: err}
	}
	p := &Port{name: name, dev: dev, settings: s}
	if err := p.setLines(Settings{}, s); err != nil {
		_ = dev.Close()
		return nil, &OpenError{Name: name, Err: err}
	}
	return p, nil
}

func mode(s Settings) *serial.Mode {
	m := &serial.Mode{BaudRate: s.Baud, DataBits: s.DataBits}
	switch s.Parity {
	case Even:
		m.Parity = serial.EvenParity
	case Odd:
		m.Parity = serial.OddParity
	default:
		m.Parity = serial.NoParity
	}
	if s.StopBits == 2 {
		m.StopBits = serial.TwoStopBits
	}
	return m
}

func openKind(err error) OpenKind {
	var port *serial.PortError
	switch {
	case errors.Is(err, os.ErrNotExist):
		return OpenMissing
	case !errors.As(err, &port):
		return OpenOther
	}
	switch port.Code() {
	case serial.PortNotFound:
		return OpenMissing
	case serial.PortBusy:
		return OpenBusy
	case serial.PermissionDenied:
		return OpenPermission
	case serial.InvalidSerialPort:
		return OpenNoPort
	case serial.InvalidSpeed, serial.InvalidDataBits, serial.InvalidParity, serial.InvalidStopBits:
		return OpenMode
	default:
		return OpenOther
	}
}

// setLines sets DTR and RTS where that is asked for and not done yet.
func (p *Port) setLines(before, s Settings) error {
	if s.DTR != Auto && s.DTR != before.DTR {
		if err := p.dev.SetDTR(s.DTR == On); err != nil {
			return fmt.Errorf("DTR: %w", err)
		}
	}
	if s.RTS != Auto && s.RTS != before.RTS {
		if err := p.dev.SetRTS(s.RTS == On); err != nil {
			return fmt.Errorf("RTS: %w", err)
		}
	}
	return nil
}

// Configure changes the settings once the line is quiet: what is being sent has
// left, and what still comes is dropped. It does nothing if there is nothing to
// change and settle does not ask for a quiet line.
func (p *Port) Configure(s Settings, settle bool) error {
	s = s.Defaulted()
	if s == p.settings && !settle {
		return nil
	}
	if err := p.givenUp(); err != nil {
		return err
	}
	if err := p.bounded(drainPatience, p.drain); err != nil {
		return p.failure(err)
	}
	if err := p.quiet(); err != nil {
		return p.failure(err)
	}
	if err := p.set(s); err != nil {
		return err
	}
	return p.failure(p.dev.ResetInputBuffer())
}

// set changes the settings if they are others.
func (p *Port) set(s Settings) error {
	if s == p.settings {
		return nil
	}
	if err := p.dev.SetMode(mode(s)); err != nil {
		return &OpenError{Name: p.name, Kind: OpenMode, Err: err}
	}
	if err := p.setLines(p.settings, s); err != nil {
		return p.failure(err)
	}
	p.settings = s
	return nil
}

// Switch waits until what was written has left, and then for the delay, and
// changes the settings. Unlike with Configure, what comes meanwhile stays.
func (p *Port) Switch(s Settings, delay time.Duration) error {
	if err := p.givenUp(); err != nil {
		return err
	}
	if err := p.bounded(drainPatience, p.drain); err != nil {
		return p.failure(err)
	}
	if delay > 0 {
		pause(delay)
	}
	return p.set(s.Defaulted())
}

// drain waits until what was written has left. A signal to the process, which
// the runtime sends itself often, ends no wait.
func (p *Port) drain() error {
	for {
		if err := p.dev.Drain(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// quiet reads until nothing has come for a moment.
func (p *Port) quiet() error {
	var b [256]byte
	if err := p.dev.SetReadTimeout(quietTime); err != nil {
		return err
	}
	for end := time.Now().Add(quietPatience); time.Now().Before(end); {
		if n, err := p.dev.Read(b[:]); err != nil || n == 0 {
			return err
		}
	}
	return nil
}

// bounded runs what may block for ever. If it does, the port is given up.
func (p *Port) bounded(limit time.Duration, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case err := <-done:
		return err
	case <-t.C:
		return p.abandon(done)
	}
}

// abandon gives the port up. What is stuck in it is thrown away, which wakes
// who waits for it to leave; the device is closed as soon as that has happened.
func (p *Port) abandon(done <-chan error) error {
	err := fmt.Errorf("%s: what was to be sent does not leave: %w", p.name, os.ErrDeadlineExceeded)
	p.mu.Lock()
	p.stuck = err
	p.mu.Unlock()
	go func() {
		_ = p.dev.ResetOutputBuffer()
		<-done //nolint:errcheck // whatever it says: the port is given up
		_ = p.dev.Close()
	}()
	return err
}

// givenUp is why the port is given up, nil if it is not.
func (p *Port) givenUp() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stuck
}

// failure says what an error of the device means.
func (p *Port) failure(err error) error {
	var port *serial.PortError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &port) && port.Code() == serial.PortClosed, gone(err):
		return fmt.Errorf("%s: %w", p.name, ErrGone)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return err
	default:
		return fmt.Errorf("%s: %w", p.name, err)
	}
}

// SetReadDeadline ends reads at t; zero is never.
func (p *Port) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read = t
	return nil
}

// SetWriteDeadline ends writes at t; zero is never.
func (p *Port) SetWriteDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.write = t
	return nil
}

// left is the time to a deadline, at most a slice.
func (p *Port) left(deadline *time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if deadline.IsZero() {
		return slice
	}
	return min(slice, time.Until(*deadline))
}

// Read reads at least one octet, or returns os.ErrDeadlineExceeded at the
// deadline. The device returns neither octets nor an error when its time is over.
func (p *Port) Read(b []byte) (int, error) {
	for {
		if err := p.givenUp(); err != nil {
			return 0, err
		}
		left := p.left(&p.read)
		if left <= 0 {
			return 0, os.ErrDeadlineExceeded
		}
		if err := p.dev.SetReadTimeout(max(left, time.Millisecond)); err != nil {
			return 0, p.failure(err)
		}
		if n, err := p.dev.Read(b); n > 0 || err != nil {
			return n, p.failure(err)
		}
	}
}

// Write writes all of b. At the deadline the port is given up and the error
// wraps os.ErrDeadlineExceeded: nobody knows how much of it has left.
func (p *Port) Write(b []byte) (int, error) {
	if err := p.givenUp(); err != nil {
		return 0, err
	}
	if p.left(&p.write) <= 0 {
		return 0, os.ErrDeadlineExceeded
	}
	own := append([]byte(nil), b...) // who is stuck may hold it for longer than our caller
	done := make(chan error, 1)
	go func() { done <- p.send(own) }()
	for {
		t := time.NewTimer(max(p.left(&p.write), 0))
		select {
		case err := <-done:
			t.Stop()
			if err != nil {
				return 0, p.failure(err)
			}
			return len(b), nil
		case <-t.C:
			if p.left(&p.write) <= 0 {
				return 0, p.abandon(done)
			}
		}
	}
}

// send writes, with RTS turned on for as long as that takes if it is asked for.
func (p *Port) send(b []byte) error {
	if p.settings.RTS == Send {
		if err := p.dev.SetRTS(true); err != nil {
			return err
		}
		pause(turnAround)
	}
	for rest := b; len(rest) > 0; {
		n, err := p.dev.Write(rest)
		switch {
		case errors.Is(err, syscall.EINTR):
			n = max(n, 0)
		case err != nil:
			return err
		default:
		}
		rest = rest[n:]
	}
	if p.settings.RTS != Send {
		return nil
	}
	err := p.drain()
	pause(p.settings.Octet()) // drivers report the last character before its end
	return errors.Join(err, p.dev.SetRTS(false))
}

func pause(d time.Duration) {
	t := time.NewTimer(d)
	<-t.C
}

// Close closes the port. A Read under way ends.
func (p *Port) Close() error {
	if p.givenUp() != nil {
		return nil // it is being closed
	}
	return p.dev.Close()
}
