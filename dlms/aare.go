package dlms

import (
	"errors"
	"fmt"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// accepted is what an AARE has granted.
type accepted struct {
	Parameters
	challenge []byte // of the meter, in high-level security
}

// judge reads the answer to an AARQ.
func (a *Association) judge(answer []byte, referencing acse.Context, proposed xdlms.Conformance, mechanism acse.Mechanism) (x accepted, err error) {
	const op = opAssociate
	aare, err := readAARE(answer)
	if err != nil {
		return x, err
	}
	// The result comes first: a refusal must not be hidden by what comes with it, or does not.
	refusal := &RejectError{Result: aare.Result, Diagnostic: aare.Diagnostic}
	if aare.Context != referencing {
		refusal.Context = aare.Context
	}
	if e, err := xdlms.ParseConfirmedServiceError(aare.UserInformation); err == nil {
		refusal.ServiceError = &e
	}
	fail := func(format string, args ...any) (accepted, error) {
		refusal.Err = &ProtocolError{Op: op, Msg: fmt.Sprintf(format, args...)}
		return accepted{}, refusal
	}
	goesOn := aare.Diagnostic == acse.Diagnostic{Source: acse.ServiceUser, Code: acse.DiagnosticAuthenticationRequired}
	switch {
	case aare.Result != acse.Accepted, refusal.ServiceError != nil:
		return x, refusal
	case goesOn && !mechanism.HighLevel():
		return fail("the meter demands high-level authentication: %s", aare.Diagnostic)
	case mechanism.HighLevel() && aare.Mechanism != acse.None && aare.Mechanism != acse.MechanismForeign && aare.Mechanism != mechanism:
		return fail("asked for authentication %s, the meter goes on with %s", mechanism, aare.Mechanism)
	case mechanism.HighLevel() && len(aare.AuthenticationValue) > 0 && len(aare.AuthenticationValue) < leastChallenge:
		return fail("the meter's challenge has %s: %d to %d are allowed", octets(len(aare.AuthenticationValue)), leastChallenge, mostChallenge)
	case mechanism.HighLevel() && len(aare.AuthenticationValue) == 0:
		return fail("the meter accepts, but sends no challenge: it has not proved who it is")
	case a.secured == nil && plain(aare.Context) != plain(referencing) && aare.Context != acse.ContextUnknown,
		a.secured != nil && aare.Context != referencing && aare.Context != acse.ContextUnknown:
		refusal.OtherReferencing = (aare.Context == acse.LN || aare.Context == acse.SN) && plain(referencing) != aare.Context
		return fail("asked for %s, the meter accepts %s", referencing, aare.Context)
	default:
	}
	if len(aare.RespondingTitle) > 0 {
		x.Title = append([]byte(nil), aare.RespondingTitle...)
	}
	x.challenge = append([]byte(nil), aare.AuthenticationValue...)
	if err := a.knowMeter(&x, mechanism, aare.RespondingQualifier); err != nil {
		refusal.Err = &SecurityError{Op: op, Err: err}
		return accepted{}, refusal
	}
	if len(aare.UserInformation) > 0 || a.secured != nil {
		information, err := a.unprotect(operation{name: op}, nonEmpty(aare.UserInformation))
		if err != nil {
			refusal.Err = err
			return accepted{}, refusal
		}
		if err := x.initiate(information, plain(referencing)); err != nil {
			refusal.Err = err
			var other *otherReferencing
			refusal.OtherReferencing = errors.As(err, &other)
			return accepted{}, refusal
		}
	}
	x.Conformance = x.Granted & proposed
	needed := xdlms.ConformanceGet
	if plain(referencing) == acse.SN {
		needed = xdlms.ConformanceRead
	}
	if !x.Conformance.Has(needed) {
		x.AssumedGet = true
		x.Conformance |= needed
	}
	return x, nil
}

// nonEmpty stands in for information that is missing: an APDU that is none.
func nonEmpty(b []byte) []byte {
	if len(b) == 0 {
		return []byte{0}
	}
	return b
}

// readAARE parses an answer to an AARQ; anything but an AARE is a refusal.
func readAARE(answer []byte) (aare acse.AARE, err error) {
	const op = opAssociate
	switch tag := xdlms.APDUTag(answer[0]); tag {
	case xdlms.TagAARE:
	case xdlms.TagExceptionResponse, xdlms.TagConfirmedServiceError:
		err := errorAPDU(op, answer)
		var service *ServiceError
		if errors.As(err, &service) {
			return aare, &RejectError{ServiceError: &service.Response}
		}
		return aare, &RejectError{Err: err}
	default:
		return aare, &RejectError{Err: &ProtocolError{Op: op, Msg: fmt.Sprintf("expected an AARE, got %s: %s", tag, shown(answer))}}
	}
	if aare, err = acse.ParseAARE(answer); err != nil {
		return aare, &RejectError{Err: &ProtocolError{Op: op, Msg: shown(answer), Err: err}}
	}
	return aare, nil
}

// knowMeter settles which system title the meter has, and which key it signs with.
func (a *Association) knowMeter(x *accepted, mechanism acse.Mechanism, certificate []byte) error {
	if a.keys == nil {
		return nil
	}
	if len(x.Title) == 0 && a.c.hdlc != nil && security.NamesMaker(a.c.hdlc.state.UserData()) {
		x.Title = append([]byte(nil), a.c.hdlc.state.UserData()...)
	}
	switch known := a.keys.meter; {
	case len(known) == 0:
		a.keys.meter = x.Title
	case len(x.Title) > 0 && string(x.Title) != string(known):
		return fmt.Errorf("the meter's system title is %s, %s was expected", security.TitleText(x.Title), security.TitleText(known))
	default:
	}
	if len(a.keys.meter) == 0 {
		return errors.New("the meter sends no system title: set the one that it has")
	}
	p := &a.keys.Public
	if p.MeterSigning == nil && len(certificate) > 0 && len(p.Roots) > 0 {
		c, err := a.keys.certified(certificate)
		if err != nil {
			return fmt.Errorf("the meter's certificate: %w", err)
		}
		p.MeterSigning = c.PublicKey()
	}
	if mechanism == acse.HLSECDSA && p.MeterSigning == nil {
		return errors.New("the meter's key for signing is not known: it is needed to verify who it is, or whom to believe about the certificate that it sends")
	}
	return nil
}

// certified returns the meter's certificate, if somebody whom we believe vouches for it.
func (x *secured) certified(der []byte) (*security.Certificate, error) {
	c, err := security.ParseCertificate(x.Keys.Suite, der)
	if err != nil {
		return nil, err
	}
	for _, check := range []error{c.VerifyChain(x.Public.Roots, nil, time.Now()), c.CheckTitle(x.meter), c.CheckSigning()} {
		if check != nil {
			return nil, check
		}
	}
	return c, nil
}

// otherReferencing is a meter that grants what was not asked for.
type otherReferencing struct{ msg string }

func (e *otherReferencing) Error() string { return e.msg }

// initiate reads the InitiateResponse.
func (x *accepted) initiate(information []byte, referencing acse.Context) error {
	const op = opAssociate
	initiate, err := xdlms.ParseInitiateResponse(information)
	switch {
	case err != nil:
		return &ProtocolError{Op: op, Msg: "accepted, but the user-information cannot be read: " + shown(information), Err: err}
	case initiate.Version < xdlms.Version:
		return &ProtocolError{Op: op, Msg: fmt.Sprintf("the meter speaks DLMS version %d, at least %d is expected", initiate.Version, xdlms.Version)}
	case referencing == acse.LN && initiate.VAA == xdlms.VAANameSN && !initiate.Conformance.Has(xdlms.ConformanceGet) && initiate.Conformance.Has(xdlms.ConformanceRead):
		return &ProtocolError{Op: op, Err: &otherReferencing{fmt.Sprintf("the meter grants short-name referencing only (vaa-name %04X)", initiate.VAA)}}
	case referencing == acse.SN && initiate.VAA == xdlms.VAANameLN && !initiate.Conformance.Has(xdlms.ConformanceRead) && initiate.Conformance.Has(xdlms.ConformanceGet):
		return &ProtocolError{Op: op, Err: &otherReferencing{fmt.Sprintf("the meter grants logical-name referencing only (vaa-name %04X)", initiate.VAA)}}
	default:
	}
	x.Granted = initiate.Conformance
	if x.MaxPDU = int(initiate.MaxPDU); x.MaxPDU < leastPDU {
		x.MaxPDU = 0
	}
	return nil
}

// plain is the context of the same referencing without ciphering. Some meters
// name the ciphered one to clients that have not asked for it; plain APDUs may
// be used in both.
func plain(c acse.Context) acse.Context {
	switch c {
	case acse.LNCiphered:
		return acse.LN
	case acse.SNCiphered:
		return acse.SN
	default:
		return c
	}
}
