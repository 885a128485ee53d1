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
	first := true
	fs.VisitAll(func(f *flag.Flag) {
		if first {
			fmt.Fprint(w, "\nflags:\n")
			first = false
		}
		kind, text := flag.UnquoteUsage(f)
		fmt.Fprintf(w, "  -%s\n", strings.TrimSpace(f.Name+" "+kind))
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" {
			text += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(w, "        %s\n", text)
	})
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
	fmt.Fprintf(s.err, "telegraf-dlms: unknown command %q; telegraf-dlms help lists them\n", rest[0])
	return exitUsage
}
