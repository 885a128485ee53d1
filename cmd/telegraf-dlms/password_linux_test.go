package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// terminal opens a pseudo-terminal: the side of the person and that of the
// program.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	t.Cleanup(func() { _ = person.Close() })
	var unlock, number int32
	ioctl := func(request uintptr, p *int32) {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, person.Fd(), request, uintptr(unsafe.Pointer(p))) //nolint:gosec // the only way without another module
		require.Zero(t, errno)
	}
	ioctl(syscall.TIOCSPTLCK, &unlock)
	ioctl(syscall.TIOCGPTN, &number)
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	t.Cleanup(func() { _ = program.Close() })
	return person, program
}

func echoes(t *testing.T, tty *os.File) bool {
	t.Helper()
	var state syscall.Termios
	require.NoError(t, termios(tty.Fd(), getTermios, &state))
	return state.Lflag&syscall.ECHO != 0
}

func readUntil(t *testing.T, f *os.File, want string) string {
	t.Helper()
	var seen strings.Builder
	buf := make([]byte, 256)
	for !strings.Contains(seen.String(), want) {
		n, err := f.Read(buf)
		require.NoError(t, err)
		seen.Write(buf[:n])
	}
	return seen.String()
}

func TestAskPassword(t *testing.T) {
	person, program := terminal(t)
	require.True(t, echoes(t, program))
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		text, err := askOn(t.Context(), program, "password: ")
		got <- answer{text, err}
	}()
	readUntil(t, person, "password: ")
	require.False(t, echoes(t, program))
	_, err := person.WriteString("hunter22\n")
	require.NoError(t, err)
	a := <-got
	require.NoError(t, a.err)
	require.Equal(t, "hunter22", a.text)
	require.NotContains(t, readUntil(t, person, "\n"), "hunter22")
	require.True(t, echoes(t, program))
}

// Ctrl-C puts the echo back.
func TestAskPasswordInterrupted(t *testing.T) {
	person, program := terminal(t)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 1)
	go func() {
		_, err := askOn(ctx, program, "password: ")
		got <- err
	}()
	readUntil(t, person, "password: ")
	cancel()
	require.ErrorIs(t, <-got, context.Canceled)
	require.True(t, echoes(t, program))
	_, err := person.WriteString("\n")
	require.NoError(t, err)
}

func TestReadLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"a b\n": "a b", "a\r\n": "a", "a": "a", "\n": ""} {
		got, err := readLine(strings.NewReader(in))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := readLine(strings.NewReader(""))
	require.Error(t, err)
}
