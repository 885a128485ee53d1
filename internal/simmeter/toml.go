package simmeter

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// Load reads a file of fixed objects, with the behaviour of the meter that
// holds them. All tables and keys are optional but those of an object's class
// and code; keys that are not known are errors, which name the file and the
// object.
//
//	[server]
//	framing = "hdlc"               # or "wrapper", the default
//	logical_address = 1
//	physical_addresses = [17, 18]  # absent: any address
//	address_size = 2               # absent: any
//	max_info = 128                 # octets
//	window = 1
//	bare_ua = false                # UA without parameters
//	max_pdu = 512                  # octets
//	conformance = ["get", "multiple-references"]
//	referencing = "ln"             # or "sn"
//	no_lists = false
//	list_max = 10
//	block_size = 100               # octets of raw data
//	max_sessions = 1
//	response_delay = "20ms"
//	inactivity = "120s"            # negative: never
//
//	[[server.client]]              # absent: client 16, none
//	address = 32
//	authentication = "low"         # or "none", the default
//	password = "12345678"
//
//	[faults]                       # the fields of dlmstest.Faults in lower case
//	dm_on_snrm = 2                 # so many times; true: always
//	late_answers = 1
//	late_by = "3s"
//	noise = "00FF7E"               # octets
//	reject_association = true
//	reject_diagnostic = 13         # of the service user
//
//	[[object]]
//	class = 3
//	obis = "1.0.1.8.0.255"
//	version = 0
//	value = { double-long-unsigned = 12345 }   # attribute 2
//	scaler = -1                                # attribute 3, or 4 with class 5
//	unit = "Wh"                                # or 30
//	clients = [32]                             # who sees the object; absent: all
//
//	[object.attribute.5]
//	result = "read-write-denied"               # instead of a value
//
// In place of value there may be result, the name of a data access result, or
// values, an array of which each reading takes the next one and the last stays.
// A value is a table of one key, the type, as the standard names it:
//
//	{ null-data = true }   { boolean = true }    { bit-string = "0101" }
//	{ integer = -1 }       { long = -1 }         { double-long = -1 }          { long64 = -1 }
//	{ unsigned = 1 }       { long-unsigned = 1 } { double-long-unsigned = 1 }  { long64-unsigned = 1 }
//	{ enum = 1 }           { bcd = 17 }          { float32 = 1.5 }             { float64 = 1.5 }
//	{ octet-string = "0A0B" }      { visible-string = "text" }    { utf8-string = "text" }
//	{ date-time = "2026-11-24T10:00:00+01:00" }  # without offset: deviation not specified
//	{ date = "2026-11-24" }        { time = "10:00:00" }
//	{ array = [ {...}, {...} ] }   { structure = [ {...}, {...} ] }
//
// or one of these: octet-text, an octet-string given as text; octet-date-time, a
// date-time in an octet-string; raw, the octets of an encoded value, which need
// not be a valid one. Numbers beyond the range of int64 are written as texts.
//
// The logical name and, unless it is given, the object list of 0.0.40.0.0.255
// are made from the other objects. Selective access gives the whole value.
func Load(path string) (dlmstest.Objects, dlmstest.Config, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the user names it
	if err != nil {
		return nil, dlmstest.Config{}, err
	}
	return parse(string(text), path+": ")
}

// Parse is Load of the text of a file.
func Parse(text string) (dlmstest.Objects, dlmstest.Config, error) {
	return parse(text, "")
}

// parse puts prefix before each error.
func parse(text, prefix string) (dlmstest.Objects, dlmstest.Config, error) {
	var tree map[string]any
	if _, err := toml.Decode(text, &tree); err != nil {
		return nil, dlmstest.Config{}, fmt.Errorf("%s%w", prefix, err)
	}
	var errs []error
	root := newTable("", tree, &errs)
	var cfg dlmstest.Config
	if server, ok := root.table("server"); ok {
		server.server(&cfg)
	}
	if faults, ok := root.table("faults"); ok {
		cfg.Faults = faults.faults()
	}
	fixed := &fixedObjects{byCode: map[obis.Code]*fixedObject{}}
	for i, t := range root.tables("object") {
		t.name = fmt.Sprintf("object %d", i+1)
		o := t.object()
		if o == nil {
			continue
		}
		if _, ok := fixed.byCode[o.code]; ok {
			t.fail("there is another object of this code")
		}
		fixed.byCode[o.code] = o
		fixed.list = append(fixed.list, o)
	}
	root.finish()
	if len(errs) > 0 {
		for i, err := range errs {
			errs[i] = fmt.Errorf("%s%w", prefix, err)
		}
		return nil, dlmstest.Config{}, errors.Join(errs...)
	}
	return fixed, cfg, nil
}

// server reads the table of that name.
func (t *table) server(cfg *dlmstest.Config) {
	const u16 = 0xffff
	cfg.Framing = t.choice("framing", dlmstest.FramingHDLC, dlmstest.FramingWrapper)
	cfg.LogicalAddress = uint16(t.integer("logical_address", 0, u16))
	cfg.PhysicalAddresses = t.addresses("physical_addresses")
	cfg.AddressSize = int(t.integer("address_size", 0, 4))
	cfg.MaxInfo = int(t.integer("max_info", 32, 2030))
	cfg.Window = int(t.integer("window", 1, 7))
	cfg.BareUA = t.boolean("bare_ua")
	cfg.MaxPDU = int(t.integer("max_pdu", 24, u16))
	cfg.Conformance = t.conformance("conformance")
	cfg.ShortNames = t.choice("referencing", "ln", "sn") == "sn"
	cfg.NoLists = t.boolean("no_lists")
	cfg.ListMax = int(t.integer("list_max", 0, u16))
	cfg.BlockSize = int(t.integer("block_size", 0, u16))
	cfg.MaxSessions = int(t.integer("max_sessions", 0, u16))
	cfg.ResponseDelay = t.duration("response_delay")
	cfg.Inactivity = t.duration("inactivity")
	for i, c := range t.tables("client") {
		c.name = fmt.Sprintf("server, client %d", i+1)
		if cfg.Clients == nil {
			cfg.Clients = map[uint16]dlmstest.Client{}
		}
		if !c.has("address") {
			c.fail("address is missing")
		}
		address := uint16(c.integer("address", 0, u16))
		if _, ok := cfg.Clients[address]; ok {
			c.fail("there is another client of this address")
		}
		var client dlmstest.Client
		if c.choice("authentication", "none", "low") == "low" {
			client.Mechanism = acse.Low
		}
		if password := c.text("password"); password != "" {
			client.Password = []byte(password)
		}
		if (client.Mechanism == acse.Low) != (client.Password != nil) {
			c.fail(`a password goes with authentication = "low", and with nothing else`)
		}
		cfg.Clients[address] = client
		c.finish()
	}
	t.finish()
}

// conformance reads the names of the bits of a conformance block.
func (t *table) conformance(key string) xdlms.Conformance {
	const bits = 24
	var c xdlms.Conformance
	for _, name := range t.texts(key) {
		var found xdlms.Conformance
		for i := range bits {
			if bit := xdlms.Conformance(1) << i; bit.String() == name {
				found = bit
			}
		}
		if found == 0 {
			t.fail("%s: no conformance bit %q", key, name)
		}
		c |= found
	}
	return c
}

// faults reads the table of that name.
func (t *table) faults() *dlmstest.Faults {
	f := &dlmstest.Faults{}
	counts, flags := faultCounts(f), faultFlags(f)
	for _, key := range slices.Sorted(maps.Keys(counts)) {
		*counts[key] = t.times(key)
	}
	for _, key := range slices.Sorted(maps.Keys(flags)) {
		*flags[key] = t.boolean(key)
	}
	f.Noise = t.octets("noise")
	f.LateBy = t.duration("late_by")
	f.NestedArrays = int(t.integer("nested_arrays", 0, 1_000_000))
	if t.has("reject_diagnostic") {
		f.RejectDiagnostic = acse.Diagnostic{
			Source: acse.ServiceUser,
			Code:   uint8(t.integer("reject_diagnostic", 0, 14)),
		}
	}
	t.finish()
	return f
}

func faultCounts(f *dlmstest.Faults) map[string]*int {
	return map[string]*int{
		"dm_on_snrm": &f.DMOnSNRM, "ignore_snrm": &f.IgnoreSNRM,
		"reject_association": &f.RejectAssociation,
		"ignore_requests":    &f.IgnoreRequests, "close_on_request": &f.CloseOnRequest,
		"dm_on_request": &f.DMOnRequest, "frmr_on_request": &f.FRMROnRequest, "rnr_on_request": &f.RNROnRequest,
		"lose_answers": &f.LoseAnswers, "repeat_answers": &f.RepeatAnswers, "truncate_frames": &f.TruncateFrames,
		"wrong_fcs": &f.WrongFCS, "late_answers": &f.LateAnswers, "stale_answers": &f.StaleAnswers,
		"wrong_invoke_id": &f.WrongInvokeID, "wrong_block": &f.WrongBlock, "empty_blocks": &f.EmptyBlocks,
		"long_count": &f.LongCount, "short_lists": &f.ShortLists, "single_form": &f.SingleForm,
		"long_value": &f.LongValue, "temporary_errors": &f.TemporaryErrors,
		"wrong_replies": &f.WrongReplies, "high_counters": &f.HighCounters, "plain_answers": &f.PlainAnswers,
		"repeated_counters": &f.RepeatedCounters, "wrong_tags": &f.WrongTags, "foreign_titles": &f.ForeignTitles,
		"lose_block": &f.LoseBlock, "double_block": &f.DoubleBlock, "swap_block": &f.SwapBlock,
		"false_block": &f.FalseBlock, "long_block": &f.LongBlock,
	}
}

func faultFlags(f *dlmstest.Faults) map[string]*bool {
	return map[string]*bool{
		"ignore_snrm_parameters": &f.IgnoreSNRMParameters, "dm_on_snrm_parameters": &f.DMOnSNRMParameters,
		"from_association": &f.FromAssociation, "same_wports": &f.SameWPorts, "zero_wports": &f.ZeroWPorts,
		"wrong_priority": &f.WrongPriority, "endless_blocks": &f.EndlessBlocks, "first_block_zero": &f.FirstBlockZero,
		"any_counter": &f.AnyCounter, "ungranted_blocks": &f.UngrantedBlocks,
		"endless_general": &f.EndlessGeneral, "streaming_last": &f.StreamingLast,
	}
}

// object reads one element of the array of that name; nil if its code is not
// known.
func (t *table) object() *fixedObject {
	text := t.text("obis")
	code, err := obis.Parse(text)
	switch {
	case text == "":
		t.fail("obis is missing")
	case err != nil:
		t.fail("obis = %q: %w", text, err)
	}
	if text == "" || err != nil {
		return nil
	}
	t.name += " (" + text + ")"
	if !t.has("class") {
		t.fail("class is missing")
	}
	o := &fixedObject{
		class:      cosem.ClassID(t.integer("class", 1, 0xffff)),
		version:    uint8(t.integer("version", 0, 0xff)),
		code:       code,
		clients:    t.addresses("clients"),
		attributes: map[int8]*fixedAttribute{},
	}
	if a, ok := t.attribute(); ok {
		o.attributes[2] = a
	}
	if t.has("scaler") || t.has("unit") {
		su := cosem.ScalerUnit{Scaler: int8(t.integer("scaler", -128, 127)), Unit: t.unit("unit")}
		if id, ok := cosem.ScalerAttribute(o.class); ok {
			o.attributes[id] = &fixedAttribute{values: [][]byte{su.Append(nil)}}
		} else {
			t.fail("class %d has no scaler and unit", o.class)
		}
	}
	if attributes, ok := t.table("attribute"); ok {
		t.attributes(attributes, o)
	}
	t.finish()
	return o
}

// attributes reads the tables [object.attribute.N].
func (t *table) attributes(attributes *table, o *fixedObject) {
	for _, key := range slices.Sorted(maps.Keys(attributes.m)) {
		id, err := strconv.ParseInt(key, 10, 8)
		sub, isTable := attributes.table(key)
		if err != nil || id == 0 || id == 1 || !isTable {
			t.fail("attribute.%s: want [object.attribute.N] with N from 2 to 127 or below 0", key)
			continue
		}
		sub.name = t.name + ", attribute " + key
		a, ok := sub.attribute()
		if !ok {
			sub.fail("value, values or result is missing")
		}
		if _, twice := o.attributes[int8(id)]; twice {
			sub.fail("the attribute is given twice")
		}
		o.attributes[int8(id)] = a
		sub.finish()
	}
}

// attribute reads value, values or result, whichever there is.
func (t *table) attribute() (*fixedAttribute, bool) {
	given := 0
	a := &fixedAttribute{}
	if v, ok := t.take("value"); ok {
		given++
		a.values = append(a.values, t.value("value", nil, v, 0))
	}
	if v, ok := t.take("values"); ok {
		given++
		for _, v := range t.elements("values", v) {
			a.values = append(a.values, t.value("values", nil, v, 0))
		}
		if len(a.values) == 0 {
			t.fail("values: at least one is wanted")
		}
	}
	if name := t.text("result"); name != "" {
		given++
		a.result = t.result(name)
	}
	if given > 1 {
		t.fail("only one of value, values and result can be given")
	}
	return a, given > 0
}

// result finds a data access result by its name.
func (t *table) result(name string) xdlms.DataAccessResult {
	var names []string
	for r := xdlms.HardwareFault; r != 0; r++ { // until it wraps
		if r.String() == name {
			return r
		}
		if !strings.HasPrefix(r.String(), "unknown") {
			names = append(names, r.String())
		}
	}
	t.fail("result = %q: want one of %s", name, strings.Join(names, ", "))
	return xdlms.OtherReason
}

// unit reads a number or a symbol; absent is a count.
func (t *table) unit(key string) cosem.Unit {
	v, ok := t.m[key]
	if !ok {
		return unitCount
	}
	symbol, isText := v.(string)
	if !isText {
		return cosem.Unit(t.integer(key, 0, 0xff))
	}
	_ = t.text(key)
	for u := cosem.Unit(1); u != unitCount; u++ {
		if u.Symbol() == symbol && symbol != "" {
			return u
		}
	}
	t.fail("%s: no unit has the symbol %q", key, symbol)
	return unitCount
}
