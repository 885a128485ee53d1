// Command telegraf-dlms reads DLMS/COSEM meters: under Telegraf's
// inputs.execd, or alone from the command line.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // some reads failed
	exitUsage  = 2 // wrong arguments or configuration
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// streams are the standard streams of a command.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// command is one sub-command.
type command struct {
	name     string
	synopsis string // its arguments
	summary  string
	run      func(ctx context.Context, c *command, s streams, args []string) int
}

// commands lists the sub-commands in the order of the help; the first is what
// runs if there is none.
func commands() []command {
	return []command{
		{"", "-config FILE [-poll_interval 10s]", "run under Telegraf's inputs.execd", runExecd},
		{"dump", "-config FILE [-once | -count N] [-request NAME]", "poll without Telegraf, line protocol to standard output", runDump},
		{"check", "-config FILE", "check a configuration; show the plan and the next runs", runCheck},
		{"get", "ENDPOINT OBIS[:ATTRIBUTE]... [flags]", "read a few values now", runGet},
		{"simulate", "[-listen ADDR] [flags]", "play a meter; the first line of output is its URL", runSimulate},
		{"version", "", "show the version", runVersion},
		{"help", "[COMMAND]", "explain the commands", runHelp},
	}
}

// run executes the program and returns its exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	s := streams{stdin, stdout, stderr}
	all := commands()
	if len(args) == 0 {
		usage(stderr)
		return exitUsage
	}
	name := args[0]
	switch name {
	case "-h", "-help", "--help":
		usage(stderr)
		return exitOK
	case "-version", "--version":
		name = "version"
	default:
	}
	if strings.HasPrefix(name, "-") {
		return all[0].run(ctx, &all[0], s, args)
	}
	for i := range all {
		if all[i].name == name {
			return all[i].run(ctx, &all[i], s, args[1:])
		}
	}
	fmt.Fprintf(stderr, "telegraf-dlms: unknown command %q; telegraf-dlms help lists them\n", name)
	return exitUsage
}
