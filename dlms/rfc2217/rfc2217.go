// Package rfc2217 drives serial ports of other machines for package dlms, by
// Telnet with COM port control (RFC 2217): serial servers set speed, format and
// control lines as they are told.
package rfc2217

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/serial"
)

const (
	// patience is how long a server may take to answer a command.
	patience = 3 * time.Second
	// quietTime is how long nothing may come until the line is called quiet, and quietPatience how long that is waited for.
	quietTime     = 100 * time.Millisecond
	quietPatience = 500 * time.Millisecond
	// journey is the difference of two ways through the network that is allowed for.
	journey = 20 * time.Millisecond
	// most is how many octets are kept that nobody has read yet.
	most = 1 << 16
)

var errFlood = errors.New("the server sends without end, and no answer to what it was told")

// ErrNoControl says that a server does not speak RFC 2217.
var ErrNoControl = errors.New("the server has no COM port control (RFC 2217)")

// A RefusedError says that a server does not set a port as it was told.
type RefusedError struct {
	What      string // "baud rate"
	Want, Got int
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the server does not set the %s to %d, but to %d", e.What, e.Want, e.Got)
}

// An UnconfirmedError says that a server agreed to COM port control and then did
// not answer a command of it.
type UnconfirmedError struct {
	What string // "baud rate"
}

func (e *UnconfirmedError) Error() string {
	return fmt.Sprintf("the server does not confirm that the %s is set, as RFC 2217 has it", e.What)
}

// A Port is a serial port of another machine. It implements dlms.Transport:
// deadlines may be set by another goroutine; all else belongs to one goroutine.
type Port struct {
	conn     net.Conn
	parser   parser
	data     []byte // received, and not read yet
	buf      [1024]byte
	control  bool // the server has agreed to COM port control
	refused  bool
	offered  map[[2]byte]bool // options that we have said something about
	answers  map[byte][]byte  // to our commands
	replies  []byte           // to options, to be sent
	set      bool             // settings are those of the port
	settings serial.Settings
	busy     time.Time // when what was written will have left the port
}

// Open agrees on COM port control over a connection, which it owns from now on.
// The error is ErrNoControl if the server does not have it or says nothing.
func Open(ctx context.Context, conn net.Conn) (*Port, error) {
	p := &Port{conn: conn, offered: map[[2]byte]bool{}, answers: map[byte][]byte{}}
	p.parser = parser{option: p.option, control: func(command byte, value []byte) { p.answers[command] = append([]byte(nil), value...) }}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err := p.agree(ctx)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return p, nil
}

func (p *Port) agree(ctx context.Context) error {
	for _, o := range [][2]byte{{will, optComPort}, {will, optBinary}, {do, optBinary}, {will, optGoAhead}, {do, optGoAhead}} {
		p.say(o[0], o[1])
	}
	until := time.Now().Add(patience)
	for !p.control {
		err := p.receive(until)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case p.refused, errors.Is(err, os.ErrDeadlineExceeded):
			return ErrNoControl
		case err != nil:
			return err
		}
	}
	return nil
}

// say replies to an option, once.
func (p *Port) say(verb, option byte) {
	if !p.offered[[2]byte{verb, option}] {
		p.offered[[2]byte{verb, option}] = true
		p.replies = append(p.replies, iac, verb, option)
	}
}

// option takes what the server says about one.
func (p *Port) option(verb, option byte) {
	known := option == optBinary || option == optGoAhead || option == optComPort
	switch verb {
	case do:
		p.control = p.control || option == optComPort
		if known {
			p.say(will, option)
		} else {
			p.say(wont, option)
		}
	case will:
		if known {
			p.say(do, option)
		} else {
			p.say(dont, option)
		}
	case dont:
		p.refused = p.refused || option == optComPort
		p.say(wont, option)
	default:
		p.say(dont, option)
	}
}

// receive sends the replies that are due, and reads once.
func (p *Port) receive(until time.Time) error {
	if err := p.conn.SetReadDeadline(until); err != nil {
		return err
	}
	_, err := p.read()
	return err
}

// read reads once, and returns how many octets of data came.
func (p *Port) read() (int, error) {
	if err := p.reply(); err != nil {
		return 0, err
	}
	n, err := p.conn.Read(p.buf[:])
	before := len(p.data)
	p.data = p.parser.parse(p.data, p.buf[:n])
	if e := p.reply(); err == nil {
		err = e
	}
	if len(p.data) > most {
		return 0, errFlood
	}
	return len(p.data) - before, err
}

func (p *Port) reply() error {
	if len(p.replies) == 0 {
		return nil
	}
	_, err := p.conn.Write(p.replies)
	p.replies = p.replies[:0]
	return err
}

// Read reads what has come from the line, at least one octet or until the
// deadline.
func (p *Port) Read(b []byte) (int, error) {
	for len(p.data) == 0 {
		if n, err := p.read(); n == 0 && err != nil {
			return 0, err
		}
	}
	n := copy(b, p.data)
	p.data = append(p.data[:0], p.data[n:]...)
	return n, nil
}

// Write hands octets to the server, which sends them on the line later.
func (p *Port) Write(b []byte) (int, error) {
	if _, err := p.conn.Write(appendData(nil, b)); err != nil {
		return 0, err
	}
	now := time.Now()
	if p.busy.Before(now) {
		p.busy = now
	}
	p.busy = p.busy.Add(time.Duration(len(b)) * p.settings.Octet())
	return len(b), nil
}

// SetReadDeadline implements dlms.Transport.
func (p *Port) SetReadDeadline(t time.Time) error { return p.conn.SetReadDeadline(t) }

// SetWriteDeadline implements dlms.Transport.
func (p *Port) SetWriteDeadline(t time.Time) error { return p.conn.SetWriteDeadline(t) }

// Close closes the connection.
func (p *Port) Close() error { return p.conn.Close() }

// Configure changes the settings once the line is quiet: what is being sent has
// left, and what still comes is dropped. It does nothing if there is nothing to
// change and settle does not ask for a quiet line. The error is a *RefusedError
// if the server does otherwise than it is told, and an *UnconfirmedError if it does not answer.
func (p *Port) Configure(s serial.Settings, settle bool) error {
	if p.set && s == p.settings && !settle {
		return nil
	}
	p.drain()
	if err := p.quiet(); err != nil {
		return err
	}
	return p.apply(s)
}

// Switch waits until what was written must have left, and then for the delay,
// and changes the settings. Unlike with Configure, what comes meanwhile stays.
func (p *Port) Switch(s serial.Settings, delay time.Duration) error {
	p.drain()
	pause(delay)
	return p.apply(s)
}

// drain waits until what was written must have left: the server does not say.
func (p *Port) drain() {
	if !p.busy.IsZero() {
		pause(time.Until(p.busy) + journey)
		p.busy = time.Time{}
	}
}

func pause(d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	<-t.C
}

// quiet reads until nothing has come for a moment.
func (p *Port) quiet() error {
	for end := time.Now().Add(quietPatience); time.Now().Before(end); {
		p.data = p.data[:0]
		if err := p.receive(time.Now().Add(quietTime)); errors.Is(err, os.ErrDeadlineExceeded) {
			break
		} else if err != nil {
			return err
		}
	}
	p.data = p.data[:0]
	return nil
}

// apply tells the server the settings that are others, and waits for it to say
// that they are set.
func (p *Port) apply(s serial.Settings) error {
	if p.set && s == p.settings {
		return nil
	}
	d := s.Defaulted()
	parities := map[serial.Parity]int{serial.None: 1, serial.Odd: 2, serial.Even: 3}
	commands := []struct {
		command byte
		what    string
		value   int
		wide    bool
	}{
		{cmdBaud, "baud rate", d.Baud, true},
		{cmdDataSize, "number of data bits", d.DataBits, false},
		{cmdParity, "parity", parities[d.Parity], false},
		{cmdStopSize, "number of stop bits", d.StopBits, false},
	}
	var out []byte
	clear(p.answers)
	if !p.set {
		out = appendControl(out, cmdControl, 1) // no flow control
	}
	out = p.appendLines(out, d)
	for _, c := range commands {
		if c.wide {
			out = appendControl(out, c.command, binary.BigEndian.AppendUint32(nil, uint32(c.value))...)
		} else {
			out = appendControl(out, c.command, byte(c.value))
		}
	}
	if err := p.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := p.conn.Write(out); err != nil {
		return err
	}
	until := time.Now().Add(patience)
	for _, c := range commands {
		got, err := p.await(c.command+answer, until)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return &UnconfirmedError{What: c.what}
		case err != nil:
			return err
		case got != c.value:
			return &RefusedError{What: c.what, Want: c.value, Got: got}
		}
	}
	p.set, p.settings = true, s
	return nil
}

// appendLines appends commands for the control lines.
func (p *Port) appendLines(out []byte, s serial.Settings) []byte {
	if s.DTR != serial.Auto && (!p.set || s.DTR != p.settings.DTR) {
		out = appendControl(out, cmdControl, onOff(s.DTR, 8, 9))
	}
	if s.RTS != serial.Auto && (!p.set || s.RTS != p.settings.RTS) {
		out = appendControl(out, cmdControl, onOff(s.RTS, 11, 12))
	}
	return out
}

func onOff(l serial.Line, on, off byte) byte {
	if l == serial.On {
		return on
	}
	return off
}

// await returns the value of an answer.
func (p *Port) await(command byte, until time.Time) (int, error) {
	for {
		if v, ok := p.answers[command]; ok {
			n := 0
			for _, c := range v[:min(len(v), 4)] {
				n = n<<8 | int(c)
			}
			return n, nil
		}
		if err := p.receive(until); err != nil {
			return 0, err
		}
	}
}
