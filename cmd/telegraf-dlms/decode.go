package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/internal/execd"
	"github.com/telegraf-dlms/telegraf-dlms/internal/explain"
	"github.com/telegraf-dlms/telegraf-dlms/plugins/inputs/dlms_cosem"
)

// decodeFormats are what -format of decode may be. A writer gets the columns of
// the terminal, 0 where there is none.
var decodeFormats = map[string]func(w io.Writer, r *explain.Report, width int) error{
	"tree": func(w io.Writer, r *explain.Report, width int) error {
		o := explain.TreeOptions{Width: width}
		if width > 0 && os.Getenv("NO_COLOR") == "" {
			o.Colour = colour
		}
		return r.WriteTree(w, o)
	},
	"json": func(w io.Writer, r *explain.Report, _ int) error { return r.WriteJSON(w) },
}

// runDecode explains octets. All that it finds is its output, what is wrong with
// the octets as well.
func runDecode(ctx context.Context, c *command, s streams, args []string) int {
	fs := c.newFlags()
	key := fs.String("key", "", "`HEX` of the encryption key; file:PATH and env:NAME keep it out of the arguments")
	authKey := fs.String("auth_key", "", "`HEX` of the authentication key; file:PATH or env:NAME")
	masterKey := fs.String("master_key", "", "`HEX` of the master key, which wraps the keys that come with general-ciphering; file:PATH or env:NAME")
	format := fs.String("format", "tree", "`NAME` tree, json, or lp: the metrics that a request with send_requests = false makes of it")
	preset := fs.String("preset", "", "`NAME` of a preset that tells what values without OBIS codes are")
	redact := fs.Bool("redact", false, "write the octets themselves, without serial numbers, system titles and passwords, for others to see")
	raw := fs.Bool("raw", false, "show the encoding of each value, too")
	rest, err := c.parse(fs, args, 0, 1, s.err)
	if err != nil {
		return exitFor(err)
	}
	write, known := decodeFormats[*format]
	switch {
	case !known && *format != "lp":
		return c.misused(s, fmt.Errorf("-format %q: allowed are tree, json and lp", *format))
	case *redact && (isSet(fs, "format") || *raw):
		return c.misused(s, errors.New("-redact writes octets: -format and -raw do not go with it"))
	default:
	}
	opt := explain.Options{Raw: *raw}
	for _, k := range []struct {
		key        *[]byte
		flag, text string
	}{{&opt.Key, "key", *key}, {&opt.AuthKey, "auth_key", *authKey}, {&opt.MasterKey, "master_key", *masterKey}} {
		if err == nil {
			*k.key, err = decodeKey(k.flag, k.text, security.KeyLengthOf(0), security.KeyLengthOf(2))
		}
	}
	switch {
	case err != nil:
	case len(opt.AuthKey) > 0 && len(opt.Key)+len(opt.MasterKey) == 0:
		err = errors.New("-auth_key is of no use without -key")
	case len(opt.MasterKey) > 0 && *format == "lp":
		err = errors.New("-master_key does not go with -format lp: a listening request takes no keys that come with a telegram")
	default:
	}
	if err != nil {
		return c.misused(s, err)
	}
	data, err := readInput(s.in, rest)
	if err != nil {
		return c.misused(s, err)
	}
	d, err := hearer(*preset, opt)
	if err != nil {
		return c.misused(s, err)
	}
	if *format == "lp" {
		return c.lines(ctx, s, d, data, rest)
	}
	opt.Lists = d.PushLists()
	text, status, err := decode(data, opt, *redact, write, terminalWidth(s.out))
	if err != nil {
		fmt.Fprintf(s.err, "%s: %v\n", c.title(), err)
		return exitFailed
	}
	return c.show(s, text, status)
}

// decode returns what is to be shown of a file, and the exit status.
func decode(data []byte, opt explain.Options, redact bool, write func(io.Writer, *explain.Report, int) error, width int) (string, int, error) {
	in, err := explain.ParseInput(data)
	if err != nil {
		return "", exitFailed, err
	}
	if redact {
		r, err := explain.Redact(in, opt)
		if err != nil {
			return "", exitFailed, err
		}
		return r.Text(), exitOK, nil
	}
	r, err := explain.Explain(in, opt)
	if err != nil {
		return "", exitFailed, err
	}
	var text strings.Builder
	if err := write(&text, r, width); err != nil {
		return "", exitFailed, err
	}
	if !r.Complete() {
		return text.String(), exitFailed, nil
	}
	return text.String(), exitOK, nil
}

// decodeKey reads a key of the arguments: so many octets, as twice as many
// hexadecimal digits. Errors do not show it.
func decodeKey(flag, value string, octets ...int) ([]byte, error) {
	if value == "" {
		return nil, nil
	}
	text := value
	if outsideArguments(value) {
		var secret dlms_cosem.Secret
		if err := secret.UnmarshalText([]byte(value)); err != nil {
			return nil, err
		}
		b, err := secret.Get()
		if err != nil {
			return nil, fmt.Errorf("-%s: %w", flag, err)
		}
		text = string(b)
	}
	digits := strings.NewReplacer(" ", "", ":", "", "\n", "", "\r", "").Replace(strings.TrimPrefix(text, "0x"))
	b, err := hex.DecodeString(digits)
	var lengths []string
	for _, n := range octets {
		lengths = append(lengths, strconv.Itoa(2*n))
	}
	expected := strings.Join(lengths, " or ")
	if err != nil {
		return nil, fmt.Errorf("-%s: %s hexadecimal digits are expected, and something else found", flag, expected)
	}
	if !slices.Contains(octets, len(b)) {
		return nil, fmt.Errorf("-%s: %s hexadecimal digits are expected, and %d found", flag, expected, len(digits))
	}
	return b, nil
}

// readInput reads the file that is named, or standard input.
func readInput(stdin io.Reader, names []string) ([]byte, error) {
	in := stdin
	if len(names) > 0 && names[0] != "-" {
		f, err := os.Open(names[0]) //nolint:gosec // the user names it
		if err != nil {
			return nil, fmt.Errorf("%s: %w", names[0], execd.Reason(err))
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, explain.MaxInput+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the input: %w", execd.Reason(err))
	}
	return b, nil
}

// colour marks text by the escape sequences that all terminals know.
func colour(c explain.Colour, text string) string {
	code := "0"
	switch c {
	case explain.ColourName:
		return text
	case explain.ColourValue:
		code = "1"
	case explain.ColourNote:
		code = "2"
	case explain.ColourProblem:
		code = "31"
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
