package xdlms

import "fmt"

// APDUTag is the first octet of an APDU: it says which one it is.
type APDUTag uint8

// The APDU tags of DLMS/COSEM (Green Book Ed. 9, 9.5). Names and short names, ciphered by the global key (Glo),
// ciphered by the dedicated key (Ded), and the general ones.
const (
	TagInitiateRequest         APDUTag = 0x01
	TagReadRequest             APDUTag = 0x05
	TagWriteRequest            APDUTag = 0x06
	TagInitiateResponse        APDUTag = 0x08
	TagReadResponse            APDUTag = 0x0C
	TagWriteResponse           APDUTag = 0x0D
	TagConfirmedServiceError   APDUTag = 0x0E
	TagDataNotification        APDUTag = 0x0F
	TagDataNotificationConfirm APDUTag = 0x10
	TagUnconfirmedWriteRequest APDUTag = 0x16
	TagInformationReport       APDUTag = 0x18

	TagGloInitiateRequest         APDUTag = 0x21
	TagGloReadRequest             APDUTag = 0x25
	TagGloWriteRequest            APDUTag = 0x26
	TagGloInitiateResponse        APDUTag = 0x28
	TagGloReadResponse            APDUTag = 0x2C
	TagGloWriteResponse           APDUTag = 0x2D
	TagGloConfirmedServiceError   APDUTag = 0x2E
	TagGloUnconfirmedWriteRequest APDUTag = 0x36
	TagGloInformationReport       APDUTag = 0x38

	TagDedInitiateRequest         APDUTag = 0x41
	TagDedReadRequest             APDUTag = 0x45
	TagDedWriteRequest            APDUTag = 0x46
	TagDedInitiateResponse        APDUTag = 0x48
	TagDedReadResponse            APDUTag = 0x4C
	TagDedWriteResponse           APDUTag = 0x4D
	TagDedConfirmedServiceError   APDUTag = 0x4E
	TagDedUnconfirmedWriteRequest APDUTag = 0x56
	TagDedInformationReport       APDUTag = 0x58

	TagAARQ APDUTag = 0x60
	TagAARE APDUTag = 0x61
	TagRLRQ APDUTag = 0x62
	TagRLRE APDUTag = 0x63

	TagGetRequest        APDUTag = 0xC0
	TagSetRequest        APDUTag = 0xC1
	TagEventNotification APDUTag = 0xC2
	TagActionRequest     APDUTag = 0xC3
	TagGetResponse       APDUTag = 0xC4
	TagSetResponse       APDUTag = 0xC5
	TagActionResponse    APDUTag = 0xC7

	TagGloGetRequest        APDUTag = 0xC8
	TagGloSetRequest        APDUTag = 0xC9
	TagGloEventNotification APDUTag = 0xCA
	TagGloActionRequest     APDUTag = 0xCB
	TagGloGetResponse       APDUTag = 0xCC
	TagGloSetResponse       APDUTag = 0xCD
	TagGloActionResponse    APDUTag = 0xCF

	TagDedGetRequest        APDUTag = 0xD0
	TagDedSetRequest        APDUTag = 0xD1
	TagDedEventNotification APDUTag = 0xD2
	TagDedActionRequest     APDUTag = 0xD3
	TagDedGetResponse       APDUTag = 0xD4
	TagDedSetResponse       APDUTag = 0xD5
	TagDedActionResponse    APDUTag = 0xD7

	TagExceptionResponse    APDUTag = 0xD8
	TagAccessRequest        APDUTag = 0xD9
	TagAccessResponse       APDUTag = 0xDA
	TagGeneralGloCiphering  APDUTag = 0xDB
	TagGeneralDedCiphering  APDUTag = 0xDC
	TagGeneralCiphering     APDUTag = 0xDD
	TagGeneralSigning       APDUTag = 0xDF
	TagGeneralBlockTransfer APDUTag = 0xE0
	TagGatewayRequest       APDUTag = 0xE6
	TagGatewayResponse      APDUTag = 0xE7
)

var tagNames = [...]string{
	TagInitiateRequest:         "initiate-request",
	TagReadRequest:             "read-request",
	TagWriteRequest:            "write-request",
	TagInitiateResponse:        "initiate-response",
	TagReadResponse:            "read-response",
	TagWriteResponse:           "write-response",
	TagConfirmedServiceError:   "confirmed-service-error",
	TagDataNotification:        "data-notification",
	TagDataNotificationConfirm: "data-notification-confirm",
	TagUnconfirmedWriteRequest: "unconfirmed-write-request",
	TagInformationReport:       "information-report-request",

	TagGloInitiateRequest:         "glo-initiate-request",
	TagGloReadRequest:             "glo-read-request",
	TagGloWriteRequest:            "glo-write-request",
	TagGloInitiateResponse:        "glo-initiate-response",
	TagGloReadResponse:            "glo-read-response",
	TagGloWriteResponse:           "glo-write-response",
	TagGloConfirmedServiceError:   "glo-confirmed-service-error",
	TagGloUnconfirmedWriteRequest: "glo-unconfirmed-write-request",
	TagGloInformationReport:       "glo-information-report-request",

	TagDedInitiateRequest:         "ded-initiate-request",
	TagDedReadRequest:             "ded-read-request",
	TagDedWriteRequest:            "ded-write-request",
	TagDedInitiateResponse:        "ded-initiate-response",
	TagDedReadResponse:            "ded-read-response",
	TagDedWriteResponse:           "ded-write-response",
	TagDedConfirmedServiceError:   "ded-confirmed-service-error",
	TagDedUnconfirmedWriteRequest: "ded-unconfirmed-write-request",
	TagDedInformationReport:       "ded-information-report-request",

	TagAARQ: "AARQ",
	TagAARE: "AARE",
	TagRLRQ: "RLRQ",
	TagRLRE: "RLRE",

	TagGetRequest:        "get-request",
	TagSetRequest:        "set-request",
	TagEventNotification: "event-notification-request",
	TagActionRequest:     "action-request",
	TagGetResponse:       "get-response",
	TagSetResponse:       "set-response",
	TagActionResponse:    "action-response",

	TagGloGetRequest:        "glo-get-request",
	TagGloSetRequest:        "glo-set-request",
	TagGloEventNotification: "glo-event-notification-request",
	TagGloActionRequest:     "glo-action-request",
	TagGloGetResponse:       "glo-get-response",
	TagGloSetResponse:       "glo-set-response",
	TagGloActionResponse:    "glo-action-response",

	TagDedGetRequest:        "ded-get-request",
	TagDedSetRequest:        "ded-set-request",
	TagDedEventNotification: "ded-event-notification-request",
	TagDedActionRequest:     "ded-action-request",
	TagDedGetResponse:       "ded-get-response",
	TagDedSetResponse:       "ded-set-response",
	TagDedActionResponse:    "ded-action-response",

	TagExceptionResponse:    "exception-response",
	TagAccessRequest:        "access-request",
	TagAccessResponse:       "access-response",
	TagGeneralGloCiphering:  "general-glo-ciphering",
	TagGeneralDedCiphering:  "general-ded-ciphering",
	TagGeneralCiphering:     "general-ciphering",
	TagGeneralSigning:       "general-signing",
	TagGeneralBlockTransfer: "general-block-transfer",
	TagGatewayRequest:       "gateway-request",
	TagGatewayResponse:      "gateway-response",
}

// String gives the standard's name.
func (t APDUTag) String() string { return name(tagNames[:], uint8(t)) }

// Ciphered reports whether the APDU is one that encloses another one under a key: service specific with the global or
// the dedicated key, or general.
func (t APDUTag) Ciphered() bool {
	switch {
	case t >= TagGloInitiateRequest && t <= TagDedInformationReport,
		t >= TagGloGetRequest && t <= TagDedActionResponse,
		t >= TagGeneralGloCiphering && t <= TagGeneralCiphering:
		return int(t) < len(tagNames) && tagNames[t] != ""
	default:
		return false
	}
}

// Global returns the service specific APDU that encloses this one under the
// global key (Green Book Ed. 9, 9.5): glo-get-request of get-request.
func (t APDUTag) Global() (APDUTag, bool) {
	glo := t + 0x20
	if t >= TagGetRequest {
		glo = t + 8
	}
	return glo, t < TagGloInitiateRequest && glo.Ciphered() || t >= TagGetRequest && t <= TagActionResponse && glo.Ciphered()
}

// UnderDedicatedKey reports whether the APDU is one that encloses another one under the dedicated key.
func (t APDUTag) UnderDedicatedKey() bool {
	return t >= TagDedInitiateRequest && t <= TagDedInformationReport || t >= TagDedGetRequest && t <= TagDedActionResponse ||
		t == TagGeneralDedCiphering
}

// Dedicated returns the service specific APDU that encloses this one under the
// dedicated key: ded-get-request of get-request.
func (t APDUTag) Dedicated() (APDUTag, bool) {
	glo, ok := t.Global()
	return glo + (glo - t), ok
}

// Unsolicited reports whether the APDU is one that a server sends without being asked.
func (t APDUTag) Unsolicited() bool {
	switch t {
	case TagDataNotification, TagEventNotification, TagInformationReport,
		TagGloEventNotification, TagGloInformationReport, TagDedEventNotification, TagDedInformationReport:
		return true
	default:
		return false
	}
}

// name gives entry n of a table, or unknown(0x..) when the table has none.
func name(table []string, n uint8) string {
	if int(n) < len(table) && table[n] != "" {
		return table[n]
	}
	return fmt.Sprintf("unknown(0x%02x)", n)
}
