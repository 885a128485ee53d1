package dlmstest

import (
	"bytes"
	"crypto/rand"
	"errors"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

const (
	challengeLength  = 16 // octets of the meter's challenge, which most clients take
	leastChallenge   = 8  // octets of a client's one (Green Book Ed. 9, 9.2.7.4)
	mostChallenge    = 64
	generalTitle     = 1 + security.TitleLength // octets of a system title with its length
	cipheredOverhead = 1 + generalTitle + 1 + security.HeaderLength + security.TagLength
	callingTitle     = 3 // diagnostic: calling-AP-title not recognized
	deciphering      = 6 // code of an application-reference error
)

// suite is a security suite with one encryption key.
type suite struct {
	*security.Context
	series series
}

// newSuite fails for keys that have not the length of their suite.
func newSuite(k security.Keys, title []byte, dedicated bool) (*suite, error) {
	c, err := security.NewContext(k)
	if err != nil {
		return nil, err
	}
	x := &suite{Context: c, series: series{dedicated: dedicated}}
	copy(x.series.title[:], title)
	copy(x.series.key[:], k.EncryptionKey)
	return x, nil
}

// secured is what an association has of security. The zero value is none.
type secured struct {
	client     Client
	ciphered   bool   // its context lets APDUs be ciphered
	title      []byte // of the client; may be nil without ciphering
	global     *suite // nil: no keys
	dedicated  *suite // nil: the client gave no dedicated key
	ctos, stoc []byte // the challenges; nil: no high-level security
	pending    bool   // the client has not proved itself yet
}

// envelope is what a request came in; its answer goes out in one like it.
type envelope struct {
	tag     xdlms.APDUTag
	by      *suite
	control security.Control
	counter uint32
	lowest  uint64        // counter that was acceptable before
	key     xdlms.KeyInfo // of general-ciphering
	signed  bool
}

// general tells whether the envelope is one with a system title.
func (e *envelope) general() bool {
	return e.tag == xdlms.TagGeneralGloCiphering || e.tag == xdlms.TagGeneralDedCiphering
}

// room is how many octets of an APDU fit an envelope of limit octets: PDU sizes
// count the ciphered APDU.
func (e *envelope) room(limit int) int {
	room := limit - 1
	if e.general() {
		room -= generalTitle
	}
	room = withoutLength(room) - security.HeaderLength
	if e.control&security.Authenticated != 0 {
		room -= security.TagLength
	}
	return room - e.generalRoom()
}

// enclosing is the service specific APDU that encloses a plain one.
func enclosing(plain xdlms.APDUTag, dedicated bool) xdlms.APDUTag {
	tag, _ := plain.Global()
	if dedicated {
		tag, _ = plain.Dedicated()
	}
	return tag
}

// secure prepares what the association that an AARQ asks for has of security. A
// code other than DiagnosticNull refuses it.
func (s *session) secure(aarq *acse.AARQ) (code uint8) {
	known := s.m.cfg.Clients[s.client]
	x := secured{client: known, ciphered: aarq.Context != s.m.context(false), title: bytes.Clone(aarq.CallingTitle)}
	titled := x.ciphered || known.Mechanism.NeedsTitles()
	if titled && len(x.title) != security.TitleLength {
		return callingTitle
	}
	if known.Keys.EncryptionKey != nil {
		var err error
		if x.global, err = newSuite(known.Keys, x.title, false); err != nil {
			return acse.DiagnosticNoReason
		}
	}
	if known.Mechanism.HighLevel() {
		x.ctos, x.stoc = bytes.Clone(aarq.AuthenticationValue), s.m.cfg.Challenge
		switch {
		case len(x.ctos) < leastChallenge || len(x.ctos) > mostChallenge:
			return acse.DiagnosticAuthenticationFailure
		case known.Mechanism == acse.HLSGMAC && x.global == nil,
			known.Mechanism == acse.HLSECDSA && (known.Public.Signing == nil || known.Public.ClientSigning == nil):
			return acse.DiagnosticNoReason
		case x.stoc == nil:
			x.stoc = make([]byte, challengeLength)
			_, _ = rand.Read(x.stoc) // never fails
		}
		x.pending = true
	}
	s.sec = x
	return acse.DiagnosticNull
}

// openInitiate opens the user-information of an AARQ or RLRQ. The envelope is
// nil if it was in the clear, and might be.
func (s *session) openInitiate(information []byte) (plain []byte, e *envelope, refusal *xdlms.ExceptionResponse) {
	clear := len(information) == 0 || xdlms.APDUTag(information[0]) != xdlms.TagGloInitiateRequest
	switch {
	case !s.sec.ciphered, clear && s.sec.client.Policy == 0:
		return information, nil, nil
	case clear:
		return nil, nil, refused(xdlms.OperationNotPossible)
	}
	c, rest, err := xdlms.CutCiphered(information)
	if err != nil || len(rest) > 0 {
		return nil, nil, refused(xdlms.DecipheringError)
	}
	return s.open(c, s.sec.global)
}

// dedicate takes over the dedicated key of an InitiateRequest. In the clear it
// is none.
func (s *session) dedicate(key []byte, e *envelope) (ok bool) {
	if key == nil || e == nil {
		return true
	}
	keys := s.sec.client.Keys
	keys.EncryptionKey = key
	var err error
	s.sec.dedicated, err = newSuite(keys, s.sec.title, true)
	return err == nil
}

// ciphered answers a ciphered APDU.
func (s *session) ciphered(apdu []byte) []byte {
	tag := xdlms.APDUTag(apdu[0])
	switch {
	case !s.associated || !s.sec.ciphered:
		s.m.count(func(c *Counters) { c.Others++ })
		return s.refuse(tag)
	case s.tooLong(apdu):
		return s.exception(xdlms.ServiceNotAllowed, xdlms.PDUTooLong)
	}
	plain, e, refusal := s.openRequest(apdu)
	if refusal != nil {
		return s.refusal(refusal)
	}
	s.m.count(func(c *Counters) {
		c.Ciphered++
		if e.by.series.dedicated {
			c.Dedicated++
		}
	})
	spared := s.sec.pending
	s.envelope = e
	reply := s.service(plain)
	s.envelope = nil
	return s.seal(reply, e, spared)
}

// openRequest opens a ciphered request, by the key that its tag names.
func (s *session) openRequest(apdu []byte) (plain []byte, e *envelope, refusal *xdlms.ExceptionResponse) {
	signed := xdlms.APDUTag(apdu[0]) == xdlms.TagGeneralSigning
	if signed {
		var ok bool
		if apdu, ok = s.unsign(apdu); !ok {
			return nil, nil, refused(xdlms.DecipheringError)
		}
	}
	c, rest, err := xdlms.CutCiphered(apdu)
	if err != nil || len(rest) > 0 {
		return nil, nil, refused(xdlms.ServiceOtherReason)
	}
	general := c.Tag >= xdlms.TagGeneralGloCiphering
	if (general || signed) && !s.conformance.Has(xdlms.ConformanceGeneralProtection) {
		return nil, nil, refused(xdlms.ServiceNotSupported)
	}
	by := s.sec.global
	switch {
	case c.Tag == xdlms.TagGeneralCiphering:
		if by, err = s.ofGeneral(&c); err != nil {
			return nil, nil, refused(xdlms.DecipheringError)
		}
	case c.Tag.UnderDedicatedKey():
		by = s.sec.dedicated
	default:
	}
	if by == nil || len(c.Title) > 0 && !bytes.Equal(c.Title, s.sec.title) {
		return nil, nil, refused(xdlms.DecipheringError)
	}
	plain, e, refusal = s.open(c, by)
	if refusal != nil {
		return nil, nil, refusal
	}
	if e.signed = signed; !general && enclosing(xdlms.APDUTag(plain[0]), c.Tag.UnderDedicatedKey()) != c.Tag {
		refusal = refused(xdlms.ServiceOtherReason)
	}
	return plain, e, refusal
}

// open opens a ciphered APDU: what its sender cannot have made is refused, then
// what he has made before, then what lacks the protection that is demanded. The
// envelope has the protection of the answer.
func (s *session) open(c xdlms.Ciphered, by *suite) (plain []byte, e *envelope, refusal *xdlms.ExceptionResponse) {
	control, _ := security.ControlOf(c.Protected)
	counter, _ := security.Counter(c.Protected)
	plain, err := by.OpenWith(s.plain[:0], s.sec.title, c.Protected, c.General.Authentic, plausible)
	var why *security.Error
	if errors.As(err, &why) && why.Reason == security.Unauthenticated && control&security.Encrypted != 0 {
		err = nil // whether that is enough is for the policy to say
	}
	if err != nil || len(plain) == 0 || control.Suite() != s.sec.client.Keys.Suite || control&security.Broadcast != 0 {
		return nil, nil, refused(xdlms.DecipheringError)
	}
	s.plain = plain
	lowest, ok := s.m.accept(by.series, counter, nil)
	if !ok {
		return nil, nil, counterError(lowest)
	}
	policy := s.sec.client.Policy
	if control&policy != policy {
		return nil, nil, refused(xdlms.OperationNotPossible)
	}
	return plain, &envelope{tag: c.Tag, by: by, control: control | policy, counter: counter, lowest: lowest, key: clonedKey(c.Key)}, nil
}

// clonedKey outlives the request that it came with.
func clonedKey(k xdlms.KeyInfo) xdlms.KeyInfo {
	k.Parameters, k.Data = bytes.Clone(k.Parameters), bytes.Clone(k.Data)
	return k
}

// plausible tells whether octets begin like a request: what a wrong key makes of
// one that is encrypted only hardly does.
func plausible(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	switch xdlms.APDUTag(b[0]) {
	case xdlms.TagInitiateRequest, xdlms.TagReadRequest, xdlms.TagWriteRequest,
		xdlms.TagGetRequest, xdlms.TagSetRequest, xdlms.TagActionRequest, xdlms.TagAccessRequest:
		return true
	default:
		return false
	}
}

// seal puts an answer into an envelope like that of its request. An
// exception-response has none (Green Book Ed. 9, 9.5). Answers that belong to
// the association are spared the faults.
func (s *session) seal(plain []byte, e *envelope, spared bool) []byte {
	if len(plain) == 0 || xdlms.APDUTag(plain[0]) == xdlms.TagExceptionResponse {
		return plain
	}
	faults := &s.m.faults
	spared = spared && !faults.fixed().FromAssociation
	due := func(field func(f *Faults) *int) bool { return !spared && faults.take(field) }
	if due(func(f *Faults) *int { return &f.PlainAnswers }) {
		return plain
	}
	title := s.m.cfg.Title
	if due(func(f *Faults) *int { return &f.ForeignTitles }) {
		title[len(title)-1] ^= 0xff
	}
	counter := s.m.next(due(func(f *Faults) *int { return &f.RepeatedCounters }))
	c, err := s.enclose(plain, title[:], e, counter)
	if err != nil {
		return s.exception(xdlms.ServiceNotAllowed, xdlms.DecipheringError)
	}
	if due(func(f *Faults) *int { return &f.WrongTags }) {
		c.Protected[len(c.Protected)-1] ^= 0xff
	}
	s.sealed = c.Append(s.sealed[:0])
	if e.signed {
		return s.sign(s.sealed, title[:], counter)
	}
	return s.sealed
}

// enclose ciphers an answer, in the form and by the key of its request.
func (s *session) enclose(plain, title []byte, e *envelope, counter uint32) (xdlms.Ciphered, error) {
	if e.tag == xdlms.TagGeneralCiphering {
		return s.sealGeneral(plain, title, e, counter)
	}
	c := xdlms.Ciphered{Tag: e.tag, Title: title}
	if !e.general() {
		c.Tag, c.Title = enclosing(xdlms.APDUTag(plain[0]), e.by.series.dedicated), nil
	}
	c.Protected = e.by.Seal(nil, title, e.control, counter, plain)
	return c, nil
}

// refused is why a request is refused.
func refused(service xdlms.ExceptionService) *xdlms.ExceptionResponse {
	return &xdlms.ExceptionResponse{State: xdlms.ServiceNotAllowed, Service: service}
}

// counterError refuses a counter, and tells the lowest that would do.
func counterError(lowest uint64) *xdlms.ExceptionResponse {
	e := refused(xdlms.InvocationCounterError)
	e.InvocationCounter, e.HasCounter = uint32(min(lowest, maxCounter)), true
	return e
}

// refusal encodes why a request is refused.
func (s *session) refusal(e *xdlms.ExceptionResponse) []byte {
	s.reply = e.Append(s.reply[:0])
	return s.reply
}
