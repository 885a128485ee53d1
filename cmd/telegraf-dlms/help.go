package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
)

const usageTail = `
telegraf-dlms help COMMAND shows the flags of a command.
Exit status: 0 success, 1 some reads failed, 2 wrong usage or configuration.
`

func usage(w io.Writer) {
	fmt.Fprint(w, "telegraf-dlms reads DLMS/COSEM meters. It cannot write to them.\n\n")
	var rows [][]string
	for _, c := range commands() {
		rows = append(rows, []string{"  " + strings.TrimSpace(c.title()+" "+c.synopsis), c.summary})
	}
	writeColumns(w, rows)
	fmt.Fprint(w, usageTail)
}

// usage explains one command.
func (c *command) usage(fs *flag.FlagSet, w io.Writer) {
	fmt.Fprintf(w, "usage: %s\n%s\n", strings.TrimSpace(c.title()+" "+c.synopsis), c.summary)
	var rows [][]string
	fs.VisitAll(func(f *flag.Flag) {
		kind, text := flag.UnquoteUsage(f)
		if kind != "" {
			text = strings.TrimPrefix(text, kind+" ") // it stands beside the flag
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" {
			text += " (default " + f.DefValue + ")"
		}
		rows = append(rows, []string{"  -" + strings.TrimSpace(f.Name+" "+kind), text})
	})
	if len(rows) > 0 {
		fmt.Fprint(w, "\nflags:\n")
		writeColumns(w, rows)
	}
}

// runHelp shows the usage of the program or of a command. It goes to standard
// error: standard output is Telegraf's.
func runHelp(ctx context.Context, c *command, s streams, args []string) int {
	rest, err := c.parse(c.newFlags(), args, 0, 1, s.err)
	if err != nil {
		return exitFor(err)
	}
	if len(rest) == 0 {
		usage(s.err)
		return exitOK
	}
	for _, other := range commands() {
		if other.name == rest[0] {
			return other.run(ctx, &other, s, []string{"-help"})
		}
	}
	return unknownCommand(s.err, rest[0])
}
