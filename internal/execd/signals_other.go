//go:build !unix

package execd

import (
	"errors"
	"os"
	"syscall"
)

// tickSignals is empty: inputs.execd has STDIN only on this system.
func tickSignals() []os.Signal { return nil }

func keepClosedPipes() {}

// isClosedPipe knows the codes by which Windows says that the reader of a pipe
// is gone: ERROR_BROKEN_PIPE and ERROR_NO_DATA.
func isClosedPipe(err error) bool {
	const brokenPipe, noData = syscall.Errno(109), syscall.Errno(232)
	return errors.Is(err, brokenPipe) || errors.Is(err, noData)
}
