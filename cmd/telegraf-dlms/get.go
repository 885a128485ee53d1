package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/influxdata/telegraf"

	"github.com/telegraf-dlms/telegraf-dlms/internal/execd"
	"github.com/telegraf-dlms/telegraf-dlms/plugins/inputs/dlms_cosem"
)

// runGet reads a few attributes and shows them.
func runGet(ctx context.Context, c *command, s streams, args []string) int {
	fs := c.newFlags()
	registerConnection(fs)
	format := fs.String("format", "table", "`NAME` table or json")
	debug := fs.Bool("debug", false, "more messages on standard error")
	rest, err := c.parse(fs, args, 2, -1, s.err)
	if err != nil {
		return exitFor(err)
	}
	fail := func(err error) int { return c.misused(s, err) }
	if *format != "table" && *format != "json" {
		return fail(fmt.Errorf("-format %q: allowed are table and json", *format))
	}
	settings, err := connectionSettings(ctx, fs)
	if err != nil {
		return fail(err)
	}
	d, err := getPlugin(settings, rest[0], rest[1:], execd.NewLogger(s.err, *debug))
	if err != nil {
		return fail(err)
	}

	bar := newBar(s.err, "reading "+rest[0])
	readings, err := d.ReadOnce(ctx)
	bar.end()
	var text strings.Builder
	if *format == "json" {
		writeJSON(&text, readings)
	} else {
		writeTable(&text, readings, terminalWidth(s.out))
	}
	status := c.show(s, text.String(), exitOK)
	if ctx.Err() != nil {
		fmt.Fprintf(s.err, "%s: interrupted\n", c.title())
		return exitFailed
	}
	if err != nil {
		status = exitFailed
		for _, e := range parts(err) {
			fmt.Fprintf(s.err, "%s: %v\n", c.title(), e)
		}
	}
	for _, hint := range hints(parts(err), readings, len(d.Plan()[0].Addresses) > 1) {
		fmt.Fprintf(s.err, "hint: %s\n", hint)
	}
	for _, r := range readings {
		if r.Err != nil {
			status = exitFailed
		}
	}
	return status
}

// getPlugin makes the plugin with one request of the arguments.
func getPlugin(settings map[string]any, endpoint string, codes []string, log telegraf.Logger) (*dlms_cosem.DLMS, error) {
	return pluginFor("get", settings, endpoint, codes, log)
}

// pluginFor does that with a request of the given name.
func pluginFor(name string, settings map[string]any, endpoint string, codes []string, log telegraf.Logger) (*dlms_cosem.DLMS, error) {
	items := make([]map[string]any, len(codes))
	for i, arg := range codes {
		code, attribute, err := splitAttribute(arg)
		if err != nil {
			return nil, err
		}
		items[i] = map[string]any{"obis": code, "attribute": attribute}
	}
	settings["endpoint"] = endpoint
	settings["request"] = []map[string]any{{"name": name, "method": "once", "item": items}}
	d := &dlms_cosem.DLMS{Borrow: true}
	if err := execd.Decode(d, settings); err != nil {
		return nil, err
	}
	execd.SetLogger(d, log)
	return d, d.Init()
}

// flagError tells of a wrong setting by the flag it came from: there is no file
// with requests.
func flagError(err error) string {
	var wrong *dlms_cosem.ConfigError
	if !errors.As(err, &wrong) {
		return err.Error()
	}
	e := *wrong
	e.Request = ""
	if e.Item == "" && e.Key != "endpoint" {
		return "-" + e.Error()
	}
	return e.Error()
}

// splitAttribute splits OBIS:ATTRIBUTE, the attribute being 2 if it is not
// given. A colon also stands within 1-0:1.8.0*255.
func splitAttribute(arg string) (code string, attribute int64, err error) {
	i := strings.LastIndexByte(arg, ':')
	if i < 0 || strings.ContainsAny(arg[i+1:], ".*") {
		return arg, 2, nil
	}
	attribute, err = strconv.ParseInt(arg[i+1:], 10, 8)
	if err != nil {
		return "", 0, fmt.Errorf("%q: after the last colon the number of an attribute is expected, as in 1.0.1.8.0.255:3", arg)
	}
	return arg[:i], attribute, nil
}

// hints returns what to do about the errors, each advice once; with several
// devices it says for which of them.
func hints(errs []error, readings []dlms_cosem.Reading, several bool) []string {
	var (
		out  []string
		seen = map[string][]string{} // advice -> addresses
	)
	add := func(err error, address string) {
		h := dlms_cosem.Hint(err)
		if h == "" {
			return
		}
		have, known := seen[h]
		if !known {
			out = append(out, h)
		}
		if !slices.Contains(have, address) {
			seen[h] = append(have, address)
		}
	}
	for _, err := range errs {
		address := ""
		var device *dlms_cosem.DeviceError
		if errors.As(err, &device) {
			address = device.Address
		}
		add(err, address)
	}
	for _, r := range readings {
		add(r.Err, r.Address)
	}
	if several {
		for i, h := range out {
			out[i] = "address " + strings.Join(seen[h], ", ") + ": " + h
		}
	}
	return out
}

// leastValue is the width a value has in any case.
const leastValue = 20

// writeTable shows readings to people. What has no unit, and the reason why a
// value is missing, may run beyond its column. Values are cut to that width in
// all; 0 is no limit.
func writeTable(w io.Writer, readings []dlms_cosem.Reading, width int) {
	if len(readings) == 0 {
		return
	}
	addresses := map[string]bool{}
	for _, r := range readings {
		addresses[r.Address] = true
	}
	rows := [][]string{{"OBIS", "ATTRIBUTE", "CLASS", "TYPE", "VALUE", "UNIT"}}
	for _, r := range readings {
		text := r.Text
		if d, ok := structured(r.Raw); ok {
			text = wholeText(d)
		}
		row := []string{r.OBIS, strconv.Itoa(r.Attribute), strconv.Itoa(int(r.Class)), dash(r.Type), text, r.Unit}
		switch {
		case r.Err != nil:
			row = append(row[:4], "failed: "+strings.ReplaceAll(r.Err.Error(), "\n", "; "))
		case r.Unit == "":
			row = row[:5]
		default:
		}
		rows = append(rows, row)
	}
	if len(addresses) > 1 {
		rows[0] = append([]string{"ADDRESS"}, rows[0]...)
		for i, r := range readings {
			rows[i+1] = append([]string{dash(r.Address)}, rows[i+1]...)
		}
	}
	cutValues(rows, readings, width)
	writeColumns(w, rows)
}

// cutValues shortens the values to what a line of that width has left for them.
// Reasons stay whole.
func cutValues(rows [][]string, readings []dlms_cosem.Reading, width int) {
	if width == 0 {
		return
	}
	column := len(rows[0]) - 2
	before := 0
	for i := range column {
		widest := 0
		for _, row := range rows {
			widest = max(widest, utf8.RuneCountInString(row[i]))
		}
		before += widest + 2
	}
	for i, r := range readings {
		if r.Err == nil {
			row := rows[i+1]
			row[column] = cut(row[column], max(width-before, leastValue))
		}
	}
}

// dash stands for what there is not.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// jsonReading is one reading as -format json writes it. Value is a number, a
// string or a boolean, or an array of them for a structure or array; it is
// absent if the value was not read.
type jsonReading struct {
	Address   string `json:"address,omitempty"`
	OBIS      string `json:"obis"`
	Attribute int    `json:"attribute"`
	Class     int    `json:"class"`
	Type      string `json:"type,omitempty"`
	Value     any    `json:"value,omitempty"`
	Text      string `json:"text,omitempty"`
	Unit      string `json:"unit,omitempty"`
	Raw       string `json:"raw,omitempty"`
	Error     string `json:"error,omitempty"`
}

// writeJSON shows readings to programs: always one array.
func writeJSON(w io.Writer, readings []dlms_cosem.Reading) {
	list := make([]jsonReading, len(readings))
	for i, r := range readings {
		list[i] = jsonReading{
			Address: r.Address, OBIS: r.OBIS, Attribute: r.Attribute, Class: int(r.Class),
			Type: r.Type, Value: r.Value, Text: r.Text, Unit: r.Unit, Raw: r.Raw,
		}
		if d, ok := structured(r.Raw); ok && r.Err == nil {
			list[i].Value, list[i].Text = jsonData(d), ""
		}
		if r.Err != nil {
			list[i].Error = r.Err.Error()
			list[i].Value, list[i].Text = nil, ""
		}
		if f, ok := r.Value.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			list[i].Value = nil // has no JSON; the text tells
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	_ = enc.Encode(list) // to memory, and all of it has a JSON
}
