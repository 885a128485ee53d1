// Package control is the way from one command to the instance that runs: a unix
// socket in the directory of the state, on Windows a named pipe, for the same
// user only. A call is one line of JSON each way.
package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	lineLimit   = 64 << 10        // octets of a call, and of its answer
	callTime    = 5 * time.Second // for a call as a whole
	callsAtOnce = 8
)

// A Handler does what a command asks for and returns what to answer.
type Handler func(ctx context.Context, command string, args []string) (text string, err error)

// call and answer are the two lines.
type call struct {
	Command string   `json:"command"`
	Args    []string `json:"args"`
}

type answer struct {
	Text  string `json:"text,omitempty"`
	Error string `json:"error,omitempty"`
}

// NotRunningError says that no instance listens.
type NotRunningError struct{ Path string }

func (e *NotRunningError) Error() string {
	return "no running instance answers at " + e.Path + ": it has to be started with the same configuration file"
}

// AnsweredError is why the instance did not do what it was asked for.
type AnsweredError struct{ Msg string }

func (e *AnsweredError) Error() string { return e.Msg }

// A Server answers calls until Close.
type Server struct {
	listener net.Listener
	remove   func()
	cancel   context.CancelFunc
	all      sync.WaitGroup
}

// Listen begins to answer calls to an instance, which is called as its state is
// (state.Name). The error says why it cannot: among others that another
// instance does.
func Listen(dir, name string, handle Handler) (*Server, error) {
	listener, remove, err := listen(dir, name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{listener: listener, remove: remove, cancel: cancel}
	slots := make(chan struct{}, callsAtOnce)
	s.all.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			select {
			case slots <- struct{}{}:
				s.all.Go(func() {
					defer func() { <-slots }()
					serve(ctx, c, handle)
				})
			default: // enough at once
				_ = c.Close()
			}
		}
	})
	return s, nil
}

// Close ends the server and calls under way.
func (s *Server) Close() {
	s.cancel()
	_ = s.listener.Close()
	s.all.Wait()
	s.remove()
}

func serve(ctx context.Context, c net.Conn, handle Handler) {
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var q call
	var a answer
	if err := readLine(c, &q); err != nil {
		a.Error = "not understood: " + err.Error()
	} else if text, err := handle(ctx, q.Command, q.Args); err != nil {
		a.Error = err.Error()
	} else {
		a.Text = text
	}
	_ = writeLine(c, a)
}

// Call has the running instance of that name do something, and returns its answer.
func Call(ctx context.Context, dir, name, command string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	c, err := dial(ctx, dir, name)
	if err != nil {
		return "", err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var a answer
	err = writeLine(c, call{command, args})
	if err == nil {
		err = readLine(c, &a)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return "", fmt.Errorf("the running instance did not answer within %s", callTime)
	case err != nil:
		return "", fmt.Errorf("the running instance: %w", err)
	case a.Error != "":
		return "", &AnsweredError{a.Error}
	default:
		return a.Text, nil
	}
}

func writeLine(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(b) >= lineLimit {
		return fmt.Errorf("more than %d octets", lineLimit)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

func readLine(r io.Reader, v any) error {
	b, err := bufio.NewReader(io.LimitReader(r, lineLimit)).ReadBytes('\n')
	switch {
	case errors.Is(err, io.EOF) && len(b) == lineLimit:
		return fmt.Errorf("a line of more than %d octets", lineLimit)
	case err != nil:
		return err
	}
	return json.Unmarshal(b, v)
}
