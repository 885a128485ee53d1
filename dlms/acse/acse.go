// Package acse encodes and decodes the four APDUs that open and close an application association of DLMS/COSEM:
// AARQ, AARE, RLRQ and RLRE (Green Book Ed. 9, 9.3.2 and 9.5: the ACSE APDUs and their abstract syntax).
//
// These APDUs are BER. They are decoded the way real meters make it necessary: fields are found by their tag, in any
// order, unknown fields are skipped, and the long forms of a length are accepted. Lengths are checked at every
// level of nesting; the indefinite form is refused, since no encoding rule of the standard produces it.
//
// The package holds no state and does no I/O. Decoding does not allocate: octets in a decoded APDU are views into
// the input and live as long as it does.
package acse

// Tags of the four APDUs: [APPLICATION 0..3], constructed.
const (
	tagAARQ = 0x60
	tagAARE = 0x61
	tagRLRQ = 0x62
	tagRLRE = 0x63
)

// Tags of the fields. The same number means different fields in an AARQ and in an AARE.
const (
	tagContextName     = 0xA1 // application-context-name [1], explicit
	tagUserInformation = 0xBE // user-information [30], explicit
	tagReleaseReason   = 0x80 // reason [0], implicit

	tagCallingTitle       = 0xA6 // calling-AP-title [6]
	tagCallingQualifier   = 0xA7 // calling-AE-qualifier [7]
	tagCallingUserID      = 0xA9 // calling-AE-invocation-id [9]
	tagSenderRequirements = 0x8A // sender-acse-requirements [10]
	tagCallingMechanism   = 0x8B // mechanism-name [11], implicit
	tagCallingValue       = 0xAC // calling-authentication-value [12]

	tagResult                = 0xA2 // result [2]
	tagDiagnostic            = 0xA3 // result-source-diagnostic [3]
	tagRespondingTitle       = 0xA4 // responding-AP-title [4]
	tagRespondingQualifier   = 0xA5 // responding-AE-qualifier [5]
	tagResponderRequirements = 0x88 // responder-acse-requirements [8]
	tagRespondingMechanism   = 0x89 // mechanism-name [9], implicit
	tagRespondingValue       = 0xAA // responding-authentication-value [10]

	tagInteger     = 0x02
	tagOctetString = 0x04
	tagObjectID    = 0x06
	tagCharstring  = 0x80 // charstring [0] of Authentication-value
)

// The object identifier of every name is 2.16.756.5.8.arc.n; these are its encoded octets before n.
const (
	contextPrefix   = "\x60\x85\x74\x05\x08\x01"
	mechanismPrefix = "\x60\x85\x74\x05\x08\x02"
)

// maxArc is the largest last component that one octet of an object identifier holds.
const maxArc = 0x7F

// authenticationUnit is the bit string of the ACSE requirements with the bit "authentication functional unit":
// seven unused bits, then the bit.
const authenticationUnit = "\x07\x80"
