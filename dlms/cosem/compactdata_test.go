package cosem_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
)

// The template of the example in the Blue Book, and a buffer that fits it.
const (
	compactTemplate = "090C 020A 11 06 11 11 06 06 06 06 09 12"
	compactBuffer   = "0920 00 51EE5305 29 18 0061FFD3 00000001 00000002 00000003 06414243444546 1ED2"
	compactRow      = "020A 1100 0651EE5305 1129 1118 060061FFD3 0600000001 0600000002 0600000003 0906414243444546 121ED2"
)

func TestCompactData(t *testing.T) {
	for _, c := range []struct{ name, template, buffer, want string }{
		{"the example", compactTemplate, compactBuffer, compactRow},
		{"an array", "0909 0203 11 09 01 0002 11 04", "0908 00 01AA 05 06 03 E0", ""},
		{"an array, whole", "0909 0204 11 09 01 0002 11 04", "0907 00 01AA 05 06 03 E0", "0204 1100 0901AA 0102 1105 1106 0403E0"},
		{"an array with its count", "0909 0204 11 09 01 0002 11 04", "0908 00 01AA 02 05 06 03 E0", "0204 1100 0901AA 0102 1105 1106 0403E0"},
		{"an array with its count, all of one length", "0907 0202 11 01 0002 12", "0906 00 02 0001 0002", "0202 1100 0102 120001 120002"},
		{"one octet each, with its count", "0907 0202 11 01 0002 11", "0904 00 02 05 06", "0202 1100 0102 1105 1106"},
	} {
		t.Run(c.name, func(t *testing.T) {
			template, err := cosem.ParseTemplateDescription(octets(t, c.template))
			if c.want == "" {
				require.ErrorContains(t, err, "template_description: 1 octets after the end of the element")
				return
			}
			require.NoError(t, err)
			buffer := octets(t, c.buffer)
			for _, id := range []int{0, cosem.AnyTemplate} {
				row, err := cosem.AppendCompactBuffer([]byte{7}, buffer, template, id, 1000)
				require.NoError(t, err)
				require.Equal(t, axdr.Data(octets(t, c.want)), row)
			}
			contents, _ := axdr.Data(buffer).Octets()
			for n := 1; n < len(contents) && !strings.Contains(c.name, "its count"); n++ { // without its end, that is one without a count
				_, err := cosem.AppendCompactBuffer(nil, axdr.AppendOctetString(nil, contents[:n]), template, 0, 1000)
				var decode *cosem.DecodeError
				require.ErrorAs(t, err, &decode, "%d octets", n)
			}
			_, err = cosem.AppendCompactBuffer(nil, axdr.AppendOctetString(nil, append(bytes.Clone(contents), 0)), template, 0, 1000)
			require.Error(t, err)
		})
	}
}

func TestCompactDataRefuses(t *testing.T) {
	for d, want := range map[string]string{
		"00":     "template_id: got null-data, want an unsigned",
		"120001": "template_id: got long-unsigned 1, want an unsigned",
		"11":     "template_id: got unsigned octets , want an unsigned",
		"110102": "template_id: got unsigned octets 0102, want an unsigned",
	} {
		_, err := cosem.ParseTemplateID(octets(t, d))
		var decode *cosem.DecodeError
		require.ErrorAs(t, err, &decode)
		require.EqualError(t, err, want)
	}
	id, err := cosem.ParseTemplateID(octets(t, "11FF"))
	require.NoError(t, err)
	require.Equal(t, 255, id)

	for d, want := range map[string]string{
		"00":               "template_description: got null-data, want an octet-string",
		"0900":             "template_description: data octet 0: type description is cut short: unexpected EOF",
		"0903 0202 11":     "template_description: data octet 3: type description is cut short: unexpected EOF",
		"0901 11":          "template_description: got the type unsigned, want a structure",
		"0904 0201 1112":   "template_description: 1 octets after the end of the element",
		"0903 0201 13":     "template_description: data octet 2: type compact-array in a type description",
		"0902 0201 11":     "template_description: got octet-string, want an octet-string",
		"0A03 020111":      "template_description: got visible-string, want an octet-string",
		"0984 7FFFFFFF 02": "template_description: got octet-string, want an octet-string",
	} {
		template, err := cosem.ParseTemplateDescription(octets(t, d))
		require.EqualError(t, err, want)
		require.Equal(t, axdr.TagNull, template.Tag())
	}

	template, err := cosem.ParseTemplateDescription(octets(t, compactTemplate))
	require.NoError(t, err)
	for _, c := range []struct {
		buffer    string
		id, limit int
		want      string
	}{
		{compactBuffer, 1, 1000, "compact_buffer: got template_id 0, want 1; template_id and template_description have to be read anew"},
		{"0901 07", 0, 1000, "compact_buffer: got template_id 7, want 0; template_id and template_description have to be read anew"},
		{compactBuffer, 0, 20, "compact_buffer: data octet 11: a compact-array that expands to more than the largest APDU allowed"},
		{"00", 0, 1000, "compact_buffer: got null-data, want an octet-string"},
		{"0902 00", 0, 1000, "compact_buffer: got octet-string, want an octet-string"},
		{"0903 00 51EE", 0, 1000, "compact_buffer: data octet 1: double-long-unsigned is cut short: unexpected EOF"},
	} {
		row, err := cosem.AppendCompactBuffer(nil, octets(t, c.buffer), template, c.id, c.limit)
		require.EqualError(t, err, c.want)
		require.Nil(t, row)
	}
	row, err := cosem.AppendCompactBuffer(nil, octets(t, "0900"), template, 0, 1000)
	require.NoError(t, err)
	require.Nil(t, row)
	_, err = cosem.AppendCompactBuffer(nil, octets(t, compactBuffer), axdr.TypeDescription{}, 0, 1000)
	require.ErrorContains(t, err, "without a type description")
	empty, err := cosem.ParseTemplateDescription(octets(t, "0904 0202 00FF"))
	require.NoError(t, err)
	_, err = cosem.AppendCompactBuffer(nil, octets(t, "0901 00"), empty, 0, 1000)
	require.ErrorContains(t, err, "a compact-array whose elements take no octets")
}

func FuzzCompactBuffer(f *testing.F) {
	f.Add(octets(f, compactTemplate), octets(f, compactBuffer), uint8(0))
	f.Add(octets(f, "0909 0204 11 09 01 0002 11 04"), octets(f, "0908 00 01AA 02 05 06 03 E0"), uint8(0))
	f.Add(octets(f, "090A 0202 11 01 FFFF 01 FFFF 00"), octets(f, "0901 00"), uint8(1))
	f.Fuzz(func(t *testing.T, description, buffer []byte, id uint8) {
		template, err := cosem.ParseTemplateDescription(description)
		if err != nil {
			var decode *cosem.DecodeError
			require.ErrorAs(t, err, &decode)
			return
		}
		row, err := cosem.AppendCompactBuffer(nil, buffer, template, int(id), 4096)
		if err != nil {
			var decode *cosem.DecodeError
			require.ErrorAs(t, err, &decode)
			require.Nil(t, row)
			return
		}
		contents, _ := axdr.Data(buffer).Octets()
		if row == nil {
			require.Empty(t, contents)
			return
		}
		require.Equal(t, id, contents[0])
		require.LessOrEqual(t, len(row), 4096)
		again, err := axdr.Parse(row)
		require.NoError(t, err)
		require.Equal(t, axdr.TagStructure, again.Tag())
	})
}
