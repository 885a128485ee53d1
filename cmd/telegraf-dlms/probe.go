package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/serial"
	"github.com/telegraf-dlms/telegraf-dlms/internal/preset"
	"github.com/telegraf-dlms/telegraf-dlms/internal/probe"
	"github.com/telegraf-dlms/telegraf-dlms/plugins/inputs/dlms_cosem"
)

// probeTime is how long probe searches.
const probeTime = 3 * time.Minute

// runProbe finds out how a meter wants to be spoken to.
func runProbe(ctx context.Context, c *command, s streams, args []string) int {
	fs := c.newFlags()
	registerConnection(fs, keysOfLogins()...)
	most := fs.Duration("max-time", probeTime, "`TIME` for all of it")
	rest, err := c.parse(fs, args, 1, 1, s.err)
	if err != nil {
		return exitFor(err)
	}
	fail := func(err error) int { return c.misused(s, err) }
	if *most <= 0 {
		return fail(fmt.Errorf("-max-time %s: must be more than 0", *most))
	}
	cfg, err := probeConfig(ctx, fs, rest[0])
	if err != nil {
		return fail(err)
	}
	limited, cancel := context.WithTimeout(ctx, *most)
	defer cancel()
	notes := &noteWriter{w: s.out, hints: map[string]bool{}}
	found, err := probe.Run(limited, cfg, notes.write)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintf(s.err, "%s: interrupted\n", c.title())
		return exitFailed
	case errors.Is(err, context.DeadlineExceeded):
		fmt.Fprintf(s.out, "\nThe time is over (-max-time %s).\n", *most)
	case errors.Is(err, probe.ErrNobody):
		fmt.Fprint(s.out, nobody)
		return exitFailed
	case err != nil:
		fmt.Fprintf(s.err, "%s: %v\n", c.title(), err)
	default:
	}
	writeFound(s.out, found)
	if found.Best.Access == probe.Unknown {
		fmt.Fprint(s.out, nextStep(rest[0], found))
		return exitFailed
	}
	fmt.Fprint(s.out, "\nFor the configuration:\n\n", requestFor(fs, rest[0], found))
	return exitOK
}

const nobody = `
No meter was found. What is above tells what was seen. If nothing at all came back: check the power, the wiring (A and B), the port, and
whether another program or another client holds the meter; give what you know, as -physical_address or -baud_rate.
`

// probeConfig makes sense of the arguments. What is given is not searched for.
func probeConfig(ctx context.Context, fs *flag.FlagSet, endpoint string) (cfg probe.Config, err error) {
	settings, err := connectionSettings(ctx, fs)
	if err != nil {
		return cfg, err
	}
	// The plugin checks what is given. What it misses is what is searched for.
	checked := map[string]any{"framing": "hdlc", "fixed_baud": int64(300)}
	for k, v := range settings {
		checked[k] = v
	}
	if isSet(fs, "password") {
		checked["authentication"] = "low"
	}
	network, address, _ := strings.Cut(endpoint, "://")
	if network == "udp" {
		checked["framing"] = "wrapper"
	}
	d, err := getPlugin(checked, endpoint, []string{"0.0.42.0.0.255"}, quietLog{})
	if err != nil {
		return cfg, err
	}
	port := network == "file" || network == "rfc2217"
	cfg = probe.Config{Network: network, Dial: func(ctx context.Context) (dlms.Transport, error) { return dialProbe(ctx, endpoint) }}
	number := func(key string) int { n, _ := settings[key].(int64); return int(n) }
	text := func(key string) string { t, _ := settings[key].(string); return t }
	if port {
		cfg.Network = "file"
		cfg.Line = func(t dlms.Transport) dlms.Line { return probeLine{t} }
	} else {
		_, cfg.Port, _ = net.SplitHostPort(address)
	}
	if f := text("framing"); f != "auto" {
		cfg.Framing = f
	}
	if n := number("baud_rate"); n > 0 && port {
		cfg.Bauds = []int{n}
	}
	if cfg.Parity = text("parity"); cfg.Parity == "odd" {
		return cfg, errors.New(`-parity odd: probe knows "none" and "even", as no meter is known to have HDLC with odd parity`)
	}
	if m := text("protocol_mode"); m != "" {
		cfg.Modes = []string{m}
	}
	cfg.SignOn = dlms.SignOn{Address: text("iec_address"), Limit: number("max_baud"), Fixed: number("fixed_baud")}
	cfg.SignOn.SoftwareParity, _ = settings["software_7e1"].(bool)
	if network == "tcp" && cfg.SignOn.Fixed == 0 {
		cfg.SignOn.Fixed = 300
	}
	for _, address := range d.Plan()[0].Addresses {
		if n, err := strconv.ParseUint(address, 10, 16); err == nil {
			cfg.Physical = append(cfg.Physical, uint16(n))
		}
	}
	cfg.Logical, cfg.Client = uint16(number("logical_address")), uint16(number("client_address"))
	cfg.AddressSize, _ = strconv.Atoi(text("address_size"))
	if device := text("gateway_device"); device != "" {
		if cfg.Gateway, err = dlms_cosem.ParseGateway(number("gateway_network"), device); err != nil {
			return cfg, err
		}
	}
	if r := text("referencing"); r != "" {
		short := r == "sn"
		cfg.ShortNames = &short
	}
	if d, err := time.ParseDuration(text("reply_timeout")); err == nil {
		cfg.ReplyTimeout = d
	}
	if isSet(fs, "password") {
		var secret dlms_cosem.Secret
		if err := secret.UnmarshalText([]byte(text("password"))); err != nil {
			return cfg, err
		}
		cfg.Password, err = secret.Get()
	}
	return cfg, err
}

func dialProbe(ctx context.Context, endpoint string) (dlms.Transport, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return dlms_cosem.Dial(ctx, endpoint)
}

// probeLine is a port whose characters a probe sets.
type probeLine struct{ dlms.Transport }

func (l probeLine) Switch(c dlms.Characters, delay time.Duration) error {
	s := serial.Settings{Baud: c.Baud, DataBits: c.DataBits}
	if c.Even {
		s.Parity = serial.Even
	}
	p, ok := l.Transport.(interface {
		Switch(s serial.Settings, delay time.Duration) error
	})
	if !ok {
		return errors.New("no serial port")
	}
	return p.Switch(s, delay)
}

// noteWriter shows the steps of a probe, each with what it means, once.
type noteWriter struct {
	w     io.Writer
	hints map[string]bool
}

func (n *noteWriter) write(note probe.Note) {
	if note.Err == nil {
		fmt.Fprintf(n.w, "%s: %s\n", note.Tried, note.Found)
		return
	}
	fmt.Fprintf(n.w, "%s: %s\n", note.Tried, strings.ReplaceAll(note.Err.Error(), "\n", "; "))
	if hint := dlms_cosem.ProbeHint(note.Err); hint != "" && !n.hints[hint] {
		n.hints[hint] = true
		fmt.Fprintf(n.w, "    %s\n", hint)
	}
}

var accesses = map[probe.Access]string{
	probe.Open: "reads without a password", probe.Low: "reads with the password", probe.Password: "wants a password, or another one",
	probe.High: "wants high-level security", probe.Ciphered: "wants ciphered messages", probe.Unknown: "refused without a reason",
}

// writeFound shows what was found.
func writeFound(w io.Writer, r probe.Result) {
	rows := [][]string{}
	add := func(what, is string) {
		if is != "" {
			rows = append(rows, []string{what, is})
		}
	}
	add("way", r.Way.String())
	add("address", r.Address.String())
	add("names", map[bool]string{true: "short names (referencing = \"sn\")", false: "logical names"}[r.ShortNames])
	for _, c := range r.Clients {
		add(fmt.Sprintf("client %d", c.Address), accesses[c.Access])
	}
	if r.Best.Access != probe.Unknown {
		add("maker", maker(r.Name))
		add("logical device name", r.Name)
		add("serial number", r.Serial)
		add("firmware", r.Firmware)
		add("logical devices", strings.Join(r.Devices, ", "))
		if r.MaxPDU > 0 {
			add("largest message", fmt.Sprintf("%d octets", r.MaxPDU))
		}
		if r.MaxInfo > 0 {
			add("largest frame", fmt.Sprintf("%d octets of information, %d before an acknowledgement", r.MaxInfo, r.Window))
		}
		add("services", r.Conformance.String())
	}
	fmt.Fprintln(w)
	writeColumns(w, rows)
}

// nextStep is what to try with a meter that lets nobody read.
func nextStep(endpoint string, r probe.Result) string {
	for _, c := range r.Clients {
		if c.Access == probe.High || c.Access == probe.Ciphered {
			return fmt.Sprintf("\nClient %d needs keys, which the utility has. With them:\n\n"+
				"telegraf-dlms get %s -client_address %d -authentication high-gmac -encryption_key file:PATH -authentication_key file:PATH 1.0.1.8.0.255\n",
				c.Address, endpoint, c.Address)
		}
	}
	return ""
}

// maker are the first three letters of a logical device name.
func maker(name string) string {
	if len(name) < 3 || strings.ContainsFunc(name[:3], func(r rune) bool { return r < 'A' || r > 'Z' }) {
		return ""
	}
	return name[:3]
}

// requestFor is a request for the configuration file.
func requestFor(fs *flag.FlagSet, endpoint string, r probe.Result) string {
	var b strings.Builder
	key := func(name string, value any) {
		if text, ok := value.(string); ok {
			value = preset.Quote(text)
		}
		fmt.Fprintf(&b, "  %s = %v\n", name, value)
	}
	b.WriteString("[[inputs.dlms_cosem]]\n")
	key("endpoint", endpoint)
	if strings.HasPrefix(endpoint, "tcp://") {
		key("framing", strings.ToLower(r.Way.Framing.String()))
	}
	switch {
	case r.Way.Mode == "dlms-iec":
		key("protocol_mode", r.Way.Mode)
		if strings.HasPrefix(endpoint, "tcp://") {
			key("fixed_baud", max(r.Way.Baud, 300))
		}
	case r.Way.Baud > 0:
		key("baud_rate", r.Way.Baud)
		if r.Way.Even {
			key("parity", "even")
		}
	default:
	}
	for _, name := range []string{"iec_address", "max_baud", "software_7e1", "link", "reply_timeout"} {
		if isSet(fs, name) {
			f := fs.Lookup(name).Value
			if n, ok := f.(flag.Getter); ok {
				key(name, n.Get())
			}
		}
	}
	b.WriteString("\n  [[inputs.dlms_cosem.request]]\n")
	key("  name", "meter")
	if r.Address.Physical > 0 {
		key("  physical_address", r.Address.Physical)
	}
	if r.Address.Logical != 1 {
		key("  logical_address", r.Address.Logical)
	}
	if r.Address.Size > 0 && (r.Address.Physical > 0 || r.Address.Size > 1) {
		key("  address_size", r.Address.Size)
	}
	for _, name := range []string{"gateway_network", "gateway_device"} {
		if isSet(fs, name) {
			key("  "+name, fs.Lookup(name).Value.(flag.Getter).Get())
		}
	}
	if r.ShortNames {
		key("  referencing", "sn")
	}
	key("  client_address", r.Best.Address)
	if r.Best.Access == probe.Low {
		key("  authentication", "low")
		from := fs.Lookup("password").Value.String()
		if from == "-" {
			from = "file:/etc/telegraf/dlms-password"
		}
		key("  password", from)
	}
	b.WriteString(`
    [[inputs.dlms_cosem.request.item]]
      name = "energy_import"
      obis = "1.0.1.8.0.255"

# What else the meter has: telegraf-dlms objects, with -o FILE for a preset.
`)
	return b.String()
}

// quietLog drops everything: what is given is only checked.
type quietLog struct{ telegraf.Logger }

func (quietLog) Warnf(string, ...any)  {}
func (quietLog) Warn(...any)           {}
func (quietLog) Infof(string, ...any)  {}
func (quietLog) Info(...any)           {}
func (quietLog) Debugf(string, ...any) {}
func (quietLog) Debug(...any)          {}
