package dlms_cosem

import (
	"fmt"
	"math"
	"strconv"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
)

// protection is how a request's APDUs are protected; the keys are those of the
// request.
type protection struct {
	control security.Control
	plain   bool // the APDUs are not: the keys serve the login only
	suite   uint8
	form    dlms.Ciphering
	signed  bool
	further furtherKeys
	title   []byte // ours; nil: that of the state
	meter   []byte // the meter's; nil: it tells
	start   *uint32
	object  obis.Code // of the invocation counter
}

// mechanisms are the words for authentication.
func mechanisms() []struct {
	name      string
	mechanism acse.Mechanism
} {
	return []struct {
		name      string
		mechanism acse.Mechanism
	}{
		{"none", acse.None}, {"low", acse.Low}, {"high", acse.HLS}, {"high-md5", acse.HLSMD5}, {"high-sha1", acse.HLSSHA1},
		{"high-gmac", acse.HLSGMAC}, {"high-sha256", acse.HLSSHA256}, {"high-ecdsa", acse.HLSECDSA},
	}
}

func mechanismOf(word string) acse.Mechanism {
	for _, m := range mechanisms() {
		if m.name == word {
			return m.mechanism
		}
	}
	return acse.None
}

func mechanismWords() (words []string) {
	for _, m := range mechanisms() {
		words = append(words, m.name)
	}
	return words
}

func mechanismWord(m acse.Mechanism) string {
	for _, c := range mechanisms() {
		if c.mechanism == m {
			return c.name
		}
	}
	return m.String()
}

// usualClients is told where client_address has to be given.
const usualClients = "meters with high-level security have their own clients: usual ones are 1 (management, IDIS and DSMR), 48 and 80 (IS 15959), 102 (pre-established)"

// counterObject is where meters have the invocation counter as a rule: security
// setup 0 of the abstract objects.
func counterObject() obis.Code { return obis.Code{0, 0, 43, 1, 0, 255} }

// checkProtection reports values of secured meters that are not allowed.
func checkProtection(sc scope, s *Settings) {
	sc.oneOf("authentication", s.Authentication, mechanismWords()...)
	sc.oneOf("security", s.Security, "none", "authentication", "encryption", "authentication+encryption")
	sc.oneOf("ciphering", s.Ciphering, cipheringWords()...)
	checkNumber(sc, "security_suite", s.SecuritySuite, 0, 2)
	for _, t := range [][2]string{{"system_title", s.SystemTitle}, {"server_system_title", s.ServerSystemTitle}} {
		if _, err := parseTitle(t[1]); err != nil {
			sc.bad(t[0], strconv.Quote(t[1]), "%v", err)
		}
	}
	if _, err := strconv.ParseUint(s.InvocationCounter.text, 10, 32); err != nil && s.InvocationCounter.text != "" {
		sc.bad("invocation_counter", s.InvocationCounter.text, "out of range: 0 to %d is allowed", uint32(math.MaxUint32))
	}
	if s.InvocationCounterOBIS != "" {
		if _, err := obis.Parse(s.InvocationCounterOBIS); err != nil {
			sc.bad("invocation_counter_obis", strconv.Quote(s.InvocationCounterOBIS), "%v", err)
		}
	}
}

// parseTitle reads the 16 hexadecimal digits of a system title; nil of none.
func parseTitle(s string) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	b, err := hexOctets(s)
	if err != nil || len(b) != security.TitleLength {
		return nil, fmt.Errorf("a system title has %d hexadecimal digits: three letters of the maker as 6, and 10 of the device", 2*security.TitleLength)
	}
	return b, nil
}

// buildProtection fills in how the request's APDUs are protected.
func buildProtection(sc requestScope, s *Settings, r *request) {
	if r.passive {
		buildOpening(sc, s, r)
		return
	}
	if n := intOr0(s.SecuritySuite); n < 0 || n > 2 {
		return // reported where it stands
	}
	gmac := r.mechanism == acse.HLSGMAC
	titled := r.mechanism.NeedsTitles()
	switch {
	case !r.keys[0].Set() && gmac:
		sc.missing("encryption_key", `authentication = "high-gmac" needs it, and authentication_key`)
		return
	case !r.keys[0].Set() && s.Security != "" && s.Security != "none":
		sc.missing("encryption_key", "security = %q needs it", s.Security)
		return
	case !r.keys[0].Set() && !titled:
		for _, key := range append([]string{"system_title", "server_system_title", "invocation_counter", "invocation_counter_obis", "ciphering", "security_suite",
			"dedicated_key", "master_key", "signed"}, publicKeyNames()...) {
			if sc.own.sets(key) {
				sc.bad(key, "", "without encryption_key it has no effect: set that, or remove it")
			}
		}
		return
	default:
	}
	p := &protection{
		suite: uint8(intOr0(s.SecuritySuite)), form: cipheringOf(s.Ciphering), signed: s.Signed != nil && *s.Signed,
		further: furtherKeysOf(s), object: counterObject(),
	}
	p.title, _ = parseTitle(s.SystemTitle)
	p.meter, _ = parseTitle(s.ServerSystemTitle)
	if n, err := strconv.ParseUint(s.InvocationCounter.text, 10, 32); err == nil {
		start := uint32(n)
		p.start = &start
	}
	if c, err := obis.Parse(s.InvocationCounterOBIS); err == nil {
		p.object = c
	}
	switch s.Security {
	case "none":
		p.plain = true
	case "authentication":
		p.control = security.Authenticated
	case "encryption":
		p.control = security.Encrypted
	case "authentication+encryption":
		p.control = security.Authenticated | security.Encrypted
	default:
		if p.control = security.Encrypted; r.keys[1].Set() {
			p.control |= security.Authenticated
		}
		p.plain = !r.keys[0].Set()
	}
	if (gmac || p.control&security.Authenticated != 0) && !r.keys[1].Set() {
		sc.missing("authentication_key", "it is needed beside encryption_key here")
	}
	checkFurtherKeys(sc, s, r, p)
	r.protection = p
}

// protect adds the keys to a login. It returns what a change of them is noticed
// by.
func (r *request) protect(cfg *dlms.AssociationConfig) (secrets []byte, err error) {
	p := r.protection
	if p == nil {
		return nil, nil
	}
	cfg.Title = p.title
	if !r.keys[0].Set() && r.mechanism != acse.HLSECDSA {
		return nil, nil
	}
	keys := security.Keys{Suite: p.suite}
	for _, k := range []struct {
		what   string
		secret Secret
		key    *[]byte
	}{{"encryption_key", r.keys[0], &keys.EncryptionKey}, {"authentication_key", r.keys[1], &keys.AuthenticationKey}} {
		if k.secret.Set() {
			if *k.key, err = keyOctets(k.secret, p.suite); err != nil {
				return nil, &passwordError{k.what, err}
			}
		}
	}
	cfg.Security = &dlms.Security{Title: p.title, Keys: keys, Control: p.control, MeterTitle: p.meter, Ciphering: p.form, Signed: p.signed, Plain: p.plain}
	further, err := p.furtherSecrets(cfg.Security)
	if err != nil {
		return nil, err
	}
	return append(append(append([]byte(nil), keys.EncryptionKey...), keys.AuthenticationKey...), further...), nil
}
