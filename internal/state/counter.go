package state

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
)

const (
	countersBucket = "counters"
	ownBucket      = "own"
	titleKey       = "title"

	// block is how many values are reserved at once: a meter that is read all
	// day must not wear out a memory card, and a crash may waste as many.
	block = 100

	// lastValue is where a counter ends. It is not given out itself: a key may not
	// be used any more when its counter stands there.
	lastValue = math.MaxUint32

	// titleLetters begin a system title of our own, in place of a manufacturer's.
	titleLetters = "TGD"
)

var (
	// ErrNoFile is returned where something must outlive the program and the
	// state is only in memory.
	ErrNoFile = errors.New("the state is only in memory, and ciphered meters need one that outlives the program, for the invocation counters of their keys: set state_dir to a directory that can be written to")
	// ErrUnknown is returned by Next of a counter that was never stored or raised.
	ErrUnknown = errors.New("it is not known how far the meter has counted: ask it, or set where to begin")
)

// An ExhaustedError is a counter that has reached its end.
type ExhaustedError struct{ ID string }

func (e *ExhaustedError) Error() string {
	return fmt.Sprintf("the invocation counter %s is used up (%#x): the meter needs a new key, nothing can be sent with this one any more", e.ID, uint32(lastValue))
}

// A Counter gives out the invocation counters of a key for AES-GCM, which must
// never be used twice with it (Green Book, 9.2.3.3.7.3). It may be used by
// several goroutines at once.
type Counter struct {
	store *Store
	id    string

	mu    sync.Mutex // also held while a block is written
	known bool
	next  uint32
	end   uint32 // the values from next on, before this one, are reserved
}

// stored is a counter in the file: no value from Next on was ever given out.
type stored struct {
	Next uint32 `json:"next"`
}

// Counter returns the counter of an id, which names all that it belongs to: our
// system title, the key (a print of it), the client and the medium. There is one
// for each id: who asks again gets the same.
//
// A file that was brought back from a backup, or copied to another machine, is
// behind what was given out. That cannot be seen here: move such a file away, so
// that the meters are asked.
func (s *Store) Counter(id string) (*Counter, error) {
	if err := s.outlives(); err != nil {
		return nil, err
	}
	s.own.Lock()
	defer s.own.Unlock()
	if c := s.counters[id]; c != nil {
		return c, nil
	}
	var at stored
	known, err := s.Load(countersBucket, id, &at)
	if err != nil {
		return nil, fmt.Errorf("%s: the invocation counter %s cannot be read, and none is guessed: move the file away to have the meters asked: %w", s.path, id, err)
	}
	c := &Counter{store: s, id: id, known: known, next: at.Next, end: at.Next}
	if s.counters == nil {
		s.counters = map[string]*Counter{}
	}
	s.counters[id] = c
	return c, nil
}

// Next returns a value that was never returned before, by any run of the
// program. After an error none is used up; the next call tries again.
func (c *Counter) Next() (uint32, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.known:
		return 0, fmt.Errorf("invocation counter %s: %w", c.id, ErrUnknown)
	case c.next == lastValue:
		return 0, &ExhaustedError{ID: c.id}
	case c.next >= c.end:
		if err := c.reserve(c.next); err != nil {
			return 0, err
		}
	default:
	}
	c.next++
	return c.next - 1, nil
}

// Ready reports why Next would give nothing now, without using up a value: a
// block is reserved if there is none in hand.
func (c *Counter) Ready() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.known && c.next == lastValue:
		return &ExhaustedError{ID: c.id}
	case c.known && c.next >= c.end:
		return c.reserve(c.next)
	default:
		return nil // of one that is not known it cannot be said
	}
}

// Raise has Next return no value below atLeast: it is what the meter wants to
// see. A counter is never lowered. Whether a meter that has not proved who it is
// may raise it far is for the caller to judge: it cannot be taken back.
func (c *Counter) Raise(atLeast uint32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.known && atLeast <= c.next:
		return nil
	case c.known && atLeast <= c.end:
		c.next = atLeast
		return nil
	default:
		return c.reserve(atLeast)
	}
}

// Known reports whether the counter was ever stored or raised. If not, the meter
// is to be asked: the key may have been used, and the file lost since.
func (c *Counter) Known() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known
}

// Left is how many values there are before the key has to be replaced.
func (c *Counter) Left() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return lastValue - c.next
}

// reserve makes the block that begins with a value ours. After an error nothing
// has changed here; that the file may have the block is no harm.
func (c *Counter) reserve(from uint32) error {
	end := from + min(block, lastValue-from)
	if err := c.store.keep(countersBucket, c.id, stored{end}); err != nil {
		return fmt.Errorf("invocation counter %s: no value is given out until the state can be written: %w", c.id, err)
	}
	c.known, c.next, c.end = true, from, end
	return nil
}

// giveBack has the counters give out nothing more, and returns what makes a
// later run go on where they stand. The file may be ahead of any: a block is
// there although its write was reported as failed.
func (s *Store) giveBack() []entry {
	s.own.Lock()
	defer s.own.Unlock()
	var list []entry
	for id, c := range s.counters {
		c.mu.Lock()
		if c.known {
			list = append(list, entry{countersBucket, id, seal(fmt.Appendf(nil, `{"next":%d}`, c.next))})
			c.end = c.next
		}
		c.mu.Unlock()
	}
	return list
}

// Title is the system title of this installation: three letters and five random
// octets, made once, so that no two installations share one. A file that is
// copied to another machine takes it along: two that use the same keys from then
// on send the same counters under the same title, which nobody can see here.
func (s *Store) Title() ([8]byte, error) {
	s.own.Lock()
	defer s.own.Unlock()
	if s.titled {
		return s.title, nil
	}
	if err := s.outlives(); err != nil {
		return [8]byte{}, err
	}
	if s.title == [8]byte{} {
		var kept [8]byte
		found, err := s.Load(ownBucket, titleKey, &kept)
		if err != nil {
			return [8]byte{}, fmt.Errorf("%s: our system title cannot be read: move the file away to begin a new one: %w", s.path, err)
		}
		if !found {
			copy(kept[:], titleLetters)
			_, _ = rand.Read(kept[len(titleLetters):]) // never fails
		}
		s.title = kept
	}
	// One that was found is written again: the write of a run that was ended, or
	// that failed, can be read though it is not durable.
	if err := s.keep(ownBucket, titleKey, s.title); err != nil {
		return [8]byte{}, fmt.Errorf("our system title: none is used until the state can be written: %w", err)
	}
	s.titled = true
	return s.title, nil
}

// keep saves what has to be there for the next run.
func (s *Store) keep(bucket, key string, v any) error {
	if err := s.Save(bucket, key, v); err != nil {
		return err
	}
	return s.outlives()
}

// outlives reports why what is written would not be there for the next run: the
// state is closed, in memory, or its file is not where that run looks for it.
func (s *Store) outlives() error {
	s.mu.Lock()
	_, err := s.usable()
	s.mu.Unlock()
	switch {
	case err != nil:
		return err
	case s.path == "":
		return ErrNoFile
	}
	if now, err := os.Stat(s.path); err != nil || !os.SameFile(now, s.file) {
		return &UsableError{Path: s.path, Msg: "was removed, moved or replaced while it was in use: put it back, or restart the program to begin a new one"}
	}
	return nil
}
