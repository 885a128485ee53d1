package dlmstest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/iec62056"
)

// SignOn is how a meter wants to be asked to speak HDLC (IEC 62056-21, mode E).
type SignOn struct {
	Identification string // "/SIM5\\2SIMULATED"; without \2 it does not announce HDLC
	Address        string // of the device: requests for another one are not answered; empty: any is

	// Line tells how the client's end of the line is set: octets that come at another speed or format than the meter has
	// are not understood. nil: that is not known.
	Line func() (baud, dataBits int)
	// Switch sets the meter's end, where it is a port; nil: there is nothing to set.
	Switch func(baud, dataBits int) error

	Parity     bool          // answers have parity bits in the octets: the line has 8 bits without parity
	Session    int           // baud of a session that the meter is still in; 0: none
	Inactivity time.Duration // after which it leaves a session; 0: 120 s

	// Mistakes: no confirmation of the speed, or a damaged one; a readout in place of going over to HDLC; the first request
	// is not heard without so many NULs in front of it.
	NoConfirmation, BrokenConfirmation, Readout bool
	Sleeps                                      int

	// Trace, if set, is told what happens: "request", "identification", "acknowledgement", "session", "end", "break",
	// "wrong speed".
	Trace func(event string)
}

const (
	signOnReaction = 200 * time.Millisecond
	signOnTimeout  = 3 * time.Second // between request and acknowledgement, and until the first frame
	simulatedIdent = "/SIM5\\2SIMULATED"
)

// ServeSignOn answers sign-ons on a line, and after each as the meter that cfg
// and objects make, until the client disconnects. It returns when conn ends or
// ctx does.
func ServeSignOn(ctx context.Context, conn net.Conn, cfg Config, objects Objects, s SignOn) error {
	if s.Identification == "" {
		s.Identification = simulatedIdent
	}
	if s.Inactivity == 0 {
		s.Inactivity = DefaultHDLCInactivity
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	cfg.Framing = FramingHDLC
	m := &signOnMeter{SignOn: s, conn: conn, meter: NewMeter(cfg, objects)}
	for baud := s.Session; ; baud = 0 {
		if baud == 0 {
			var err error
			if baud, err = m.signOn(); err != nil {
				return m.ended(ctx, err)
			}
		}
		if err := m.session(ctx, baud); err != nil {
			return m.ended(ctx, err)
		}
	}
}

func (m *signOnMeter) ended(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}

type signOnMeter struct {
	SignOn
	conn  net.Conn
	meter *Meter
	awake bool
	nuls  int
}

func (m *signOnMeter) trace(event string) {
	if m.Trace != nil {
		m.Trace(event)
	}
}

func (m *signOnMeter) set(baud, dataBits int) error {
	if m.Switch == nil {
		return nil
	}
	return m.Switch(baud, dataBits)
}

// read reads octets that come as the meter has its line set; nil if they do not.
func (m *signOnMeter) read(until time.Time, baud, dataBits int) ([]byte, error) {
	if err := m.conn.SetReadDeadline(until); err != nil {
		return nil, err
	}
	return m.get(baud, dataBits)
}

func (m *signOnMeter) get(baud, dataBits int) ([]byte, error) {
	var b [256]byte
	n, err := m.conn.Read(b[:])
	if n > 0 && !m.fits(baud, dataBits) {
		m.trace("wrong speed")
		return nil, nil
	}
	return b[:n], err
}

func (m *signOnMeter) fits(baud, dataBits int) bool {
	if m.Line == nil {
		return true
	}
	b, bits := m.Line()
	return b == baud && (bits == dataBits || m.Parity && dataBits == 7 && bits == 8)
}

// say sends a text.
func (m *signOnMeter) say(text string) error {
	b := []byte(text)
	if m.Parity {
		iec62056.SetParity(b)
	}
	_, err := m.conn.Write(b)
	return err
}

// signOn waits for a request and what follows it; baud is the speed agreed to.
func (m *signOnMeter) signOn() (baud int, err error) {
	if err := m.set(iec62056.InitialBaud, 7); err != nil {
		return 0, err
	}
	for {
		if err := m.request(); err != nil {
			return 0, err
		}
		m.trace("request")
		wait(signOnReaction)
		if err := m.say(m.Identification + "\r\n"); err != nil {
			return 0, err
		}
		m.trace("identification")
		z, err := m.acknowledgement()
		if err != nil {
			return 0, err
		}
		if z == 0 {
			continue
		}
		m.trace("acknowledgement")
		if m.Readout {
			wait(signOnReaction)
			if err := m.say("\x020-0:C.1.0(28742359)\r\n1-0:1.8.0(000012.3*kWh)\r\n!\r\n\x03$"); err != nil {
				return 0, err
			}
			continue
		}
		return iec62056.Speed(z), m.confirm(z)
	}
}

// request waits for /?...! CR LF with the address of the meter, or none.
func (m *signOnMeter) request() error {
	var text []byte
	for {
		b, err := m.read(time.Time{}, iec62056.InitialBaud, 7)
		if err != nil {
			return err
		}
		iec62056.StripParity(b)
		for _, c := range b {
			if c == 0 {
				m.nuls++
			}
		}
		m.awake = m.awake || m.nuls >= m.Sleeps
		text = append(text, b...)
		if bytes.Contains(text, iec62056.AppendBreak(nil)) {
			m.trace("break")
		}
		for {
			line, rest, ok := bytes.Cut(text, []byte("\r\n"))
			if !ok {
				break
			}
			text = rest
			_, address, ok := strings.Cut(string(line), "/?")
			address, _, ended := strings.Cut(address, "!")
			if ok && ended && m.awake && (address == "" || m.Address == "" || address == m.Address) {
				m.awake, m.nuls = false, 0
				return nil
			}
		}
		text = text[max(0, len(text)-iec62056.MaxAddress-8):]
	}
}

// acknowledgement waits for ACK 2 Z 2 CR LF; z is 0 if it does not come.
func (m *signOnMeter) acknowledgement() (z byte, err error) {
	var text []byte
	for until := time.Now().Add(signOnTimeout); ; {
		b, err := m.read(until, iec62056.InitialBaud, 7)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		iec62056.StripParity(b)
		text = append(text, b...)
		if i := bytes.IndexByte(text, iec62056.ACK); i >= 0 && len(text)-i >= 6 {
			if t := text[i : i+6]; bytes.Equal(t, iec62056.AppendModeE(nil, t[2])) && iec62056.Speed(t[2]) > 0 {
				return t[2], nil
			}
			return 0, nil
		}
	}
}

// confirm goes over to a speed and says so.
func (m *signOnMeter) confirm(z byte) error {
	wait(signOnReaction)
	if err := m.set(iec62056.Speed(z), 7); err != nil {
		return err
	}
	text := string(iec62056.AppendModeE(nil, z))
	switch {
	case m.NoConfirmation:
		return nil
	case m.BrokenConfirmation:
		text = "\x7f" + text[:3]
	}
	return m.say(text)
}

// session speaks HDLC until the client disconnects, or says nothing for long.
func (m *signOnMeter) session(ctx context.Context, baud int) error {
	if err := m.set(baud, 8); err != nil {
		return err
	}
	m.trace("session")
	c := &sessionConn{Conn: m.conn, m: m, baud: baud, ended: make(chan struct{})}
	err := m.meter.ServeConn(ctx, c)
	m.trace("end")
	if c.over.Load() && ctx.Err() == nil {
		return nil
	}
	if err == nil {
		err = io.EOF
	}
	return err
}

// sessionConn is the line during a session. It ends behind the answer to a DISC,
// with a break, and after the inactivity time.
type sessionConn struct {
	net.Conn
	m     *signOnMeter
	baud  int
	disc  atomic.Bool
	over  atomic.Bool
	ended chan struct{} // closed with over
}

func (c *sessionConn) Read(b []byte) (int, error) {
	for {
		if c.disc.Load() { // what comes from now on is for the next session
			<-c.ended
			return 0, io.EOF
		}
		if err := c.Conn.SetReadDeadline(time.Now().Add(c.m.Inactivity)); err != nil {
			return 0, err
		}
		if c.over.Load() { // not before: Close may have wanted to wake us
			return 0, io.EOF
		}
		got, err := c.m.get(c.baud, 8)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.end()
			return 0, io.EOF
		}
		if err != nil {
			return 0, err
		}
		text := bytes.Clone(got)
		iec62056.StripParity(text)
		if bytes.Contains(text, iec62056.AppendBreak(nil)) {
			c.m.trace("break")
			c.end()
			return 0, io.EOF
		}
		if f, _, err := hdlc.CutFrame(got); err == nil && f.Control.Kind() == hdlc.DISC {
			c.disc.Store(true)
		}
		if len(got) > 0 {
			return copy(b, got), nil
		}
	}
}

func (c *sessionConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if c.disc.Load() {
		c.end()
	}
	return n, err
}

func (c *sessionConn) end() {
	if c.over.CompareAndSwap(false, true) {
		close(c.ended)
	}
}

// Close leaves the line open: another session may follow.
func (c *sessionConn) Close() error {
	c.end()
	return c.Conn.SetReadDeadline(time.Unix(1, 0)) // wakes a Read under way
}

func (c *sessionConn) SetReadDeadline(time.Time) error { return nil } // the inactivity time is ours

func wait(d time.Duration) {
	t := time.NewTimer(d)
	<-t.C
}
