//go:build unix

package state

import (
	"os"
	"syscall"
)

// locked reports whether another process has the file open.
func locked(path string) bool {
	f, err := os.Open(path) //nolint:gosec // in the directory that the user names
	if err != nil {
		return false
	}
	defer f.Close()
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	return err == syscall.EWOULDBLOCK //nolint:errorlint // an Errno is never wrapped by Flock
}
