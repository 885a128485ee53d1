package dlms

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// Framing says how APDUs are carried.
type Framing uint8

// The framings.
const (
	HDLC    Framing = 1 // IEC 62056-46: serial lines, and TCP gateways in front of them
	Wrapper Framing = 2 // IEC 62056-47: TCP and UDP, port 4059
)

var framingNames = [...]string{HDLC: "HDLC", Wrapper: "wrapper", MBus: "M-Bus", Bare: "no frame", Text: "text"}

// String is the framing's name.
func (f Framing) String() string {
	if int(f) < len(framingNames) && framingNames[f] != "" {
		return framingNames[f]
	}
	return fmt.Sprintf("unknown(%#02x)", uint8(f))
}

// ConnConfig says where the meter is on its link and how patient we are. Zero
// values are the defaults given; addresses have none.
type ConnConfig struct {
	Framing Framing // required

	// ClientAddress is our own address, the client SAP: 1 to 127 with HDLC, 1 to 65535 with the wrapper. 16 is the public client.
	ClientAddress uint16
	// LogicalAddress is the logical device in the meter, the server SAP; 1 is the management logical device.
	LogicalAddress uint16
	// PhysicalAddress is the physical device on the line; 0: none. The wrapper has no such thing and ignores it.
	PhysicalAddress uint16
	// AddressSize is the number of octets of the meter's HDLC address: 1, 2 or 4. 0: 1 without a physical address, 2 if
	// both addresses fit 127, else 4. Another size is never tried.
	AddressSize int

	// Datagram says that each read of the transport returns one datagram, and that nothing repeats a lost one: the
	// identical request is repeated on silence. Wrapper only.
	Datagram bool

	ReplyTimeout      time.Duration // until the first octet of an answer; 0: 5 s
	InterOctetTimeout time.Duration // between two octets of a frame; 0: 500 ms
	MinInterval       time.Duration // pause between the end of what was received or sent last and the next message
	Retries           int           // attempts to recover from silence, per message; 0: 2, < 0: none

	MaxInfo   int // octets of information per HDLC frame that we propose, 32 to 2030; 0: 512
	Window    int // HDLC frames that the meter may send before we acknowledge, 1 to 7; 0: 1
	MaxAPDU   int // octets of an APDU, also of one joined from blocks or segments; a row in GetRows; 0: 1 MiB
	MaxDepth  int // arrays and structures nested in each other, 1 to 32; 0: 32
	MaxBlocks int // blocks of one answer; 0: 65535

	SNRM            SNRMForm // the form of SNRM, whatever is answered; 0: what works
	ListMax         int      // attributes in a GET with a list, at most 127; 0: as many as fit
	SegmentRequests bool     // requests too long for one HDLC frame go out in segments, as else only the AARQ may

	Gateway *xdlms.Gateway // of a device behind a gateway, whose addresses are those above; nil: the meter itself

	Learned Learned // what a Conn of before has found out
}

const (
	defaultReplyTimeout      = 5 * time.Second
	defaultInterOctetTimeout = 500 * time.Millisecond
	defaultRetries           = 2
	defaultMaxInfo           = 512
	defaultWindow            = 1
	defaultMaxAPDU           = 1 << 20
	defaultMaxBlocks         = 65535
)

// withDefaults checks the values and fills in those that are 0.
func (cfg ConnConfig) withDefaults() (ConnConfig, error) {
	checks := []struct {
		name         string
		value        int64
		low, high    int64
		zero         bool // 0 stands for the default
		onlyIfHDLC   bool
		isDurationNS bool
	}{
		{name: "client address", value: int64(cfg.ClientAddress), low: 1, high: 127, onlyIfHDLC: true},
		{name: "client address", value: int64(cfg.ClientAddress), low: 1, high: 65535},
		{name: "logical address", value: int64(cfg.LogicalAddress), low: 1, high: 65535},
		{name: "address size", value: int64(cfg.AddressSize), low: 1, high: 4, zero: true, onlyIfHDLC: true},
		{name: "max info", value: int64(cfg.MaxInfo), low: 32, high: 2030, zero: true, onlyIfHDLC: true},
		{name: "window", value: int64(cfg.Window), low: 1, high: 7, zero: true, onlyIfHDLC: true},
		{name: "max depth", value: int64(cfg.MaxDepth), low: 1, high: axdr.MaxDepth, zero: true},
		{name: "list max", value: int64(cfg.ListMax), low: 1, high: listMost, zero: true},
		{name: "max APDU", value: int64(cfg.MaxAPDU), low: 32, high: 1 << 30, zero: true},
		{name: "max blocks", value: int64(cfg.MaxBlocks), low: 1, high: 1 << 31, zero: true},
		{name: "reply timeout", value: int64(cfg.ReplyTimeout), low: 1, high: int64(24 * time.Hour), zero: true, isDurationNS: true},
		{name: "inter-octet timeout", value: int64(cfg.InterOctetTimeout), low: 1, high: int64(time.Hour), zero: true, isDurationNS: true},
		{name: "min interval", value: int64(cfg.MinInterval), low: 0, high: int64(24 * time.Hour), isDurationNS: true},
		{name: "retries", value: int64(cfg.Retries), low: -1 << 31, high: 1000},
	}
	if cfg.Framing != HDLC && cfg.Framing != Wrapper {
		return cfg, fmt.Errorf("framing %s: expected HDLC or wrapper", cfg.Framing)
	}
	for _, c := range checks {
		if c.onlyIfHDLC && cfg.Framing != HDLC || c.zero && c.value == 0 || c.value >= c.low && c.value <= c.high {
			continue
		}
		if c.isDurationNS {
			return cfg, fmt.Errorf("%s %s is out of range (%s to %s)", c.name, time.Duration(c.value), time.Duration(c.low), time.Duration(c.high))
		}
		return cfg, fmt.Errorf("%s %d is out of range (%d to %d)", c.name, c.value, c.low, c.high)
	}
	if cfg.Datagram && cfg.Framing != Wrapper {
		return cfg, errors.New("HDLC does not go over datagrams: the wrapper does")
	}
	setDefault(&cfg.ReplyTimeout, defaultReplyTimeout)
	setDefault(&cfg.InterOctetTimeout, defaultInterOctetTimeout)
	setDefault(&cfg.Retries, defaultRetries)
	setDefault(&cfg.MaxInfo, defaultMaxInfo)
	setDefault(&cfg.Window, defaultWindow)
	setDefault(&cfg.MaxAPDU, defaultMaxAPDU)
	setDefault(&cfg.MaxDepth, axdr.MaxDepth)
	setDefault(&cfg.MaxBlocks, defaultMaxBlocks)
	cfg.Retries = max(cfg.Retries, 0)
	return cfg, nil
}

func setDefault[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// Stats counts what went over the link of a Conn since NewConn.
type Stats struct {
	RoundTrips  int   // messages of ours after which something other than their echo came: turns, as a proxy in between counts them
	Retries     int   // attempts to recover from silence
	FrameErrors int   // HDLC frames dropped: check sequence, length or format; wrapper: datagrams that do not parse
	Dropped     int   // whole messages that were not for us or not awaited: late answers, notifications, other stations' frames
	TxBytes     int64 // octets written
	RxBytes     int64 // octets read
}

// A Conn is one link to one meter. It belongs to one goroutine.
type Conn struct {
	t    Transport
	cfg  ConnConfig
	link link
	hdlc *hdlcLink // the link, or what is below it; nil with the wrapper

	rx       []byte    // receive buffer; unread octets are rx[r:w]. It grows to the largest message and is given up when small ones follow
	r, w     int       //
	small    int       // exchanges in a row that would have fitted a small buffer
	largest  int       // octets of the largest of them
	tx       []byte    // the frame being sent
	lastRead time.Time // when the last octets came

	lastActive time.Time // when the last octets came or went, for MinInterval
	turn       bool      // a message of ours has not been answered yet
	facts      facts     // what was seen since the exchange began
	stats      Stats
	learned    Learned      // but for what the link knows
	unproven   bool         // the association was idle, and nothing was answered since
	invoke     uint8        // last invoke id used
	broken     error        // why the transport cannot be used any more
	current    *Association // the one that may use the link
}

// link carries APDUs in one of the framings.
type link interface {
	// connect opens the link; nothing to do on the wrapper.
	connect(ctx context.Context) error
	// exchange sends one APDU and returns the answer that e wants, valid until the next call.
	exchange(ctx context.Context, op operation, apdu []byte, e expectation) ([]byte, error)
	// more returns the next APDU that e wants and sends none, valid until the next call: the meter streams.
	more(ctx context.Context, op operation, e expectation) ([]byte, error)
	// disconnect closes the link if it is open: best effort, one attempt if quick.
	disconnect(ctx context.Context, quick bool) error
	// room is the number of octets that a request may have to travel in one piece.
	room() int
	// open reports whether exchange can be called.
	open() bool
}

// NewConn prepares a link over t, which it owns from now on; nothing is sent
// yet. The error names the value that is wrong and its range.
func NewConn(t Transport, cfg ConnConfig) (*Conn, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Conn{t: t, cfg: cfg, learned: cfg.Learned}
	c.link = &wrapperLink{c: c}
	if cfg.Framing == HDLC {
		if c.hdlc, err = newHDLCLink(c); err != nil {
			return nil, err
		}
		c.link = c.hdlc
	}
	if cfg.Gateway != nil {
		if c.link, err = newGatewayLink(c.link, *cfg.Gateway); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Stats returns the counts since NewConn.
func (c *Conn) Stats() Stats { return c.stats }

// Negotiated returns the sizes and windows of the HDLC frames that the meter has
// agreed to (clause 8.4.5.3.2); ok is false without an open HDLC link.
func (c *Conn) Negotiated() (p hdlc.Parameters, ok bool) {
	if c.hdlc == nil || !c.hdlc.connected {
		return p, false
	}
	return c.hdlc.state.Negotiated(), true
}

// Close closes the transport. It sends nothing: [Association.Release] ends an
// association politely.
func (c *Conn) Close() error {
	if c.broken == nil {
		c.broken = errClosed
	}
	c.current = nil
	return c.t.Close()
}

var errClosed = errors.New("the Conn is closed")

// nextInvoke returns the next invoke id, 0 to 15 in rotation, so that the late
// answer of a request that was given up is not taken for that of the next.
func (c *Conn) nextInvoke() uint8 {
	c.invoke = (c.invoke + 1) & 0x0F
	return c.invoke
}

const (
	smallBuffer  = 4096 // octets a Conn keeps in each buffer for good
	smallStreak  = 16   // exchanges after which a larger one is given up
	datagramRoom = 2048 // what a datagram is expected to fit, until one does not
)

// begin starts an exchange: the facts are new, and buffers that only an answer
// long ago needed are given up.
func (c *Conn) begin() {
	c.largest = max(c.largest, c.facts.received)
	c.facts = facts{}
	c.turn = false
	if len(c.rx) <= smallBuffer {
		return
	}
	if c.largest > smallBuffer/2 {
		c.small, c.largest = 0, 0
		return
	}
	if c.small++; c.small >= smallStreak && c.w-c.r <= smallBuffer {
		c.small = 0
		c.rx = append(make([]byte, 0, smallBuffer), c.unread()...)[:smallBuffer]
		c.r, c.w = 0, c.w-c.r
	}
}

// answered counts the turn that a message of the meter ends.
func (c *Conn) answered() {
	if c.turn {
		c.turn = false
		c.stats.RoundTrips++
	}
}

// timeout tells what was seen in place of an answer.
func (c *Conn) timeout(op operation, began time.Time, cause error) *TimeoutError {
	e := &TimeoutError{
		Op:          op.String(),
		After:       time.Since(began),
		Received:    c.facts.received,
		FrameErrors: c.facts.broken,
		Echo:        c.facts.onlyEcho(),
		Err:         cause,
	}
	if c.facts.messages == 0 && c.facts.echoes == 0 {
		e.Noise = append([]byte(nil), c.facts.first()...)
	}
	return e
}

// failure words an error of the context or the transport: the end of a time
// limit is a timeout with its facts, all else is not.
func (c *Conn) failure(op operation, began time.Time, err error) error {
	var framing *FramingError
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return c.timeout(op, began, err)
	case errors.As(err, &framing):
		return err
	default:
		return fmt.Errorf("%s: %w", op, err)
	}
}
