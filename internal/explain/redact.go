package explain

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// TestKey and TestAuthKey are keys that are published: with them ciphered
// contents are encrypted again after they were redacted.
const (
	TestKey     = "00112233445566778899AABBCCDDEEFF"
	TestAuthKey = "FFEEDDCCBBAA99887766554433221100"
	// Those of suite 2.
	TestKey2     = TestKey + TestAuthKey
	TestAuthKey2 = TestAuthKey + TestKey
)

// sealKeys are the suites of published keys: 0, which stands for 1 too, and 2.
var sealKeys = [...]struct{ key, authentic string }{{TestKey, TestAuthKey}, {TestKey2, TestAuthKey2}}

// sealKeysOf returns which of sealKeys have so many octets.
func sealKeysOf(octets int) int {
	if octets == security.KeyLengthOf(2) {
		return 1
	}
	return 0
}

// Redacted is an input without what is about one meter or its owner.
type Redacted struct {
	Octets []byte // as many as the input has
	Notes  []string

	in     *Input
	change *strings.Replacer
}

// Text is the redacted input in the form of the original.
func (r *Redacted) Text() string {
	return r.in.Text(r.Octets, r.Notes, r.change.Replace)
}

// Redact replaces serial numbers, logical device names and system titles, the
// same one always by the same one, and passwords, challenges, signatures and keys.
// All lengths stay, and the checks that were right are right again. Ciphered
// contents are looked into if there are keys, and encrypted again with TestKey or
// TestKey2; a key that was wrapped is one of those then, wrapped by itself.
func Redact(in *Input, opt Options) (*Redacted, error) {
	x, err := newExplainer(in, opt)
	if err != nil {
		return nil, err
	}
	x.findings = &findings{}
	x.run()
	if x.full {
		return nil, errors.New("the input has too many parts to look into all of them: redact a piece of it")
	}
	for _, s := range x.all {
		x.searched(s.o)
	}
	keys, err := testKeys()
	if err != nil {
		return nil, err
	}
	r := redactor{x: x, seals: keys, f: x.findings, store: slices.Clone(x.store), names: map[string][]byte{}, used: map[string]bool{}}
	r.replaceSecrets()
	change := r.replaceContents()
	r.fixFrames(kindTelegram)
	for _, l := range slices.Backward(r.f.layers) {
		r.seal(l)
	}
	r.fixFrames(kindHDLC)
	r.fixFrames(kindMBus)
	return &Redacted{Octets: r.store[:len(in.Octets)], Notes: r.notes(), in: in, change: change}, nil
}

type redactor struct {
	x     *explainer
	f     *findings
	seals [3]*security.Context // by suite, with the test keys
	store []byte               // as it becomes; that of x stays as it was
	names map[string][]byte
	used  map[string]bool
	n     int // of the last pseudonym

	many bool // more contents than are looked for elsewhere

	titles, texts, values, unsealed int
	keys, sealed, wrapped           [len(sealKeys)]int
}

// put writes octets where they belong.
func (r *redactor) put(o octets, b []byte) {
	for i, at := range o.at {
		if i < len(b) {
			r.store[at] = b[i]
		}
	}
}

// now returns octets as they have become.
func (r *redactor) now(o octets) []byte {
	b := make([]byte, len(o.at))
	for i, at := range o.at {
		b[i] = r.store[at]
	}
	return b
}

// replaceSecrets replaces what was found, in its place.
func (r *redactor) replaceSecrets() {
	for _, s := range r.f.secrets {
		known := r.names[string(s.b)] != nil
		r.put(s.octets, r.pseudonym(s))
		if known {
			continue
		}
		switch s.kind {
		case secretTitle:
			r.titles++
		case secretText, secretNumber:
			r.texts++
		case secretKey:
			r.keys[sealKeysOf(len(s.b))]++
		default:
			r.values++
		}
	}
}

// Contents are looked for elsewhere if they are long and peculiar enough not to
// be met by chance.
const (
	leastContent  = 6
	leastDistinct = 4
	mostContents  = 1000
)

func peculiar(b []byte) bool {
	var seen [256]bool
	distinct := 0
	for _, c := range b {
		if !seen[c] {
			seen[c] = true
			distinct++
		}
	}
	return len(b) >= leastContent && distinct >= leastDistinct
}

// replaceContents replaces what was found wherever else it stands.
func (r *redactor) replaceContents() *strings.Replacer {
	var list []string
	for content := range r.names {
		if peculiar([]byte(content)) {
			list = append(list, content)
		}
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) })
	if len(list) > mostContents {
		list, r.many = list[:mostContents], true
	}
	pairs := make([]string, 0, 2*len(list))
	for _, content := range list {
		pairs = append(pairs, content, string(r.names[content]))
	}
	change := strings.NewReplacer(pairs...)
	if len(list) == 0 {
		return change
	}
	for _, o := range r.f.searched {
		was := string(o.b)
		is := change.Replace(was)
		if is == was || len(is) != len(was) || len(o.at) != len(was) {
			continue
		}
		for i := range len(was) {
			if is[i] != was[i] {
				r.store[o.at[i]] = is[i]
			}
		}
	}
	return change
}

// fixFrames makes checks right that were right before, and wrong by as much as
// before if they were not.
func (r *redactor) fixFrames(kind checkKind) {
	fix := map[checkKind]func([]byte){kindHDLC: fixHDLC, kindMBus: fixMBus, kindTelegram: fixTelegram}[kind]
	for _, f := range r.f.frames {
		if f.kind != kind || len(f.at) != len(f.b) {
			continue
		}
		is := r.now(f.octets)
		if bytes.Equal(is, f.b) {
			continue
		}
		right := bytes.Clone(f.b)
		fix(right)
		fix(is)
		if kind == kindTelegram && !bytes.Equal(right, f.b) {
			continue // digits: they stay as they are
		}
		for i := range is {
			is[i] ^= right[i] ^ f.b[i]
		}
		r.put(f.octets, is)
	}
}

// testKeys are the published keys of each suite.
func testKeys() (list [3]*security.Context, err error) {
	for suite := range list {
		keys := security.Keys{Suite: uint8(suite)}
		published := sealKeys[sealKeysOf(security.KeyLengthOf(keys.Suite))]
		keys.EncryptionKey, _ = hex.DecodeString(published.key)
		keys.AuthenticationKey, _ = hex.DecodeString(published.authentic)
		if list[suite], err = security.NewContext(keys); err != nil {
			return list, err
		}
	}
	return list, nil
}

// seal protects what was inside of a ciphered APDU anew, with the test keys and
// the system title and header that it has now.
func (r *redactor) seal(l layer) {
	if len(l.plain.at) == 0 || len(l.protected.at) != len(l.protected.b) {
		r.f.unopened++
		return
	}
	title := l.title
	if p := r.names[string(title)]; p != nil {
		title = p
	}
	control, _ := security.ControlOf(l.protected.b)
	suite := int(control.Suite())
	if len(title) != security.TitleLength || l.choice == xdlms.KeyAgreed || suite >= len(r.seals) {
		// Not encrypted, else it would not have been opened: only the tag cannot be made.
		r.put(l.protected.from(security.HeaderLength), r.now(l.plain))
		r.unsealed++
		return
	}
	counter, _ := security.Counter(l.protected.b)
	r.put(l.protected, r.seals[suite].SealWith(nil, title, control, counter, r.now(l.extra), r.now(l.plain)))
	of := sealKeysOf(security.KeyLengthOf(control.Suite()))
	r.sealed[of]++
	if l.choice != xdlms.KeyWrapped {
		return
	}
	key, _ := hex.DecodeString(sealKeys[of].key)
	if wrapped, err := security.WrapKey(key, key); err == nil && len(wrapped) == len(l.wrapped.at) {
		r.put(l.wrapped, wrapped)
		r.wrapped[of]++
	}
}

// notes say what was done, and what was not.
func (r *redactor) notes() []string {
	notes := []string{fmt.Sprintf("redacted: serial numbers and names %d, system titles %d, passwords, challenges and signatures %d",
		r.texts, r.titles, r.values)}
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	for i, k := range sealKeys {
		if r.keys[i] > 0 {
			add("%s replaced by %s", count(r.keys[i], "dedicated key"), k.key)
		}
		if r.sealed[i] > 0 {
			keys := fmt.Sprintf("-key %s -auth_key %s", k.key, k.authentic)
			if r.wrapped[i] > 0 {
				keys += " -master_key " + k.key
			}
			add("%s protected again with the published test keys: %s", count(r.sealed[i], "ciphered APDU"), keys)
		}
	}
	if r.unsealed > 0 {
		add("%s with a tag that is wrong now: the system title is not among the octets, or there is no published key of its kind", count(r.unsealed, "APDU"))
	}
	if r.f.unopened > 0 {
		add("warning: %s could not be looked into: the right keys are missing; nobody can open them any more where their system title was replaced", count(r.f.unopened, "ciphered APDU"))
	}
	if r.x.report.Problems > 0 {
		add("warning: what could not be decoded is only searched for what was found elsewhere; look at it before you share it")
	}
	if r.many {
		add("warning: there are so many names that only %d of them were searched for where no value of a code stands", mostContents)
	}
	if r.f.serial {
		add("warning: the physical address of HDLC stays, which is the end of the serial number of many meters")
	}
	if r.x.in.Form == Record {
		add("warning: endpoints and times stay as they are")
	}
	return notes
}

// pseudonym returns what a secret is replaced by.
func (r *redactor) pseudonym(s secret) []byte {
	key := string(s.b)
	if s.kind == secretNumber {
		key = "number " + key // the octets of a number mean something else elsewhere
	}
	if p := r.names[key]; p != nil {
		return p
	}
	var p []byte
	const most = 1000
	for range most {
		r.n++
		switch s.kind {
		case secretTitle:
			p = numbered(s.b, min(makerLetters, len(s.b)), r.n)
		case secretKey:
			p, _ = hex.DecodeString(sealKeys[sealKeysOf(len(s.b))].key)
			p = append(p, make([]byte, len(s.b))...)[:len(s.b)]
		case secretNumber:
			p = numbered(s.b, 0, r.n)
		case secretValue:
			p = bytes.Repeat([]byte("0"), len(s.b))
			writeDigits10(p, r.n, func(byte) bool { return true })
		default:
			p = renamed(s.b, r.n)
		}
		if s.kind == secretKey || !r.used[string(p)] && !bytes.Equal(p, s.b) {
			break
		}
	}
	r.used[string(p)] = true
	r.names[key] = p
	return p
}

// makerLetters is how many letters of a system title, or of a name, say who has
// made the meter.
const makerLetters = 3

// numbered is b with a number behind the octets that are kept.
func numbered(b []byte, keep, n int) []byte {
	p := make([]byte, len(b))
	copy(p, b[:keep])
	for i := len(p) - 1; i >= keep; i-- {
		p[i] = byte(n)
		n >>= 8
	}
	return p
}

// renamed is a text with other digits, and without its letters but those of the
// maker. Octets that are no text become a number.
func renamed(b []byte, n int) []byte {
	text := bytes.TrimRight(b, "\x00")
	if !printable(text) {
		return numbered(b, 0, n)
	}
	if plain, err := hex.DecodeString(string(text)); err == nil && len(plain) >= leastSerial && printable(plain) { // a text once more in digits
		p := fmt.Appendf(nil, "%X", renamed(plain, n))
		return append(p, b[len(text):]...)
	}
	p := bytes.Clone(b)
	kept := 0
	for i, c := range p {
		switch {
		case isDigit(c):
			p[i] = '0'
		case 'a' <= c|0x20 && c|0x20 <= 'z':
			if kept++; kept > makerLetters {
				p[i] = 'X'
			}
		default:
		}
	}
	if !writeDigits10(p, n, isDigit) { // no digits, or not enough of them
		writeDigits10(p[:len(text)], n, func(byte) bool { return true })
	}
	return p
}

// writeDigits10 writes the decimal digits of a number over the last octets that
// may be written over. It reports false if there are too few.
func writeDigits10(p []byte, n int, may func(byte) bool) bool {
	for i := len(p) - 1; i >= 0 && n > 0; i-- {
		if may(p[i]) {
			p[i] = '0' + byte(n%10)
			n /= 10
		}
	}
	return n == 0
}
