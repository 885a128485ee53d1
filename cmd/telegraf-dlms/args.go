package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/internal/execd"
)

// errHelp is returned by parse after it has shown the usage that was asked
// for.
var errHelp = errors.New("help")

// newFlags returns an empty set of flags for a command.
func (c *command) newFlags() *flag.FlagSet {
	fs := flag.NewFlagSet(c.title(), flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	return fs
}

func (c *command) title() string {
	return strings.TrimSpace("telegraf-dlms " + c.name)
}

// parse reads the flags, which may stand before, between and after the
// arguments; "--" ends them. It returns the arguments: at least low, at most
// high of them, any number if high is negative. What is wrong is told on
// stderr.
func (c *command) parse(fs *flag.FlagSet, args []string, low, high int, stderr io.Writer) ([]string, error) {
	rest, err := splitArgs(fs, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		c.usage(fs, stderr)
		return nil, errHelp
	case err != nil:
	case len(rest) < low:
		err = fmt.Errorf("arguments are missing, as in %s %s", c.title(), c.example)
	case high >= 0 && len(rest) > high:
		err = fmt.Errorf("stray argument %q%s", rest[high], c.strayHint(fs, rest[high]))
	default:
		return rest, nil
	}
	fmt.Fprintf(stderr, "%s: %v\n", c.title(), err)
	fmt.Fprintf(stderr, "usage: %s\n", strings.TrimSpace(c.title()+" "+c.synopsis))
	fmt.Fprintf(stderr, "%s shows all flags\n", strings.TrimSpace("telegraf-dlms help "+c.name))
	return nil, err
}

// strayHint says what an argument that has no place was probably meant to be.
func (c *command) strayHint(fs *flag.FlagSet, arg string) string {
	for _, other := range commands()[1:] {
		if other.name == arg {
			return ": a command stands before the flags"
		}
	}
	if fs.Lookup("config") != nil && !isSet(fs, "config") {
		return "; did you mean -config " + arg + "?"
	}
	return ""
}

// flagMistake rewrites what package flag says about a wrong flag.
func flagMistake(fs *flag.FlagSet, name, value string, err error) error {
	f := fs.Lookup(name)
	if errors.Is(err, flag.ErrHelp) {
		return err
	}
	if f == nil {
		var names []string
		fs.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
		if s := execd.Suggest(name, names); s != "" {
			return fmt.Errorf("unknown flag -%s; did you mean -%s?", name, s)
		}
		return fmt.Errorf("unknown flag -%s", name)
	}
	getter, ok := f.Value.(flag.Getter)
	if !ok || value == "" {
		kind, _ := flag.UnquoteUsage(f)
		return fmt.Errorf("-%s %s: the value is missing", name, kind)
	}
	switch getter.Get().(type) {
	case int:
		return fmt.Errorf("-%s %q: must be a whole number", name, value)
	case time.Duration:
		return fmt.Errorf("-%s %q: not a duration: a number with its unit is expected, as in 500ms, 10s or 15m", name, value)
	case bool:
		return fmt.Errorf("-%s %q: must be true or false", name, value)
	default:
		return err
	}
}

// splitArgs hands the flags among the arguments to fs, one at a time, and
// returns the others.
func splitArgs(fs *flag.FlagSet, args []string) ([]string, error) {
	var rest []string
	for len(args) > 0 {
		arg := args[0]
		if arg == "--" {
			return append(rest, args[1:]...), nil
		}
		if len(arg) < 2 || arg[0] != '-' {
			rest, args = append(rest, arg), args[1:]
			continue
		}
		n := 1
		name, value, hasValue := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
		if f := fs.Lookup(name); f != nil && !hasValue && !isBool(f) && len(args) > 1 {
			n, value = 2, args[1]
		}
		if err := fs.Parse(args[:n]); err != nil {
			return nil, flagMistake(fs, name, value, err)
		}
		args = args[n:]
	}
	return rest, nil
}

func isBool(f *flag.Flag) bool {
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// isSet reports whether a flag was given.
func isSet(fs *flag.FlagSet, name string) bool {
	set := false
	fs.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

// exitFor returns the exit status after parse failed.
func exitFor(err error) int {
	if errors.Is(err, errHelp) {
		return exitOK
	}
	return exitUsage
}
