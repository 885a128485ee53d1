package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/internal/execd"
	"github.com/telegraf-dlms/telegraf-dlms/internal/preset"
	"github.com/telegraf-dlms/telegraf-dlms/plugins/inputs/dlms_cosem"
)

// runObjects reads the object list of a meter and shows it.
func runObjects(ctx context.Context, c *command, s streams, args []string) int {
	fs := c.newFlags()
	registerConnection(fs)
	config := fs.String("config", "", "`FILE` with the request that tells how to reach the meter, in place of ENDPOINT")
	request := fs.String("request", "", "`NAME` of that request (default the first)")
	format := fs.String("format", "table", "`NAME` table, json or csv")
	output := fs.String("o", "", "write the objects to this `FILE`, as a preset for requests")
	noValues := fs.Bool("no-values", false, "do not read the current values")
	debug := fs.Bool("debug", false, "more messages on standard error")
	rest, err := c.parse(fs, args, 0, 1, s.err)
	if err != nil {
		return exitFor(err)
	}
	fail := func(err error) int { return c.misused(s, err) }
	write, known := map[string]func(io.Writer, []dlms_cosem.Object, int){"table": writeObjects, "json": writeObjectsJSON, "csv": writeObjectsCSV}[*format]
	switch {
	case !known:
		return fail(fmt.Errorf("-format %q: allowed are table, json and csv", *format))
	case len(rest) == 0 && *config == "":
		return fail(errors.New("ENDPOINT or -config FILE is missing"))
	case len(rest) > 0 && *config != "":
		return fail(errors.New("ENDPOINT and -config do not go together"))
	case *request != "" && *config == "":
		return fail(errors.New("-request is of no use without -config"))
	}
	log := execd.NewLogger(s.err, *debug)
	var d *dlms_cosem.DLMS
	if *config != "" {
		file := fileFlags{config: *config, debug: *debug}
		var ok bool
		if d, ok = file.loadRequest(*request, log); !ok {
			return exitUsage
		}
	} else {
		settings, err := connectionSettings(ctx, fs)
		if err == nil {
			// Any item does: a request needs one.
			d, err = getPlugin(settings, rest[0], []string{"0.0.42.0.0.255"}, log)
		}
		if err != nil {
			return fail(err)
		}
		d.ConfigPath = objectsState
	}
	d.Partial = true
	bar := newBar(s.err, "reading the object list")
	list, err := d.Objects(ctx, dlms_cosem.ObjectsOptions{Values: !*noValues, Progress: func(done, all int) { bar.count(done, all, "objects") }})
	bar.end()
	return c.showObjects(ctx, s, list, err, func(w io.Writer) { write(w, list, terminalWidth(s.out)) }, *output, presetHead(fs, rest))
}

// objectsState names the state of readings without a configuration.
const objectsState = "telegraf-dlms objects"

// showObjects shows what was read and writes the preset.
func (c *command) showObjects(ctx context.Context, s streams, list []dlms_cosem.Object, err error, write func(io.Writer), output string, head presetText) int {
	status := exitOK
	if len(list) > 0 {
		var text bytes.Buffer
		write(&text)
		status = c.show(s, text.String(), exitOK)
		if output != "" {
			if e := writePreset(output, list, head); e != nil {
				fmt.Fprintf(s.err, "%s: %v\n", c.title(), e)
				status = exitFailed
			} else {
				fmt.Fprintf(s.err, "%s: use it in a request as preset = %q\n", output, output)
			}
		}
	}
	if err == nil {
		return status
	}
	if ctx.Err() != nil {
		fmt.Fprintf(s.err, "%s: interrupted: %v\n", c.title(), err)
		return exitFailed
	}
	fmt.Fprintf(s.err, "%s: %v\n", c.title(), err)
	if hint := dlms_cosem.Hint(err); hint != "" {
		fmt.Fprintf(s.err, "hint: %s\n", hint)
	}
	return exitFailed
}

// writeObjects shows a list to people.
func writeObjects(w io.Writer, list []dlms_cosem.Object, width int) {
	rows := [][]string{{"OBIS", "NAME", "CLASS", "UNIT", "TYPE", "VALUE"}}
	for i := range list {
		o := &list[i]
		value := o.Text
		if o.Reason != "" {
			value = "not read: " + o.Reason
		}
		rows = append(rows, []string{o.OBIS, dash(o.Name), fmt.Sprintf("%d %s", o.Class, o.ClassName), dash(o.Unit), dash(o.Type), value})
	}
	if width > 0 {
		before := 0
		for i := range len(rows[0]) - 1 {
			widest := 0
			for _, row := range rows {
				widest = max(widest, len([]rune(row[i])))
			}
			before += widest + 2
		}
		for _, row := range rows[1:] {
			row[5] = cut(row[5], max(width-before, leastValue))
		}
	}
	writeColumns(w, rows)
}

// writeObjectsJSON shows a list to programs: always one array.
func writeObjectsJSON(w io.Writer, list []dlms_cosem.Object, _ int) {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	_ = enc.Encode(append([]dlms_cosem.Object{}, list...)) // to memory
}

func writeObjectsCSV(w io.Writer, list []dlms_cosem.Object, _ int) {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"obis", "name", "class", "class_name", "version", "base_name", "unit", "scaler", "type", "value", "error"}) // to memory
	for i := range list {
		o := &list[i]
		base, scaler := "", ""
		if o.BaseName != nil {
			base = fmt.Sprintf("0x%04X", *o.BaseName)
		}
		if o.Scaler != nil {
			scaler = strconv.Itoa(*o.Scaler)
		}
		_ = out.Write([]string{o.OBIS, o.Name, strconv.Itoa(int(o.Class)), o.ClassName, strconv.Itoa(int(o.Version)), base, o.Unit, scaler, o.Type, o.Text, o.Reason})
	}
	out.Flush()
}

// presetText is what a preset says beside its items.
type presetText struct {
	head []string
	link [][2]string
}

// presetHead is made of the arguments: the keys that were given, but what is
// secret or belongs to one meter only.
func presetHead(fs *flag.FlagSet, rest []string) (p presetText) {
	where := "a configured meter"
	if len(rest) > 0 {
		where = rest[0]
	}
	p.head = []string{fmt.Sprintf("Objects of the meter at %s, read on %s.", where, time.Now().Format(time.DateOnly)),
		"Items of classes 3, 4 and 5 take scaler and unit from the meter. Objects without a single value, and denied ones, are comments."}
	for _, k := range connectionKeys() {
		switch k.name {
		case "password", "encryption_key", "authentication_key", "physical_address", "system_title", "server_system_title", "invocation_counter", "state_dir":
			continue
		}
		if !isSet(fs, k.name) {
			continue
		}
		value := fs.Lookup(k.name).Value.String()
		if k.kind == text {
			value = preset.Quote(value)
		}
		p.link = append(p.link, [2]string{k.name, value})
	}
	return p
}

func writePreset(file string, list []dlms_cosem.Object, text presetText) error {
	entries := make([]preset.Entry, len(list))
	var match preset.Match
	for i := range list {
		o := &list[i]
		e := preset.Entry{OBIS: o.OBIS, Class: o.Class, Attribute: o.Attribute, BaseName: o.BaseName, Name: o.Name, Remark: strings.TrimSpace(o.Text + " " + o.Unit)}
		if o.Reason != "" {
			e.Remark, e.Denied = o.Reason, true
		}
		if o.Type == "structure" || o.Type == "array" {
			e.Remark, e.Attribute = o.Text, 0
		}
		if o.OBIS == "0.0.42.0.0.255" && len(o.Text) >= 3 {
			match.Maker = o.Text[:3]
		}
		entries[i] = e
	}
	var b bytes.Buffer
	if err := preset.Write(&b, text.head, match, text.link, entries); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644) //nolint:gosec // there is nothing secret in it
}
