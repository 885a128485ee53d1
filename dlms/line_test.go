package dlms

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// line is a Transport whose far side is a function: each message written is
// given to answer, which says what comes back, and when. It buffers, needs no
// goroutine, and lives in synctest bubbles.
type line struct {
	answer func(l *line, message []byte)

	mu       sync.Mutex
	queue    []said
	closed   bool
	deadline time.Time
	wake     chan struct{}
	sent     [][]byte // what the client wrote
	datagram bool
	writeErr error
}

type said struct {
	at time.Time
	b  []byte // nil: end of file
}

func newLine(answer func(l *line, message []byte)) *line {
	return &line{answer: answer, wake: make(chan struct{}, 1)}
}

// say has b arrive after a while. It is called from answer.
func (l *line) say(after time.Duration, b []byte) {
	at := time.Now().Add(after)
	if n := len(l.queue); n > 0 && l.queue[n-1].at.After(at) {
		at = l.queue[n-1].at
	}
	l.queue = append(l.queue, said{at: at, b: bytes.Clone(b)})
}

// hangUp ends the stream after a while.
func (l *line) hangUp(after time.Duration) {
	l.queue = append(l.queue, said{at: time.Now().Add(after)})
}

func (l *line) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, io.ErrClosedPipe
	}
	if l.writeErr != nil {
		return 0, l.writeErr
	}
	l.sent = append(l.sent, bytes.Clone(b))
	if l.answer != nil {
		l.answer(l, b)
	}
	return len(b), nil
}

func (l *line) Read(b []byte) (int, error) {
	for {
		l.mu.Lock()
		now := time.Now()
		if !l.deadline.IsZero() && !now.Before(l.deadline) {
			l.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		}
		var wait time.Duration = -1
		if len(l.queue) > 0 {
			head := &l.queue[0]
			if !now.Before(head.at) {
				if head.b == nil {
					l.mu.Unlock()
					return 0, io.EOF
				}
				n := copy(b, head.b)
				if head.b = head.b[n:]; len(head.b) == 0 || l.datagram {
					l.queue = l.queue[1:]
				}
				l.mu.Unlock()
				return n, nil
			}
			wait = head.at.Sub(now)
		}
		if !l.deadline.IsZero() && (wait < 0 || l.deadline.Sub(now) < wait) {
			wait = l.deadline.Sub(now)
		}
		l.mu.Unlock()
		if wait < 0 {
			<-l.wake
			continue
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-l.wake:
			t.Stop()
		}
	}
}

func (l *line) SetReadDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deadline = t
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return nil
}

func (l *line) SetWriteDeadline(time.Time) error { return nil }

func (l *line) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return nil
}

// hdlcMeter is a secondary station made by hand: just enough of one to be
// broken in any way a test wants. app answers APDUs; nil: silence.
type hdlcMeter struct {
	app    func(apdu []byte) []byte
	frame  func(m *hdlcMeter, l *line, f hdlc.Frame) bool // sees each frame first; true: it is dealt with
	ua     []byte                                         // information field of the UA
	delay  time.Duration
	vs, vr uint8
	last   []byte // the last I frame
	client hdlc.Address
	server hdlc.Address
}

func (m *hdlcMeter) answer(l *line, message []byte) {
	f, _, err := hdlc.CutFrame(message)
	if err != nil {
		return
	}
	m.client, m.server = f.Source, f.Destination
	if m.frame != nil && m.frame(m, l, f) {
		return
	}
	m.handle(l, f)
}

func (m *hdlcMeter) handle(l *line, f hdlc.Frame) {
	switch f.Control.Kind() {
	case hdlc.SNRM:
		m.vs, m.vr, m.last = 0, 0, nil
		l.say(m.delay, m.build(hdlc.Unnumbered(hdlc.UA, true), m.ua))
	case hdlc.DISC:
		l.say(m.delay, m.build(hdlc.Unnumbered(hdlc.UA, true), nil))
	case hdlc.I:
		if f.Control.NS() != m.vr {
			l.say(m.delay, m.last)
			return
		}
		m.vr = (m.vr + 1) % 8
		if f.Segmented {
			l.say(m.delay, m.rr())
			return
		}
		if apdu := m.app(bytes.Clone(f.Info[min(3, len(f.Info)):])); apdu != nil {
			l.say(m.delay, m.i(apdu))
		}
	case hdlc.RR:
		if m.last != nil && f.Control.NR() != m.vs {
			l.say(m.delay, m.last)
			return
		}
		l.say(m.delay, m.rr())
	default:
	}
}

func (m *hdlcMeter) build(c hdlc.Control, info []byte) []byte {
	b, err := hdlc.Frame{Destination: m.client, Source: m.server, Control: c, Info: info}.Append(nil)
	if err != nil {
		panic(err)
	}
	return b
}

func (m *hdlcMeter) rr() []byte { return m.build(hdlc.ReceiveReady(m.vr, true), nil) }

// i builds the next I frame.
func (m *hdlcMeter) i(apdu []byte) []byte {
	m.last = m.build(hdlc.Information(m.vs, m.vr, true), append([]byte{0xE6, 0xE7, 0}, apdu...))
	m.vs = (m.vs + 1) % 8
	return m.last
}

// wrapperMeter answers APDUs behind wrapper headers.
func wrapperMeter(app func(apdu []byte) []byte) func(l *line, message []byte) {
	return func(l *line, message []byte) {
		h, apdu, _, err := wrapper.Cut(message)
		if err != nil {
			return
		}
		if reply := app(apdu); reply != nil {
			l.say(0, wrapped(h, reply))
		}
	}
}

// wrapped puts an answer behind the header that answers h.
func wrapped(h wrapper.Header, apdu []byte) []byte {
	b, err := wrapper.Append(nil, h.Destination, h.Source, apdu)
	if err != nil {
		panic(err)
	}
	return b
}

const allServices = xdlms.Conformance(0x001E1D)

// aare is an accepting AARE.
func aare(conformance xdlms.Conformance, maxPDU uint16) []byte {
	initiate := xdlms.InitiateResponse{Version: 6, Conformance: conformance, MaxPDU: maxPDU, VAA: xdlms.VAANameLN}
	a := acse.AARE{
		Context: acse.LN, Diagnostic: acse.Diagnostic{Source: acse.ServiceUser},
		UserInformation: initiate.Append(nil), HasUserInformation: true,
	}
	b, err := a.Append(nil)
	if err != nil {
		panic(err)
	}
	return b
}

// meterApp accepts an association and answers GETs with get.
func meterApp(conformance xdlms.Conformance, maxPDU uint16, get func(q xdlms.GetRequest) []byte) func([]byte) []byte {
	return func(apdu []byte) []byte {
		switch xdlms.APDUTag(apdu[0]) {
		case xdlms.TagAARQ:
			return aare(conformance, maxPDU)
		case xdlms.TagRLRQ:
			return []byte{0x63, 0x03, 0x80, 0x01, 0x00}
		case xdlms.TagGetRequest:
			q, err := xdlms.ParseGetRequest(apdu)
			if err != nil {
				return []byte{0xD8, 2, 2}
			}
			return get(q)
		default:
			return []byte{0xD8, 2, 2}
		}
	}
}

// valueOf is what the meters of these tests hold: a number made of D and E of the logical name.
func valueOf(at cosem.Attribute) uint32 { return uint32(at.Instance[2])<<8 | uint32(at.Instance[4]) }

// values answers normal and list requests with valueOf.
func values(q xdlms.GetRequest) []byte {
	switch q.Type {
	case xdlms.GetNormal:
		return xdlms.AppendGetResponseNormal(nil, q.InvokeID, axdr.AppendDoubleLongUnsigned(nil, valueOf(q.Attributes[0])))
	case xdlms.GetWithList:
		b := xdlms.AppendGetResponseList(nil, q.InvokeID, len(q.Attributes))
		for _, at := range q.Attributes {
			b = xdlms.AppendGetResult(b, axdr.AppendDoubleLongUnsigned(nil, valueOf(at)), xdlms.Success)
		}
		return b
	default:
		return xdlms.AppendGetResponseError(nil, q.InvokeID, xdlms.NoLongGetInProgress)
	}
}

func register(c, e uint8) cosem.Attribute {
	return cosem.Attribute{Class: 3, Instance: [6]byte{1, 0, c, 8, e, 255}, ID: 2}
}

func registers(n int) []cosem.Attribute {
	ats := make([]cosem.Attribute, n)
	for i := range ats {
		ats[i] = register(uint8(i/10+1), uint8(i%10))
	}
	return ats
}

var (
	hdlcConfig    = ConnConfig{Framing: HDLC, ClientAddress: 16, LogicalAddress: 1}
	wrapperConfig = ConnConfig{Framing: Wrapper, ClientAddress: 16, LogicalAddress: 1}
)

// dialled is a Conn over l.
func dialled(t *testing.T, l *line, cfg ConnConfig) *Conn {
	t.Helper()
	c, err := NewConn(l, cfg)
	require.NoError(t, err)
	return c
}

// associated is an association over l.
func associated(t *testing.T, l *line, cfg ConnConfig) *Association {
	t.Helper()
	a, err := dialled(t, l, cfg).Associate(context.Background(), AssociationConfig{})
	require.NoError(t, err)
	return a
}

// requireValue reads at and expects valueOf of it.
func requireValue(t *testing.T, a *Association, at cosem.Attribute) {
	t.Helper()
	d, err := a.Get(context.Background(), at, nil)
	require.NoError(t, err)
	v, ok := d.Uint64()
	require.True(t, ok)
	require.Equal(t, uint64(valueOf(at)), v)
}

// unhex reads hex with blanks in it.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return b
}

// kinds lists the kinds of the frames that the client sent.
func (l *line) kinds() []string {
	var names []string
	for _, b := range l.sent {
		f, _, err := hdlc.CutFrame(b)
		if err != nil {
			names = append(names, "?")
			continue
		}
		names = append(names, f.Control.Kind().String())
	}
	return names
}

// mustHex is unhex for tables.
func mustHex(s string) []byte { return must(hex.DecodeString(strings.Join(strings.Fields(s), ""))) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
