package state

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
)

const id = "5447440102030405 00112233 1 tcp"

func counter(t testing.TB, s *Store) *Counter {
	c, err := s.Counter(id)
	require.NoError(t, err)
	return c
}

// next requires the values that come next.
func next(t *testing.T, c *Counter, want ...uint32) {
	t.Helper()
	for _, w := range want {
		v, err := c.Next()
		require.NoError(t, err)
		require.Equal(t, w, v)
	}
}

// use takes n values.
func use(t *testing.T, c *Counter, n int) {
	for range n {
		_, err := c.Next()
		require.NoError(t, err)
	}
}

// inFile is what a run after this moment would begin with.
func inFile(t *testing.T, s *Store) uint32 {
	var at stored
	found, err := s.Load(countersBucket, id, &at)
	require.NoError(t, err)
	require.True(t, found)
	return at.Next
}

func TestCounter(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	c := counter(t, s)
	require.Same(t, c, counter(t, s))
	require.False(t, c.Known())
	_, err := c.Next()
	require.ErrorIs(t, err, ErrUnknown)
	require.EqualError(t, err, "invocation counter "+id+": it is not known how far the meter has counted: ask it, or set where to begin")
	require.Equal(t, uint32(0xFFFFFFFF), c.Left())

	require.NoError(t, c.Raise(7))
	require.True(t, c.Known())
	require.Equal(t, uint32(107), inFile(t, s))
	next(t, c, 7, 8, 9)
	require.Equal(t, uint32(0xFFFFFFFF-10), c.Left())
	use(t, c, 97)
	require.Equal(t, uint32(107), inFile(t, s))
	next(t, c, 107)
	require.Equal(t, uint32(207), inFile(t, s), "a block of a hundred")

	other, err := s.Counter("another")
	require.NoError(t, err)
	require.False(t, other.Known(), "each id has its own")
	require.NoError(t, other.Raise(0))
	next(t, other, 0, 1)
	next(t, c, 108)

	require.NoError(t, s.Close())
	for range 3 {
		_, err = c.Next()
		require.ErrorIs(t, err, ErrClosed)
		require.ErrorIs(t, c.Raise(150), ErrClosed)
	}
	_, err = s.Counter(id)
	require.ErrorIs(t, err, ErrClosed)

	s = open(t, dir)
	c = counter(t, s)
	require.True(t, c.Known())
	next(t, c, 109)
	other, err = s.Counter("another")
	require.NoError(t, err)
	next(t, other, 2)
}

func TestRaise(t *testing.T) {
	s := open(t, t.TempDir())
	c := counter(t, s)
	require.NoError(t, c.Raise(1000))
	next(t, c, 1000)
	require.NoError(t, c.Raise(0))
	require.NoError(t, c.Raise(1000))
	require.NoError(t, c.Raise(1001))
	next(t, c, 1001)
	require.NoError(t, c.Raise(1050))
	require.Equal(t, uint32(1100), inFile(t, s), "it is in the block")
	next(t, c, 1050)
	require.NoError(t, c.Raise(1100), "just behind it")
	next(t, c, 1100)
	require.Equal(t, uint32(1200), inFile(t, s))
	require.NoError(t, c.Raise(5000))
	require.Equal(t, uint32(5100), inFile(t, s), "before a value is out")
	next(t, c, 5000)
	require.NoError(t, c.Raise(5101), "just beyond what is reserved")
	require.Equal(t, uint32(5201), inFile(t, s))
	next(t, c, 5101)
}

func TestExhausted(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	c := counter(t, s)
	require.NoError(t, c.Raise(0xFFFFFFFF-150))
	for i := uint32(150); i > 0; i-- {
		require.Equal(t, i, c.Left())
		next(t, c, 0xFFFFFFFF-i)
		require.Greater(t, inFile(t, s), 0xFFFFFFFF-i, "nothing wraps")
	}
	for range 2 {
		for range 3 {
			_, err := c.Next()
			var exhausted *ExhaustedError
			require.ErrorAs(t, err, &exhausted)
			require.EqualError(t, err, "the invocation counter "+id+" is used up (0xffffffff): the meter needs a new key, nothing can be sent with this one any more")
			require.NoError(t, c.Raise(0))
			require.NoError(t, c.Raise(0xFFFFFFFF))
			require.Zero(t, c.Left())
		}
		require.NoError(t, s.Close())
		s = open(t, dir)
		c = counter(t, s)
		require.True(t, c.Known())
	}
	pushed, err := s.Counter("pushed to the end at once")
	require.NoError(t, err)
	require.NoError(t, pushed.Raise(0xFFFFFFFF))
	_, err = pushed.Next()
	require.ErrorContains(t, err, "used up")
}

// TestCrashed: what is in the file right after each value leads on, never back.
func TestCrashed(t *testing.T) {
	s := open(t, t.TempDir())
	c := counter(t, s)
	require.NoError(t, c.Raise(3))
	for range 250 {
		v, err := c.Next()
		require.NoError(t, err)
		if rand.IntN(20) == 0 {
			require.NoError(t, c.Raise(v+uint32(rand.IntN(300))))
		}
		if v%100 > 5 && rand.IntN(5) > 0 { // all around the ends of blocks, and some others
			continue
		}
		after, err := counter(t, copied(t, s)).Next()
		require.NoError(t, err)
		require.Greater(t, after, v)
	}
}

// copied opens the file of a store as it is at this moment.
func copied(t *testing.T, s *Store) *Store {
	b, err := os.ReadFile(s.Path())
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(s.Path())), b, 0o600))
	return open(t, dir)
}

func TestNoFile(t *testing.T) {
	s := Memory()
	_, err := s.Counter(id)
	require.ErrorIs(t, err, ErrNoFile)
	require.ErrorContains(t, err, "set state_dir to a directory that can be written to")
	_, err = s.Title()
	require.ErrorIs(t, err, ErrNoFile)
}

// TestTakenAway: a file that the next run will not find takes no counters.
func TestTakenAway(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a file that is open cannot be taken away")
	}
	s := open(t, t.TempDir())
	c := counter(t, s)
	require.NoError(t, c.Raise(0))
	use(t, c, 100)
	require.NoError(t, os.Rename(s.Path(), s.Path()+".away"))
	for _, with := range []string{"nothing", "another file"} {
		if with == "another file" {
			require.NoError(t, os.WriteFile(s.Path(), nil, 0o600))
		}
		_, err := c.Next()
		require.EqualError(t, err, "invocation counter "+id+": no value is given out until the state can be written: "+
			s.Path()+": was removed, moved or replaced while it was in use: put it back, or restart the program to begin a new one")
		require.Error(t, c.Raise(500))
		_, err = s.Counter("another")
		require.ErrorContains(t, err, "was removed")
		_, err = s.Title()
		require.ErrorContains(t, err, "was removed")
	}
	require.NoError(t, os.Rename(s.Path()+".away", s.Path()))
	next(t, c, 100)
	title, err := s.Title()
	require.NoError(t, err)

	dir := filepath.Dir(s.Path())
	require.NoError(t, s.Close())
	require.NoError(t, os.Remove(s.Path()))
	s = open(t, dir)
	require.True(t, s.Lost())
	require.False(t, counter(t, s).Known())
	anew, err := s.Title()
	require.NoError(t, err)
	require.NotEqual(t, title, anew)
}

// TestTruncated: the file broke under the counter.
func TestTruncated(t *testing.T) {
	s := open(t, t.TempDir())
	c := counter(t, s)
	require.NoError(t, c.Raise(0))
	use(t, c, 100)
	require.NoError(t, os.Truncate(s.Path(), 0))
	for range 3 {
		_, err := c.Next()
		require.ErrorContains(t, err, s.Path()+": broke while it was in use: restart the program")
	}
	require.NoError(t, s.Close())
}

// TestReadOnly has the file become one that cannot be written.
func TestReadOnly(t *testing.T) {
	s := open(t, t.TempDir())
	c := counter(t, s)
	require.NoError(t, c.Raise(0))
	use(t, c, 100)
	writable := s.db
	require.NoError(t, writable.Close())
	var err error
	s.db, err = bbolt.Open(s.Path(), 0o600, &bbolt.Options{ReadOnly: true})
	require.NoError(t, err)
	for range 3 {
		_, err = c.Next()
		require.ErrorContains(t, err, "no value is given out until the state can be written: database is in read-only mode")
		require.Error(t, c.Raise(1000))
		_, err = s.Title()
		require.ErrorContains(t, err, "our system title: none is used until the state can be written")
	}
	require.NoError(t, s.db.Close())
	require.NoError(t, s.open(false))
	next(t, c, 100)
	_, err = s.Title()
	require.NoError(t, err)
}

func TestDamagedCounter(t *testing.T) {
	s := open(t, t.TempDir())
	require.NoError(t, s.db.Update(func(tx *bbolt.Tx) error {
		for bucket, key := range map[string]string{countersBucket: id, ownBucket: titleKey} {
			b, err := tx.CreateBucket([]byte(bucket))
			require.NoError(t, err)
			require.NoError(t, b.Put([]byte(key), []byte("xxxx{}")))
		}
		return nil
	}))
	_, err := s.Counter(id)
	require.ErrorContains(t, err, s.Path()+": the invocation counter "+id+" cannot be read, and none is guessed: move the file away")
	_, err = s.Title()
	require.ErrorContains(t, err, s.Path()+": our system title cannot be read: move the file away")
	require.NoError(t, s.Save(countersBucket, id, map[string]uint64{"next": 1 << 32}))
	_, err = s.Counter(id)
	require.ErrorContains(t, err, "cannot be read")
}

// TestManyTakers: no value is there twice.
func TestManyTakers(t *testing.T) {
	s := open(t, t.TempDir())
	var all sync.WaitGroup
	var took [8][]uint32
	for i := range took {
		all.Go(func() {
			c, err := s.Counter(id)
			if err == nil {
				err = c.Raise(uint32(i))
			}
			for n := 0; n < 1000 && err == nil; n++ {
				var v uint32
				if v, err = c.Next(); err == nil {
					took[i] = append(took[i], v)
				}
				if n%100 == 0 {
					err = errors.Join(err, c.Raise(v+uint32(i*10)), s.Save("b", "k", n))
				}
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	different(t, took[:], map[uint32]bool{})
}

// different requires that values rise in each list, and are nowhere twice.
func different(t *testing.T, lists [][]uint32, seen map[uint32]bool) {
	for _, list := range lists {
		for i, v := range list {
			require.False(t, seen[v], "%d was there before", v)
			require.True(t, i == 0 || list[i-1] < v)
			seen[v] = true
		}
	}
}

// TestClosedUnderTakers has the store closed while values are taken: what is
// given back was not given out.
func TestClosedUnderTakers(t *testing.T) {
	dir := t.TempDir()
	seen := map[uint32]bool{}
	for range 30 {
		s := open(t, dir)
		c := counter(t, s)
		require.NoError(t, c.Raise(0))
		var all sync.WaitGroup
		var took [8][]uint32
		for i := range took {
			all.Go(func() {
				for {
					v, err := c.Next()
					if err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
						return
					}
					took[i] = append(took[i], v)
				}
			})
		}
		for range rand.IntN(5) {
			require.NoError(t, s.Save("b", "k", 1))
		}
		require.NoError(t, s.Close())
		all.Wait()
		different(t, took[:], seen)
	}
	s := open(t, dir)
	next(t, counter(t, s), uint32(len(seen)))
}

// take prints the values of a counter; what is in the environment ends it after
// some of them.
func take(dir string) {
	s, err := Open(dir, "a.conf")
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := s.Counter(id)
	if err == nil && !c.Known() {
		err = c.Raise(0)
	}
	var most int
	_, _ = fmt.Sscan(os.Getenv(takeMost), &most)
	for n := 0; err == nil && (most == 0 || n < most); n++ {
		var v uint32
		if v, err = c.Next(); err == nil {
			fmt.Println(v)
		}
	}
	if err = errors.Join(err, s.Close()); err != nil {
		fmt.Println(err)
	}
}

const takeMost = "STATE_TEST_TAKE"

// TestKilledTaker ends a process that takes values at any moment, many times.
func TestKilledTaker(t *testing.T) {
	dir := t.TempDir()
	last := -1
	for range howOften(15) {
		c := child(t, "take", dir)
		clean := rand.IntN(4) == 0
		if clean {
			c.Env = append(c.Env, fmt.Sprintf("%s=%d", takeMost, 1+rand.IntN(250)))
		}
		out, err := c.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, c.Start())
		lines := bufio.NewScanner(out)
		before, first := last, true
		scan := func() bool {
			if !lines.Scan() {
				return false
			}
			v := number(t, lines.Text())
			require.Greater(t, v, last)
			require.True(t, first || v == last+1)
			require.LessOrEqual(t, v, last+2*block, "a crash costs a block")
			last, first = v, false
			return true
		}
		if !clean {
			for range 1 + rand.IntN(250) {
				require.True(t, scan())
			}
			for range rand.IntN(2000) {
				runtime.Gosched()
			}
			require.NoError(t, c.Process.Kill())
		}
		for scan() {
		}
		_ = c.Wait()
		require.Greater(t, last, before)
		if clean {
			s := open(t, dir)
			next(t, counter(t, s), uint32(last)+1)
			last++
			require.NoError(t, s.Close())
		}
	}
}

func TestTitle(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	var all sync.WaitGroup
	var titles [8][8]byte
	for i := range titles {
		all.Go(func() {
			var err error
			if titles[i], err = s.Title(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	title := titles[0]
	for _, also := range titles {
		require.Equal(t, title, also)
	}
	require.Equal(t, "TGD", string(title[:3]))
	require.NotEqual(t, make([]byte, 5), title[3:])
	after, err := copied(t, s).Title()
	require.NoError(t, err)
	require.Equal(t, title, after, "kept before it is used")
	require.NoError(t, s.Close())
	again, err := open(t, dir).Title()
	require.NoError(t, err)
	require.Equal(t, title, again)
	other, err := open(t, t.TempDir()).Title()
	require.NoError(t, err)
	require.NotEqual(t, title, other)
}

func BenchmarkNext(b *testing.B) {
	s, err := Open(b.TempDir(), "a.conf")
	require.NoError(b, err)
	defer s.Close()
	c := counter(b, s)
	require.NoError(b, c.Raise(0))
	for b.Loop() {
		if _, err := c.Next(); err != nil {
			b.Fatal(err)
		}
	}
}
