package xdlms

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var initiateRequests = []struct {
	name   string
	hex    string
	want   InitiateRequest
	oneWay bool // the encoder writes another form
}{
	{
		name: "reader", hex: "01000000065F1F0400001E1DFFFF",
		want: InitiateRequest{ResponseAllowed: true, Version: 6, Conformance: 0x001E1D, MaxPDU: 0xFFFF},
	},
	{
		name: "with password", hex: "01000000065F1F0400007E1F04B0",
		want: InitiateRequest{ResponseAllowed: true, Version: 6, Conformance: 0x007E1F, MaxPDU: 1200},
	},
	{
		name: "short names", hex: "01000000065F1F04001C032004B0",
		want: InitiateRequest{ResponseAllowed: true, Version: 6, Conformance: 0x1C0320, MaxPDU: 1200},
	},
	{
		name: "dedicated key", hex: "01 01 10 00112233445566778899AABBCCDDEEFF 00 00 06 5F1F04 00 007E1F 04B0",
		want: InitiateRequest{
			DedicatedKey: []byte{
				0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF,
			},
			ResponseAllowed: true, Version: 6, Conformance: 0x007E1F, MaxPDU: 1200,
		},
	},
	{
		name: "no response, quality of service", hex: "01 00 01 00 01 85 06 5F1F0400000010 0000",
		want: InitiateRequest{QoS: -123, HasQoS: true, Version: 6, Conformance: ConformanceGet},
	},
	{
		name: "one octet identifier, recorded", hex: "01000000065f04001c13200000", oneWay: true,
		want: InitiateRequest{ResponseAllowed: true, Version: 6, Conformance: 0x1C1320},
	},
	{
		name: "response allowed explicitly", hex: "01 00 01 FF 00 06 5F1F0400000010 0000", oneWay: true,
		want: InitiateRequest{ResponseAllowed: true, Version: 6, Conformance: ConformanceGet},
	},
}

func parseInitiateRequest(b []byte) error { _, err := ParseInitiateRequest(b); return err }

func TestInitiateRequest(t *testing.T) {
	for _, c := range initiateRequests {
		t.Run(c.name, func(t *testing.T) {
			b := octets(t, c.hex)
			got, err := ParseInitiateRequest(b)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
			if !c.oneWay {
				assert.Equal(t, append([]byte{0xEE}, b...), c.want.Append([]byte{0xEE}))
			}
			requirePrefixesFail(t, b, parseInitiateRequest)
		})
	}
}

func TestInitiateRequestRefused(t *testing.T) {
	requireRefusals(t, []refusal{
		{"empty", "", "initiate-request, octet 0: tag: unexpected EOF"},
		{"other APDU", "0800065F1F0400001E1D04C80007", "initiate-request, octet 0: tag 08 (initiate-response)"},
		{"flag", "01020000065F1F0400001E1DFFFF", "initiate-request, octet 1: dedicated-key: flag 02"},
		{"key too long", "0101847FFFFFFF0000", "initiate-request, octet 9: dedicated-key: unexpected EOF"},
		{"no conformance", "01000000060007000400", "initiate-request, octet 5: conformance block: identifier is not 5F 1F"},
		{
			"conformance of 32 bits", "01000000065F1F0500001E1D00FFFF",
			"initiate-request, octet 5: conformance block: not a bit string of 24 bits",
		},
		{
			"conformance of 23 bits", "01000000065F1F0401001E1DFFFF",
			"initiate-request, octet 5: conformance block: not a bit string of 24 bits",
		},
		{"octets behind", "01000000065F1F0400001E1DFFFF0000", "initiate-request, octet 14: octets left over: 2"},
	}, parseInitiateRequest)
}

var initiateResponses = []struct {
	name   string
	hex    string
	want   InitiateResponse
	oneWay bool
}{
	{
		name: "logical names", hex: "0800065F1F0400001E1D04C80007",
		want: InitiateResponse{Version: 6, Conformance: 0x001E1D, MaxPDU: 1224, VAA: VAANameLN},
	},
	{
		name: "logical names, example of the standard", hex: "0800065F1F040000501F01F40007",
		want: InitiateResponse{Version: 6, Conformance: 0x00501F, MaxPDU: 500, VAA: VAANameLN},
	},
	{
		name: "short names", hex: "0800065F1F04001C032001F4FA00",
		want: InitiateResponse{Version: 6, Conformance: 0x1C0320, MaxPDU: 500, VAA: VAANameSN},
	},
	{
		name: "recorded", hex: "0800065f1f040000101400f00007",
		want: InitiateResponse{
			Version: 6, MaxPDU: 240, VAA: VAANameLN,
			Conformance: ConformanceBlockTransferWithGetOrRead | ConformanceGet | ConformanceSelectiveAccess,
		},
	},
	{
		name: "recorded, no limit", hex: "0800065f1f040000001d04000007",
		want: InitiateResponse{Version: 6, Conformance: 0x00001D, MaxPDU: 1024, VAA: VAANameLN},
	},
	{
		name: "one octet identifier, recorded", hex: "0800065f04001802200960fa00", oneWay: true,
		want: InitiateResponse{Version: 6, Conformance: 0x180220, MaxPDU: 2400, VAA: VAANameSN},
	},
	{
		name: "quality of service, old version, nothing granted", hex: "08 01 7F 05 5F1F0400000000 0000 0007",
		want: InitiateResponse{QoS: 127, HasQoS: true, Version: 5, VAA: VAANameLN},
	},
}

func parseInitiateResponse(b []byte) error { _, err := ParseInitiateResponse(b); return err }

func TestInitiateResponse(t *testing.T) {
	for _, c := range initiateResponses {
		t.Run(c.name, func(t *testing.T) {
			b := octets(t, c.hex)
			got, err := ParseInitiateResponse(b)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
			if !c.oneWay {
				assert.Equal(t, append([]byte{0xEE}, b...), c.want.Append([]byte{0xEE}))
			}
			requirePrefixesFail(t, b, parseInitiateResponse)
			requireNoAllocation(t, func() error { return parseInitiateResponse(b) })
		})
	}
}

func TestInitiateResponseRefused(t *testing.T) {
	requireRefusals(t, []refusal{
		{"a service error", "0E010602", "initiate-response, octet 0: tag 0E (confirmed-service-error)"},
		{"ciphered", "281F30", "initiate-response, octet 0: tag 28 (glo-initiate-response)"},
		{"flag", "0807065F1F0400001E1D04C80007", "initiate-response, octet 1: quality-of-service: flag 07"},
		{"octets behind", "0800065F1F0400001E1D04C8000700", "initiate-response, octet 14: octets left over: 1"},
	}, parseInitiateResponse)
}

func TestConformance(t *testing.T) {
	cases := []struct {
		c    Conformance
		want string
	}{
		{0, "none"},
		{0x800000, "reserved-zero"},
		{ConformanceGeneralProtection, "general-protection"},
		{ConformanceGeneralBlockTransfer, "general-block-transfer"},
		{ConformanceRead, "read"},
		{ConformanceWrite, "write"},
		{ConformanceUnconfirmedWrite, "unconfirmed-write"},
		{ConformanceDeltaValueEncoding, "delta-value-encoding"},
		{0x010000, "reserved-seven"},
		{ConformanceAttribute0SupportedWithSet, "attribute0-supported-with-set"},
		{ConformancePriorityMgmt, "priority-mgmt-supported"},
		{ConformanceAttribute0SupportedWithGet, "attribute0-supported-with-get"},
		{ConformanceBlockTransferWithGetOrRead, "block-transfer-with-get-or-read"},
		{ConformanceBlockTransferWithSetOrWrite, "block-transfer-with-set-or-write"},
		{ConformanceBlockTransferWithAction, "block-transfer-with-action"},
		{ConformanceMultipleReferences, "multiple-references"},
		{ConformanceInformationReport, "information-report"},
		{ConformanceDataNotification, "data-notification"},
		{ConformanceAccess, "access"},
		{ConformanceParameterizedAccess, "parameterized-access"},
		{ConformanceGet, "get"},
		{ConformanceSet, "set"},
		{ConformanceSelectiveAccess, "selective-access"},
		{ConformanceEventNotification, "event-notification"},
		{ConformanceAction, "action"},
		{0x001014, "block-transfer-with-get-or-read, get, selective-access"},
		{0xFF000010, "get"},
	}
	for _, c := range cases {
		assert.Equal(t, c.want, c.c.String(), "%06X", uint32(c.c))
	}
	assert.True(t, Conformance(0x001014).Has(ConformanceGet|ConformanceSelectiveAccess))
	assert.False(t, Conformance(0x001014).Has(ConformanceGet|ConformanceSet))
}
