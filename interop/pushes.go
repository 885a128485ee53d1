package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/interop/peer"
)

// pushed is one line of what interop.Push prints: a message, its frames, and the
// values in it.
type pushed struct {
	Name       string   `json:"name"`
	Absent     string   `json:"na"` // why there is no such message
	Framing    string   `json:"framing"`
	Frames     []string `json:"hex"`
	Key        string   `json:"key"`
	AuthKey    string   `json:"auth_key"`
	Title      string   `json:"title"`
	Time       *int64   `json:"time"`        // Unix seconds, as the message states them
	ShortNames []uint16 `json:"short_names"` // of the attributes, in the order of the values
	Expected   []wanted `json:"expected"`
}

// wanted is a value that must come of a message.
type wanted struct {
	OBIS  string   `json:"obis"`
	Value *float64 `json:"value"`
	Text  *string  `json:"text"`
	Time  *int64   `json:"time"`
	Unit  string   `json:"unit"`
}

// The kinds of messages.
const (
	pushSetups    = "push-setups"
	notifications = "data-notifications"
	inParts       = "segments and blocks"
	events        = "event-notifications"
	reports       = "information-report"
)

func (m *pushed) kind() string {
	for _, k := range []struct{ prefix, kind string }{
		{"push-setup ", pushSetups},
		{"data-notification segment", inParts},
		{"data-notification blocks ", inParts},
		{"data-notification ", notifications},
		{"event-notification ", events},
		{"information-report ", reports},
	} {
		if strings.HasPrefix(m.Name, k.prefix) {
			return k.kind
		}
	}
	return ""
}

func (m *pushed) security() string { return m.Name[strings.LastIndexByte(m.Name, ' ')+1:] }

// securities are what the messages are protected by, in the words of the table.
var securities = []struct{ name, short string }{
	{"plain", "plain"},
	{"authentication_encryption", "auth+encryption"},
	{"encryption", "encryption"},
	{"authentication", "authentication"},
}

// proves reports whether messages so protected show who has sent them.
func proves(security string) bool { return strings.HasPrefix(security, "authentication") }

// foreignPushes are the cells in which our program listens to what a meter on
// Gurux for Java would push.
func foreignPushes() []cell {
	load := loadPushes()
	var list []cell
	add := func(name string, h hearing, choose func(*pushed) bool) {
		list = append(list, cell{peer: peer.Gurux.Name, name: "push " + name, run: func(ctx context.Context, p place) (string, error) {
			all, err := load(ctx, p)
			if err != nil {
				return "", err
			}
			chosen := slices.DeleteFunc(slices.Clone(all), func(m *pushed) bool { return m.Absent != "" || !choose(m) })
			for _, m := range all {
				if m.Key != "" && (h.keyed || slices.Contains(chosen, m)) {
					h.key, h.authKey = m.Key, m.AuthKey
				}
			}
			return h.hear(ctx, p, chosen)
		}})
	}
	for _, kind := range []string{pushSetups, notifications, inParts, events, reports} {
		for _, security := range securities {
			if security.name != "plain" && (kind == events || kind == reports) {
				continue // among those that are absent
			}
			for _, framing := range []string{"hdlc", "wrapper", "apdu"} {
				h := hearing{network: "tcp", framing: framing, unproven: !proves(security.name), items: kind == reports}
				add(fmt.Sprintf("TCP %s %s, %s", framing, security.short, kind), h, func(m *pushed) bool {
					return m.kind() == kind && m.Framing == framing && m.security() == security.name
				})
			}
		}
	}
	for _, framing := range []string{"wrapper", "apdu"} {
		for _, security := range securities {
			h := hearing{network: "udp", framing: framing, unproven: !proves(security.name)}
			add(fmt.Sprintf("UDP %s %s, all", framing, security.short), h, func(m *pushed) bool {
				return m.Framing == framing && m.security() == security.name
			})
		}
	}
	add("TCP auto, all in one process", hearing{network: "tcp", framing: "auto", keyed: true, unproven: true, dials: true}, func(*pushed) bool { return true })
	for _, security := range []string{"plain", "encryption"} {
		add(fmt.Sprintf("TCP wrapper %s, refused without a proof", security), hearing{network: "tcp", framing: "wrapper", keyed: true, refuses: true}, func(m *pushed) bool {
			return m.Framing == "wrapper" && m.security() == security
		})
	}
	for _, absent := range absences {
		list = append(list, cell{peer: peer.Gurux.Name, name: "push " + absent.name, run: func(ctx context.Context, p place) (string, error) {
			all, err := load(ctx, p)
			if err != nil {
				return "", err
			}
			return "", absence(all, absent.prefix)
		}})
	}
	return list
}

// absences are the messages that this library cannot make, by how their names begin.
var absences = []struct{ name, prefix string }{
	{"segments without block transfer", "data-notification segments without block transfer "},
	{"blocks streamed", "data-notification blocks streamed"},
	{"ciphered event-notifications", "event-notification "},
	{"ciphered information-report", "information-report "},
}

// absence is why messages whose names begin so cannot be had.
func absence(all []*pushed, prefix string) error {
	n := 0
	var reasons []string
	for _, m := range all {
		if m.Absent == "" || !strings.HasPrefix(m.Name, prefix) {
			continue
		}
		n++
		if !slices.Contains(reasons, m.Absent) {
			reasons = append(reasons, m.Absent)
		}
	}
	if n == 0 {
		return fmt.Errorf("no message %q is said to be absent", prefix)
	}
	return fmt.Errorf("%w: %s: %s", errNotApplicable, plural(n, "message"), strings.Join(reasons, "; "))
}

// loadPushes has the messages made, once. Each of them must be of a cell.
func loadPushes() func(context.Context, place) ([]*pushed, error) {
	var mu sync.Mutex
	var all []*pushed
	return func(ctx context.Context, p place) ([]*pushed, error) {
		mu.Lock()
		defer mu.Unlock()
		if all != nil {
			return all, nil
		}
		out, err := run(exec.CommandContext(ctx, "java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", peer.Gurux.ClassPath(p.root), "interop.Push"))
		if err != nil {
			return nil, fmt.Errorf("%s (make gurux-java builds it): %w", peer.Gurux.Name, err)
		}
		var list []*pushed
		for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
			m := &pushed{}
			if err := d.Decode(m); err != nil {
				return nil, err
			}
			if err := m.usable(); err != nil {
				return nil, fmt.Errorf("message %q: %w", m.Name, err)
			}
			list = append(list, m)
		}
		all = list
		return all, nil
	}
}

// usable reports what would keep a message out of all cells.
func (m *pushed) usable() error {
	known := func(name string) bool {
		return slices.ContainsFunc(absences, func(a struct{ name, prefix string }) bool { return strings.HasPrefix(name, a.prefix) })
	}
	switch {
	case m.Absent != "" && !known(m.Name):
		return fmt.Errorf("it is absent, of which no cell tells: %s", m.Absent)
	case m.Absent == "" && m.kind() == "":
		return errors.New("it is of no kind that has a cell")
	case m.Absent == "" && (len(m.Frames) == 0 || len(m.Expected) == 0 || m.ShortNames != nil && len(m.ShortNames) != len(m.Expected)):
		return errors.New("it is incomplete")
	default:
		return nil
	}
}

// hear starts our program, sends it the messages one by one, and compares what
// it makes of each.
func (h hearing) hear(ctx context.Context, p place, list []*pushed) (note string, err error) {
	if len(list) == 0 {
		return "", errors.New("there are no such messages")
	}
	l, err := h.start(ctx, p.binary, list)
	if err != nil {
		return "", err
	}
	defer func() {
		err = errors.Join(err, l.stop(ctx))
		if !h.refuses {
			err = errors.Join(append([]error{err}, l.errors()...)...)
		}
		if err != nil {
			err = fmt.Errorf("%w%s", err, l.complaints())
		}
	}()
	var conn net.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close()
		}
	}()
	values := 0
	var wrong []error
	for _, m := range list {
		if conn == nil || h.dials {
			if conn != nil {
				_ = conn.Close()
			}
			if conn, err = (&net.Dialer{}).DialContext(ctx, h.network, l.address); err != nil {
				return "", err
			}
		}
		if err := m.send(conn); err != nil {
			return "", fmt.Errorf("%s: %w", m.Name, err)
		}
		got, err := l.telegram(ctx)
		if err != nil {
			return "", errors.Join(append(wrong, m.failed(err, got))...)
		}
		if err := h.compare(m, got); err != nil {
			wrong = append(wrong, m.failed(err, got))
		}
		values += len(m.Expected)
	}
	if h.refuses {
		return plural(len(list), "message"), errors.Join(wrong...)
	}
	return plural(len(list), "message") + ", " + plural(values, "value"), errors.Join(wrong...)
}

// send sends each frame by itself, so that it is a datagram where there are such.
func (m *pushed) send(conn net.Conn) error {
	for _, frame := range m.Frames {
		b, err := hex.DecodeString(frame)
		if err != nil {
			return err
		}
		if err := conn.SetWriteDeadline(time.Now().Add(cellTimeout)); err != nil {
			return err
		}
		if _, err := conn.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// failed tells all about a message that did not become what it should.
func (m *pushed) failed(err error, got []point) error {
	var b strings.Builder
	for i := range m.Expected {
		fmt.Fprintf(&b, "\n\texpected: %s", &m.Expected[i])
	}
	for _, p := range got {
		fmt.Fprintf(&b, "\n\tcame: %s", p.line)
	}
	return fmt.Errorf("%s: %w%s\n\tframes: %s", m.Name, err, b.String(), strings.Join(m.Frames, " "))
}

// compare checks the metrics of a message: all of its values in order, and then
// the status.
func (h hearing) compare(m *pushed, got []point) error {
	status := got[len(got)-1]
	got = got[:len(got)-1]
	if h.refuses {
		if len(got) > 0 || status.tags["result"] != "auth" || status.fields["items_ok"] != int64(0) {
			return errors.New("it was not refused for what it lacks")
		}
		return nil
	}
	if len(got) != len(m.Expected) {
		return fmt.Errorf("%d values came, %d are expected", len(got), len(m.Expected))
	}
	for i := range got {
		if err := h.compareValue(m, i, &got[i]); err != nil {
			return fmt.Errorf("value %d, expected %s: %w", i+1, &m.Expected[i], err)
		}
	}
	for field, want := range map[string]int64{"items_ok": int64(len(got)), "items_failed": 0, "frame_errors": 0, "skipped": 0} {
		if status.fields[field] != want {
			return fmt.Errorf("%s is %v, %d is expected", field, status.fields[field], want)
		}
	}
	if status.tags["result"] != "success" {
		return fmt.Errorf("result is %s", status.tags["result"])
	}
	return nil
}

func (h hearing) compareValue(m *pushed, i int, got *point) error {
	want := &m.Expected[i]
	fields := map[string]any{}
	switch {
	case want.Text != nil:
		fields["text"] = *want.Text
	case want.Time != nil:
		fields["value"] = float64(*want.Time)
		stamp, err := time.Parse(time.RFC3339, fmt.Sprint(got.fields["text"]))
		if err != nil || stamp.Unix() != *want.Time {
			return fmt.Errorf("the text is %v", got.fields["text"])
		}
		fields["text"] = got.fields["text"]
	default:
		fields["value"] = *want.Value
	}
	for name, value := range fields {
		if got.fields[name] != value {
			return fmt.Errorf("field %s is %v, %v is expected", name, got.fields[name], value)
		}
	}
	tags := map[string]string{"obis": want.OBIS, "unit": want.Unit}
	if m.ShortNames != nil && !h.items {
		tags["obis"], tags["name"] = "", fmt.Sprintf("index_%d", m.ShortNames[i])
	}
	switch {
	case m.Title != "":
		tags["device"] = m.Title
	case m.Expected[0].OBIS == "0.0.42.0.0.255":
		tags["device"] = *m.Expected[0].Text
	default: // whoever it was on this connection before
	}
	for name, value := range tags {
		if got.tags[name] != value {
			return fmt.Errorf("tag %s is %q, %q is expected", name, got.tags[name], value)
		}
	}
	if len(got.fields) != len(fields) {
		return fmt.Errorf("there are %d fields, %d are expected", len(got.fields), len(fields))
	}
	if stated := m.stated(); stated != nil && got.time.UnixNano() != *stated*int64(time.Second) {
		return fmt.Errorf("the time is %s, that of the message %s", got.time, time.Unix(*stated, 0).UTC())
	}
	return nil
}

// stated is the time that a message states: its own, else that of the clock in it.
func (m *pushed) stated() *int64 {
	for i := range m.Expected {
		if m.Time == nil && m.Expected[i].Time != nil {
			return m.Expected[i].Time
		}
	}
	return m.Time
}

func (w *wanted) String() string {
	switch {
	case w.Text != nil:
		return fmt.Sprintf("%s %q", w.OBIS, *w.Text)
	case w.Time != nil:
		return fmt.Sprintf("%s %d (%s)", w.OBIS, *w.Time, time.Unix(*w.Time, 0).UTC().Format(time.RFC3339))
	case w.Value != nil:
		return strings.TrimSpace(fmt.Sprintf("%s %v %s", w.OBIS, *w.Value, w.Unit))
	default:
		return w.OBIS
	}
}

func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
