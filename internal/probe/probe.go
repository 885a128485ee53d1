// Package probe finds out how a meter wants to be spoken to: the framing or the
// speed of the line, the addresses, the clients, the authentication. It says
// what it tries and what came of it. It sends no password but the one given, and
// that once.
package probe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// Config is what is known before. The zero value of a field is: not known.
type Config struct {
	// Dial opens the connection, or the port.
	Dial func(ctx context.Context) (dlms.Transport, error)
	// Line makes a Line of an opened port; nil on networks.
	Line func(t dlms.Transport) dlms.Line

	Network string   // "tcp", "udp" or "file"
	Port    string   // of a network: 4059 speaks for the wrapper
	Framing string   // "hdlc" or "wrapper"
	Bauds   []int    // speeds of a serial line
	Parity  string   // of a serial line: "none" or "even"
	Modes   []string // "dlms", "dlms-iec"
	SignOn  dlms.SignOn

	Physical    []uint16
	Logical     uint16
	AddressSize int
	Client      uint16
	Gateway     *xdlms.Gateway // of a device behind one
	ShortNames  *bool
	Password    []byte // of low-level security

	ReplyTimeout time.Duration // 0: 1.5 s, and what a slow line needs
}

// Note is a step: what was tried, and what came of it.
type Note struct {
	Tried string
	Found string // empty if Err tells
	Err   error
}

// Way is how the octets go.
type Way struct {
	Framing dlms.Framing
	Baud    int    // of a serial line
	Even    bool   // characters have an even parity bit
	Mode    string // "dlms" or "dlms-iec"
}

func (w Way) String() string {
	s := w.Framing.String()
	switch {
	case w.Mode == modeIEC:
		s += " after a sign-on at 300 baud (IEC 62056-21)"
	case w.Even:
		s += fmt.Sprintf(" at %d baud 8E1", w.Baud)
	case w.Baud > 0:
		s += fmt.Sprintf(" at %d baud 8N1", w.Baud)
	default:
	}
	return s
}

// Address is where the meter is on its line.
type Address struct {
	Physical, Logical uint16
	Size              int // 0: by the addresses
}

func (a Address) String() string {
	s := fmt.Sprintf("logical address %d", a.Logical)
	if a.Physical > 0 {
		s += fmt.Sprintf(", physical address %d", a.Physical)
	}
	if a.Size > 0 {
		s += fmt.Sprintf(", address of %d", a.Size)
	}
	return s
}

// Access is what a client may do.
type Access uint8

// The kinds of access.
const (
	Unknown  Access = iota
	Open            // it reads without a password
	Low             // it reads with a password
	Password        // it wants one
	High            // it wants high-level security
	Ciphered        // it wants ciphered messages
)

// Client is a client of the meter.
type Client struct {
	Address uint16
	Access  Access
}

// Result is what was found.
type Result struct {
	Way        Way
	Address    Address
	ShortNames bool
	Clients    []Client
	Best       Client // that can read; Access 0: none

	MaxPDU      int
	Conformance xdlms.Conformance
	MaxInfo     int // octets of an HDLC information field
	Window      int

	Name     string // logical device name
	Serial   string
	Firmware string
	Devices  []string // logical devices: "1 SIM10203040"
}

const (
	modeDLMS = "dlms"
	modeIEC  = "dlms-iec"

	replyTimeout = 1500 * time.Millisecond
	slowReply    = 5 * time.Second // below 2,400 baud

	publicClient = 16
	lowClient    = 32
)

// ErrNobody says that nothing that was tried was answered as by a meter.
var ErrNobody = errors.New("no meter was found")

// Run probes until something is found or ctx ends. say is called for each step.
// With ErrNobody the notes tell what was seen; with another error the result
// holds what was found before.
func Run(ctx context.Context, cfg Config, say func(Note)) (Result, error) {
	if cfg.Logical == 0 {
		cfg.Logical = 1
	}
	p := &prober{cfg: cfg, say: say}
	defer p.hangUp()
	if cfg.ShortNames != nil {
		p.short = *cfg.ShortNames
	}
	if err := p.findLink(ctx); err != nil {
		return p.r, err
	}
	if err := p.findClients(ctx); err != nil {
		return p.r, err
	}
	if p.r.Best.Access == Unknown {
		return p.r, nil
	}
	return p.r, p.identify(ctx)
}

type prober struct {
	cfg   Config
	say   func(Note)
	r     Result
	short bool

	t    dlms.Transport // nil: closed
	conn *dlms.Conn
	used bool // the password was sent
}

func (p *prober) hangUp() {
	if p.t != nil {
		_ = p.t.Close()
		p.t, p.conn = nil, nil
	}
}

// patience is how long an answer may take.
func (p *prober) patience(w Way) time.Duration {
	switch {
	case p.cfg.ReplyTimeout > 0:
		return p.cfg.ReplyTimeout
	case w.Baud > 0 && w.Baud < 2400:
		return slowReply
	default:
		return replyTimeout
	}
}

// login is how to associate.
type login struct {
	client   uint16
	password []byte
	short    bool
	full     bool // with the usual proposals, and not the least that there is
}

// associate opens an association. Over HDLC it leaves the port open for the next.
func (p *prober) associate(ctx context.Context, w Way, a Address, how login) (*dlms.Association, error) {
	if p.t == nil {
		t, err := p.cfg.Dial(ctx)
		if err != nil {
			return nil, &DialError{err}
		}
		p.t = t
	}
	cfg := dlms.ConnConfig{
		Framing: w.Framing, ClientAddress: how.client, LogicalAddress: a.Logical, PhysicalAddress: a.Physical, AddressSize: a.Size,
		Datagram: p.cfg.Network == "udp", ReplyTimeout: p.patience(w), Retries: -1,
		Gateway: p.cfg.Gateway,
	}
	if !how.full {
		cfg.SNRM, cfg.MaxInfo = dlms.SNRMPlain, 128
	}
	if err := p.setLine(ctx, w, cfg); err != nil {
		return nil, err
	}
	conn, err := dlms.NewConn(p.t, cfg)
	if err != nil {
		return nil, err
	}
	p.conn = conn
	association := dlms.AssociationConfig{ShortNames: how.short}
	if how.password != nil {
		association.Mechanism, association.Password = acse.Low, how.password
	}
	as, err := p.open(ctx, conn, association, how.full, p.patience(w))
	if err != nil && (w.Framing != dlms.HDLC || lost(err)) {
		p.hangUp()
	}
	return as, err
}

// open associates. A search makes one attempt, and waits for no second.
func (p *prober) open(ctx context.Context, conn *dlms.Conn, how dlms.AssociationConfig, full bool, patience time.Duration) (*dlms.Association, error) {
	if full {
		return conn.Associate(ctx, how)
	}
	limited, cancel := context.WithTimeout(ctx, 2*patience+time.Second) // SNRM and AARQ
	defer cancel()
	as, err := conn.Associate(limited, how)
	var timeout *dlms.TimeoutError
	if errors.As(err, &timeout) && ctx.Err() == nil && errors.Is(timeout.Err, context.DeadlineExceeded) {
		timeout.Err = nil // it was ours
	}
	return as, err
}

// setLine sets the characters of a port, or signs on.
func (p *prober) setLine(ctx context.Context, w Way, cfg dlms.ConnConfig) error {
	if p.cfg.Line == nil && w.Mode != modeIEC {
		return nil
	}
	line := p.cfg.Line
	if line == nil {
		line = func(t dlms.Transport) dlms.Line { return fixed{t} }
	}
	if w.Mode != modeIEC {
		return line(p.t).Switch(dlms.Characters{Baud: w.Baud, DataBits: 8, Even: w.Even}, 0)
	}
	how := p.cfg.SignOn
	var err error
	if how.Disconnect, err = dlms.DisconnectFrame(cfg); err != nil {
		return err
	}
	signed, err := how.Run(ctx, line(p.t))
	if err == nil && p.r.Way.Baud != signed.Baud {
		p.say(Note{Tried: "sign-on", Found: fmt.Sprintf("%s goes over to HDLC at %d baud", signed.Identification, signed.Baud)})
		p.r.Way.Baud = signed.Baud
	}
	return err
}

// fixed is a line whose characters cannot be set.
type fixed struct{ dlms.Transport }

func (fixed) Switch(dlms.Characters, time.Duration) error { return nil }

// release ends an association.
func (p *prober) release(ctx context.Context, w Way, a *dlms.Association) {
	if err := a.Release(ctx); err != nil || w.Framing != dlms.HDLC || p.cfg.Network == "tcp" {
		p.hangUp()
	}
}

// A DialError says that there is no connection.
type DialError struct{ Err error }

func (e *DialError) Error() string { return e.Err.Error() }
func (e *DialError) Unwrap() error { return e.Err }
