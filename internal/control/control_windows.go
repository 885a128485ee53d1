package control

import (
	"context"
	"errors"
	"net"
	"os"

	"github.com/Microsoft/go-winio"
)

// ownerOnly lets the user of the process and the system in.
const ownerOnly = "D:P(A;;GA;;;OW)(A;;GA;;;SY)"

func path(_, name string) string { return `\\.\pipe\telegraf-dlms-` + name }

// Running is not known: pipes stand in no directory of ours.
func Running(string) []string { return nil }

func listen(dir, name string) (net.Listener, func(), error) {
	l, err := winio.ListenPipe(path(dir, name), &winio.PipeConfig{SecurityDescriptor: ownerOnly})
	return l, func() {}, err
}

func dial(ctx context.Context, dir, name string) (net.Conn, error) {
	at := path(dir, name)
	c, err := winio.DialPipeContext(ctx, at)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, &NotRunningError{at}
	case errors.Is(err, os.ErrPermission):
		return nil, errors.New("the running instance belongs to another user: run this command as that user")
	default:
		return c, err
	}
}
