package xdlms

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var exceptions = []struct {
	hex  string
	want ExceptionResponse
	text string
	but  []int // lengths of prefixes that are exceptions themselves
}{
	{
		hex: "D80101", want: ExceptionResponse{State: ServiceNotAllowed, Service: OperationNotPossible},
		text: "service-not-allowed, operation-not-possible (1/1)",
	},
	{
		hex: "D80202", want: ExceptionResponse{State: ServiceUnknown, Service: ServiceNotSupported},
		text: "service-unknown, service-not-supported (2/2)",
	},
	{
		hex: "D80106 00000010", but: []int{3},
		want: ExceptionResponse{
			State: ServiceNotAllowed, Service: InvocationCounterError, InvocationCounter: 16, HasCounter: true,
		},
		text: "service-not-allowed, invocation-counter-error (1/6), invocation counter 16",
	},
	{
		hex: "D80106", want: ExceptionResponse{State: ServiceNotAllowed, Service: InvocationCounterError},
		text: "service-not-allowed, invocation-counter-error (1/6)",
	},
	{
		hex: "D80103", want: ExceptionResponse{State: ServiceNotAllowed, Service: ServiceOtherReason},
		text: "service-not-allowed, other-reason (1/3)",
	},
	{
		hex: "D80104", want: ExceptionResponse{State: ServiceNotAllowed, Service: PDUTooLong},
		text: "service-not-allowed, pdu-too-long (1/4)",
	},
	{
		hex: "D80105", want: ExceptionResponse{State: ServiceNotAllowed, Service: DecipheringError},
		text: "service-not-allowed, deciphering-error (1/5)",
	},
	{
		hex: "D80007", want: ExceptionResponse{Service: 7},
		text: "unknown(0x00), unknown(0x07) (0/7)",
	},
}

func parseException(b []byte) error { _, err := ParseExceptionResponse(b); return err }

func TestExceptionResponse(t *testing.T) {
	for _, c := range exceptions {
		t.Run(c.hex, func(t *testing.T) {
			b := octets(t, c.hex)
			got, err := ParseExceptionResponse(b)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.text, got.String())
			assert.Equal(t, append([]byte{0xEE}, b...), c.want.Append([]byte{0xEE}))
			requirePrefixesFail(t, b, parseException, c.but...)
			requireNoAllocation(t, func() error { return parseException(b) })
		})
	}
}

func TestExceptionResponseRefused(t *testing.T) {
	requireRefusals(t, []refusal{
		{"other APDU", "C40101", "exception-response, octet 0: tag C4 (get-response)"},
		{"octets behind", "D8010100", "exception-response, octet 3: octets left over: 1"},
		{"octets behind the counter", "D801060000001000", "exception-response, octet 7: octets left over: 1"},
		{"counter cut off", "D80106000010", "exception-response, octet 6: invocation-counter-error: unexpected EOF"},
	}, parseException)
}

var serviceErrors = []struct {
	hex  string
	want ConfirmedServiceError
	text string
}{
	{
		"0E010602", ConfirmedServiceError{InitiateError, ClassInitiate, InitiateIncompatibleConformance},
		"initiateError: initiate, incompatible-conformance (1/6/2)",
	},
	{
		"0E010601", ConfirmedServiceError{InitiateError, ClassInitiate, InitiateDLMSVersionTooLow},
		"initiateError: initiate, dlms-version-too-low (1/6/1)",
	},
	{
		"0E010603", ConfirmedServiceError{InitiateError, ClassInitiate, InitiatePDUSizeTooShort},
		"initiateError: initiate, pdu-size-too-short (1/6/3)",
	},
	{
		"0E010604", ConfirmedServiceError{InitiateError, ClassInitiate, InitiateRefusedByTheVDEHandler},
		"initiateError: initiate, refused-by-the-VDE-handler (1/6/4)",
	},
	{
		"0E010600", ConfirmedServiceError{InitiateError, ClassInitiate, InitiateOther},
		"initiateError: initiate, other (1/6/0)",
	},
	{
		"0E050006", ConfirmedServiceError{ReadError, ClassApplicationReference, 6},
		"read: application-reference, deciphering-error (5/0/6)",
	},
	{
		"0E060104", ConfirmedServiceError{WriteError, ClassHardwareResource, 4},
		"write: hardware-resource, other-resource-unavailable (6/1/4)",
	},
	{
		"0E050201", ConfirmedServiceError{ReadError, ClassVDEState, 1},
		"read: vde-state-error, no-dlms-context (5/2/1)",
	},
	{
		"0E050302", ConfirmedServiceError{ReadError, ClassService, 2},
		"read: service, service-unsupported (5/3/2)",
	},
	{
		"0E050403", ConfirmedServiceError{ReadError, ClassDefinition, 3},
		"read: definition, object-attribute-inconsistent (5/4/3)",
	},
	{
		"0E050501", ConfirmedServiceError{ReadError, ClassAccess, 1},
		"read: access, scope-of-access-violated (5/5/1)",
	},
	{
		"0E050707", ConfirmedServiceError{ReadError, ClassLoadDataSet, 7},
		"read: load-data-set, data-set-not-ready (5/7/7)",
	},
	{
		"0E050904", ConfirmedServiceError{ReadError, ClassTask, 4},
		"read: task, ti-unusable (5/9/4)",
	},
	{
		"0E02085A", ConfirmedServiceError{2, 8, 0x5A},
		"unknown(0x02): unknown(0x08), unknown(0x5a) (2/8/90)",
	},
	{
		"0EFFFFFF", ConfirmedServiceError{0xFF, 0xFF, 0xFF},
		"unknown(0xff): unknown(0xff), unknown(0xff) (255/255/255)",
	},
}

func parseServiceError(b []byte) error { _, err := ParseConfirmedServiceError(b); return err }

func TestConfirmedServiceError(t *testing.T) {
	for _, c := range serviceErrors {
		t.Run(c.hex, func(t *testing.T) {
			b := octets(t, c.hex)
			got, err := ParseConfirmedServiceError(b)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.text, got.String())
			assert.Equal(t, append([]byte{0xEE}, b...), c.want.Append([]byte{0xEE}))
			requirePrefixesFail(t, b, parseServiceError)
			requireNoAllocation(t, func() error { return parseServiceError(b) })
		})
	}
}

func TestConfirmedServiceErrorRefused(t *testing.T) {
	requireRefusals(t, []refusal{
		{"other APDU", "0F010602", "confirmed-service-error, octet 0: tag 0F (data-notification)"},
		{"octets behind", "0E01060200", "confirmed-service-error, octet 4: octets left over: 1"},
	}, parseServiceError)
}

func TestDataAccessResult(t *testing.T) {
	cases := []struct {
		result DataAccessResult
		want   string
	}{
		{Success, "success"},
		{HardwareFault, "hardware-fault"},
		{TemporaryFailure, "temporary-failure"},
		{ReadWriteDenied, "read-write-denied"},
		{ObjectUndefined, "object-undefined"},
		{5, "unknown(0x05)"},
		{ObjectClassInconsistent, "object-class-inconsistent"},
		{ObjectUnavailable, "object-unavailable"},
		{TypeUnmatched, "type-unmatched"},
		{ScopeOfAccessViolated, "scope-of-access-violated"},
		{DataBlockUnavailable, "data-block-unavailable"},
		{LongGetAborted, "long-get-aborted"},
		{NoLongGetInProgress, "no-long-get-in-progress"},
		{LongSetAborted, "long-set-aborted"},
		{NoLongSetInProgress, "no-long-set-in-progress"},
		{DataBlockNumberInvalid, "data-block-number-invalid"},
		{OtherReason, "other-reason"},
		{255, "unknown(0xff)"},
	}
	for _, c := range cases {
		assert.Equal(t, c.want, c.result.String())
	}
}

func TestAPDUTag(t *testing.T) {
	cases := []struct {
		tag         APDUTag
		want        string
		ciphered    bool
		unsolicited bool
	}{
		{0x00, "unknown(0x00)", false, false},
		{TagInitiateRequest, "initiate-request", false, false},
		{TagConfirmedServiceError, "confirmed-service-error", false, false},
		{TagDataNotification, "data-notification", false, true},
		{TagInformationReport, "information-report-request", false, true},
		{TagGloInitiateRequest, "glo-initiate-request", true, false},
		{0x22, "unknown(0x22)", false, false},
		{TagGloInitiateResponse, "glo-initiate-response", true, false},
		{TagGloInformationReport, "glo-information-report-request", true, true},
		{TagDedInformationReport, "ded-information-report-request", true, true},
		{TagAARQ, "AARQ", false, false},
		{TagAARE, "AARE", false, false},
		{TagRLRQ, "RLRQ", false, false},
		{TagRLRE, "RLRE", false, false},
		{TagGetRequest, "get-request", false, false},
		{TagEventNotification, "event-notification-request", false, true},
		{TagGetResponse, "get-response", false, false},
		{TagActionResponse, "action-response", false, false},
		{TagGloGetRequest, "glo-get-request", true, false},
		{TagGloEventNotification, "glo-event-notification-request", true, true},
		{0xCE, "unknown(0xce)", false, false},
		{TagDedActionResponse, "ded-action-response", true, false},
		{TagExceptionResponse, "exception-response", false, false},
		{TagAccessResponse, "access-response", false, false},
		{TagGeneralGloCiphering, "general-glo-ciphering", true, false},
		{TagGeneralCiphering, "general-ciphering", true, false},
		{TagGeneralSigning, "general-signing", false, false},
		{TagGeneralBlockTransfer, "general-block-transfer", false, false},
		{TagGatewayResponse, "gateway-response", false, false},
		{0xFF, "unknown(0xff)", false, false},
	}
	for _, c := range cases {
		assert.Equal(t, c.want, c.tag.String())
		assert.Equal(t, c.ciphered, c.tag.Ciphered(), c.want)
		assert.Equal(t, c.unsolicited, c.tag.Unsolicited(), c.want)
	}
}

func TestInvokeID(t *testing.T) {
	cases := []struct {
		id              InvokeID
		number          uint8
		confirmed, high bool
	}{
		{0xC1, 1, true, true},
		{0x41, 1, true, false},
		{0x81, 1, false, true},
		{0x3F, 15, false, false},
		{InvokeConfirmed | InvokeHighPriority | 7, 7, true, true},
	}
	for _, c := range cases {
		assert.Equal(t, c.number, c.id.ID())
		assert.Equal(t, c.confirmed, c.id.Confirmed())
		assert.Equal(t, c.high, c.id.HighPriority())
	}
}

func TestGetTypeNames(t *testing.T) {
	assert.Equal(t, "normal", GetNormal.String())
	assert.Equal(t, "next or block", GetNext.String())
	assert.Equal(t, "with-list", GetWithList.String())
	assert.Equal(t, "unknown(0x04)", GetType(4).String())
}
