package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
)

// foreignTitle is the system title of foreign clients.
var foreignTitle = []byte{0x46, 0x52, 0x4E, 0x00, 0x00, 0x00, 0x00, 0x09}

// A securedCell is a cell in which a foreign client reads our meter, which wants
// a high-level security mechanism or ciphering.
type securedCell struct {
	names, framing, auth, protects string

	what    string   // the rest of its name
	more    []string // arguments of the client
	run     func(c client, ctx context.Context, p place, l link, more []string) (string, error)
	fails   string // what this client says of itself, if it cannot do it
	because string // the reason of that
}

// guruxSecured are those of Gurux for Python.
func guruxSecured() []securedCell {
	var list []securedCell
	for _, framing := range []string{"hdlc", "wrapper"} {
		for _, p := range protections {
			list = append(list, securedCell{names: "ln", framing: framing, auth: "high-gmac", protects: p.name, run: client.readsSecured})
		}
		list = append(list,
			securedCell{names: "ln", framing: framing, auth: "low", protects: "both", run: client.readsSecured},
			securedCell{
				names: "sn", framing: framing, auth: "high-gmac", protects: "none", run: client.readsSecured,
				fails: "Service not allowed", because: "this client answers a challenge by a WRITE, to which there is no answer that ours could stand in",
			},
			securedCell{
				names: "sn", framing: framing, auth: "low", protects: "both", run: client.readsSecured,
				fails: "assert not tmp", because: "in short names this client asserts that what it has ciphered is empty",
			},
		)
	}
	for _, auth := range []string{"high", "high-md5", "high-sha1", "high-sha256"} {
		list = append(list, securedCell{names: "ln", framing: "wrapper", auth: auth, protects: "both", run: client.readsSecured})
	}
	return append(list, securedCell{names: "ln", framing: "wrapper", auth: "high-gmac", protects: "both", what: ", with a counter used before", run: client.repeats})
}

// dlmsCosemSecured are those of dlms-cosem.
func dlmsCosemSecured() []securedCell {
	var list []securedCell
	for _, framing := range []string{"hdlc", "wrapper"} {
		list = append(list, securedCell{names: "ln", framing: framing, auth: "high-gmac", protects: "both", more: []string{"--list", "10"}, run: client.readsSecured})
	}
	for _, p := range []string{"authentication", "encryption"} {
		list = append(list, securedCell{
			names: "ln", framing: "wrapper", auth: "high-gmac", protects: p, run: client.readsSecured,
			fails: "with both or not at all", because: "this client protects APDUs with both or not at all",
		})
	}
	return append(list,
		securedCell{
			names: "ln", framing: "wrapper", auth: "high-gmac", protects: "both", what: ", list of 40", more: []string{"--list", "40"}, run: client.readsSecured,
			fails: "byte must be in range(0, 256)", because: "this client has one octet for the length of a ciphered request",
		},
		securedCell{
			names: "ln", framing: "wrapper", auth: "high-gmac", protects: "both", what: ", one counter for its GMAC and the request around it",
			more: []string{"--as-shipped"}, run: client.reuses,
		},
		securedCell{names: "ln", framing: "wrapper", auth: "high-gmac", protects: "both", what: ", with a counter used before", run: client.repeats},
	)
}

func (s securedCell) cell(c client) cell {
	l := link{framing: s.framing, short: s.names == "sn", password: password, secure: newProtection(s.auth, s.protects)}
	name := fmt.Sprintf("%s %s %s, security %s, reads our meter%s", strings.ToUpper(s.names), s.framing, s.auth, s.protects, s.what)
	return cell{peer: c.name, name: name, run: func(ctx context.Context, p place) (string, error) {
		note, err := s.run(c, ctx, p, l, s.more)
		if err != nil && s.fails != "" && strings.Contains(err.Error(), s.fails) {
			return "", fmt.Errorf("%w: %s", errNotApplicable, s.because)
		}
		return note, err
	}}
}

// arguments are what a foreign client needs to be told.
func (p *protection) arguments(secret string) []string {
	list := []string{"--client", "1", "--title", hex.EncodeToString(foreignTitle), "--security", p.policy()}
	list = append(list, "--key", hex.EncodeToString(p.keys.EncryptionKey), "--auth-key", hex.EncodeToString(p.keys.AuthenticationKey))
	for _, m := range mechanisms {
		if m.mechanism == p.mechanism {
			list = append(list, "--authentication", m.name)
		}
	}
	if p.secret() {
		list = append(list, "--password", secret)
	}
	return list
}

// policy is what protects APDUs, by the name that our program has for it.
func (p *protection) policy() string {
	switch p.control {
	case 0:
		return "none"
	case security.Authenticated:
		return "authentication"
	case security.Encrypted:
		return "encryption"
	default:
		return "authentication+encryption"
	}
}

// securedMeter starts our meter, whose PDUs are so small that lists of objects
// and rows come in blocks.
func (l *link) securedMeter(ctx context.Context, p place) (stop func(), err error) {
	return l.simulate(ctx, p.binary, "tcp://127.0.0.1:0", "-max_pdu", "512")
}

// readsSecured starts our meter and lets the client read it, and then our own
// program. The meter takes no invocation counter twice, and has to have taken all
// that the client has used.
func (c client) readsSecured(ctx context.Context, p place, l link, more []string) (note string, err error) {
	stop, err := l.securedMeter(ctx, p)
	if err != nil {
		return "", err
	}
	defer stop()
	before, err := readCounter(ctx, l)
	if err != nil {
		return "", err
	}
	got, err := c.read(ctx, p, l, append([]string{"--counter", strconv.FormatUint(uint64(before)+1, 10)}, more...)...)
	if err != nil {
		return "", err
	}
	after, err := readCounter(ctx, l)
	if err != nil {
		return "", err
	}
	if used := l.secure.control != 0 || l.secure.gmac(); used != (after > before) || after+1 != got.Counter {
		return "", fmt.Errorf("the meter's counter was %d and is %d, the next one of the client is %d", before, after, got.Counter)
	}
	if got.Blocks == 0 || got.Listed == 0 {
		return "", fmt.Errorf("it has read %d blocks, and %d attributes in lists", got.Blocks, got.Listed)
	}
	if _, err := c.compare(ctx, p, l, got); err != nil {
		return "", err
	}
	if err := compareRows(ctx, p, l, got.Rows); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d objects, %d registers, %d in a list, %d rows, %d blocks, counters from %d to %d",
		got.Objects, len(got.Registers), got.Listed, len(got.Rows), got.Blocks, before+1, after), nil
}

// compareRows looks for each row among those that our program reads: by then the
// oldest may have gone, but none of those the client has.
func compareRows(ctx context.Context, p place, l link, rows [][]any) error {
	if len(rows) == 0 {
		return nil // it reads no profile
	}
	got, err := ours[reading](ctx, p.binary, l, "get", "1.0.99.1.0.255")
	if err != nil {
		return err
	}
	list, _ := got[0].Value.([]any)
	known := map[any][]any{}
	for _, row := range list {
		if columns, ok := row.([]any); ok && len(columns) > 0 {
			known[columns[0]] = columns
		}
	}
	for _, row := range rows {
		if len(row) == 0 || !slices.Equal(row, known[row[0]]) {
			return fmt.Errorf("it has read the row %v, our program %d rows, of them %v", row, len(list), known[row[0]])
		}
	}
	return nil
}

// repeats lets the client begin with the last counter that it has used.
func (c client) repeats(ctx context.Context, p place, l link, _ []string) (string, error) {
	stop, err := l.securedMeter(ctx, p)
	if err != nil {
		return "", err
	}
	defer stop()
	got, err := c.read(ctx, p, l, "--counter", "100")
	if err != nil {
		return "", err
	}
	return c.refused(ctx, p, l, "permanent", "--counter", strconv.FormatUint(uint64(got.Counter)-1, 10))
}

// reuses lets the client use one counter twice.
func (c client) reuses(ctx context.Context, p place, l link, more []string) (string, error) {
	stop, err := l.securedMeter(ctx, p)
	if err != nil {
		return "", err
	}
	defer stop()
	return c.refused(ctx, p, l, "INVOCATION_COUNTER_ERROR", append([]string{"--counter", "100"}, more...)...)
}

// refused demands that the client is, and says so in these words.
func (c client) refused(ctx context.Context, p place, l link, words string, more ...string) (string, error) {
	_, err := c.read(ctx, p, l, more...)
	if err == nil {
		return "", errors.New("an invocation counter was accepted twice")
	}
	if !strings.Contains(strings.ToUpper(err.Error()), strings.ToUpper(words)) {
		return "", err
	}
	return "refused", nil
}
