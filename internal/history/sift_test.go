package history

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// at is a time so many seconds after a beginning.
func at(n int) time.Time {
	return time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Second)
}

// entry is a row of a buffer: its time, and which one it is.
type entry struct{ at, id int }

// entries are rows with these times, numbered from a number on.
func entries(from int, times ...int) (list []entry) {
	for i, t := range times {
		list = append(list, entry{t, from + i})
	}
	return list
}

// pile gives rows to a sift and keeps what it passes: "id@time+k".
type pile struct {
	Sift[int]
	passed []string
}

func (p *pile) begin(pos Position) {
	p.passed = nil
	p.Pass = func(t time.Time, id int) {
		p.passed = append(p.passed, fmt.Sprintf("%d@%d+%d", id, int(t.Sub(at(0))/time.Second), t.Nanosecond()))
	}
	p.Begin(pos)
}

func (p *pile) rows(list []entry) {
	for _, e := range list {
		p.Row(Row[int]{Stamp: Stamp{At: at(e.at)}, Print: uint64(e.id), Of: e.id})
	}
}

// TestSift: a first answer, and what a second one has that goes on from it.
func TestSift(t *testing.T) {
	const ten = 10 * time.Second
	for name, test := range map[string]struct {
		first, second []entry
		covered       int // by the first answer
		order         Order
		period        time.Duration
		want, then    []string
		gaps          int64
		lost          bool // the anchor is not in the second answer
	}{
		"goes on":     {first: entries(1, 10, 20), second: entries(2, 20, 30), covered: 25, want: []string{"1@10+0", "2@20+0"}, then: []string{"3@30+0"}},
		"nothing new": {first: entries(1, 10, 20), second: entries(2, 20), covered: 25, want: []string{"1@10+0", "2@20+0"}},
		"late row":    {first: entries(1, 10), second: entries(1, 10, 20), covered: 25, want: []string{"1@10+0"}, then: []string{"2@20+0"}},
		"set back": {first: entries(1, 10, 90), second: entries(1, 10, 90, 20, 30), covered: 95,
			want: []string{"1@10+0", "2@90+0"}, then: []string{"3@20+0", "4@30+0"}},
		"same second": {first: entries(1, 10, 10, 10), second: entries(1, 10, 10, 10, 10, 10), covered: 10,
			want: []string{"1@10+0", "2@10+1", "3@10+2"}, then: []string{"4@10+3", "5@10+4"}},
		"first evicted": {first: entries(1, 10, 10, 10), second: entries(2, 10, 10, 10, 10), covered: 10,
			want: []string{"1@10+0", "2@10+1", "3@10+2"}, then: []string{"4@10+3", "5@10+4"}},
		"anchor evicted": {first: entries(1, 10, 10, 10), second: entries(4, 10, 10, 20), covered: 10,
			want: []string{"1@10+0", "2@10+1", "3@10+2"}, then: []string{"6@20+0", "4@10+3", "5@10+4"}, lost: true},
		"all evicted": {first: entries(1, 10, 20), second: entries(5, 40, 50), covered: 25, period: ten,
			want: []string{"1@10+0", "2@20+0"}, then: []string{"5@40+0", "6@50+0"}, gaps: 1, lost: true},
		"newest first": {first: []entry{{20, 2}, {10, 1}}, second: []entry{{40, 4}, {30, 3}, {20, 2}}, covered: 25,
			want: []string{"1@10+0", "2@20+0"}, then: []string{"3@30+0", "4@40+0"}},
		"by values": {first: entries(1, 30, 10, 20), second: []entry{{20, 3}, {50, 9}, {30, 1}, {40, 8}}, order: OrderOfValues, covered: 30,
			want: []string{"2@10+0", "3@20+0", "1@30+0"}, then: []string{"8@40+0", "9@50+0"}},
		"gap": {first: entries(1, 10, 40), second: entries(2, 40, 70), covered: 45, period: ten,
			want: []string{"1@10+0", "2@40+0"}, then: []string{"3@70+0"}, gaps: 4},
		"gap between runs": {first: entries(1, 10, 20), second: entries(2, 20, 50), covered: 25, period: ten,
			want: []string{"1@10+0", "2@20+0"}, then: []string{"3@50+0"}, gaps: 2},
		"a little early": {first: entries(1, 10, 19, 31), second: entries(3, 31, 40), covered: 35, period: ten,
			want: []string{"1@10+0", "2@19+0", "3@31+0"}, then: []string{"4@40+0"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := &pile{Sift: Sift[int]{Order: test.order, Period: test.period}}
			p.begin(Position{Covered: at(0)})
			p.rows(test.first)
			p.End()
			require.Equal(t, test.want, p.passed)
			require.True(t, p.Found())
			pos := p.Position(at(test.covered))
			require.Equal(t, later(at(test.covered), pos.Anchor.Time), pos.Covered)
			p.begin(pos)
			p.rows(test.second)
			p.End()
			require.Equal(t, test.then, p.passed)
			require.Equal(t, !test.lost, p.Found())
			require.Equal(t, test.gaps, p.Gaps)
		})
	}
}

// TestSiftBroken: an answer that is broken off is gone on from where it was, if
// its rows come in the order in which they were captured.
func TestSiftBroken(t *testing.T) {
	all := entries(1, 10, 20, 20, 30, 40, 50)
	for cut := range len(all) + 1 {
		p := &pile{Sift: Sift[int]{Order: OldestFirst}}
		p.begin(Position{Covered: at(0)})
		p.rows(all[:cut])
		p.Break()
		got := p.passed
		p.begin(p.Position(at(55)))
		p.rows(all)
		p.End()
		require.Equal(t, []string{"1@10+0", "2@20+0", "3@20+1", "4@30+0", "5@40+0", "6@50+0"}, append(got, p.passed...), "broken off after %d", cut)
	}
	newest := slices.Clone(all)
	slices.Reverse(newest)
	p := &pile{Sift: Sift[int]{Order: NewestFirst}}
	from := Position{Covered: at(0)}
	p.begin(from)
	p.rows(newest[:3])
	p.Break()
	require.Equal(t, from, p.Position(at(55)), "the older ones are still to come")
}

// TestSiftMemory: what waits for the anchor, and what is known of times, is
// bounded.
func TestSiftMemory(t *testing.T) {
	for name, step := range map[string]int{"forward": 1, "same": 0, "backward": -1} {
		for _, order := range []Order{OrderUnknown, OldestFirst, NewestFirst, OrderOfValues} {
			s := Sift[int]{Order: order, Pass: func(time.Time, int) {}}
			s.Begin(Position{Anchor: Mark{Time: at(-500), Print: 1 << 60}, Covered: at(1 << 40)})
			for i := range 10 * mostHeld / 4 {
				s.Row(Row[int]{Stamp: Stamp{At: at(step * i)}, Print: uint64(i)})
			}
			s.End()
			require.LessOrEqual(t, cap(s.held), 2*mostHeld, name)
			require.LessOrEqual(t, cap(s.stack), 2*mostHeld, name)
			require.LessOrEqual(t, len(s.counts), mostHeld, name)
		}
	}
}

// world is a meter's buffer, and what was read of it.
type world struct {
	t        *testing.T
	pile     pile
	now      int
	buffer   []entry // what it still has
	captured int     // in all
	pos      Position
	had      map[int]bool   // was in an answer
	stamps   map[int]string // of rows: the time they were written under
	broken   bool           // an answer was broken off
}

func (w *world) capture(n int) {
	w.captured++
	w.now += n
	w.buffer = append(w.buffer, entry{w.now, w.captured})
}

// read is an answer with the rows from a time on, the first cut of which come.
func (w *world) read(from, cut int, newest bool) {
	var rows []entry
	for _, e := range w.buffer {
		if e.at >= from {
			rows = append(rows, e)
		}
	}
	if newest {
		slices.Reverse(rows)
	}
	w.pile.begin(w.pos)
	w.pile.rows(rows[:min(cut, len(rows))])
	if cut < len(rows) {
		w.broken = true
		w.pile.Break()
	} else {
		w.pile.End()
	}
	seen := map[int]bool{}
	for _, text := range w.pile.passed {
		var id, t, k int
		_, err := fmt.Sscanf(text, "%d@%d+%d", &id, &t, &k)
		require.NoError(w.t, err)
		require.False(w.t, seen[id], "row %d was passed twice", id)
		seen[id], w.had[id] = true, true
		stamp := fmt.Sprintf("%d+%d", t, k)
		if before := w.stamps[id]; before != "" && !w.broken {
			require.Equal(w.t, before, stamp, "row %d has two times", id)
		}
		w.stamps[id] = stamp
	}
	covered := at(w.now)
	if !w.pos.Anchor.Known() && len(rows) == 0 {
		covered = at(w.now - 1)
	}
	before := w.pos
	w.pos = w.pile.Position(covered)
	require.False(w.t, w.pos.Covered.Before(before.Covered), "covered goes back")
	if cut >= len(rows) {
		for _, e := range w.buffer {
			require.True(w.t, w.had[e.id], "row %d was skipped: %v, from %v, anchor of before %v", e.id, w.buffer, from, before)
		}
		w.distinct()
	}
}

// distinct checks that no two rows were written under one time.
func (w *world) distinct() {
	if w.broken {
		return
	}
	owner := map[string]int{}
	for id, stamp := range w.stamps {
		require.Zero(w.t, owner[stamp], "rows %d and %d have the time %s", id, owner[stamp], stamp)
		owner[stamp] = id
	}
}

// FuzzSift captures, evicts and reads rows, and compares with what there was.
// Where rows are evicted the clock is never set back: then what is new cannot be
// known.
func FuzzSift(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 4, 0, 0, 3, 5, 4})
	f.Add([]byte{1, 0x10, 0x10, 4, 6, 0, 0, 4, 0x25, 4})
	f.Add([]byte{2, 0x10, 0x20, 4, 0, 0, 4})
	f.Fuzz(func(t *testing.T, actions []byte) {
		if len(actions) == 0 || len(actions) > 300 {
			return
		}
		evicts, newest := actions[0]&1 == 0, actions[0]&2 != 0
		order := OldestFirst
		if newest {
			order = NewestFirst
		}
		w := &world{t: t, now: 10_000, pos: Position{Covered: at(-1)}, had: map[int]bool{}, stamps: map[int]string{}}
		w.pile.Order = order
		for _, a := range actions[1:] {
			n := int(a >> 4)
			switch a & 7 {
			case 0, 1:
				w.capture(n % 4)
			case 2:
				for range n % 6 {
					w.capture(0)
				}
			case 3:
				if evicts {
					w.buffer = w.buffer[min(n, len(w.buffer)):]
				}
			case 4:
				w.read(-1<<30, 1<<30, newest)
			case 5:
				w.read(-1<<30, n, newest)
			case 6:
				if !evicts && w.pos.Anchor.Known() {
					w.now -= n
				}
			default:
				if evicts { // from one second before what is known, the clock not having been set back
					from := int(w.pos.Covered.Sub(at(0))/time.Second) - 1
					if a := w.pos.Anchor; a.Known() {
						from = min(from, int(a.Time.Sub(at(0))/time.Second)-1)
					}
					w.read(from, 1<<30, newest)
				}
			}
		}
	})
}
