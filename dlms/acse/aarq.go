package acse

import "errors"

// AARQ is A-Associate-Request: the client asks for an association (Green Book Ed. 9, 9.4.2.2 and 9.5).
//
// Slices that are nil stand for absent fields. In a parsed AARQ they are views into the input.
type AARQ struct {
	// Context is the application context asked for. It is mandatory; parsing gives ContextUnknown when it is absent
	// or not one of DLMS/COSEM, so that a server can refuse it by its diagnostic.
	Context Context
	// CallingTitle is the client's system title (8 octets), needed with ciphering and with GMAC, SHA-256 and ECDSA only.
	// Some meters refuse an association that carries it without need.
	CallingTitle []byte
	// CallingQualifier is the calling-AE-qualifier: a certificate, with suites 1 and 2.
	CallingQualifier []byte
	// CallingUserID is the calling-AE-invocation-id: the number of the user of this client. Written when
	// HasCallingUserID is set.
	CallingUserID    uint8
	HasCallingUserID bool
	// Mechanism is the authentication mechanism. With None neither its name nor the ACSE requirements are written.
	Mechanism Mechanism
	// AuthenticationValue is the password, or the client's challenge of high level security.
	AuthenticationValue []byte
	// UserInformation is the InitiateRequest, plain or ciphered, without the OCTET STRING around it.
	UserInformation []byte
}

// Append appends the encoded AARQ to b. Fields that are set are written, in the standard's order. It fails without an
// application context, and for names that have no encoding.
func (a *AARQ) Append(b []byte) ([]byte, error) {
	if a.Context == ContextUnknown {
		return nil, errors.New("AARQ without an application context")
	}
	b, start := begin(b, tagAARQ)
	b, err := appendContext(b, a.Context)
	if err != nil {
		return nil, err
	}
	if a.CallingTitle != nil {
		b = appendNested(b, tagCallingTitle, tagOctetString, a.CallingTitle)
	}
	if a.CallingQualifier != nil {
		b = appendNested(b, tagCallingQualifier, tagOctetString, a.CallingQualifier)
	}
	if a.HasCallingUserID {
		b = appendInteger(b, tagCallingUserID, a.CallingUserID)
	}
	b, err = appendAuthentication(b, tagSenderRequirements, tagCallingMechanism, a.Mechanism)
	if err != nil {
		return nil, err
	}
	if a.AuthenticationValue != nil {
		b = appendNested(b, tagCallingValue, tagCharstring, a.AuthenticationValue)
	}
	if a.UserInformation != nil {
		b = appendNested(b, tagUserInformation, tagOctetString, a.UserInformation)
	}
	return end(b, start), nil
}

// ParseAARQ decodes an AARQ that fills b. Fields may come in any order; those that are not in the struct are skipped.
// Of a field that is repeated the last one counts. The error is a *SyntaxError.
func ParseAARQ(b []byte) (AARQ, error) {
	r, err := open(b, tagAARQ, "AARQ")
	if err != nil {
		return AARQ{}, err
	}
	var a AARQ
	for len(r.b) > 0 {
		tag, c, err := r.element()
		if err != nil {
			return AARQ{}, err
		}
		if err := a.field(tag, c); err != nil {
			return AARQ{}, err
		}
	}
	return a, nil
}

// field reads one field of an AARQ.
func (a *AARQ) field(tag uint8, c reader) (err error) {
	switch tag {
	case tagContextName:
		a.Context, err = c.context()
	case tagCallingTitle:
		a.CallingTitle, err = c.octets("calling-AP-title")
	case tagCallingQualifier:
		a.CallingQualifier, err = c.octets("calling-AE-qualifier")
	case tagCallingUserID:
		if c, err = c.only(tagInteger, "calling-AE-invocation-id"); err == nil {
			a.CallingUserID, err = c.small("calling-AE-invocation-id")
			a.HasCallingUserID = err == nil
		}
	case tagCallingMechanism:
		a.Mechanism = c.mechanism()
	case tagCallingValue:
		c, err = c.only(tagCharstring, "calling-authentication-value")
		a.AuthenticationValue = c.b
	case tagUserInformation:
		a.UserInformation, err = c.octets("user-information")
	default:
		// protocol-version, the called titles and what newer editions add: nothing to read.
	}
	return err
}
