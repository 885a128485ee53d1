package dlms

import (
	"errors"
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// Security protects the APDUs of an association (Green Book Ed. 9, clause 9.2).
// Mechanisms HLSGMAC and HLSECDSA need it; the others may have it.
type Security struct {
	Title []byte        // our own system title, 8 octets
	Keys  security.Keys // of the meter, and the suite; without ciphering HLSECDSA needs none
	// Counter returns the next invocation counter: one that was never used with
	// the encryption key by whoever has our title, in this program or before. It
	// is called for each APDU that is sealed.
	Counter func() (uint32, error)
	// Control is the protection of requests, and what answers must have at
	// least; 0: authenticated and encrypted.
	Control security.Control
	// MeterTitle is the meter's system title, if it is known; one that it sends
	// must be the same. nil: that of its AARE.
	MeterTitle []byte
	// Plain leaves the APDUs unprotected: the keys serve the login only.
	Plain     bool
	Ciphering Ciphering
	// Dedicated is a key for this association alone, of the length of the others: it
	// goes to the meter inside of the ciphered initiate, which has to be encrypted for
	// that, and all that follows is under it. Nobody may have used it before. nil:
	// there is none.
	Dedicated []byte
	MasterKey []byte     // wraps keys, for WrappedKey
	Public    PublicKeys // of suites 1 and 2
	// Signed puts requests into general-signing, and demands that of answers.
	Signed bool
}

// check reports what cannot be used.
func (s *Security) check() error {
	switch {
	case len(s.Title) != security.TitleLength:
		return fmt.Errorf("our system title has %s, it needs %d", octets(len(s.Title)), security.TitleLength)
	case s.MeterTitle != nil && len(s.MeterTitle) != security.TitleLength:
		return fmt.Errorf("the meter's system title has %s, it needs %d", octets(len(s.MeterTitle)), security.TitleLength)
	case s.Counter == nil && len(s.Keys.EncryptionKey) > 0:
		return errors.New("ciphering needs a source of invocation counters")
	case !s.Plain && len(s.Keys.EncryptionKey) == 0:
		return errors.New("protection needs the encryption key")
	case !s.Plain && s.control()&security.Authenticated != 0 && len(s.Keys.AuthenticationKey) == 0:
		return errors.New("authentication needs the authentication key")
	case s.Dedicated != nil && (s.Plain || s.control()&security.Encrypted == 0):
		return errors.New("a dedicated key has to be sent encrypted: without encryption there is none")
	default:
		return s.checkForm()
	}
}

func (s *Security) control() security.Control {
	if s.Control == 0 {
		return security.Authenticated | security.Encrypted
	}
	return s.Control
}

// A SecurityError says that an answer could not be opened, or is not protected
// as it has to be. Nothing of it is used.
type SecurityError struct {
	Op  string
	Err error // a *security.Error, or what else is wrong
}

func (e *SecurityError) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *SecurityError) Unwrap() error { return e.Err }

// A RepeatedError says that an answer has an invocation counter that is not
// above that of the one before: somebody sends it again, or the meter does not
// count.
type RepeatedError struct{ Counter, Last uint32 }

func (e *RepeatedError) Error() string {
	return fmt.Sprintf("its invocation counter %d is not above the last one, %d: it was sent before", e.Counter, e.Last)
}

// secured is the protection of an association.
type secured struct {
	Security
	context *security.Context // global keys
	only    *security.Context // dedicated key; nil: none
	meter   []byte            // system title of the meter
	global  series            // its counters under the global keys
	ours    series            // and under those of the association
	envelope

	sealed []byte
	plain  []byte
	opened *byte // first octet of the APDU that plain was made of; nil: of none
	length int
}

// series are the invocation counters of a sender under one key. They only grow.
type series struct {
	last uint32
	any  bool // there was one
}

// check reports a counter that was there before.
func (s *series) check(counter uint32) error {
	if s.any && counter <= s.last {
		return &RepeatedError{Counter: counter, Last: s.last}
	}
	return nil
}

// overhead is how many octets protection adds at most to a request of less than
// 64 KiB.
func (x *secured) overhead() int {
	const (
		length  = 3 // of octets, below 64 KiB
		general = 1 + 8 + 2*(1+security.TitleLength) + 2
		keyInfo = 2 + 2 + 2 + length
	)
	n := 1 + 1 + security.TitleLength + length + security.HeaderLength + security.TagLength
	if x.Ciphering.own() {
		n += general + keyInfo + 2*signatureOctets // a public key and its signature
	}
	if x.Signed {
		n += 1 + general + 2*length + signatureOctets
	}
	return n
}

// signatureOctets is how long signatures and public keys are, with suite 2.
const signatureOctets = 96

func newSecured(s *Security) (*secured, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	x := &secured{Security: *s, meter: s.MeterTitle}
	var err error
	if len(s.Keys.EncryptionKey) == 0 {
		return x, nil
	}
	if x.context, err = security.NewContext(s.Keys); err != nil {
		return nil, err
	}
	if s.Dedicated != nil {
		keys := s.Keys
		keys.EncryptionKey = s.Dedicated
		if x.only, err = security.NewContext(keys); err != nil {
			return nil, fmt.Errorf("dedicated key: %w", err)
		}
	}
	return x, nil
}

// seal protects an APDU. What it returns is valid until the next call.
func (x *secured) seal(apdu []byte) ([]byte, error) {
	counter, err := x.Counter()
	if err != nil {
		return nil, fmt.Errorf("invocation counter: %w", err)
	}
	plain := xdlms.APDUTag(apdu[0])
	var c xdlms.Ciphered
	// all but the service specific form under the global key is agreed on by the initiate, which cannot use it yet
	initiate := plain == xdlms.TagInitiateRequest
	if x.Ciphering.own() && !initiate {
		c, err = x.sealGeneral(counter, apdu)
	} else {
		c = x.sealShared(counter, apdu, plain, initiate)
	}
	if err != nil {
		return nil, err
	}
	x.plain = c.Protected[:0]
	x.opened = nil
	x.sealed = c.Append(x.sealed[:0])
	if x.Signed && !initiate {
		return x.sign(counter, x.sealed)
	}
	return x.sealed, nil
}

// sealShared protects an APDU under the global or the dedicated key.
func (x *secured) sealShared(counter uint32, apdu []byte, plain xdlms.APDUTag, initiate bool) xdlms.Ciphered {
	context, general, specific := x.context, xdlms.TagGeneralGloCiphering, plain.Global
	if x.only != nil && !initiate {
		context, general, specific = x.only, xdlms.TagGeneralDedCiphering, plain.Dedicated
	}
	c := xdlms.Ciphered{Tag: general, Title: x.Title}
	if tag, ok := specific(); ok && (x.Ciphering == ServiceCiphering || initiate) {
		c.Tag, c.Title = tag, nil
	}
	c.Protected = context.Seal(x.plain[:0], x.Title, x.control(), counter, apdu)
	return c
}

// open returns the APDU inside of a ciphered or signed one, valid until the next
// call of seal or open with another one. It may be called twice with the same.
func (x *secured) open(apdu []byte) ([]byte, error) {
	if len(apdu) > 0 && x.opened == &apdu[0] && x.length == len(apdu) {
		return x.plain, nil
	}
	x.opened = nil
	inner, signed, err := x.unsigned(apdu)
	if err != nil {
		return nil, err
	}
	if err := x.openCiphered(inner); err != nil {
		return nil, err
	}
	if xdlms.APDUTag(x.plain[0]) == xdlms.TagGeneralSigning { // it was signed before it was ciphered
		if x.plain, err = x.verify(x.plain); err != nil {
			return nil, err
		}
		signed = true
	}
	switch {
	case x.Signed && !signed && xdlms.APDUTag(x.plain[0]) != xdlms.TagInitiateResponse:
		return nil, errors.New("it is not signed, which is demanded")
	case len(x.plain) == 0:
		return nil, errors.New("there is nothing inside")
	default:
	}
	x.opened, x.length = &apdu[0], len(apdu)
	return x.plain, nil
}

// unsigned takes a signature off, if there is one.
func (x *secured) unsigned(apdu []byte) (inner []byte, signed bool, err error) {
	if len(apdu) == 0 || xdlms.APDUTag(apdu[0]) != xdlms.TagGeneralSigning {
		return apdu, false, nil
	}
	inner, err = x.verify(apdu)
	return inner, true, err
}

// openCiphered opens a ciphered APDU into x.plain, which then has an octet at least.
func (x *secured) openCiphered(apdu []byte) error {
	c, rest, err := xdlms.CutCiphered(apdu)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%s behind the ciphered APDU", octets(len(rest)))
	}
	if err != nil {
		return err
	}
	if len(x.meter) == 0 {
		x.meter = append([]byte(nil), c.Title...)
	}
	if len(c.Title) > 0 && string(c.Title) != string(x.meter) {
		return fmt.Errorf("it comes from system title %s, the meter's is %s", security.TitleText(c.Title), security.TitleText(x.meter))
	}
	control, _ := security.ControlOf(c.Protected)
	switch want := x.control(); {
	case control&want != want:
		return fmt.Errorf("it is %s, at least %s is demanded", control, want)
	case control&security.Broadcast != 0:
		return errors.New("it is under the broadcast key: answers have to be under the unicast key")
	default:
	}
	counter, _ := security.Counter(c.Protected)
	context, counters, err := x.keyOf(&c)
	if err == nil {
		err = counters.check(counter)
	}
	if err != nil {
		return err
	}
	x.plain, err = context.OpenWith(x.plain[:0], x.meter, c.Protected, c.General.Authentic, plausibleAnswer)
	var unproved *security.Error
	if errors.As(err, &unproved) && unproved.Reason == security.Unauthenticated && x.control()&security.Authenticated == 0 {
		err = nil // encryption alone was asked for
	}
	switch {
	case err != nil:
		return err
	case len(x.plain) == 0:
		return errors.New("there is nothing inside")
	case !encloses(c.Tag, xdlms.APDUTag(x.plain[0])):
		return fmt.Errorf("a %s has a %s inside", c.Tag, xdlms.APDUTag(x.plain[0]))
	default:
		counters.last, counters.any = counter, true
		return nil
	}
}

// keyOf returns the key that a ciphered APDU of the meter is under, and the counters
// that belong to it.
func (x *secured) keyOf(c *xdlms.Ciphered) (*security.Context, *series, error) {
	switch {
	case c.Tag == xdlms.TagGeneralCiphering:
		context, err := x.receivingKey(c)
		if context == x.context {
			return context, &x.global, err
		}
		return context, &x.ours, err
	case !c.Tag.UnderDedicatedKey():
		return x.context, &x.global, nil
	case x.only == nil:
		return nil, nil, fmt.Errorf("it is a %s, and no dedicated key was agreed on", c.Tag)
	default:
		return x.only, &x.ours, nil
	}
}

// encloses reports whether an APDU of one tag may enclose one of the other.
func encloses(outer, plain xdlms.APDUTag) bool {
	if outer >= xdlms.TagGeneralGloCiphering {
		return true
	}
	specific := plain.Global
	if outer.UnderDedicatedKey() {
		specific = plain.Dedicated
	}
	tag, ok := specific()
	return ok && tag == outer
}

// plausibleAnswer reports whether octets begin like an answer: what a wrong key
// makes of one hardly does.
func plausibleAnswer(b []byte) bool {
	return len(b) > 1 && (plausiblePoll(b) || plausibleAction(b) || bareTag(b[0]) || xdlms.APDUTag(b[0]) == xdlms.TagExceptionResponse ||
		xdlms.APDUTag(b[0]) == xdlms.TagGeneralSigning)
}

// protects reports whether an APDU is one that open takes.
func protects(tag xdlms.APDUTag) bool { return tag.Ciphered() || tag == xdlms.TagGeneralSigning }

func plausibleAction(b []byte) bool {
	_, err := xdlms.ParseActionResponse(b)
	return err == nil
}

// unprotect returns the plain answer to a request of a protected association.
func (a *Association) unprotect(op operation, answer []byte) ([]byte, error) {
	if a.secured == nil {
		return answer, nil
	}
	switch tag := xdlms.APDUTag(answer[0]); {
	case protects(tag):
		plain, err := a.secured.open(answer)
		if err != nil {
			return nil, &SecurityError{Op: op.String(), Err: err}
		}
		return plain, nil
	case tag == xdlms.TagExceptionResponse, tag == xdlms.TagConfirmedServiceError:
		return answer, nil // it says no more than no
	default:
		return nil, &SecurityError{Op: op.String(), Err: fmt.Errorf("the meter answers with a %s that is not protected", tag)}
	}
}
