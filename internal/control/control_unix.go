//go:build !windows

package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// longestPath is what fits the address of a unix socket on every system.
const longestPath = 103

const ending = ".sock"

func path(dir, name string) string { return filepath.Join(dir, name+ending) }

// Running lists the instances that have listened in a directory.
func Running(dir string) (names []string) {
	list, _ := filepath.Glob(filepath.Join(dir, "*"+ending)) // the pattern is well-formed
	for _, at := range list {
		names = append(names, strings.TrimSuffix(filepath.Base(at), ending))
	}
	return names
}

// listen makes the socket in a directory of our own and moves it to its place
// when nobody else can use it.
func listen(dir, name string) (net.Listener, func(), error) {
	at := path(dir, name)
	if len(at) > longestPath {
		return nil, nil, fmt.Errorf("%s is too long for a socket (%d octets, at most %d): set a shorter state_dir", at, len(at), longestPath)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	if c, err := net.Dial("unix", at); err == nil {
		_ = c.Close()
		return nil, nil, fmt.Errorf("another instance listens at %s", at)
	} else if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) {
		return nil, nil, err
	}
	private, err := os.MkdirTemp(dir, ".s")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(private)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(private, "s"), Net: "unix"})
	if err != nil {
		return nil, nil, err
	}
	l.SetUnlinkOnClose(false)
	err = os.Chmod(filepath.Join(private, "s"), 0o600)
	if err == nil {
		err = os.Rename(filepath.Join(private, "s"), at) // replaces that of an instance that was killed
	}
	if err != nil {
		_ = l.Close()
		return nil, nil, err
	}
	return l, func() { _ = os.Remove(at) }, nil
}

func dial(ctx context.Context, dir, name string) (net.Conn, error) {
	at := path(dir, name)
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", at)
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, &NotRunningError{at}
	case errors.Is(err, os.ErrPermission):
		return nil, foreign(at)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", at, errors.Unwrap(err))
	default:
		return c, nil
	}
}

// foreign names the user whose socket it is.
func foreign(at string) error {
	for _, p := range []string{at, filepath.Dir(at)} {
		info, err := os.Stat(p)
		if err != nil {
			continue
		}
		if sys, ok := info.Sys().(*syscall.Stat_t); ok {
			owner := strconv.FormatUint(uint64(sys.Uid), 10)
			if u, err := user.LookupId(owner); err == nil {
				owner = u.Username
			}
			return fmt.Errorf("the running instance belongs to user %s: run this command as that user (sudo -u %s ...)", owner, owner)
		}
	}
	return fmt.Errorf("%s: permission denied: run this command as the user of the running instance", at)
}
