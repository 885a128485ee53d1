package dlms_cosem

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
	"github.com/telegraf-dlms/telegraf-dlms/internal/control"
	"github.com/telegraf-dlms/telegraf-dlms/internal/state"
)

// counterAlarm is how many values are left when it is time for new keys.
const counterAlarm = 1 << 24

// implausibleCounter is a value that a public client is not believed: whoever
// could make us use it would have used up the counter.
const implausibleCounter = 0xF0000000

// askedBucket is where the state keeps which meters were asked for the counter
// of a key: each has its own lowest value.
const askedBucket = "asked"

// counterError is an invocation counter that could not be had.
type counterError struct{ err error }

func (e *counterError) Error() string { return "invocation counter: " + e.err.Error() }
func (e *counterError) Unwrap() error { return e.err }

// withheldError is why no counter is given out here: it is no fault of the
// meter's, which is not asked then.
type withheldError struct{ err error }

func (e *withheldError) Error() string { return e.err.Error() }
func (e *withheldError) Unwrap() error { return e.err }

// withheld is such an error of a counter, without its id.
func withheld(err error, id string) error {
	return &counterError{&withheldError{&namelessError{err, id}}}
}

// namelessError is an error of a counter for people, who do not know its id.
type namelessError struct {
	err error
	id  string
}

func (e *namelessError) Error() string {
	s := strings.ReplaceAll(e.err.Error(), " "+e.id, "")
	if rest, ok := strings.CutPrefix(s, "the invocation counter "); ok {
		return "it " + rest
	}
	return strings.TrimPrefix(s, "invocation counter: ")
}
func (e *namelessError) Unwrap() error { return e.err }

// armedCounter is the counter of a key in the hands of one association.
type armedCounter struct {
	keyCounter
	from counterState
	id   string
	used bool
	last uint32 // that it has used
}

// next is what the association takes its counters from.
func (c *armedCounter) next() (uint32, error) {
	n, err := c.Next()
	if err != nil {
		return 0, &withheldError{&namelessError{err, c.id}}
	}
	c.used, c.last = true, n
	return n, nil
}

// counterID names a counter: it belongs to our title and the key, whichever
// meters and clients have that key (NIST SP 800-38D, 8: all of them together use
// a value once).
func counterID(title []byte, login *dlms.AssociationConfig) string {
	print := sha256.Sum256(login.Security.Keys.EncryptionKey)
	return titleText(title) + " " + hex.EncodeToString(print[:8])
}

// lender returns the running instance which has the counter of a login's key;
// nil: none has it.
func (d *DLMS) lender(login *dlms.AssociationConfig) (counterState, error) {
	dir, err := state.Dir(d.StateDir)
	if err != nil {
		return nil, err
	}
	for _, name := range control.Running(dir) {
		from := newLentState(dir, name)
		title := login.Title
		if title == nil {
			its, err := from.Title()
			if err != nil {
				d.Log.Debugf("The instance %s is not asked for invocation counters: %v", name, err)
				continue
			}
			title = its[:]
		}
		counter, err := from.Counter(counterID(title, login))
		var gone *control.NotRunningError
		switch {
		case errors.As(err, &gone): // its socket is left from one that was killed
		case err != nil && login.Title != nil: // that title may be its own: what is sent with it already cannot be known
			return nil, err
		case err == nil && counter.Known():
			return from, nil
		default:
		}
	}
	return nil, nil
}

// counter returns the counter of a login's key, from wherever it is kept, and
// fills in our title.
func (s *session) counter(login *dlms.AssociationConfig) (*armedCounter, error) {
	d := s.l.d
	from, err := counterState(nil), error(nil)
	keyed := login.Security != nil && len(login.Security.Keys.EncryptionKey) > 0 // signatures count nothing
	if d.Borrow && keyed {
		from, err = d.lender(login)
	}
	if err == nil && from == nil {
		from, err = d.counters.get()
	}
	if err == nil && login.Title == nil {
		var title [8]byte
		if title, err = from.Title(); err == nil {
			login.Title = title[:]
		}
	}
	if err != nil {
		d.counters.forget(from)
		return nil, &counterError{&withheldError{err}}
	}
	if login.Security != nil {
		login.Security.Title = login.Title
	}
	if !keyed {
		return nil, nil
	}
	c := &armedCounter{from: from, id: counterID(login.Title, login)}
	if c.keyCounter, err = from.Counter(c.id); err == nil && s.r.protection.start != nil {
		err = c.Raise(*s.r.protection.start)
	}
	if err == nil {
		err = c.Ready()
	}
	if err != nil {
		d.counters.forget(from)
		return nil, withheld(err, c.id)
	}
	return c, nil
}

// arm gives an association the title and the invocation counter that are kept
// for its key. What the meter expects is read from it the first time, as the
// public client over a connection of its own.
func (s *session) arm(ctx context.Context, login *dlms.AssociationConfig) error {
	p := s.r.protection
	if p == nil {
		return nil
	}
	counter, err := s.counter(login)
	if err != nil || counter == nil {
		return err
	}
	s.armed = counter
	if p.start == nil {
		if err := s.askFirst(ctx); err != nil {
			return err
		}
	}
	if left := counter.Left(); left < counterAlarm {
		if _, told := s.l.d.alarmed.LoadOrStore(counter.id, true); !told {
			s.l.d.Log.Warnf("%s: The invocation counter is nearly used up: %d values are left; the meter needs new keys", s.r.where(s.st.device), left)
		}
	}
	login.Security.Counter = s.armed.next
	return nil
}

// askFirst reads from a meter that was never asked, as this client, what its
// counter has to be above. If it is known from another meter with the same key a
// meter that does not tell is tried with that.
func (s *session) askFirst(ctx context.Context) error {
	key := strings.Join([]string{s.armed.id, strconv.Itoa(int(s.r.client)), s.l.endpoint.network, s.r.memoryKey(s.st.device)}, " ")
	known, m := s.armed.Known(), s.memory()
	if known && (m.asked[key] || s.armed.from.Asked(key)) {
		return nil
	}
	start, err := s.firstCounter(ctx)
	var connect *connectError
	switch {
	case err == nil:
		if err := s.armed.Raise(start); err != nil {
			return withheld(err, s.armed.id)
		}
		err = s.armed.from.Note(key)
	case !known:
		return &counterError{err}
	case errors.As(err, &connect):
		return connect
	case ctx.Err() != nil:
		return err
	default:
	}
	if err != nil {
		s.l.d.Log.Debugf("%s: Invocation counter: %v", s.r.where(s.st.device), err)
	}
	if m.asked == nil {
		m.asked = map[string]bool{}
	}
	m.asked[key] = true
	return nil
}

// raise follows a meter that has refused a login because it wants a higher
// counter, or because it cannot open it, which some say of a counter too: once
// in a run. It reports whether another attempt is worth it.
func (s *session) raise(ctx context.Context, err error) bool {
	wanted, low := tooLow(err)
	unclear := cannotDecipher(err)
	if !low && !unclear || s.armed == nil || !s.armed.used || s.raised || ctx.Err() != nil {
		return false
	}
	s.raised = true
	if wanted == 0 {
		last, err := s.readCounter(ctx)
		if err != nil || unclear && last < s.armed.last {
			return false
		}
		wanted = max(last, last+1)
	}
	if wanted >= implausibleCounter {
		s.l.d.Log.Warnf("%s: The meter wants an invocation counter of %d, without proving that it is the meter: this is not followed; if it is so, set invocation_counter", s.r.where(s.st.device), wanted)
		return false
	}
	s.l.d.Log.Warnf("%s: The meter wants an invocation counter of at least %d: it is raised", s.r.where(s.st.device), wanted)
	return s.armed.Raise(wanted) == nil
}

// firstCounter is where the meter has the counter begin.
func (s *session) firstCounter(ctx context.Context) (uint32, error) {
	last, err := s.readCounter(ctx)
	switch {
	case err != nil:
		return 0, fmt.Errorf("it could not be read from the meter (%s as client %d): %w; if it cannot be read there, set invocation_counter, or invocation_counter_obis", s.r.protection.object, publicClient, err)
	case last >= implausibleCounter:
		return 0, fmt.Errorf("the meter says that %d was the last one, to a client that is not authenticated: this is not believed; if it is so, set invocation_counter", last)
	default:
		return last + 1, nil
	}
}

// readCounter reads the counter that the meter has accepted last.
func (s *session) readCounter(ctx context.Context) (uint32, error) {
	t, _, err := s.connect(ctx)
	if err != nil {
		return 0, err
	}
	if port, ok := t.(line); ok {
		if err := port.Configure(s.characters(), s.l.unsettled); err != nil {
			_ = t.Close()
			return 0, err
		}
	}
	cfg := s.r.connConfig(s.st.device, s.memory())
	cfg.ClientAddress = publicClient
	if err := s.askForHDLC(ctx, t, cfg); err != nil {
		_ = t.Close()
		return 0, err
	}
	c, err := dlms.NewConn(t, cfg)
	if err != nil {
		_ = t.Close()
		return 0, err
	}
	defer func() { _ = c.Close() }()
	as, err := c.Associate(ctx, dlms.AssociationConfig{ShortNames: s.r.association.short})
	if err != nil {
		return 0, err
	}
	defer func() { _ = as.Release(ctx) }()
	if s.r.association.short {
		names, err := as.ReadNames(ctx)
		if err != nil {
			return 0, &namesError{err}
		}
		as.SetNames(names)
	}
	d, err := as.Get(ctx, cosem.Attribute{Class: cosem.Data, Instance: s.r.protection.object, ID: 2}, nil)
	if err != nil {
		return 0, err
	}
	v, ok := d.Uint64()
	if !ok || v > math.MaxUint32 {
		return 0, fmt.Errorf("it is %s, a number of 32 bits was expected", shorten(d.String(), 80))
	}
	return uint32(v), nil
}

// tooLow returns the counter that the meter wants, if that is why it has refused
// an APDU.
func tooLow(err error) (wanted uint32, ok bool) {
	var exception *dlms.ExceptionError
	if !errors.As(err, &exception) || exception.Response.Service != xdlms.InvocationCounterError {
		return 0, false
	}
	return exception.Response.InvocationCounter, true
}

// cannotDecipher reports whether the meter says that it cannot open what it has
// got: the keys are wrong, or the counter is too low for it.
func cannotDecipher(err error) bool {
	var exception *dlms.ExceptionError
	var reject *dlms.RejectError
	switch {
	case errors.As(err, &exception):
		return exception.Response.Service == xdlms.DecipheringError
	case errors.As(err, &reject) && reject.ServiceError != nil:
		return reject.ServiceError.Class == xdlms.ClassApplicationReference && reject.ServiceError.Code == decipheringError
	default:
		return false
	}
}
