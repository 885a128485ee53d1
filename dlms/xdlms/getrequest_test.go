package xdlms

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// rangeParameters are those of row 20: restricting object clock, from, to, all columns.
const rangeParameters = "0204 0204 120008 09060000010000FF 0F02 120000" +
	"090C 07E1 08 01 07 00 00 00 FF FFC4 00 090C 07E1 0B 01 07 00 00 00 FF FFC4 00 0100"

// entryParameters are those of row 21: entries 1 to 10, all columns.
const entryParameters = "0204 0600000001 060000000A 120001 120000"

func selection(t testing.TB, selector uint8, parameters string) *cosem.Selection {
	return &cosem.Selection{Selector: selector, Parameters: axdr.Data(octets(t, parameters))}
}

var getRequests = []struct {
	name   string
	hex    string
	want   func(t testing.TB) GetRequest
	oneWay bool
}{
	{
		name: "normal",
		hex:  "C001C1 0001 00002A0000FF 02 00",
		want: func(testing.TB) GetRequest {
			return GetRequest{
				Type: GetNormal, InvokeID: 0xC1,
				Attributes: []cosem.Attribute{{Class: 1, Instance: obis.Code{0, 0, 0x2A, 0, 0, 255}, ID: 2}},
			}
		},
	},
	{
		name: "normal, energy",
		hex:  "C001C1 0003 0100010800FF 02 00",
		want: func(testing.TB) GetRequest {
			return GetRequest{
				Type: GetNormal, InvokeID: 0xC1,
				Attributes: []cosem.Attribute{{Class: 3, Instance: obis.Code{1, 0, 1, 8, 0, 255}, ID: 2}},
			}
		},
	},
	{
		name: "normal, clock",
		hex:  "C001C100080000010000FF0200",
		want: func(testing.TB) GetRequest {
			return GetRequest{
				Type: GetNormal, InvokeID: 0xC1,
				Attributes: []cosem.Attribute{{Class: 8, Instance: obis.Code{0, 0, 1, 0, 0, 255}, ID: 2}},
			}
		},
	},
	{
		name: "normal, manufacturer's attribute",
		hex:  "C0010F FFFF FFFFFFFFFFFF FF 00",
		want: func(testing.TB) GetRequest {
			return GetRequest{
				Type: GetNormal, InvokeID: 0x0F,
				Attributes: []cosem.Attribute{{Class: 65535, Instance: obis.Code{255, 255, 255, 255, 255, 255}, ID: -1}},
			}
		},
	},
	{
		name: "normal, range of a profile",
		hex:  "C001C1 0007 0001620200FF 02 01 01" + rangeParameters,
		want: func(t testing.TB) GetRequest {
			return GetRequest{
				Type: GetNormal, InvokeID: 0xC1,
				Attributes: []cosem.Attribute{{Class: 7, Instance: obis.Code{0, 1, 98, 2, 0, 255}, ID: 2}},
				Selections: []*cosem.Selection{selection(t, 1, rangeParameters)},
			}
		},
	},
	{
		name: "next",
		hex:  "C00281 00000001",
		want: func(testing.TB) GetRequest { return GetRequest{Type: GetNext, InvokeID: 0x81, Block: 1} },
	},
	{
		name: "next, recorded",
		hex:  "c002c1000000b7",
		want: func(testing.TB) GetRequest { return GetRequest{Type: GetNext, InvokeID: 0xC1, Block: 183} },
	},
	{
		name: "with-list",
		hex:  "C003C1 02 0001 0000800000FF 02 00 0001 0000800100FF 02 00",
		want: func(testing.TB) GetRequest {
			return GetRequest{
				Type: GetWithList, InvokeID: 0xC1,
				Attributes: []cosem.Attribute{
					{Class: 1, Instance: obis.Code{0, 0, 128, 0, 0, 255}, ID: 2},
					{Class: 1, Instance: obis.Code{0, 0, 128, 1, 0, 255}, ID: 2},
				},
			}
		},
	},
	{
		name: "with-list, one with entries",
		hex: "C003C1 03 0001 0000800000FF 02 00 0007 0100630100FF 02 01 02" + entryParameters +
			"0001 0000800100FF 02 00",
		want: func(t testing.TB) GetRequest {
			return GetRequest{
				Type: GetWithList, InvokeID: 0xC1,
				Attributes: []cosem.Attribute{
					{Class: 1, Instance: obis.Code{0, 0, 128, 0, 0, 255}, ID: 2},
					{Class: 7, Instance: obis.Code{1, 0, 99, 1, 0, 255}, ID: 2},
					{Class: 1, Instance: obis.Code{0, 0, 128, 1, 0, 255}, ID: 2},
				},
				Selections: []*cosem.Selection{nil, selection(t, 2, entryParameters), nil},
			}
		},
	},
	{
		name:   "with-list, longer count",
		hex:    "C003C1 8101 0001 0000800000FF 02 00",
		oneWay: true,
		want: func(testing.TB) GetRequest {
			return GetRequest{
				Type: GetWithList, InvokeID: 0xC1,
				Attributes: []cosem.Attribute{{Class: 1, Instance: obis.Code{0, 0, 128, 0, 0, 255}, ID: 2}},
			}
		},
	},
}

func parseGetRequest(b []byte) error { _, err := ParseGetRequest(b); return err }

func TestGetRequest(t *testing.T) {
	var reused GetRequest
	for _, c := range getRequests {
		t.Run(c.name, func(t *testing.T) {
			b, want := octets(t, c.hex), c.want(t)
			got, err := ParseGetRequest(b)
			require.NoError(t, err)
			assert.Equal(t, want, got)
			if !c.oneWay {
				out, err := want.Append([]byte{0xEE})
				require.NoError(t, err)
				assert.Equal(t, append([]byte{0xEE}, b...), out)
			}
			requirePrefixesFail(t, b, parseGetRequest)

			require.NoError(t, reused.Parse(b))
			again, err := reused.Append(nil)
			require.NoError(t, err)
			if !c.oneWay {
				assert.Equal(t, b, again, "parsed into a used value")
			}
		})
	}
}

func TestGetRequestOneHundred(t *testing.T) {
	q := GetRequest{Type: GetWithList, InvokeID: 0xC5}
	for i := range 200 {
		q.Attributes = append(q.Attributes, cosem.Attribute{Class: 3, Instance: obis.Code{1, 0, uint8(i), 7, 0, 255}, ID: 2})
	}
	b, err := q.Append(nil)
	require.NoError(t, err)
	assert.Equal(t, octets(t, "C003C5 81C8 0003 0100000700FF 02 00"), b[:15])
	assert.Len(t, b, 5+200*10)
	got, err := ParseGetRequest(b)
	require.NoError(t, err)
	assert.Equal(t, q, got)
}

func TestGetRequestFillsFrames(t *testing.T) {
	for _, c := range []struct{ items, size int }{{12, 124}, {5, 54}} {
		q := GetRequest{Type: GetWithList, Attributes: make([]cosem.Attribute, c.items)}
		b, err := q.Append(nil)
		require.NoError(t, err)
		assert.Len(t, b, c.size)
	}
}

func TestGetRequestRefused(t *testing.T) {
	requireRefusals(t, []refusal{
		{"other APDU", "C40181", "get-request, octet 0: tag C4 (get-response)"},
		{"type", "C00481", "get-request, octet 1: type 4"},
		{"flag", "C001C1 0001 00002A0000FF 02 02", "get-request, octet 12: access-selection: flag 02"},
		{"octets behind", "C001C1 0001 00002A0000FF 02 00 00", "get-request, octet 13: octets left over: 1"},
		{"octets behind the block", "C002C1 00000001 00", "get-request, octet 7: octets left over: 1"},
		{"empty list", "C003C1 00", "get-request, octet 4: attribute-descriptor-list: empty"},
		{
			"list longer than the APDU", "C003C1 02 0001 0000800000FF 02 00 0001 0000800100FF 02",
			"get-request, octet 3: attribute-descriptor-list: 2 in 19 octets: unexpected EOF",
		},
		{
			"list of two thousand million", "C003C1 847FFFFFFF 0001 0000800000FF 02 00",
			"get-request, octet 3: attribute-descriptor-list: 2147483647 in 10 octets: unexpected EOF",
		},
		{
			"list shorter than the APDU", "C003C1 01 0001 0000800000FF 02 00 0001 0000800100FF 02 00",
			"get-request, octet 14: octets left over: 10",
		},
		{
			"parameters cut off", "C001C1 0001 00002A0000FF 02 01 01 0202 1200",
			"get-request, octet 14: access-parameters: data octet 2: long-unsigned is cut short: unexpected EOF",
		},
	}, parseGetRequest)
}

func TestGetRequestAppendRefuses(t *testing.T) {
	one, two := make([]cosem.Attribute, 1), make([]cosem.Attribute, 2)
	cases := []struct {
		name string
		q    GetRequest
		want string
	}{
		{"type", GetRequest{Type: 4}, "get-request of type 4"},
		{"normal without", GetRequest{Type: GetNormal}, "get-request-normal with 0 attributes"},
		{"normal with two", GetRequest{Type: GetNormal, Attributes: two}, "get-request-normal with 2 attributes"},
		{"list without", GetRequest{Type: GetWithList}, "get-request-with-list without attributes"},
		{
			"selections", GetRequest{Type: GetWithList, Attributes: two, Selections: make([]*cosem.Selection, 1)},
			"get-request with 1 selections for 2 attributes",
		},
		{
			"parameters", GetRequest{Type: GetNormal, Attributes: one, Selections: []*cosem.Selection{{Selector: 1}}},
			"selective access 1 without parameters",
		},
		{
			"parameters in a list",
			GetRequest{Type: GetWithList, Attributes: one, Selections: []*cosem.Selection{{Selector: 2}}},
			"selective access 2 without parameters",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.q.Append(nil)
			require.EqualError(t, err, c.want)
		})
	}
}

func TestGetRequestAllocations(t *testing.T) {
	var q GetRequest
	list := octets(t, "C003C1 02 0001 0000800000FF 02 00 0001 0000800100FF 02 00")
	buffer := make([]byte, 0, 64)
	t.Run("Parse", func(t *testing.T) {
		requireNoAllocation(t, func() error { return q.Parse(list) })
	})
	t.Run("Append", func(t *testing.T) {
		requireNoAllocation(t, func() error { _, err := q.Append(buffer); return err })
	})
}
