package xdlms

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

var getResponses = []struct {
	name   string
	hex    string
	want   func(t testing.TB) GetResponse
	oneWay bool
	but    []int // lengths of prefixes that are responses themselves
}{
	{
		name: "normal",
		hex:  "C401C1 00 06 00A9C3F2",
		want: func(t testing.TB) GetResponse {
			return GetResponse{Type: GetNormal, InvokeID: 0xC1, Data: octets(t, "0600A9C3F2")}
		},
	},
	{
		name: "normal, octet-string, recorded",
		hex:  "c401c10009055630343131",
		want: func(t testing.TB) GetResponse {
			return GetResponse{Type: GetNormal, InvokeID: 0xC1, Data: octets(t, "09055630343131")}
		},
	},
	{
		name: "normal, structure",
		hex:  "C40141 00 0202 0FFD 161E",
		want: func(t testing.TB) GetResponse {
			return GetResponse{Type: GetNormal, InvokeID: 0x41, Data: octets(t, "02020FFD161E")}
		},
	},
	{
		name: "normal, error",
		hex:  "C401C1 01 04",
		want: func(testing.TB) GetResponse {
			return GetResponse{Type: GetNormal, InvokeID: 0xC1, Result: ObjectUndefined}
		},
	},
	{
		name: "normal, success instead of a value", oneWay: true,
		hex: "C401C1 01 00",
		want: func(testing.TB) GetResponse {
			return GetResponse{Type: GetNormal, InvokeID: 0xC1, Data: axdr.Data{0}}
		},
	},
	{
		name: "first block",
		hex:  "C40281 00 00000001 00 1E 0932" + bcd(1, 28),
		want: func(t testing.TB) GetResponse {
			return GetResponse{Type: GetBlock, InvokeID: 0x81, Block: 1, Raw: octets(t, "0932"+bcd(1, 28))}
		},
	},
	{
		name: "last block",
		hex:  "C40281 01 00000002 00 16" + bcd(29, 50),
		want: func(t testing.TB) GetResponse {
			return GetResponse{Type: GetBlock, InvokeID: 0x81, Block: 2, Last: true, Raw: octets(t, bcd(29, 50))}
		},
		but: []int{8},
	},
	{
		name: "block without octets",
		hex:  "C40281 00 00000003 00 00",
		want: func(testing.TB) GetResponse {
			return GetResponse{Type: GetBlock, InvokeID: 0x81, Block: 3, Raw: []byte{}}
		},
	},
	{
		name: "last block without result", oneWay: true,
		hex: "C40281 FF 00000003",
		want: func(testing.TB) GetResponse {
			return GetResponse{Type: GetBlock, InvokeID: 0x81, Block: 3, Last: true, Raw: []byte{}}
		},
	},
	{
		name: "block, error",
		hex:  "C40281 01 00000002 01 0F",
		want: func(testing.TB) GetResponse {
			return GetResponse{Type: GetBlock, InvokeID: 0x81, Block: 2, Last: true, Result: LongGetAborted}
		},
		but: []int{8},
	},
	{
		name: "block, success instead of octets", oneWay: true,
		hex: "C40281 00 00000002 01 00",
		want: func(testing.TB) GetResponse {
			return GetResponse{Type: GetBlock, InvokeID: 0x81, Block: 2, Raw: []byte{}}
		},
	},
	{
		name: "with-list",
		hex:  "C403C1 02 00 0932" + bcd(1, 50) + "00 0A03 303030",
		want: func(t testing.TB) GetResponse {
			return GetResponse{
				Type: GetWithList, InvokeID: 0xC1, Count: 2, List: octets(t, "00 0932"+bcd(1, 50)+"00 0A03 303030"),
			}
		},
	},
	{
		name: "with-list, errors only",
		hex:  "C403C1 02 0103 0104",
		want: func(testing.TB) GetResponse {
			return GetResponse{Type: GetWithList, InvokeID: 0xC1, Count: 2, List: []byte{1, 3, 1, 4}}
		},
	},
	{
		name: "with-list, nothing",
		hex:  "C403C1 00",
		want: func(testing.TB) GetResponse {
			return GetResponse{Type: GetWithList, InvokeID: 0xC1, List: []byte{}}
		},
	},
}

// readGetResponse parses a response and cuts its list to the end, as a client does.
func readGetResponse(b []byte) error {
	p, err := ParseGetResponse(b)
	if err != nil {
		return err
	}
	for range p.Count {
		if _, _, p.List, err = CutGetResult(p.List); err != nil {
			return err
		}
	}
	return nil
}

func TestGetResponse(t *testing.T) {
	for _, c := range getResponses {
		t.Run(c.name, func(t *testing.T) {
			b, want := octets(t, c.hex), c.want(t)
			got, err := ParseGetResponse(b)
			require.NoError(t, err)
			assert.Equal(t, want, got)
			if !c.oneWay {
				out, err := want.Append([]byte{0xEE})
				require.NoError(t, err)
				assert.Equal(t, append([]byte{0xEE}, b...), out)
			}
			if c.name == "last block without result" {
				requirePrefixesFail(t, b, readGetResponse)
			} else {
				requirePrefixesFail(t, b, readGetResponse, c.but...)
			}
			requireNoAllocation(t, func() error { return readGetResponse(b) })
		})
	}
}

func TestGetResponseRefused(t *testing.T) {
	requireRefusals(t, []refusal{
		{"other APDU", "D80101", "get-response, octet 0: tag D8 (exception-response)"},
		{"type", "C404C1", "get-response, octet 1: type 4"},
		{"type 0", "C400C1", "get-response, octet 1: type 0"},
		{"choice", "C401C1 02 00", "get-response, octet 3: get-data-result: flag 02"},
		{"choice in a block", "C402C1 00 00000001 02 00", "get-response, octet 8: result: flag 02"},
		{"octets behind a value", "C401C1 00 11 05 00", "get-response, octet 6: octets left over: 1"},
		{"octets behind an error", "C401C1 01 04 00", "get-response, octet 5: octets left over: 1"},
		{"octets behind a block", "C402C1 00 00000001 00 01 05 00", "get-response, octet 11: octets left over: 1"},
		{"block longer than the APDU", "C402C1 00 00000001 00 05 0102", "get-response, octet 12: raw-data: unexpected EOF"},
		{"block of 2 GiB", "C402C1 00 00000001 00 847FFFFFFF 0102", "get-response, octet 16: raw-data: unexpected EOF"},
		{"block without result before the last", "C402C1 00 00000001", "get-response, octet 8: result: unexpected EOF"},
		{"more results than octets", "C403C1 05 00 11 05", "get-response, octet 3: result: 5 in 3 octets: unexpected EOF"},
		{"more results than fit", "C403C1 02 00 11 05", "get-response, octet 3: result: 2 in 3 octets: unexpected EOF"},
		{
			"two thousand million results", "C403C1 847FFFFFFF 00 11 05",
			"get-response, octet 3: result: 2147483647 in 3 octets: unexpected EOF",
		},
		{
			"length of five octets", "C402C1 00 00000001 00 850000000001 01",
			"get-response, octet 9: raw-data: data octet 0: length of 5 octets, want 1 to 4",
		},
		{
			"count in the value", "C401C1 00 0205 1100",
			"get-response, octet 4: data: data octet 0: structure of 5 elements with 2 octets left: unexpected EOF",
		},
		{"result cut off in the list", "C403C1 02 00 1105 01", "get-response, octet 1: data-access-result: unexpected EOF"},
		{"choice in the list", "C403C1 02 03 1105 0104", "get-response, octet 0: get-data-result: flag 03"},
	}, readGetResponse)
}

func TestGetResponseBadData(t *testing.T) {
	_, err := ParseGetResponse(octets(t, "C401C1 00 FE 00"))
	var syntax *SyntaxError
	require.ErrorAs(t, err, &syntax)
	assert.Equal(t, 4, syntax.Offset)
	assert.Equal(t, "data", syntax.Msg)
	var inner *axdr.SyntaxError
	require.ErrorAs(t, err, &inner)
	assert.NotErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestGetResponseAppendRefuses(t *testing.T) {
	for _, c := range []struct {
		p    GetResponse
		want string
	}{
		{GetResponse{Type: GetNormal}, "get-response-normal without data"},
		{GetResponse{}, "get-response of type 0"},
	} {
		_, err := c.p.Append(nil)
		require.EqualError(t, err, c.want)
	}
}

func TestServerEncoders(t *testing.T) {
	value := axdr.Data{0x11, 5}
	list := AppendGetResponseList(nil, 0xC1, 3)
	list = AppendGetResult(list, value, Success)
	list = AppendGetResult(list, nil, ReadWriteDenied)
	list = AppendGetResult(list, value, OtherReason)
	cases := []struct {
		name string
		got  []byte
		want string
	}{
		{"normal", AppendGetResponseNormal([]byte{0xEE}, 0xC1, value), "EE C401C1 00 1105"},
		{"normal, value to follow", append(AppendGetResponseNormal(nil, 0xC1, nil), 0x11, 5), "C401C1 00 1105"},
		{"error", AppendGetResponseError([]byte{0xEE}, 0x41, TemporaryFailure), "EE C40141 01 02"},
		{"block", AppendGetResponseBlock([]byte{0xEE}, 0xC1, false, 0x01020304, value), "EE C402C1 00 01020304 00 02 1105"},
		{"last block", AppendGetResponseBlock(nil, 0xC1, true, 2, nil), "C402C1 01 00000002 00 00"},
		{"block error", AppendGetResponseBlockError(nil, 0xC1, true, 2, DataBlockNumberInvalid), "C402C1 01 00000002 01 13"},
		{"list", list, "C403C1 03 00 1105 01 03 01 FA"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, octets(t, c.want), c.got) })
	}
}

func TestCutGetResult(t *testing.T) {
	b := octets(t, "00 06 00A9C3F2 01 04 00 0202 0FFD 161E 01 00 FF")
	d, res, b, err := CutGetResult(b)
	require.NoError(t, err)
	assert.Equal(t, Success, res)
	assert.Equal(t, axdr.Data(octets(t, "0600A9C3F2")), d)
	d, res, b, err = CutGetResult(b)
	require.NoError(t, err)
	assert.Equal(t, ObjectUndefined, res)
	assert.Nil(t, d)
	d, res, b, err = CutGetResult(b)
	require.NoError(t, err)
	assert.Equal(t, Success, res)
	assert.Equal(t, axdr.Data(octets(t, "02020FFD161E")), d)
	d, res, b, err = CutGetResult(b)
	require.NoError(t, err)
	assert.Equal(t, Success, res, "success instead of a value")
	assert.Equal(t, axdr.Data{0}, d)
	assert.Equal(t, []byte{0xFF}, b)
	_, _, _, err = CutGetResult(b)
	require.EqualError(t, err, "get-response, octet 0: get-data-result: flag FF")
}

// TestListInBlocks joins blocks whose borders lie inside results, as a client does.
func TestListInBlocks(t *testing.T) {
	var joined []byte
	for _, s := range []string{
		"C402C1 00 00000001 00 04 02 00 0932",
		"C402C1 00 00000002 00 32" + bcd(1, 50),
		"C402C1 01 00000003 00 06 00 0A03 303030",
	} {
		p, err := ParseGetResponse(octets(t, s))
		require.NoError(t, err)
		joined = append(joined, p.Raw...)
	}
	n, rest, err := CutGetCount(joined)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	d, _, rest, err := CutGetResult(rest)
	require.NoError(t, err)
	assert.Equal(t, axdr.Data(octets(t, "0932"+bcd(1, 50))), d)
	d, _, rest, err = CutGetResult(rest)
	require.NoError(t, err)
	assert.Equal(t, axdr.Data(octets(t, "0A03303030")), d)
	assert.Empty(t, rest)

	for cut := range joined {
		n, rest, err := CutGetCount(joined[:cut])
		for i := 0; i < n && err == nil; i++ {
			_, _, rest, err = CutGetResult(rest)
		}
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%d octets", cut)
	}
}

// TestViewsAreClipped checks that appending to a view does not write into the octets behind it.
func TestViewsAreClipped(t *testing.T) {
	b := octets(t, "C403C1 02 00 1105 00 1106")
	p, err := ParseGetResponse(b)
	require.NoError(t, err)
	d, _, rest, err := CutGetResult(p.List)
	require.NoError(t, err)
	_ = append(d, 0xEE, 0xEE)
	assert.Equal(t, octets(t, "00 1106"), rest)
}

// TestGetResponseErrorWithArray is what a stack sends that meets an error after
// it has begun an array.
func TestGetResponseErrorWithArray(t *testing.T) {
	p, err := ParseGetResponse([]byte{0xC4, 1, 0xC3, 1, 0x0C, 1, 0})
	require.NoError(t, err)
	require.Equal(t, TypeUnmatched, p.Result)
	_, err = ParseGetResponse([]byte{0xC4, 1, 0xC3, 1, 0x0C, 1, 1})
	require.Error(t, err)
	_, err = ParseGetResponse([]byte{0xC4, 1, 0xC3, 0, 0x00, 1, 0})
	require.Error(t, err, "a value with octets behind it is none")
}
