package dlms_cosem

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// protection is how a request's APDUs are protected; the keys are those of the
// request.
type protection struct {
	control security.Control
	plain   bool   // the APDUs are not: the keys serve the login only
	general bool   // general-glo-ciphering in place of the service specific APDUs
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
		{"high-gmac", acse.HLSGMAC}, {"high-sha256", acse.HLSSHA256},
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
	sc.oneOf("ciphering", s.Ciphering, "auto", "service", "general")
	checkNumber(sc, "security_suite", s.SecuritySuite, 0, 0)
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
		return
	}
	gmac := r.mechanism == acse.HLSGMAC
	titled := gmac || r.mechanism == acse.HLSSHA256
	switch {
	case !r.keys[0].Set() && gmac:
		sc.missing("encryption_key", `authentication = "high-gmac" needs it, and authentication_key`)
		return
	case !r.keys[0].Set() && s.Security != "" && s.Security != "none":
		sc.missing("encryption_key", "security = %q needs it", s.Security)
		return
	case !r.keys[0].Set() && !titled:
		for _, key := range []string{"system_title", "server_system_title", "invocation_counter", "invocation_counter_obis", "ciphering", "security_suite"} {
			if sc.own.sets(key) {
				sc.bad(key, "", "without encryption_key it has no effect: set that, or remove it")
			}
		}
		return
	default:
	}
	p := &protection{general: s.Ciphering == "general", object: counterObject()}
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
	if !r.keys[0].Set() {
		return nil, nil
	}
	keys, err := (&ownKeys{keys: r.keys}).read()
	if err != nil {
		return nil, &passwordError{err}
	}
	cfg.Security = &dlms.Security{Title: p.title, Keys: keys, Control: p.control, MeterTitle: p.meter, General: p.general, Plain: p.plain}
	return append(append([]byte(nil), keys.EncryptionKey...), keys.AuthenticationKey...), nil
}

// counterError is an invocation counter that could not be had.
type counterError struct{ err error }

func (e *counterError) Error() string { return "invocation counter: " + e.err.Error() }
func (e *counterError) Unwrap() error { return e.err }

// arm gives an association the title and the invocation counter that are kept
// for the meter. A counter that is not known is read from the meter before, as
// the public client over a connection of its own.
func (s *session) arm(ctx context.Context, login *dlms.AssociationConfig) error {
	p := s.r.protection
	if p == nil {
		return nil
	}
	if login.Title == nil {
		title, err := s.l.d.counters.Title()
		if err != nil {
			return &counterError{fmt.Errorf("our system title: %w", err)}
		}
		login.Title = title[:]
	}
	if login.Security == nil {
		return nil
	}
	login.Security.Title = login.Title
	counter, err := s.l.d.counters.Counter(s.counterKey(login))
	if err != nil {
		return &counterError{err}
	}
	if !counter.Known() {
		start, err := s.firstCounter(ctx)
		if err == nil {
			err = counter.Raise(start)
		}
		if err != nil {
			return &counterError{err}
		}
	}
	if left := counter.Left(); left < counterAlarm {
		s.l.d.Log.Warnf("%s: The invocation counter is nearly used up: %d values are left; the meter needs new keys", s.r.where(s.st.device), left)
	}
	s.armed, login.Security.Counter = counter, counter.Next
	return nil
}

// raise follows a meter that has refused an APDU because it wants a higher
// counter: once in a run. It reports whether another attempt is worth it.
func (s *session) raise(ctx context.Context, err error) bool {
	wanted, low := tooLow(err)
	if !low || s.armed == nil || s.raised || ctx.Err() != nil {
		return false
	}
	s.raised = true
	if wanted == 0 {
		last, err := s.readCounter(ctx)
		if err != nil {
			return false
		}
		wanted = last + 1
	}
	if wanted >= implausibleCounter {
		s.l.d.Log.Warnf("%s: The meter wants an invocation counter of %d, without proving that it is the meter: this is not followed; if it is so, set invocation_counter", s.r.where(s.st.device), wanted)
		return false
	}
	s.l.d.Log.Warnf("%s: The meter wants an invocation counter of at least %d: it is raised", s.r.where(s.st.device), wanted)
	return s.armed.Raise(wanted) == nil
}

// counterAlarm is how many values are left when it is time for new keys.
const counterAlarm = 1 << 24

// implausibleCounter is a value that a public client is not believed: whoever
// could make us use it would have used up the counter.
const implausibleCounter = 0xF0000000

// firstCounter is where the counter begins.
func (s *session) firstCounter(ctx context.Context) (uint32, error) {
	if start := s.r.protection.start; start != nil {
		return *start, nil
	}
	last, err := s.readCounter(ctx)
	switch {
	case err != nil:
		return 0, fmt.Errorf("it could not be read from the meter (%s as client %d): %w; if it cannot be read there, set invocation_counter, or invocation_counter_obis", s.r.protection.object, publicClient, err)
	case last >= implausibleCounter:
		return 0, fmt.Errorf("the meter says that %d was the last one, to a client that is not authenticated: this is not believed; if it is so, set invocation_counter", last)
	default:
		return last + 1, nil
	}
}

// readCounter reads the counter that the meter has accepted last.
func (s *session) readCounter(ctx context.Context) (uint32, error) {
	t, _, err := s.connect(ctx)
	if err != nil {
		return 0, err
	}
	if port, ok := t.(line); ok {
		if err := port.Configure(s.characters(), s.l.unsettled); err != nil {
			_ = t.Close()
			return 0, err
		}
	}
	cfg := s.r.connConfig(s.st.device, s.memory())
	cfg.ClientAddress = publicClient
	if err := s.askForHDLC(ctx, t, cfg); err != nil {
		_ = t.Close()
		return 0, err
	}
	c, err := dlms.NewConn(t, cfg)
	if err != nil {
		_ = t.Close()
		return 0, err
	}
	defer func() { _ = c.Close() }()
	as, err := c.Associate(ctx, dlms.AssociationConfig{ShortNames: s.r.association.short})
	if err != nil {
		return 0, err
	}
	defer func() { _ = as.Release(ctx) }()
	d, err := as.Get(ctx, cosem.Attribute{Class: cosem.Data, Instance: s.r.protection.object, ID: 2}, nil)
	if err != nil {
		return 0, err
	}
	v, ok := d.Uint64()
	if !ok || v > math.MaxUint32 {
		return 0, fmt.Errorf("it is %s, a number of 32 bits was expected", shorten(d.String(), 80))
	}
	return uint32(v), nil
}

// counterKey names a counter: it belongs to our title, the key, the client and
// the medium.
func (s *session) counterKey(login *dlms.AssociationConfig) string {
	print := sha256.Sum256(login.Security.Keys.EncryptionKey)
	return strings.Join([]string{titleText(login.Title), hex.EncodeToString(print[:8]), strconv.Itoa(int(s.r.client)), s.l.endpoint.network, s.r.memoryKey(s.st.device)}, " ")
}

// tooLow returns the counter that the meter wants, if that is why it has refused
// an APDU.
func tooLow(err error) (wanted uint32, ok bool) {
	var exception *dlms.ExceptionError
	if !errors.As(err, &exception) || exception.Response.Service != xdlms.InvocationCounterError {
		return 0, false
	}
	return exception.Response.InvocationCounter, true
}
