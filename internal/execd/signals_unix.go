//go:build unix

package execd

import (
	"os"
	"os/signal"
	"syscall"
)

// tickSignals are those inputs.execd can send for a tick.
func tickSignals() []os.Signal {
	return []os.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2}
}

// keepClosedPipes lets writes to a closed standard output or error fail instead
// of killing the process, so that the links are still released.
func keepClosedPipes() { signal.Ignore(syscall.SIGPIPE) }

func isClosedPipe(error) bool { return false }
