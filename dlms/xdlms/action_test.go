package xdlms

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// The passes 3 and 4 of high-level security by the challenges of the Green Book.
const (
	replyGolden  = "C301C1 000F 0000280000FF 01 01 0911 10000000011A52FE7DD3E72748973C1E28"
	answerGolden = "C701C1 00 01 00 0911 1001234567FE1466AFB3DBCD4F9389E2B7"
)

var association = obis.Code{0, 0, 40, 0, 0, 255}

var actionRequests = []struct {
	name string
	hex  string
	want ActionRequest
}{
	{"none", "C30141 0046 0000600300FF 01 00", ActionRequest{InvokeID: 0x41, Class: 70, Instance: obis.Code{0, 0, 96, 3, 0, 255}, Method: 1}},
	{
		"manufacturer's method, integer 0", "C301C1 FFFF 0000280000FF FF 01 0F00",
		ActionRequest{InvokeID: 0xC1, Class: 0xFFFF, Instance: association, Method: -1, Parameter: axdr.Data{0x0F, 0}},
	},
	{
		"pass 3", replyGolden,
		ActionRequest{InvokeID: 0xC1, Class: 15, Instance: association, Method: 1, Parameter: axdr.Data(
			"\x09\x11\x10\x00\x00\x00\x01\x1A\x52\xFE\x7D\xD3\xE7\x27\x48\x97\x3C\x1E\x28")},
	},
}

var actionResponses = []struct {
	name   string
	hex    string
	want   ActionResponse
	oneWay bool
}{
	{"nothing", "C701C1 00 00", ActionResponse{InvokeID: 0xC1}, false},
	{"refused", "C70141 FA 00", ActionResponse{InvokeID: 0x41, Result: ActionOtherReason}, false},
	{"refused, with why", "C701C1 03 01 01 03", ActionResponse{
		InvokeID: 0xC1, Result: ActionReadWriteDenied, ReturnError: ReadWriteDenied, HasReturn: true,
	}, false},
	{"pass 4", answerGolden, ActionResponse{InvokeID: 0xC1, HasReturn: true, Return: axdr.Data(
		"\x09\x11\x10\x01\x23\x45\x67\xFE\x14\x66\xAF\xB3\xDB\xCD\x4F\x93\x89\xE2\xB7")}, false},
	{"without a choice", "C701C1 00 01 0902 1122", ActionResponse{InvokeID: 0xC1, HasReturn: true, Return: axdr.Data{9, 2, 0x11, 0x22}}, true},
	{"error success", "C701C1 00 01 01 00", ActionResponse{InvokeID: 0xC1, HasReturn: true, Return: axdr.Data{0}}, true},
}

func parseActionRequest(b []byte) error { _, err := ParseActionRequest(b); return err }

func parseActionResponse(b []byte) error { _, err := ParseActionResponse(b); return err }

func TestActionRequest(t *testing.T) {
	for _, c := range actionRequests {
		t.Run(c.name, func(t *testing.T) {
			b := octets(t, c.hex)
			got, err := ParseActionRequest(b)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
			out, err := c.want.Append([]byte{0xEE})
			require.NoError(t, err)
			assert.Equal(t, append([]byte{0xEE}, b...), out)
			requirePrefixesFail(t, b, parseActionRequest)
		})
	}
}

func TestActionResponse(t *testing.T) {
	const withoutFlag = 4
	for _, c := range actionResponses {
		t.Run(c.name, func(t *testing.T) {
			b := octets(t, c.hex)
			got, err := ParseActionResponse(b)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
			if !c.oneWay {
				out, err := c.want.Append([]byte{0xEE})
				require.NoError(t, err)
				assert.Equal(t, append([]byte{0xEE}, b...), out)
			}
			requirePrefixesFail(t, b, parseActionResponse, withoutFlag)
		})
	}
	got, err := ParseActionResponse(octets(t, "C701C1 0D"))
	require.NoError(t, err)
	assert.Equal(t, ActionResponse{InvokeID: 0xC1, Result: ActionScopeOfAccessViolated}, got)
}

func TestActionRefused(t *testing.T) {
	requireRefusals(t, []refusal{
		{"other APDU", "C70141", "action-request, octet 0: tag C7 (action-response)"},
		{"type", "C302C1 00000001", "action-request, octet 1: type 2"},
		{"flag", "C301C1 000F 0000280000FF 01 02", "action-request, octet 12: method-invocation-parameters: flag 02"},
		{"octets behind", "C301C1 000F 0000280000FF 01 00 00", "action-request, octet 13: octets left over: 1"},
		{
			"parameter cut off", "C301C1 000F 0000280000FF 01 01 0911",
			"action-request, octet 13: method-invocation-parameters: data octet 0: octet-string is cut short: unexpected EOF",
		},
	}, parseActionRequest)
	requireRefusals(t, []refusal{
		{"other APDU", "C30141", "action-response, octet 0: tag C3 (action-request)"},
		{"type", "C702C1 00", "action-response, octet 1: type 2"},
		{"flag", "C701C1 00 02", "action-response, octet 4: return-parameters: flag 02"},
		{"choice", "C701C1 00 01 02", "action-response, octet 5: get-data-result: flag 02"},
		{"octets behind", "C701C1 00 00 00", "action-response, octet 5: octets left over: 1"},
	}, parseActionResponse)
}

func TestActionAppendRefuses(t *testing.T) {
	_, err := (&ActionRequest{Parameter: axdr.Data{}}).Append(nil)
	require.EqualError(t, err, "action-request with an empty parameter")
	for want, p := range map[string]ActionResponse{
		"action-response with return parameters that are not there":           {Return: axdr.Data{0}},
		"action-response with 0 octets of return parameters and success":      {HasReturn: true},
		"action-response with 1 octets of return parameters and other-reason": {HasReturn: true, Return: axdr.Data{0}, ReturnError: OtherReason},
	} {
		_, err := p.Append(nil)
		require.EqualError(t, err, want)
	}
}

func TestActionResultNames(t *testing.T) {
	for want, r := range map[string]ActionResult{
		"success": 0, "no-long-action-in-progress": 16, "other-reason": 250, "unknown(0x11)": 17, "unknown(0xff)": 255,
	} {
		assert.Equal(t, want, r.String())
	}
}

func TestActionAllocations(t *testing.T) {
	request, response, buffer := octets(t, replyGolden), octets(t, answerGolden), make([]byte, 0, 64)
	requireNoAllocation(t, func() error { return parseActionRequest(request) })
	requireNoAllocation(t, func() error { return parseActionResponse(response) })
	requireNoAllocation(t, func() error { _, err := actionRequests[2].want.Append(buffer); return err })
}

func FuzzActionRequest(f *testing.F) {
	for _, c := range actionRequests {
		f.Add(octets(f, c.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := ParseActionRequest(b)
		if err != nil {
			return
		}
		out, err := q.Append(nil)
		require.NoError(t, err)
		require.Equal(t, b, out)
	})
}

func FuzzActionResponse(f *testing.F) {
	for _, c := range actionResponses {
		f.Add(octets(f, c.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseActionResponse(b)
		if err != nil {
			return
		}
		require.NotEmpty(t, p.Result.String())
		out, err := p.Append(nil)
		require.NoError(t, err)
		again, err := ParseActionResponse(out)
		require.NoError(t, err)
		require.Equal(t, p, again)
	})
}
