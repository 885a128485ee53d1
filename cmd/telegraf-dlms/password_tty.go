//go:build linux || darwin

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// askPassword asks on the terminal of the process, without echo.
func askPassword(ctx context.Context, prompt string) (string, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return "", errors.New("there is no terminal to ask for the password on: use file:PATH or env:NAME")
	}
	defer tty.Close()
	return askOn(ctx, tty, prompt)
}

// askOn asks on a terminal and puts its echo back, also when ctx ends.
func askOn(ctx context.Context, tty *os.File, prompt string) (string, error) {
	fd := tty.Fd()
	var old syscall.Termios
	if err := termios(fd, getTermios, &old); err != nil {
		return "", fmt.Errorf("cannot switch off the terminal's echo: %w", err)
	}
	silent := old
	silent.Lflag &^= syscall.ECHO
	silent.Lflag |= syscall.ICANON | syscall.ISIG
	if err := termios(fd, setTermios, &silent); err != nil {
		return "", fmt.Errorf("cannot switch off the terminal's echo: %w", err)
	}
	defer func() {
		_ = termios(fd, setTermios, &old) // nothing else can be done
		fmt.Fprintln(tty)
	}()
	fmt.Fprint(tty, prompt)

	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		text, err := readLine(tty)
		got <- answer{text, err}
	}()
	select {
	case a := <-got:
		return a.text, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func termios(fd, request uintptr, t *syscall.Termios) error {
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(unsafe.Pointer(t))) //nolint:gosec // the only way without another module
	if errno != 0 {
		return errno
	}
	return nil
}
