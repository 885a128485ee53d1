// Package record keeps the raw traffic of links in a text file, reads such files
// and plays the meter's side of them again.
//
// Passwords are in the traffic, and so in the file.
package record

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	header = "# telegraf-dlms record 1"
	stamp  = "2006-01-02T15:04:05.000000Z07:00"

	// MaxLine is the length of the longest line that a Recorder writes; what is longer becomes several lines.
	MaxLine   = 1 << 20
	maxOctets = 256 << 10
	maxText   = 1 << 10 // octets of an endpoint or a note
)

// Notes that a Recorder makes. There are others: of errors, and of how a serial
// port is set.
const (
	Opened = "opened"
	Closed = "closed"
	HungUp = "closed by the other side"
)

// Line is a line of a record: what was sent to the meter, what was received from
// it, or a note.
type Line struct {
	Time           time.Time
	Endpoint       string
	Sent, Received bool
	Octets         []byte
	Note           string
}

func (l *Line) append(b []byte) []byte {
	b = l.Time.UTC().AppendFormat(b, stamp)
	b = append(b, ' ')
	b = append(b, strings.ReplaceAll(clean(l.Endpoint), " ", "%20")...)
	switch {
	case l.Sent:
		b = fmt.Appendf(b, " > %X\n", l.Octets)
	case l.Received:
		b = fmt.Appendf(b, " < %X\n", l.Octets)
	default:
		b = fmt.Appendf(b, " = %s\n", clean(l.Note))
	}
	return b
}

// clean leaves of a text what fits into a line and does no harm on a terminal.
func clean(s string) string {
	s = s[:min(len(s), maxText)]
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s))
}

// Transport is what a link goes over; it is dlms.Transport.
type Transport interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

// Port is a Transport whose characters can be set, by S: a serial port.
type Port[S any] interface {
	Transport
	Configure(s S, settle bool) error
	Switch(s S, delay time.Duration) error
}

// A Recorder writes a record. Several links may use it at once.
type Recorder struct {
	path string

	mu   sync.Mutex
	file io.WriteCloser // nil after Close
	line []byte
	err  error // the first; nothing is written after it
}

// Create begins a record in a new file, which only its owner may read. One that
// is there is left alone: it may be of a fault that does not come again, and
// others might be allowed to read it.
func Create(path string) (*Recorder, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the user names it
	switch {
	case errors.Is(err, os.ErrExist):
		return nil, fmt.Errorf("%s is there already, and a record needs a new file: choose another name, or remove it", path)
	case err != nil:
		return nil, fmt.Errorf("cannot create %s: %w", path, reason(err))
	}
	if _, err := io.WriteString(f, header+"\n"); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("cannot write to %s: %w", path, reason(err))
	}
	return &Recorder{path: path, file: f}, nil
}

// reason is the error without the path, which is told beside it.
func reason(err error) error {
	var e *os.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// Close ends the record. The error is the first of all that went wrong with the
// file since Create. Transports that are still open go on, without a record.
func (r *Recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	if r.err == nil && err != nil {
		return fmt.Errorf("the record %s may be incomplete: %w", r.path, reason(err))
	}
	return r.err
}

// Note writes an event of a link.
func (r *Recorder) Note(endpoint, text string) {
	r.Add(Line{Endpoint: endpoint, Note: text})
}

// Add writes a line with the time of now, at once: it is in the file if the
// process is killed.
func (r *Recorder) Add(l Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil || r.err != nil {
		return
	}
	l.Time = time.Now()
	r.line = l.append(r.line[:0])
	if _, err := r.file.Write(r.line); err != nil {
		// A torn line is for the end of a file only, and a record with gaps misleads: it ends here.
		r.err = fmt.Errorf("the record %s ends at %s: %w", r.path, l.Time.UTC().Format(stamp), reason(err))
	}
}

// Wrap returns t with its traffic recorded from now on. It is for transports that
// have no other methods; see [WrapPort].
func (r *Recorder) Wrap(t Transport, endpoint string) Transport {
	r.Note(endpoint, Opened)
	return &link{t, r, endpoint}
}

// WrapPort is Wrap for a serial port: the result is one, too.
func WrapPort[S any](r *Recorder, p Port[S], endpoint string) Port[S] {
	return &port[S]{r.Wrap(p, endpoint), p, r, endpoint}
}

// link is a Transport that is recorded.
type link struct {
	Transport
	r        *Recorder
	endpoint string
}

func (l *link) Read(b []byte) (int, error) {
	n, err := l.Transport.Read(b)
	for part := range slices.Chunk(b[:max(n, 0)], maxOctets) {
		l.r.Add(Line{Endpoint: l.endpoint, Received: true, Octets: part})
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) { // silence is what the times tell
		l.failed("read", err)
	}
	return n, err
}

// Write records what has left when it has: then the time that the meter takes to
// answer does not contain that of a slow line.
func (l *link) Write(b []byte) (int, error) {
	n, err := l.Transport.Write(b)
	for part := range slices.Chunk(b[:max(n, 0)], maxOctets) {
		l.r.Add(Line{Endpoint: l.endpoint, Sent: true, Octets: part})
	}
	l.failed("write", err)
	return n, err
}

func (l *link) Close() error {
	l.r.Note(l.endpoint, Closed)
	return l.Transport.Close()
}

func (l *link) failed(what string, err error) {
	switch {
	case err == nil, errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrClosed), errors.Is(err, io.ErrClosedPipe): // closed by ourselves
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		l.r.Note(l.endpoint, HungUp)
	default:
		l.r.Note(l.endpoint, "error: "+what+": "+err.Error())
	}
}

// port is a Port that is recorded. It is a type of its own since only serial
// ports may have its methods: by them they are known.
type port[S any] struct {
	Transport
	p        Port[S]
	r        *Recorder
	endpoint string
}

func (p *port[S]) Configure(s S, settle bool) error {
	return p.set(s, p.p.Configure(s, settle))
}

func (p *port[S]) Switch(s S, delay time.Duration) error {
	return p.set(s, p.p.Switch(s, delay))
}

func (p *port[S]) set(s S, err error) error {
	text := fmt.Sprintf("port set to %+v", s)
	if err != nil {
		text = fmt.Sprintf("error: port not set to %+v: %v", s, err)
	}
	p.r.Note(p.endpoint, text)
	return err
}
