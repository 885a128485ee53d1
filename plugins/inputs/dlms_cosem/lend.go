package dlms_cosem

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/internal/control"
	"github.com/telegraf-dlms/telegraf-dlms/internal/state"
)

// CounterCommand is what another command calls a running instance with, to get
// an invocation counter of it, over package control. Its arguments are a verb
// and what Lend takes with it.
const CounterCommand = "counter"

// The verbs of CounterCommand.
const (
	verbTitle = "title" // our system title
	verbLook  = "look"  // ID: whether the counter is known, and how many values are left
	verbReady = "ready" // ID: whether a value can be had
	verbNext  = "next"  // ID: a value
	verbRaise = "raise" // ID N: no value below N from now on
	verbAsked = "asked" // KEY: whether that meter was asked for its counter
	verbNote  = "note"  // KEY: it was
)

// What is answered where a number is not.
const (
	sayKnown     = "known"
	sayUnknown   = "unknown"
	sayExhausted = "exhausted"
	sayYes       = "yes"
)

// lendable are the ids of counters: a system title and the print of a key. There
// is no secret in them.
var lendable = regexp.MustCompile(`^[0-9A-F]{16} [0-9a-f]{16}$`)

// LendsCounters reports whether there is a request that ciphers, so that other
// commands may need an invocation counter of this instance.
func (d *DLMS) LendsCounters() bool {
	for _, r := range d.requests {
		if r.enabled && r.protection != nil {
			return true
		}
	}
	return false
}

// Lend answers a CounterCommand of another process from the state that this
// instance has open. Values are lent one by one, when they are about to be sent:
// a meter takes only what is above all that it has seen, so that of two who have
// a block each the one with the lower block would be refused. A value is durable
// here before it is told. It may be called between Init and the end, by several
// goroutines at once.
func (d *DLMS) Lend(args []string) (string, error) {
	own, err := d.counters.lender()
	switch {
	case err != nil:
		return "", err
	case len(args) == 0:
		return "", errors.New("a verb is expected")
	}
	verb, args := args[0], args[1:]
	wanted := map[string]int{verbTitle: 0, verbLook: 1, verbReady: 1, verbNext: 1, verbRaise: 2, verbAsked: 1, verbNote: 1}
	if n, known := wanted[verb]; !known || n != len(args) {
		return "", fmt.Errorf("counter %s with %s is not known: the running instance may be of another version", cleanText(verb), counted(len(args), "argument"))
	}
	switch verb {
	case verbTitle:
		title, err := own.Title()
		return hex.EncodeToString(title[:]), err
	case verbAsked:
		if own.Asked(args[0]) {
			return sayYes, nil
		}
		return "no", nil
	case verbNote:
		return "", own.Note(args[0])
	default:
		if !lendable.MatchString(args[0]) {
			return "", errors.New("that is no id of an invocation counter")
		}
		return lendValue(own, verb, args[0], strings.Join(args[1:], " "))
	}
}

// lendValue answers what is asked of one counter.
func lendValue(own ownState, verb, id, value string) (text string, err error) {
	c, err := own.Counter(id)
	if err != nil {
		return "", err
	}
	switch verb {
	case verbLook:
		text = sayUnknown
		if c.Known() {
			text = sayKnown
		}
		return text + " " + strconv.FormatUint(uint64(c.Left()), 10), nil
	case verbReady:
		err = c.Ready()
	case verbRaise:
		var n uint64
		if n, err = strconv.ParseUint(value, 10, 32); err != nil {
			return "", errors.New("a number of 32 bits is expected")
		}
		err = c.Raise(uint32(n))
	default:
		var n uint32
		if n, err = c.Next(); err == nil {
			text = strconv.FormatUint(uint64(n), 10)
		}
	}
	var exhausted *state.ExhaustedError
	if errors.As(err, &exhausted) {
		return sayExhausted, nil
	}
	return text, err
}

// lentState is the state of a running instance, as far as invocation counters
// go: it has the file.
type lentState struct {
	dir, name string
	calls     *sync.Mutex // it answers a few at once, and refuses others
}

func newLentState(dir, name string) *lentState {
	return &lentState{dir, name, &sync.Mutex{}}
}

// call asks the instance. What it answers comes within a few seconds, or not at
// all: the run that waits for it does not end it earlier.
func (s *lentState) call(args ...string) (string, error) {
	s.calls.Lock()
	defer s.calls.Unlock()
	text, err := control.Call(context.Background(), s.dir, s.name, CounterCommand, args...)
	if err != nil {
		return "", &lenderError{err}
	}
	return text, nil
}

// lenderError is a running instance that does not lend its counters.
type lenderError struct{ err error }

func (e *lenderError) Error() string {
	return "the counters of its keys are with the running instance that has the state: " + e.err.Error()
}
func (e *lenderError) Unwrap() error { return e.err }

func (s *lentState) Title() (title [8]byte, err error) {
	text, err := s.call(verbTitle)
	if err != nil {
		return title, err
	}
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(title) {
		return title, s.strange()
	}
	return [8]byte(b), nil
}

func (s *lentState) strange() error {
	return &lenderError{errors.New("what it answers is not understood: it may be of another version")}
}

func (s *lentState) Counter(id string) (keyCounter, error) {
	c := &lentCounter{state: s, id: id}
	return c, c.look()
}

func (s *lentState) Asked(key string) bool {
	text, err := s.call(verbAsked, key)
	return err == nil && text == sayYes
}

func (s *lentState) Note(key string) error {
	_, err := s.call(verbNote, key)
	return err
}

// lentCounter is a counter of the running instance. It is in the hands of one
// session.
type lentCounter struct {
	state *lentState
	id    string
	known bool
	left  uint32
}

func (c *lentCounter) call(verb string, args ...string) (string, error) {
	text, err := c.state.call(append([]string{verb, c.id}, args...)...)
	if err == nil && text == sayExhausted {
		err = &state.ExhaustedError{ID: c.id}
	}
	return text, err
}

// look finds out what is known about the counter.
func (c *lentCounter) look() error {
	text, err := c.call(verbLook)
	if err != nil {
		return err
	}
	var word string
	if n, err := fmt.Sscanf(text, "%s %d", &word, &c.left); n != 2 || err != nil || word != sayKnown && word != sayUnknown {
		return c.state.strange()
	}
	c.known = word == sayKnown
	return nil
}

func (c *lentCounter) Next() (uint32, error) {
	text, err := c.call(verbNext)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, c.state.strange()
	}
	return uint32(n), nil
}

func (c *lentCounter) Ready() error {
	_, err := c.call(verbReady)
	return err
}

func (c *lentCounter) Raise(atLeast uint32) error {
	if _, err := c.call(verbRaise, strconv.FormatUint(uint64(atLeast), 10)); err != nil {
		return err
	}
	return c.look()
}

func (c *lentCounter) Known() bool  { return c.known }
func (c *lentCounter) Left() uint32 { return c.left }

// keyCounter is the invocation counter of a key, as *state.Counter is one.
type keyCounter interface {
	Next() (uint32, error)
	Ready() error
	Raise(atLeast uint32) error
	Known() bool
	Left() uint32
}

// counterState is where invocation counters and our title are.
type counterState interface {
	Title() ([8]byte, error)
	Counter(id string) (keyCounter, error)
	Asked(key string) bool // whether the meter was asked for its counter
	Note(key string) error // that it was
}

// ownState is a state that this program has open.
type ownState struct{ *state.Store }

func (s ownState) Counter(id string) (keyCounter, error) { return s.Store.Counter(id) }

func (s ownState) Asked(key string) (asked bool) {
	if _, err := s.Load(askedBucket, key, &asked); err != nil {
		return false // it is asked once more
	}
	return asked
}

func (s ownState) Note(key string) error { return s.Save(askedBucket, key, true) }

// counterSource finds the state that has the invocation counters: the own one;
// if a running instance has the file, that instance. Where neither can be had it
// is looked for again: a disk that was full has room some day, and the other
// instance ends.
type counterSource struct {
	mu     sync.Mutex
	state  counterState // nil: none was found
	err    error        // why there is none
	looked time.Time
	find   func() (counterState, error) // nil: not begun, or over
	owned  []*state.Store               // that were opened by find, to be closed
}

// lookPause is how often a state that could not be opened is tried: each try
// costs the disk something.
const lookPause = time.Second

// begin has the source give what was found, nil being nothing yet, or what is
// found later.
func (c *counterSource) begin(have counterState, err error, find func() (counterState, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state, c.err, c.find, c.looked = have, err, find, time.Now()
}

// end closes what was opened here.
func (c *counterSource) end() {
	c.mu.Lock()
	owned := c.owned
	c.state, c.err, c.find, c.owned = nil, state.ErrClosed, nil, nil
	c.mu.Unlock()
	for _, s := range owned {
		_ = s.Close() // what was written is there
	}
}

// get returns where the counters are.
func (c *counterSource) get() (counterState, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != nil || c.find == nil || c.err != nil && time.Since(c.looked) < lookPause {
		return c.state, c.err
	}
	c.looked = time.Now()
	if c.state, c.err = c.find(); c.err != nil {
		c.state = nil
		return nil, c.err
	}
	if own, ok := c.state.(ownState); ok {
		c.owned = append(c.owned, own.Store)
	}
	return c.state, nil
}

// forget has an instance that does not answer looked for anew.
func (c *counterSource) forget(s counterState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, lent := s.(*lentState); lent && c.state == s {
		c.state, c.err = nil, nil
	}
}

// lender is the own state, for others.
func (c *counterSource) lender() (own ownState, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	own, ok := c.state.(ownState)
	switch {
	case ok:
		return own, nil
	case c.state == nil && c.find == nil && c.err == nil:
		return own, errors.New("it has just been started: try again")
	case c.err != nil:
		return own, fmt.Errorf("it has no state itself: %w", c.err)
	default:
		return own, errors.New("it has no state itself")
	}
}
