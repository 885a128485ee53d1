package dlms_cosem

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"path"
	"strconv"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/push"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/internal/preset"
	"github.com/telegraf-dlms/telegraf-dlms/presets"
)

// listening is what a request has beside: one that only parses what arrives, or
// that waits for meters to dial in.
type listening struct {
	passive    bool        // send_requests = false
	protection *protection // of a request that asks; nil: none
	opening    *protection // of one that does not, for keys that are wrapped or agreed on; nil: none
	findSpeed  bool        // baud_rate = "auto"

	assumeOrder bool
	identity    string // a glob: of the system title, logical device name or meter id; empty: all
	keys        [2]Secret
	suite       uint8
	keysFile    string
	meterTitle  []byte // server_system_title: of telegrams that do not state it
	unproven    bool   // allow_unauthenticated
	sources     []netip.Prefix
	confirm     bool
	meterTime   bool // timestamp = "meter"

	chosen bool // the items of the request choose, what else is heard is left out
	lists  []*push.List
	named  map[*push.Item]*item // what an entry of a list makes
}

// keyed reports whether there is a key for what is heard.
func (l *listening) keyed() bool { return l.keys[0].Set() || l.keysFile != "" }

// checkListen reports values of listening that are not allowed.
func checkListen(sc scope, s *Settings) {
	if _, err := path.Match(s.Identity, ""); err != nil {
		sc.bad("identity", strconv.Quote(s.Identity), `not a glob: a system title like "4B464D10200*", a logical device name or a meter number is expected`)
	}
	for _, k := range []struct {
		key    string
		secret Secret
	}{{"encryption_key", s.EncryptionKey}, {"authentication_key", s.AuthenticationKey}} {
		if k.secret.Set() {
			if _, err := keyOctets(k.secret, suiteOf(s)); err != nil {
				sc.bad(k.key, "", "%v", err)
			}
		}
	}
	for _, source := range s.AllowedSources {
		if _, err := parseSource(source); err != nil {
			sc.bad("allowed_sources", strconv.Quote(source), `not an address or network: "10.1.2.3", "10.1.0.0/16" or "fd00::/8" is expected`)
		}
	}
	if s.AllowedSources != nil && len(s.AllowedSources) == 0 {
		sc.bad("allowed_sources", "[]", "the list is empty, nobody could connect: remove it, or name the networks of the meters")
	}
	sc.oneOf("timestamp", s.Timestamp, "run", "meter")
}

func parseSource(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return a.Prefix(a.BitLen())
}

// suiteOf is the security suite of a request; 0 where none, or no suite, is set.
func suiteOf(s *Settings) uint8 {
	if n := intOr0(s.SecuritySuite); n > 0 && security.KeyLengthOf(uint8(min(n, math.MaxUint8))) > 0 {
		return uint8(n)
	}
	return 0
}

// keyOctets reads a key of a suite: 32 hexadecimal digits or 16 octets, with
// suite 2 twice as many.
func keyOctets(s Secret, suite uint8) ([]byte, error) {
	b, err := s.Get()
	if err != nil {
		return nil, err
	}
	n := security.KeyLengthOf(suite)
	key, err := hexOctets(strings.TrimSpace(string(b)))
	switch {
	case err == nil && len(key) == n:
		return key, nil
	case err == nil && len(key) == security.KeyLength && suite == 2:
		return nil, errors.New("a key of security suite 2 has 64 hexadecimal digits; this has 32, as those of suites 0 and 1")
	case len(b) == n:
		return b, nil
	case len(b) == 2*n:
		return nil, fmt.Errorf("a key of security suite %d has %d hexadecimal digits; not all of these %d characters are", suite, 2*n, 2*n)
	default:
		return nil, fmt.Errorf("a key of security suite %d has %d hexadecimal digits; this has %s", suite, 2*n, counted(len(b), "character"))
	}
}

// heardFraming is how what is listened to is framed; 0: it is found out.
func heardFraming(s string) dlms.Framing {
	switch s {
	case "hdlc":
		return dlms.HDLC
	case "wrapper":
		return dlms.Wrapper
	case "mbus":
		return dlms.MBus
	default:
		return 0
	}
}

// buildListen fills in what a request that listens, or waits for meters, needs.
func buildListen(sc requestScope, s *Settings, r *request) {
	yes := func(b *bool) bool { return b != nil && *b }
	r.assumeOrder, r.identity, r.keysFile = yes(s.AssumeOrder), s.Identity, s.KeysFile
	r.keys, r.suite = [2]Secret{s.EncryptionKey, s.AuthenticationKey}, suiteOf(s)
	r.meterTitle, _ = parseTitle(s.ServerSystemTitle) // checked where it stands
	r.unproven, r.confirm, r.listening.meterTime = yes(s.AllowUnauthenticated), yes(s.ConfirmPush), s.Timestamp == "meter"
	for _, source := range s.AllowedSources {
		if p, err := parseSource(source); err == nil {
			r.sources = append(r.sources, p)
		}
	}
	if !r.passive {
		for _, key := range []string{"assume_order", "keys_file", "allow_unauthenticated", "confirm_push", "timestamp"} {
			if sc.own.sets(key) {
				sc.bad(key, "", "it is for what meters push: set send_requests = false, or remove it")
			}
		}
	}
	if !r.endpoint.listening() {
		if sc.own.AllowedSources != nil {
			sc.bad("allowed_sources", show(sc.own.AllowedSources), "nobody connects to us there: it belongs to tcp-listen:// and udp-listen://")
		}
		if !r.passive && sc.own.Identity != "" {
			sc.bad("identity", strconv.Quote(s.Identity), "the endpoint tells which meter it is: it belongs to tcp-listen:// and udp-listen://, and to send_requests = false")
		}
	}
	switch {
	case r.endpoint.network == "udp" && r.passive:
		sc.bad("endpoint", strconv.Quote(s.Endpoint), "nothing comes to a socket that has sent nothing: use udp-listen://ADDR:PORT")
	case r.endpoint.network == udpListen && !r.passive:
		sc.bad("endpoint", strconv.Quote(s.Endpoint), "meters that send datagrams are not asked: set send_requests = false; those that dial in over TCP are, at tcp-listen://")
	case r.passive && sc.own.Method != "":
		sc.bad("method", strconv.Quote(s.Method), "with send_requests = false the meter decides when: remove it")
	case !r.passive && (s.Authentication == "high-gmac" || s.Security != "" && s.Security != "none"):
		// that it needs keys is said where it stands
	case r.keys[1].Set() && !r.keys[0].Set():
		sc.bad("authentication_key", "", "it does nothing without encryption_key: both are needed to open a telegram")
	default:
	}
}

// buildHeard makes ready what the values that are heard become: the items of
// the request choose and rename, those of its preset name and scale, and lists
// of presets tell what values without OBIS codes are.
func (d *DLMS) buildHeard(sc requestScope, own *Request, items []Item, merged *Settings, r *request) {
	r.chosen = len(own.Item) > 0
	r.named = map[*push.Item]*item{}
	r.devices = heardDevices(sc, merged, r)
	var placed, coded []Item
	var at []int             // of placed, in the request
	preset := map[int]bool{} // of coded
	for i := range items {
		if items[i].Index != nil {
			placed, at = append(placed, items[i]), append(at, i)
			continue
		}
		preset[len(coded)] = i >= len(own.Item)
		coded = append(coded, items[i])
	}
	if len(coded) > 0 {
		r.items = buildItems(sc.scope, coded, r.wide)
	}
	for i, it := range r.items {
		it.fallback = preset[i]
	}
	if len(placed) > 0 {
		r.addList(sc, listOf(placed), at)
	}
	if merged.Preset != "" {
		if file, err := d.loadPreset(merged.Preset); err == nil {
			for _, list := range file.List {
				r.addList(sc, list, nil)
			}
		}
	}
	for _, list := range knownLists() {
		r.addList(sc, list, nil)
	}
}

func listOf(items []Item) preset.List[Item] { return preset.List[Item]{Item: items} }

// heardDevices are the stations on a line that the request is for; none: all.
func heardDevices(sc requestScope, s *Settings, r *request) []*device {
	if s.PhysicalAddress == nil && s.SerialNumber == nil {
		return nil
	}
	framing := r.framing
	r.framing = dlms.HDLC
	buildAddresses(sc, s, r)
	r.framing = framing
	return r.devices
}

// addList adds a list of a preset, or of the request's own items, which stand at
// these places of the request.
func (r *request) addList(sc requestScope, list preset.List[Item], own []int) {
	l := &push.List{Elements: list.Elements, Types: list.Types, Leading: list.Leading}
	if list.First != "" {
		code, err := obis.Parse(list.First)
		if err != nil {
			sc.bad("preset", strconv.Quote(list.First), "in it: list: first: %v", err)
			return
		}
		l.First = code
	}
	var made []*item
	for i := range list.Item {
		isc := sc.scope
		if own != nil {
			isc.path, isc.item = fmt.Sprintf("%s.item[%d]", sc.path, own[i]), strconv.Itoa(own[i]+1)
		}
		it, entry := r.placedItem(isc, list.Item[i])
		if it == nil {
			return
		}
		it.fallback = own == nil
		made, l.Items = append(made, it), append(l.Items, entry)
	}
	for i, it := range made {
		r.named[&l.Items[i]] = it
	}
	r.lists = append(r.lists, l)
}

// placedItem makes what a value at a place becomes; one of a list without a
// place is about its code.
func (r *request) placedItem(sc scope, c Item) (*item, push.Item) {
	var place []int
	var err error
	if c.Index != nil {
		place, err = parseElement(c.Index)
	}
	switch {
	case err != nil:
		sc.bad("index", show(c.Index), "%v", err)
		return nil, push.Item{}
	case c.OBIS == "" && c.Name == "":
		sc.missing("name", "an item with index = %s needs a name or an obis code", show(c.Index))
		return nil, push.Item{}
	default:
	}
	nameless := c.OBIS == ""
	if nameless {
		c.OBIS = placeCode(place).String()
	}
	it := buildItem(sc, &c, r.wide)
	it.placed = nameless
	entry := push.Item{Path: place, Code: it.obis, Attribute: it.id}
	if it.classSet {
		entry.Class = it.class
	}
	if it.scaler != nil {
		entry.Unit, entry.HasUnit = cosem.ScalerUnit{Scaler: int8(*it.scaler)}, true
		if it.unit != nil {
			entry.Unit.Unit, _ = cosem.ParseUnit(*it.unit)
		}
	}
	if it.name == "" {
		it.name = standardName(it.obis, it.id)
	}
	return it, entry
}

// placeCode stands for the code of a value that has a name only: maker specific,
// so that it is taken for nothing else.
func placeCode(path []int) (c obis.Code) {
	c = obis.Code{0, 128, 0, 0, 0, 255}
	for i, n := range path[:min(len(path), 3)] {
		c[2+i%3] = byte(n)
	}
	return c
}

// loadPreset reads the preset of that name.
func (d *DLMS) loadPreset(name string) (preset.File[Settings, Item], error) {
	return preset.Load[Settings, Item](name, path.Dir(d.ConfigPath), presets.Files)
}

// knownLists are the lists of the presets that come with the program which say
// by their first element what they are: nothing has to be set for those.
func knownLists() (lists []preset.List[Item]) {
	for _, name := range preset.Names(presets.Files) {
		file, err := preset.Load[Settings, Item](name, "", presets.Files)
		if err != nil {
			continue // a test reads them all
		}
		for _, list := range file.List {
			if list.Auto() {
				lists = append(lists, list)
			}
		}
	}
	return lists
}

// entryKey is by what values of telegrams are known again.
type entryKey struct {
	code      obis.Code
	attribute int8
	index     uint16
	place     string // of those without a code
}

// heardItem returns what becomes of an entry; nil: it is left out.
func (r *request) heardItem(e *push.Entry, auto map[entryKey]*item) *item {
	if e.Item != nil {
		if it := r.named[e.Item]; it != nil && (!r.chosen || !it.fallback) {
			return it
		}
	}
	if e.Named {
		for _, it := range r.items {
			if it.obis == e.Code && it.id == e.Attribute && (!r.chosen || !it.fallback) && (!it.classSet || e.Class == 0 || it.class == e.Class) {
				return it
			}
		}
	}
	if r.chosen {
		return nil
	}
	key := entryKey{code: e.Code, attribute: e.Attribute, index: e.Index}
	if !e.Named {
		key = entryKey{place: e.Label()}
	}
	it := auto[key]
	if it == nil {
		it = r.standardItem(e)
		auto[key] = it
	}
	return it
}

// standardItem is what becomes of a value that nothing is configured for: its
// name is that of the standard.
func (r *request) standardItem(e *push.Entry) *item {
	it := &item{id: e.Attribute, apply: true, factor: 1, numeric: true, obis: e.Code, standard: true}
	if !e.Named {
		it.name, it.placed, it.obis = e.Label(), true, obis.Code{}
	}
	it.usual = cosem.GuessClass(it.obis)
	it.class = it.usual
	if e.Named {
		it.name = standardName(e.Code, e.Attribute)
	}
	if e.Index != 0 {
		it.name = strings.TrimPrefix(it.name+"_"+strconv.Itoa(int(e.Index)), "_")
	}
	it.decode = decodeAuto(it.id)
	return it
}

// standardName is the name of an attribute in the words of the standard.
func standardName(code obis.Code, attribute int8) string {
	words := code.Describe()
	if words == "" || strings.HasSuffix(words, " specific") {
		words = "obis " + code.String()
	}
	name := preset.Slug(words)
	if attribute != 2 {
		name += "_" + strconv.Itoa(int(attribute))
	}
	return name
}

// titleText is a system title for tags and messages.
func titleText(title []byte) string { return strings.ToUpper(hex.EncodeToString(title)) }

// identityOf returns the text of an octet-string or visible-string that can be an
// identity.
func identityOf(d axdr.Data) string {
	b, ok := d.Octets()
	if !ok {
		return ""
	}
	s := strings.TrimSpace(cleanText(octetsText(b, d.Tag() != axdr.TagOctetString)))
	if strings.Trim(s, "0") == "" || len(s) > 64 {
		return ""
	}
	return s
}
