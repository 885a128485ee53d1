package state

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func init() { roles["full"] = full }

// full takes values while a file can be written up to some place only: not at
// all, to the middle of a page, or without those that are new. It prints them,
// errors, and what a run after a crash would begin with.
func full(dir string) {
	s, err := Open(dir, "a.conf")
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := s.Counter(id)
	say := func(err error) {
		if err != nil {
			fmt.Println("error", err)
		}
	}
	take := func() {
		v, err := c.Next()
		if say(err); err == nil {
			fmt.Println("took", v)
		}
	}
	say(err)
	say(c.Raise(0))
	const page = 4096
	for _, limit := range []uint64{0, 40, page, 2 * page, 2*page + 30, 4 * page, 4*page + 2000} {
		for range block {
			take()
		}
		say(fileLimit(limit))
		for range 3 {
			take()
		}
		say(c.Raise(c.next + 1000))
		_, err := s.Title()
		say(err)
		b, err := os.ReadFile(s.Path())
		say(err)
		say(fileLimit(^uint64(0)))
		fmt.Println("after", beginning(filepath.Join(dir, fmt.Sprint(limit)), b))
	}
	take()
	title, err := s.Title()
	say(err)
	say(s.Close())
	s, err = Open(dir, "a.conf")
	say(err)
	again, err := s.Title()
	say(err)
	fmt.Println("title", title == again)
}

// fileLimit has writes fail that reach beyond a place of a file.
func fileLimit(octets uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	limit.Cur = min(octets, limit.Max)
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
}

// beginning is the first value of a run with a file of these octets.
func beginning(dir string, b []byte) any {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, Name("a.conf")+".db"), b, 0o600); err != nil {
		return err
	}
	s, err := Open(dir, "a.conf")
	if err != nil {
		return err
	}
	defer s.Close()
	c, err := s.Counter(id)
	if err != nil {
		return err
	}
	v, err := c.Next()
	if err != nil {
		return err
	}
	return v
}

// TestFullDisk: a counter that cannot reserve gives nothing, and goes on when it
// can.
func TestFullDisk(t *testing.T) {
	out, err := child(t, "full", t.TempDir()).Output()
	require.NoError(t, err)
	last, errs, crashes := -1, 0, 0
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		kind, text, _ := strings.Cut(lines.Text(), " ")
		switch kind {
		case "took":
			v := number(t, text)
			require.Greater(t, v, last)
			if errs <= 5 {
				require.Equal(t, last+1, v, "nothing was lost over errors")
			}
			last = v
		case "error":
			require.Regexp(t, `^(invocation counter .* tcp: no value is given out|our system title: none is used) until the state can be written: write /.*: file too large$`, text)
			errs++
		case "after":
			require.Greater(t, number(t, text), last, "a value would be there twice")
			crashes++
		default:
			require.Equal(t, "title true", lines.Text())
		}
	}
	require.Equal(t, 7, crashes)
	require.GreaterOrEqual(t, errs, 5*5, "three values, a raise and the title, five times at least")
}

// TestReadOnlyFile: one that cannot be written is refused when it is opened. It
// takes another user if this one is root.
func TestReadOnlyFile(t *testing.T) {
	places, err := os.MkdirTemp("", "state")
	require.NoError(t, err)
	defer os.RemoveAll(places)
	require.NoError(t, os.Chmod(places, 0o755))
	t.Chdir(places) // the name of the file depends on where we are
	dir := filepath.Join(places, "dir")
	s := open(t, dir)
	require.NoError(t, s.Close())
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.Chmod(s.Path(), 0o444))
	c := child(t, "open", dir)
	if os.Getuid() == 0 {
		b, err := os.ReadFile("/proc/self/exe")
		require.NoError(t, err)
		c.Path = filepath.Join(places, "test")
		require.NoError(t, os.WriteFile(c.Path, b, 0o755))
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := c.Output()
	require.NoError(t, err)
	require.Equal(t, s.Path()+": cannot be opened: permission denied\n", string(out))
}
