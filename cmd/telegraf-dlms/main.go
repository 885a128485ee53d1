// Command telegraf-dlms reads DLMS/COSEM meters: under Telegraf's
// inputs.execd, or alone from the command line.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/internal/execd"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // some reads failed
	exitUsage  = 2 // wrong arguments or configuration
)

func main() {
	if os.Getenv("GOGC") == "" {
		// Thousands of meters are much to hold and little to throw away: memory is worth more than the time to collect it.
		debug.SetGCPercent(50)
	}
	ctx, stop := signal.NotifyContext(context.Background(), endSignals(os.Args[1:])...)
	context.AfterFunc(ctx, func() { time.AfterFunc(patience, stop) })
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// patience is the time after which a second signal ends the process at once.
// Some send the first one twice: timeout(1) to the process and to its group.
const patience = 500 * time.Millisecond

// endSignals are the signals which end the program cleanly. One that was
// ignored when it started stays ignored: nohup and the "&" of a shell mean it
// so. SIGHUP is a tick under inputs.execd, else the terminal is gone.
func endSignals(args []string) []os.Signal {
	list := []os.Signal{syscall.SIGTERM}
	if !signal.Ignored(os.Interrupt) {
		list = append(list, os.Interrupt)
	}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") && !signal.Ignored(syscall.SIGHUP) {
		list = append(list, syscall.SIGHUP)
	}
	return list
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
	example  string // arguments, if there must be some
	run      func(ctx context.Context, c *command, s streams, args []string) int
}

// commands lists the sub-commands in the order of the help; the first is what
// runs if there is none.
func commands() []command {
	return []command{
		{"", "-config FILE [-poll_interval 10s]", "run under Telegraf's inputs.execd", "", runExecd},
		{"dump", "-config FILE [-once | -count N] [-request NAME]", "poll without Telegraf, line protocol to standard output", "", runDump},
		{"check", "-config FILE", "check a configuration; show the plan and the next runs", "", runCheck},
		{"get", "ENDPOINT OBIS[:ATTRIBUTE]... [flags]", "read a few values now", "tcp://10.0.0.5:4059 1.0.1.8.0.255", runGet},
		{"probe", "ENDPOINT [flags]", "find out how a meter wants to be spoken to; explain each step", "tcp://10.0.0.5:4059", runProbe},
		{"objects", "[ENDPOINT flags | -config FILE -request NAME] [-o FILE]", "list what a meter has, with names, units and values", "", runObjects},
		{"profile", "ENDPOINT OBIS [-from T] [-to T] [-format NAME | -resend]", "read a load profile, billing or event log: table, csv, lp or plot", "tcp://10.0.0.5:4059 1.0.99.1.0.255 -from -7d", runProfile},
		{"decode", "[-key HEX -auth_key HEX -master_key HEX] [FILE | -]", "explain octets of meters, hexadecimal or binary, as a tree", "capture.txt", runDecode},
		{"trigger", "NAME [-config FILE]", "fire an event request of the running instance", "'my request'", runTrigger},
		{"simulate", "[-listen ADDR] [flags]", "play a meter; the first line of output is its URL", "", runSimulate},
		{"version", "", "show the version", "", runVersion},
		{"help", "[COMMAND]", "explain the commands", "", runHelp},
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
	return unknownCommand(stderr, name)
}

func unknownCommand(stderr io.Writer, name string) int {
	names := make([]string, 0, len(commands()))
	for _, c := range commands()[1:] {
		names = append(names, c.name)
	}
	hint := "telegraf-dlms help lists them"
	if s := execd.Suggest(name, names); s != "" {
		hint = fmt.Sprintf("did you mean telegraf-dlms %s?", s)
	} else if strings.ContainsAny(name, `./\`) {
		hint = "a configuration file comes with -config " + name
	}
	fmt.Fprintf(stderr, "telegraf-dlms: unknown command %q; %s\n", name, hint)
	return exitUsage
}

// show writes the whole of a command's output at once.
func (c *command) show(s streams, text string, status int) int {
	if _, err := io.WriteString(s.out, text); err != nil {
		fmt.Fprintf(s.err, "%s: cannot write to standard output: %v\n", c.title(), execd.Reason(err))
		return exitFailed
	}
	return status
}
