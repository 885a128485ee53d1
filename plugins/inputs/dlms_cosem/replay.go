package dlms_cosem

import (
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
)

// pushBucket is where the state keeps the counters of pushes.
const pushBucket = "push"

// saveFloor is how often the counter of a device is written at most: a meter
// that pushes every second must not wear out a memory card.
const saveFloor = time.Minute

// floors are the invocation counters that were accepted last, by system title
// and key: what was sent before is not accepted again.
type floors struct {
	mu   sync.Mutex
	list map[string]*floor
}

// reorder is how many counters below the last one may still come, each once,
// over datagrams, which may overtake each other.
const reorder = 64

type floor struct {
	Last  uint32 `json:"last"`
	seen  uint64 // bit n: Last-n was accepted
	dirty bool
	saved time.Time

	unproven *floor // of telegrams that nobody has proved; nil: none so far
}

// floorKey is what a counter belongs to: the system title and the key, of which
// a print is kept.
func (o *opened) floorKey() string { return o.title + " " + hex.EncodeToString(o.print[:8]) }

// fresh reports whether the counter of a telegram was not accepted before.
// unproven says that it has no tag, or one that could not be verified: its
// counter must be new too, but counts only among its like, and until the end of
// the program. Or whoever sends one with a high counter would shut out the
// meter. What is not even encrypted anybody can make: its counter says nothing.
func (l *listener) fresh(o *opened, unproven, datagram bool) bool {
	if unproven && o.control&security.Encrypted == 0 {
		return true
	}
	f := &l.d.floors
	f.mu.Lock()
	defer f.mu.Unlock()
	at := l.floor(o)
	ok := true
	if unproven {
		proven := *at // a copy: it is asked, and not told
		ok = proven.accept(o.counter, datagram)
		if at.unproven == nil {
			at.unproven = &floor{}
		}
		at = at.unproven
	}
	if ok = ok && at.accept(o.counter, datagram); !ok {
		l.mu.Lock()
		defer l.mu.Unlock()
		h := l.device(o.title)
		h.skipped++
		l.complainWarn("replay "+o.title, "%s, device %s: a telegram with invocation counter %d came after one with %d: it was sent before, or by somebody else, and is left out", l.where(), o.title, o.counter, at.Last)
		return false
	}
	at.dirty = !unproven
	return true
}

// floor is what was accepted from the sender of a telegram. f.mu is held.
func (l *listener) floor(o *opened) *floor {
	f, key := &l.d.floors, o.floorKey()
	if at := f.list[key]; at != nil {
		return at
	}
	at := &floor{}
	var kept floor
	if found, err := l.d.kept.Load(pushBucket, key, &kept); err != nil {
		l.d.Log.Warnf("%s, device %s: The counter of its last push cannot be read: %v", l.where(), o.title, err)
	} else if found {
		at.Last, at.seen = kept.Last, ^uint64(0)
	}
	if f.list == nil {
		f.list = map[string]*floor{}
	}
	for old, other := range f.list { // one that the state has, or that is not worth keeping
		if len(f.list) < mostDevices {
			break
		}
		if !other.dirty {
			delete(f.list, old)
		}
	}
	f.list[key] = at
	return at
}

// accept takes note of a counter. It reports false if it was there before, or
// is too old.
func (at *floor) accept(counter uint32, datagram bool) bool {
	switch {
	case at.seen == 0 || counter > at.Last:
		if by := counter - at.Last; at.seen == 0 || by >= reorder {
			at.seen = 1
		} else {
			at.seen = at.seen<<by | 1
		}
		at.Last = counter
		return true
	case !datagram || at.Last-counter >= reorder:
		return false
	default:
		bit := uint64(1) << (at.Last - counter)
		if at.seen&bit != 0 {
			return false
		}
		at.seen |= bit
		return true
	}
}

// saveFloors writes the counters that have changed: all of them at the end,
// else those that were not written for a while.
func (l *listener) saveFloors(all bool) {
	f := &l.d.floors
	f.mu.Lock()
	save := map[string]any{}
	now := time.Now()
	for key, at := range f.list {
		if at.dirty && (all || now.Sub(at.saved) >= saveFloor) {
			save[key] = floor{Last: at.Last}
			at.dirty, at.saved = false, now
		}
	}
	f.mu.Unlock()
	if err := l.d.kept.SaveAll(pushBucket, save); err != nil {
		l.complain("floors", fmt.Errorf("%s: the counters of pushes cannot be kept for the next start: %w", l.where(), err))
	}
}
