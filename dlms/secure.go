package dlms

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// Security protects the APDUs of an association with suite 0 (Green Book Ed. 9,
// clause 9.2). Mechanism HLSGMAC needs it; the others may have it.
type Security struct {
	Title []byte        // our own system title, 8 octets
	Keys  security.Keys // of the meter
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
	// Plain leaves the APDUs unprotected: the keys serve HLSGMAC only.
	Plain bool
	// General sends requests as general-glo-ciphering, in place of the service
	// specific APDUs, to a meter that grants general-protection.
	General bool
}

// check reports what cannot be used.
func (s *Security) check() error {
	switch {
	case len(s.Title) != security.TitleLength:
		return fmt.Errorf("our system title has %s, it needs %d", octets(len(s.Title)), security.TitleLength)
	case s.MeterTitle != nil && len(s.MeterTitle) != security.TitleLength:
		return fmt.Errorf("the meter's system title has %s, it needs %d", octets(len(s.MeterTitle)), security.TitleLength)
	case s.Counter == nil:
		return errors.New("ciphering needs a source of invocation counters")
	case s.control()&security.Authenticated != 0 && len(s.Keys.AuthenticationKey) == 0:
		return errors.New("authentication needs the authentication key")
	default:
		return nil
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
	context *security.Context
	meter   []byte // system title of the meter
	highest uint32 // counter of its last APDU
	any     bool   // there was one

	sealed []byte
	plain  []byte
	opened *byte // first octet of the APDU that plain was made of; nil: of none
	length int
}

// sealedOverhead is how many octets ciphering adds at most to a request of less
// than 64 KiB: tag, system title, lengths, security header and tag of GCM.
const sealedOverhead = 1 + 1 + security.TitleLength + 3 + security.HeaderLength + security.TagLength

func newSecured(s *Security) (*secured, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	c, err := security.NewContext(s.Keys)
	if err != nil {
		return nil, err
	}
	return &secured{Security: *s, context: c, meter: s.MeterTitle}, nil
}

// seal protects an APDU. What it returns is valid until the next call.
func (x *secured) seal(apdu []byte) ([]byte, error) {
	counter, err := x.Counter()
	if err != nil {
		return nil, fmt.Errorf("invocation counter: %w", err)
	}
	c := xdlms.Ciphered{Tag: xdlms.TagGeneralGloCiphering, Title: x.Title}
	// general protection is agreed on by the initiate, which cannot use it yet
	plain := xdlms.APDUTag(apdu[0])
	if tag, ok := plain.Global(); ok && (!x.General || plain == xdlms.TagInitiateRequest) {
		c.Tag, c.Title = tag, nil
	}
	c.Protected = x.context.Seal(x.plain[:0], x.Title, x.control(), counter, apdu)
	x.plain = c.Protected[:0]
	x.opened = nil
	x.sealed = c.Append(x.sealed[:0])
	return x.sealed, nil
}

// open returns the APDU inside of a ciphered one, valid until the next call of
// seal or open with another one. It may be called twice with the same.
func (x *secured) open(apdu []byte) ([]byte, error) {
	if len(apdu) > 0 && x.opened == &apdu[0] && x.length == len(apdu) {
		return x.plain, nil
	}
	c, rest, err := xdlms.CutCiphered(apdu)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%s behind the ciphered APDU", octets(len(rest)))
	}
	if err != nil {
		return nil, err
	}
	if len(x.meter) == 0 {
		x.meter = append([]byte(nil), c.Title...)
	}
	if len(c.Title) > 0 && string(c.Title) != string(x.meter) {
		return nil, fmt.Errorf("it comes from system title %X, the meter's is %X", c.Title, x.meter)
	}
	control, _ := security.ControlOf(c.Protected)
	if want := x.control(); control&want != want {
		return nil, fmt.Errorf("it is %s, at least %s is demanded", control, want)
	}
	counter, _ := security.Counter(c.Protected)
	if x.any && counter <= x.highest {
		return nil, &RepeatedError{Counter: counter, Last: x.highest}
	}
	x.opened = nil
	x.plain, err = x.context.Open(x.plain[:0], x.meter, c.Protected, plausibleAnswer)
	var unproved *security.Error
	if errors.As(err, &unproved) && unproved.Reason == security.Unauthenticated && x.control()&security.Authenticated == 0 {
		err = nil // encryption alone was asked for
	}
	switch {
	case err != nil:
		return nil, err
	case len(x.plain) == 0:
		return nil, errors.New("there is nothing inside")
	}
	if tag, ok := xdlms.APDUTag(x.plain[0]).Global(); c.Tag != xdlms.TagGeneralGloCiphering && (!ok || tag != c.Tag) {
		return nil, fmt.Errorf("a %s has a %s inside", c.Tag, xdlms.APDUTag(x.plain[0]))
	}
	x.highest, x.any = counter, true
	x.opened, x.length = &apdu[0], len(apdu)
	return x.plain, nil
}

// plausibleAnswer reports whether octets begin like an answer: what a wrong key
// makes of one hardly does.
func plausibleAnswer(b []byte) bool {
	return len(b) > 1 && (plausiblePoll(b) || plausibleAction(b) || bareTag(b[0]) || xdlms.APDUTag(b[0]) == xdlms.TagExceptionResponse)
}

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
	case tag.Ciphered():
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

// Challenges have 8 to 64 octets; 16 are understood by most meters.
const (
	challengeOctets = 16
	leastChallenge  = 8
	mostChallenge   = 64
)

// highLevel reports whether a mechanism has four passes.
func highLevel(m acse.Mechanism) bool {
	switch m {
	case acse.HLS, acse.HLSMD5, acse.HLSSHA1, acse.HLSGMAC, acse.HLSSHA256:
		return true
	default:
		return false
	}
}

// newChallenge makes the challenge of pass 1.
func newChallenge(size int) ([]byte, error) {
	if size == 0 {
		size = challengeOctets
	}
	if size < leastChallenge || size > mostChallenge {
		return nil, fmt.Errorf("a challenge of %s: %d to %d are allowed", octets(size), leastChallenge, mostChallenge)
	}
	b := make([]byte, size)
	_, err := rand.Read(b)
	return b, err
}

// opReply names pass 3 and 4 in errors.
const opReply = "reply_to_HLS_authentication"

// authenticate is passes 3 and 4 of high-level security (Green Book Ed. 9,
// clause 9.2.7.4): we answer the meter's challenge, and verify its answer to
// ours, without which the association is not used.
func (a *Association) authenticate(ctx context.Context, cfg *AssociationConfig, ours, theirs []byte) error {
	answer, err := a.answerChallenge(cfg, ours, theirs)
	if err != nil {
		return err
	}
	parameter := axdr.Data(axdr.AppendOctetString(nil, answer))
	var d axdr.Data
	if a.short {
		d, err = a.replyShort(ctx, parameter)
	} else {
		d, err = a.replyLong(ctx, cfg, parameter)
	}
	if err != nil {
		return err
	}
	reply, ok := d.Octets()
	switch {
	case d.Tag() == axdr.TagNull:
		return &RejectError{Unproven: true, Err: &ProtocolError{Op: opReply, Msg: "the meter does not accept our answer to its challenge: it answers with null-data"}}
	case !ok:
		return &RejectError{Err: &ProtocolError{Op: opReply, Msg: fmt.Sprintf("the answer is %s, an octet-string was expected", d)}}
	default:
	}
	if !a.verifyChallenge(cfg, ours, theirs, reply) {
		return &RejectError{Unproven: true, Err: &SecurityError{Op: opReply, Err: errors.New("the meter has not proved that it has the secret: its answer to our challenge is wrong")}}
	}
	return nil
}

// reflected reports what of ours the meter gives for its own: with it, it would
// need no secret to answer our challenge (Green Book Ed. 9, clause 9.2.7.4).
func reflected(cfg *AssociationConfig, challenge []byte, x *accepted) error {
	switch {
	case highLevel(cfg.Mechanism) && bytes.Equal(challenge, x.challenge):
		return &RejectError{Unproven: true, Err: &SecurityError{Op: opAssociate, Err: errors.New("the meter has not proved that it has the secret: its challenge is ours")}}
	case len(x.Title) > 0 && bytes.Equal(cfg.title(), x.Title):
		return &RejectError{Err: &SecurityError{Op: opAssociate, Err: fmt.Errorf("the meter gives our own system title %X for its own: set another system title of ours", x.Title)}}
	default:
		return nil
	}
}

// answerChallenge computes f(StoC).
func (a *Association) answerChallenge(cfg *AssociationConfig, ours, theirs []byte) ([]byte, error) {
	if cfg.Mechanism == acse.HLSGMAC {
		counter, err := a.keys.Counter()
		if err != nil {
			return nil, fmt.Errorf("invocation counter: %w", err)
		}
		return a.keys.context.AppendGMAC(nil, a.keys.Title, counter, theirs), nil
	}
	return a.challenge(cfg, theirs, ours, false).Answer()
}

// verifyChallenge verifies f(CtoS).
func (a *Association) verifyChallenge(cfg *AssociationConfig, ours, theirs, reply []byte) bool {
	if cfg.Mechanism == acse.HLSGMAC {
		return a.keys.context.VerifyGMAC(a.keys.meter, ours, reply)
	}
	return a.challenge(cfg, ours, theirs, true).Verify(reply)
}

// challenge is an answer by a secret: ours, or the meter's.
func (a *Association) challenge(cfg *AssociationConfig, received, sent []byte, meters bool) security.Challenge {
	c := security.Challenge{Mechanism: uint8(cfg.Mechanism), Secret: cfg.Password, Received: received, Sent: sent, Own: cfg.title(), Other: a.params.Title}
	if meters {
		c.Own, c.Other = c.Other, c.Own
	}
	return c
}

// title is our system title, nil if there is none.
func (cfg *AssociationConfig) title() []byte {
	if cfg.Security != nil {
		return cfg.Security.Title
	}
	return cfg.Title
}

// replyLong invokes method 1 of the association object.
func (a *Association) replyLong(ctx context.Context, cfg *AssociationConfig, parameter axdr.Data) (axdr.Data, error) {
	object := cfg.AssociationObject
	if object == (obis.Code{}) {
		object = obis.Code{0, 0, 40, 0, 0, 255}
	}
	q := xdlms.ActionRequest{
		InvokeID: xdlms.InvokeConfirmed | xdlms.InvokeHighPriority | xdlms.InvokeID(a.c.nextInvoke()),
		Class:    cosem.AssociationLN, Instance: object, Method: 1, Parameter: parameter,
	}
	op := operation{name: opReply}
	answer, err := a.transact(ctx, op, &q, expectation{kind: wantAction, invoke: q.InvokeID.ID()}, xdlms.TagActionResponse, false)
	if err != nil {
		return nil, refusedReply(err)
	}
	p, err := xdlms.ParseActionResponse(answer)
	switch {
	case err != nil:
		return nil, &RejectError{Err: &ProtocolError{Op: opReply, Msg: shown(answer), Err: err}}
	case p.Result != 0:
		return nil, &RejectError{Unproven: true, Err: &ProtocolError{Op: opReply, Msg: fmt.Sprintf("the meter does not accept our answer to its challenge: %s (action-result %d)", p.Result, uint8(p.Result))}}
	case !p.HasReturn || p.Return == nil:
		return nil, &RejectError{Err: &ProtocolError{Op: opReply, Msg: "the meter does not answer our challenge"}}
	default:
		return p.Return, nil
	}
}

// refusedReply tells a meter that refuses pass 3 from one that is not heard.
func refusedReply(err error) error {
	var exception *ExceptionError
	var service *ServiceError
	if errors.As(err, &exception) || errors.As(err, &service) {
		return &RejectError{Err: err}
	}
	return err
}

// replyShort reads method 8 of the association object, which is at FA00h.
func (a *Association) replyShort(ctx context.Context, parameter axdr.Data) (axdr.Data, error) {
	const replyName = 0xFA00 + 0x58
	p, err := a.askVariable(ctx, operation{name: opReply}, xdlms.VariableAccess{Choice: xdlms.ParameterizedAccess, Name: replyName, Parameter: parameter})
	switch {
	case err != nil:
		return nil, refusedReply(err)
	case p.Choice != xdlms.ReadData:
		return nil, &RejectError{Unproven: true, Err: &ProtocolError{Op: opReply, Msg: fmt.Sprintf("the meter does not accept our answer to its challenge: %s", p.Error)}}
	default:
		return p.Data, nil
	}
}
