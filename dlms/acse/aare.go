package acse

import "fmt"

// AARE is A-Associate-Response: the server's answer to an AARQ (Green Book Ed. 9, 9.4.2.2 and 9.5).
//
// Slices that are nil stand for absent fields. In a parsed AARE they are views into the input.
type AARE struct {
	// Context is the application context of the association, or, in a refusal, the one that the server would have
	// accepted. ContextUnknown when absent or not one of DLMS/COSEM.
	Context Context
	// Result says whether the association was accepted.
	Result Result
	// Diagnostic says why not, or that authentication must go on. The zero value: the server sent none.
	Diagnostic Diagnostic
	// RespondingTitle is the server's system title (8 octets).
	RespondingTitle []byte
	// RespondingQualifier is the responding-AE-qualifier: a certificate, with suites 1 and 2.
	RespondingQualifier []byte
	// Mechanism is the authentication mechanism, sent with high level security.
	Mechanism Mechanism
	// AuthenticationValue is the server's challenge of high level security.
	AuthenticationValue []byte
	// UserInformation is the InitiateResponse, plain or ciphered, or a ConfirmedServiceError, without the OCTET STRING
	// around it. A refusal often has none; HasUserInformation tells.
	UserInformation    []byte
	HasUserInformation bool
}

// Append appends the encoded AARE to b. Fields that are set are written, in the standard's order: no context name for
// ContextUnknown, no diagnostic for the zero Diagnostic. It fails for names that have no encoding.
func (a *AARE) Append(b []byte) (out []byte, err error) {
	b, start := begin(b, tagAARE)
	if a.Context != ContextUnknown {
		if b, err = appendContext(b, a.Context); err != nil {
			return nil, err
		}
	}
	b = appendInteger(b, tagResult, uint8(a.Result))
	switch s := a.Diagnostic.Source; s {
	case SourceNone:
	case ServiceUser, ServiceProvider:
		b = append(b, tagDiagnostic, 5)
		b = appendInteger(b, 0xA0|uint8(s), a.Diagnostic.Code)
	default:
		return nil, fmt.Errorf("source %s of a diagnostic cannot be encoded", s)
	}
	if a.RespondingTitle != nil {
		b = appendNested(b, tagRespondingTitle, tagOctetString, a.RespondingTitle)
	}
	if a.RespondingQualifier != nil {
		b = appendNested(b, tagRespondingQualifier, tagOctetString, a.RespondingQualifier)
	}
	b, err = appendAuthentication(b, tagResponderRequirements, tagRespondingMechanism, a.Mechanism)
	if err != nil {
		return nil, err
	}
	if a.AuthenticationValue != nil {
		b = appendNested(b, tagRespondingValue, tagCharstring, a.AuthenticationValue)
	}
	if a.HasUserInformation || a.UserInformation != nil {
		b = appendNested(b, tagUserInformation, tagOctetString, a.UserInformation)
	}
	return end(b, start), nil
}

// ParseAARE decodes an AARE that fills b. Fields may come in any order, those that are not in the struct are skipped,
// and all but the result may be missing. Of a field that is repeated the last one counts. The error is a *SyntaxError.
//
// The reason of a refusal must not be lost behind a second fault: when the result is not Accepted and the
// user-information is not one well-formed OCTET STRING, its contents are given as they are.
func ParseAARE(b []byte) (AARE, error) {
	r, err := open(b, tagAARE, "AARE")
	if err != nil {
		return AARE{}, err
	}
	var (
		a           AARE
		hasResult   bool
		information reader
	)
	for len(r.b) > 0 {
		tag, c, err := r.element()
		if err != nil {
			return AARE{}, err
		}
		switch tag {
		case tagResult:
			hasResult = true
		case tagUserInformation:
			information, a.HasUserInformation = c, true
			continue
		}
		if err := a.field(tag, c); err != nil {
			return AARE{}, err
		}
	}
	if !hasResult {
		return AARE{}, r.fail("AARE without a result")
	}
	if a.HasUserInformation {
		a.UserInformation, err = information.octets("user-information")
		if err != nil && a.Result == Accepted {
			return AARE{}, err
		}
		if err != nil {
			a.UserInformation = information.b
		}
	}
	return a, nil
}

// field reads one field of an AARE, all but the user-information.
func (a *AARE) field(tag uint8, c reader) (err error) {
	switch tag {
	case tagContextName:
		a.Context, err = c.context()
	case tagResult:
		if c, err = c.only(tagInteger, "result"); err == nil {
			var v uint8
			v, err = c.small("result")
			a.Result = Result(v)
		}
	case tagDiagnostic:
		a.Diagnostic, err = c.diagnostic()
	case tagRespondingTitle:
		a.RespondingTitle, err = c.octets("responding-AP-title")
	case tagRespondingQualifier:
		a.RespondingQualifier, err = c.octets("responding-AE-qualifier")
	case tagRespondingMechanism:
		a.Mechanism = c.mechanism()
	case tagRespondingValue:
		c, err = c.only(tagCharstring, "responding-authentication-value")
		a.AuthenticationValue = c.b
	default:
		// protocol-version, invocation identifiers and what newer editions add: nothing to read.
	}
	return err
}

// diagnostic reads the contents of a result-source-diagnostic: a choice of two integers, each inside its own tag.
func (r reader) diagnostic() (Diagnostic, error) {
	const what = "result-source-diagnostic"
	var source Source
	switch {
	case len(r.b) > 0 && r.b[0] == 0xA0|uint8(ServiceUser):
		source = ServiceUser
	case len(r.b) > 0 && r.b[0] == 0xA0|uint8(ServiceProvider):
		source = ServiceProvider
	default:
		return Diagnostic{}, r.fail("%s: neither of service user nor of service provider", what)
	}
	c, err := r.only(r.b[0], what)
	if err != nil {
		return Diagnostic{}, err
	}
	if c, err = c.only(tagInteger, what); err != nil {
		return Diagnostic{}, err
	}
	code, err := c.small(what)
	return Diagnostic{Source: source, Code: code}, err
}
