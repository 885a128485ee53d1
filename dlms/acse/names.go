package acse

import "fmt"

// name gives entry n of a table, or unknown(0x..) when the table has none.
func name(table []string, n uint8) string {
	if int(n) < len(table) && table[n] != "" {
		return table[n]
	}
	return fmt.Sprintf("unknown(0x%02x)", n)
}

// Context is the application context: the referencing of the objects and whether ciphered APDUs may be used
// (Green Book Ed. 9, 9.4.2.2.2, application context names). It is the last component of the context's object identifier.
type Context uint8

// The application contexts. ContextUnknown is what decoding gives for an absent or foreign context name.
const (
	ContextUnknown Context = 0
	LN             Context = 1 // logical names, no ciphering
	SN             Context = 2 // short names, no ciphering
	LNCiphered     Context = 3 // logical names, ciphered APDUs may be used
	SNCiphered     Context = 4 // short names, ciphered APDUs may be used
)

var contextNames = []string{
	LN:         "logical name referencing, no ciphering",
	SN:         "short name referencing, no ciphering",
	LNCiphered: "logical name referencing, with ciphering",
	SNCiphered: "short name referencing, with ciphering",
}

// String gives the name of the context.
func (c Context) String() string { return name(contextNames, uint8(c)) }

// Mechanism is the authentication mechanism (Green Book Ed. 9, 9.4.2.2.3, authentication mechanism names). It is the
// last component of the mechanism's object identifier.
type Mechanism uint8

// The authentication mechanisms. None is also what decoding gives when the name is absent, MechanismForeign when the
// name is not one of DLMS/COSEM.
const (
	None             Mechanism = 0 // lowest level security
	Low              Mechanism = 1 // password
	HLS              Mechanism = 2 // challenges, processing defined by the manufacturer
	HLSMD5           Mechanism = 3
	HLSSHA1          Mechanism = 4
	HLSGMAC          Mechanism = 5
	HLSSHA256        Mechanism = 6
	HLSECDSA         Mechanism = 7
	MechanismForeign Mechanism = 0xFF
)

var mechanismNames = []string{
	None:      "lowest level security",
	Low:       "low level security",
	HLS:       "high level security",
	HLSMD5:    "high level security MD5",
	HLSSHA1:   "high level security SHA-1",
	HLSGMAC:   "high level security GMAC",
	HLSSHA256: "high level security SHA-256",
	HLSECDSA:  "high level security ECDSA",
}

// HighLevel reports whether the mechanism has challenges and four passes (Green Book Ed. 9, 9.2.7.4).
func (m Mechanism) HighLevel() bool { return m >= HLS && m <= HLSECDSA }

// HasSecret reports whether the mechanism has a password, or a secret in its place; others have none or keys.
func (m Mechanism) HasSecret() bool {
	return m == Low || m.HighLevel() && m != HLSGMAC && m != HLSECDSA
}

// NeedsTitles reports whether what proves somebody is made of the system titles of both sides.
func (m Mechanism) NeedsTitles() bool { return m == HLSGMAC || m == HLSSHA256 || m == HLSECDSA }

// String gives the name of the mechanism.
func (m Mechanism) String() string {
	if m == MechanismForeign {
		return "foreign mechanism name"
	}
	return name(mechanismNames, uint8(m))
}

// Result is the Association-result of an AARE.
type Result uint8

// The results of an AARE.
const (
	Accepted          Result = 0
	RejectedPermanent Result = 1
	RejectedTransient Result = 2
)

var resultNames = []string{
	Accepted:          "accepted",
	RejectedPermanent: "rejected-permanent",
	RejectedTransient: "rejected-transient",
}

// String gives the name of the result.
func (r Result) String() string { return name(resultNames, uint8(r)) }

// Source says who made the diagnostic of an AARE: the choice inside Associate-source-diagnostic.
type Source uint8

// The sources of a diagnostic. SourceNone means that the AARE carried no diagnostic.
const (
	SourceNone      Source = 0
	ServiceUser     Source = 1 // acse-service-user
	ServiceProvider Source = 2 // acse-service-provider
)

var sourceNames = []string{
	SourceNone:      "none",
	ServiceUser:     "acse-service-user",
	ServiceProvider: "acse-service-provider",
}

// String gives the name of the source.
func (s Source) String() string { return name(sourceNames, uint8(s)) }

// Codes of the diagnostics of the acse-service-user that a program may want to tell apart.
const (
	DiagnosticNull                   uint8 = 0
	DiagnosticNoReason               uint8 = 1
	DiagnosticContextNotSupported    uint8 = 2
	DiagnosticMechanismNotRecognised uint8 = 11
	DiagnosticMechanismRequired      uint8 = 12
	DiagnosticAuthenticationFailure  uint8 = 13 // the password is wrong
	DiagnosticAuthenticationRequired uint8 = 14 // with result accepted: high level security goes on
)

var userDiagnostics = []string{
	"null",
	"no reason given",
	"application context name not supported",
	"calling AP title not recognized",
	"calling AP invocation identifier not recognized",
	"calling AE qualifier not recognized",
	"calling AE invocation identifier not recognized",
	"called AP title not recognized",
	"called AP invocation identifier not recognized",
	"called AE qualifier not recognized",
	"called AE invocation identifier not recognized",
	"authentication mechanism name not recognised",
	"authentication mechanism name required",
	"authentication failure",
	"authentication required",
}

var providerDiagnostics = []string{
	"null",
	"no reason given",
	"no common ACSE version",
}

// Diagnostic is the Associate-source-diagnostic of an AARE: why an association was refused, or, with code 14 and result
// accepted, that high level authentication must follow. The zero value means that the AARE carried none.
type Diagnostic struct {
	Source Source
	Code   uint8
}

// Name gives the diagnostic's name alone: "authentication failure".
func (d Diagnostic) Name() string {
	switch d.Source {
	case ServiceUser:
		return name(userDiagnostics, d.Code)
	case ServiceProvider:
		return name(providerDiagnostics, d.Code)
	default:
		return "no diagnostic"
	}
}

// String gives name and number: "authentication failure (diagnostic 13)", and "no common ACSE version (provider
// diagnostic 2)" when the service provider made it.
func (d Diagnostic) String() string {
	switch d.Source {
	case ServiceUser:
		return fmt.Sprintf("%s (diagnostic %d)", d.Name(), d.Code)
	case ServiceProvider:
		return fmt.Sprintf("%s (provider diagnostic %d)", d.Name(), d.Code)
	default:
		return d.Name()
	}
}

// RequestReason is the Release-request-reason of an RLRQ.
type RequestReason uint8

// The reasons of an RLRQ.
const (
	ReleaseNormal      RequestReason = 0
	ReleaseUrgent      RequestReason = 1
	ReleaseUserDefined RequestReason = 30
)

// String gives the name of the reason.
func (r RequestReason) String() string {
	switch r {
	case ReleaseNormal:
		return "normal"
	case ReleaseUrgent:
		return "urgent"
	case ReleaseUserDefined:
		return "user-defined"
	default:
		return name(nil, uint8(r))
	}
}

// ResponseReason is the Release-response-reason of an RLRE.
type ResponseReason uint8

// The reasons of an RLRE.
const (
	ReleasedNormal      ResponseReason = 0
	ReleasedNotFinished ResponseReason = 1
	ReleasedUserDefined ResponseReason = 30
)

// String gives the name of the reason.
func (r ResponseReason) String() string {
	switch r {
	case ReleasedNormal:
		return "normal"
	case ReleasedNotFinished:
		return "not-finished"
	case ReleasedUserDefined:
		return "user-defined"
	default:
		return name(nil, uint8(r))
	}
}
