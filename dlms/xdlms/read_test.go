package xdlms

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

var readRequests = []struct {
	name string
	hex  string
	want []VariableAccess
}{
	{"one", "0501 02 0100", []VariableAccess{{Choice: VariableName, Name: 0x0100}}},
	{"list", "0502 02 0100 02 0110", []VariableAccess{{Choice: VariableName, Name: 0x0100}, {Choice: VariableName, Name: 0x0110}}},
	{"recorded", "0502 02 fd08 02 ff08", []VariableAccess{{Choice: VariableName, Name: 0xFD08}, {Choice: VariableName, Name: 0xFF08}}},
	{"parameterized", "0501 04 6208 02 0204 0600000001 060000000A 120001 120000",
		[]VariableAccess{{Choice: ParameterizedAccess, Name: 0x6208, Selector: 2, Parameter: axdr.Data{2, 4, 6, 0, 0, 0, 1, 6, 0, 0, 0, 10, 0x12, 0, 1, 0x12, 0, 0}}}},
	{"next block", "0501 05 0001", []VariableAccess{{Choice: BlockNumberAccess, Block: 1}}},
	{"part of a request", "0501 06 01 0002 03 010203", []VariableAccess{{Choice: ReadDataBlockAccess, Last: true, Block: 2, Raw: []byte{1, 2, 3}}}},
}

func TestReadRequest(t *testing.T) {
	for _, c := range readRequests {
		t.Run(c.name, func(t *testing.T) {
			b := octets(t, c.hex)
			q, err := ParseReadRequest(b)
			require.NoError(t, err)
			require.Equal(t, c.want, q.Accesses)
			out, err := q.Append(nil)
			require.NoError(t, err)
			require.Equal(t, b, out)
			requirePrefixesFail(t, b, func(b []byte) error { _, err := ParseReadRequest(b); return err })
		})
	}
	requireRefusals(t, []refusal{
		{"another tag", "C001C1", "read-request, octet 0: tag C0 (get-request)"},
		{"empty", "0500", "read-request, octet 2: variable-access-specification: empty"},
		{"choice", "0501 03 0001", "read-request, octet 2: variable-access-specification: choice 3"},
		{"count", "05 84 7FFFFFFF 02 0100", "read-request, octet 1: variable-access-specification: 2147483647 in 3 octets: unexpected EOF"},
		{"left over", "0501 02 0100 00", "read-request, octet 5: octets left over: 1"},
	}, func(b []byte) error { _, err := ParseReadRequest(b); return err })
	for _, q := range []ReadRequest{{}, {[]VariableAccess{{Choice: 9}}}, {[]VariableAccess{{Choice: ParameterizedAccess}}}} {
		_, err := q.Append(nil)
		require.Error(t, err)
	}
}

var readResponses = []struct {
	name string
	hex  string
	want []ReadResult
}{
	{"list", "0C02 00 0932" + bcd(1, 50) + "00 0A03303030", []ReadResult{
		{Data: append(axdr.Data{9, 0x32}, bcdOctets(1, 50)...)}, {Data: axdr.Data("\x0a\x03000")}}},
	{"refused", "0C02 01 04 00 12 0001", []ReadResult{{Choice: ReadRefused, Error: 4}, {Data: axdr.Data{0x12, 0, 1}}}},
	{"block", "0C01 02 00 0001 21 01 00 0932" + bcd(1, 29), []ReadResult{
		{Choice: ReadBlock, Block: 1, Raw: append([]byte{1, 0, 9, 0x32}, bcdOctets(1, 29)...)}}},
	{"last block", "0C01 02 01 0002 15" + bcd(30, 50), []ReadResult{{Choice: ReadBlock, Last: true, Block: 2, Raw: bcdOctets(30, 50)}}},
	{"taken", "0C01 03 0001", []ReadResult{{Choice: ReadBlockNumber, Block: 1}}},
}

func bcdOctets(first, last int) (b []byte) {
	for i := first; i <= last; i++ {
		b = append(b, byte(i/10<<4|i%10))
	}
	return b
}

func parseResults(b []byte) (list []ReadResult, err error) {
	n, rest, err := ParseReadResponse(b)
	if err != nil {
		return nil, err
	}
	for range n {
		var p ReadResult
		if p, rest, err = CutReadResult(rest); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

func TestReadResponse(t *testing.T) {
	for _, c := range readResponses {
		t.Run(c.name, func(t *testing.T) {
			b := octets(t, strings.ReplaceAll(c.hex, " ", ""))
			list, err := parseResults(b)
			require.NoError(t, err)
			require.Equal(t, c.want, list)
			out := AppendReadResponse(nil, len(list))
			for i := range list {
				out = list[i].Append(out)
			}
			require.Equal(t, b, out)
			requirePrefixesFail(t, b, func(b []byte) error { _, err := parseResults(b); return err })
		})
	}
	requireRefusals(t, []refusal{
		{"another tag", "C401C100", "read-response, octet 0: tag C4 (get-response)"},
		{"count", "0C 84 7FFFFFFF 00 00", "read-response, octet 1: result: 2147483647 in 2 octets: unexpected EOF"},
		{"choice", "0C01 04 0001", "read-response, octet 0: result: choice 4"},
		{"data", "0C01 00 FE", "read-response, octet 1: data: data octet 0: no data type has the tag 254 (0xfe)"},
	}, func(b []byte) error { _, err := parseResults(b); return err })
	p, rest, err := CutReadResult([]byte{1, 0})
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Equal(t, ReadResult{Data: axdr.Data{0}}, p, "no reason is no error: null-data")
	n, rest, err := CutReadCount(octets(t, "02 00 0F01 01 04"))
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Len(t, rest, 5)
}

func FuzzReadRequest(f *testing.F) {
	for _, c := range readRequests {
		f.Add(octets(f, c.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := ParseReadRequest(b)
		if err != nil {
			return
		}
		out, err := q.Append(nil)
		require.NoError(t, err)
		again, err := ParseReadRequest(out)
		require.NoError(t, err)
		require.Equal(t, q, again)
	})
}

func FuzzReadResponse(f *testing.F) {
	for _, c := range readResponses {
		f.Add(octets(f, c.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := parseResults(b)
		if err != nil {
			return
		}
		out := AppendReadResponse(nil, len(list))
		for i := range list {
			out = list[i].Append(out)
		}
		again, err := parseResults(out)
		require.NoError(t, err)
		require.Equal(t, list, again)
	})
}
