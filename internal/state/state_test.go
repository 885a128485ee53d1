package state

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
	"go.uber.org/goleak"
)

// role has this test binary do something else in a process of its own.
const role = "STATE_TEST_ROLE"

var roles = map[string]func(dir string){
	"count": count,
	"take":  take,
	"open": func(dir string) {
		s, err := Open(dir, "a.conf")
		fmt.Println(err)
		if err == nil {
			_ = s.Close()
		}
	},
}

func TestMain(m *testing.M) {
	if play := roles[os.Getenv(role)]; play != nil {
		play(os.Args[1])
		return
	}
	goleak.VerifyTestMain(m)
}

func child(t *testing.T, as string, args ...string) *exec.Cmd {
	c := exec.CommandContext(t.Context(), os.Args[0], args...)
	c.Env = append(os.Environ(), role+"="+as)
	c.Stderr = os.Stderr
	return c
}

type value struct {
	N    int
	Text string
}

func open(t *testing.T, dir string) *Store {
	s, err := Open(dir, "a.conf")
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestKeptOverRestarts(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	require.False(t, s.Lost())
	var v value
	found, err := s.Load("b", "k", &v)
	require.NoError(t, err)
	require.False(t, found)
	require.NoError(t, s.Save("b", "k", value{7, "x"}))
	require.NoError(t, s.Save("b", "gone", value{}))
	require.NoError(t, s.Keep("b", func(k string) bool { return k == "k" }))
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Save("b", "k", value{}), ErrClosed)
	_, err = s.Load("b", "k", &v)
	require.ErrorIs(t, err, ErrClosed)

	s = open(t, dir)
	found, err = s.Load("b", "k", &v)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, value{7, "x"}, v)
	found, err = s.Load("b", "gone", &v)
	require.NoError(t, err)
	require.False(t, found)
	other, err := Open(dir, "b.conf")
	require.NoError(t, err, "each configuration has its own")
	require.NoError(t, other.Close())
	info, err := os.Stat(s.Path())
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	_, err = s.Load("b", "k", new(int))
	require.ErrorContains(t, err, "b: k cannot be read")
}

func TestMemory(t *testing.T) {
	s := Memory()
	require.NoError(t, s.Save("b", "k", value{7, "x"}))
	require.NoError(t, s.Keep("b", func(string) bool { return false }))
	var v value
	found, err := s.Load("b", "k", &v)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, value{7, "x"}, v)
	found, err = s.Load("b", "other", &v)
	require.NoError(t, err)
	require.False(t, found)
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Save("b", "k", v), ErrClosed)
}

// TestManySavers has their values committed together.
func TestManySavers(t *testing.T) {
	s := open(t, t.TempDir())
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			for n := range 5 {
				if err := s.Save("b", strconv.Itoa(i), value{N: n}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for i := range 200 {
		var v value
		found, err := s.Load("b", strconv.Itoa(i), &v)
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, 4, v.N)
	}
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	_, err := Open(dir, "a.conf")
	var locked *LockedError
	require.ErrorAs(t, err, &locked)
	out, err := child(t, "open", dir).Output()
	require.NoError(t, err)
	require.Equal(t, s.Path()+" is in use by a running instance\n", string(out))
	require.NoError(t, s.Close())
	out, err = child(t, "open", dir).Output()
	require.NoError(t, err)
	require.Equal(t, "<nil>\n", string(out))
}

func TestLost(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	require.NoError(t, s.Close())
	require.NoError(t, os.Remove(s.Path()))
	s = open(t, dir)
	require.True(t, s.Lost())
	require.NoError(t, s.Close())
	require.False(t, open(t, dir).Lost(), "said once")
}

// TestUnusable: what cannot be used is told apart, and left as it is.
func TestUnusable(t *testing.T) {
	write := func(t *testing.T, path string, b []byte) { require.NoError(t, os.WriteFile(path, b, 0o600)) }
	for _, tt := range []struct {
		name, want string
		make       func(t *testing.T, path string)
	}{
		{"foreign", "is no state, or a damaged one: move it away to begin a new one: it is no bbolt file",
			func(t *testing.T, path string) { write(t, path, []byte("hello, I am a text file")) }},
		{"zeros", "it is no bbolt file", func(t *testing.T, path string) { write(t, path, make([]byte, 1<<16)) }},
		{"directory", "is no file", func(t *testing.T, path string) { require.NoError(t, os.Mkdir(path, 0o700)) }},
		{"another program's", "belongs to another program", func(t *testing.T, path string) {
			db, err := bbolt.Open(path, 0o600, nil)
			require.NoError(t, err)
			require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
				_, err := tx.CreateBucket([]byte("theirs"))
				return err
			}))
			require.NoError(t, db.Close())
		}},
		{"another version", "was written by another version of the program (format 99, this one has 1)", func(t *testing.T, path string) {
			db, err := bbolt.Open(path, 0o600, nil)
			require.NoError(t, err)
			require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
				b, err := tx.CreateBucket([]byte(metaBucket))
				require.NoError(t, err)
				return b.Put([]byte(formatKey), seal([]byte("99")))
			}))
			require.NoError(t, db.Close())
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, Name("a.conf")+".db")
			tt.make(t, path)
			before, _ := os.ReadFile(path)
			_, err := Open(dir, "a.conf")
			var usable *UsableError
			require.ErrorAs(t, err, &usable)
			require.ErrorContains(t, err, tt.want)
			require.ErrorContains(t, err, path)
			after, _ := os.ReadFile(path)
			require.Equal(t, len(before), len(after))
			if tt.name == "foreign" || tt.name == "zeros" {
				require.Equal(t, before, after)
			}
		})
	}
	t.Run("file in place of the directory", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "x")
		write(t, dir, nil)
		_, err := Open(dir, "a.conf")
		require.ErrorContains(t, err, dir+": the directory cannot be made: not a directory")
	})
	t.Run("empty", func(t *testing.T) { // the program was killed before it wrote
		dir := t.TempDir()
		write(t, filepath.Join(dir, Name("a.conf")+".db"), nil)
		require.NoError(t, open(t, dir).Save("b", "k", 1))
	})
}

// TestDamage flips octets and cuts off ends: the file opens with whole values,
// or not at all.
func TestDamage(t *testing.T) {
	image := sample(t)
	random := rand.New(rand.NewPCG(1, 2))
	files := 600
	if raceEnabled { // one goroutine reads them
		files = 150
	}
	for n := range files {
		b := append([]byte(nil), image...)
		switch n % 3 {
		case 0:
			b[random.IntN(len(b))] ^= 1 << random.IntN(8)
		case 1:
			b = b[:random.IntN(len(b))]
		default:
			at := random.IntN(len(b))
			for i := at; i < min(at+random.IntN(5000), len(b)); i++ {
				b[i] = byte(random.Int())
			}
		}
		whole(t, b)
	}
}

// sample is a file with some values.
func sample(t testing.TB) []byte {
	dir := t.TempDir()
	s, err := Open(dir, "a.conf")
	require.NoError(t, err)
	for i := range 300 {
		require.NoError(t, s.Save("b", fmt.Sprintf("key %d", i), value{i, strings.Repeat("x", i)}))
	}
	require.NoError(t, s.Close())
	b, err := os.ReadFile(s.Path())
	require.NoError(t, err)
	return b
}

// whole opens a file with these octets and uses it.
func whole(t testing.TB, b []byte) {
	dir, err := os.MkdirTemp("", "state")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	require.NoError(t, os.WriteFile(filepath.Join(dir, Name("a.conf")+".db"), b, 0o600))
	s, err := Open(dir, "a.conf")
	if err != nil {
		return
	}
	for i := range 300 {
		var v value
		found, err := s.Load("b", fmt.Sprintf("key %d", i), &v)
		if err == nil && found {
			require.Equal(t, value{i, strings.Repeat("x", i)}, v, "a wrong value")
		}
	}
	_ = s.Save("b", "key 1", value{1, "x"})
	require.NoError(t, s.Close())
}

func FuzzFile(f *testing.F) {
	image := sample(f)
	f.Add(image[:1<<13], 0, byte(1))
	f.Add(image[:1<<12], 100, byte(0xFF))
	f.Fuzz(func(t *testing.T, b []byte, at int, mask byte) {
		_ = verify(b)
		mutated := append([]byte(nil), image...)
		if at >= 0 {
			copy(mutated[at%len(mutated):], b[:min(len(b), 64)])
		}
		mutated[(at%len(mutated)+len(mutated))%len(mutated)] ^= mask
		if err := verify(mutated); err == nil && at%50 == 0 {
			whole(t, mutated)
		}
	})
}

// count saves two counters that belong together, for ever, and says so when
// they are durable.
func count(dir string) {
	s, err := Open(dir, "a.conf")
	if err != nil {
		fmt.Println(err)
		return
	}
	var v value
	_, _ = s.Load("b", "k", &v)
	for {
		v = value{v.N + 1, strings.Repeat(strconv.Itoa(v.N+1), 100)}
		if err := s.Save("b", "k", v); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(v.N)
	}
}

// TestKilled ends a process that saves at any moment, many times.
func TestKilled(t *testing.T) {
	kills := howOften(50)
	dir := t.TempDir()
	last := 0
	for range kills {
		c := child(t, "count", dir)
		out, err := c.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, c.Start())
		lines := bufio.NewScanner(out)
		for range 1 + rand.IntN(20) {
			require.True(t, lines.Scan())
			last = number(t, lines.Text())
		}
		for range rand.IntN(2000) { // some moment of the next one
			runtime.Gosched()
		}
		require.NoError(t, c.Process.Kill())
		for lines.Scan() {
			last = number(t, lines.Text())
		}
		_ = c.Wait()
		s := open(t, dir)
		var v value
		found, err := s.Load("b", "k", &v)
		require.NoError(t, err)
		require.True(t, found)
		require.GreaterOrEqual(t, v.N, last, "what was durable is there")
		require.LessOrEqual(t, v.N, last+1)
		require.Equal(t, strings.Repeat(strconv.Itoa(v.N), 100), v.Text, "not torn")
		require.NoError(t, s.Close())
	}
	require.GreaterOrEqual(t, last, kills)
}

// howOften is how many processes are killed.
func howOften(usually int) int {
	if n, err := strconv.Atoi(os.Getenv("STATE_KILLS")); err == nil {
		return n
	}
	return usually
}

func number(t *testing.T, s string) int {
	n, err := strconv.Atoi(s)
	require.NoError(t, err)
	return n
}

func TestDir(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", "/a:/b")
	dir, err := Dir("/mine")
	require.NoError(t, err)
	require.Equal(t, "/mine", dir)
	dir, err = Dir("")
	require.NoError(t, err)
	require.Equal(t, "/a", dir)
	t.Setenv("STATE_DIRECTORY", "")
	t.Setenv("XDG_STATE_HOME", "/x")
	t.Setenv("HOME", "/h")
	dir, err = userDir()
	require.NoError(t, err)
	if runtime.GOOS == "linux" {
		require.Equal(t, "/x/telegraf-dlms", dir)
		t.Setenv("XDG_STATE_HOME", "")
		dir, err = userDir()
		require.NoError(t, err)
		require.Equal(t, "/h/.local/state/telegraf-dlms", dir)
	}
	require.False(t, writable(filepath.Join(os.DevNull, "x")))
	made := filepath.Join(t.TempDir(), "a", "b")
	require.True(t, writable(made))
	require.NotEqual(t, Name("a.conf"), Name("b.conf"))
	require.NotEmpty(t, Name(""))
}

// TestVanished has the file cut off under a store that is open.
func TestVanished(t *testing.T) {
	s := open(t, t.TempDir())
	require.NoError(t, s.Save("b", "k", value{N: 1}))
	require.NoError(t, os.Truncate(s.Path(), 100))
	done := make(chan struct{})
	go func() {
		defer close(done)
		var v value
		_, err := s.Load("b", "k", &v)
		if err == nil && v.N != 1 {
			t.Errorf("a wrong value: %v", v)
		}
		_ = s.Save("b", "k", value{N: 2})
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Error("hangs")
	}
}
