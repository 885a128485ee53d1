package axdr_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

func TestTypeDescription(t *testing.T) {
	for _, c := range []struct {
		name, types, contents string
		counted               bool
		want, rest            string
	}{
		{"a simple type", "11", "05 06", false, "1105", "06"},
		{"a structure", "0203 06 12 09", "00000005 0006 02AABB 00", false, "0203 0600000005 120006 0902AABB", "00"},
		{"nulls", "0203 00 11 FF", "05", false, "0203 00 1105 FF", ""},
		{"an array", "0202 11 01 0002 12", "05 0001 0002", false, "0202 1105 0102 120001 120002", ""},
		{"an array with its count", "0202 11 01 0002 12", "05 01 0001 0002", true, "0202 1105 0101 120001", "0002"},
		{"arrays in arrays", "01 0002 01 0001 0A", "0141 00", false, "0102 0101 0A0141 0101 0A00", ""},
		{"bits", "04", "09 FF80 01", false, "0409FF80", "01"},
	} {
		t.Run(c.name, func(t *testing.T) {
			types, contents := octets(t, c.types), octets(t, c.contents)
			d, rest, err := axdr.CutTypeDescription(append(bytes.Clone(types), 0xEE))
			require.NoError(t, err)
			require.Equal(t, []byte{0xEE}, rest)
			require.Equal(t, axdr.Tag(types[0]), d.Tag())
			require.Equal(t, bytes.Contains(types, []byte{1, 0}), d.HasArray())
			for n := range types {
				_, rest, err := axdr.CutTypeDescription(types[:n])
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
				require.Equal(t, types[:n], rest)
			}
			out, rest, err := d.AppendElement([]byte{7}, contents, c.counted, len(octets(t, c.want)))
			require.NoError(t, err)
			require.Equal(t, append([]byte{7}, octets(t, c.want)...), out)
			require.Equal(t, octets(t, c.rest), append([]byte{}, rest...))
			for n := range len(contents) - len(rest) {
				out, left, err := d.AppendElement([]byte{7}, contents[:n], c.counted, 1000)
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
				require.Equal(t, []byte{7}, out)
				require.Equal(t, contents[:n], left)
			}
			_, _, err = d.AppendElement(nil, contents, c.counted, len(octets(t, c.want))-1)
			require.ErrorContains(t, err, "expands to more than the largest APDU allowed")
			require.NotErrorIs(t, err, io.ErrUnexpectedEOF)
		})
	}
}

func TestTypeDescriptionRefuses(t *testing.T) {
	for name, b := range map[string][]byte{
		"type unknown(0xee) in a type description":               {0x02, 1, 0xEE},
		"type compact-array in a type description":               {0x13, 0x11},
		"structure of 128 elements":                              {0x02, 0x80},
		"types of a compact-array nested more than 32 deep":      bytes.Repeat([]byte{1, 0, 1}, 40),
		"a type description of more than 512 octets":             append([]byte{0x02, 5}, bytes.Repeat(append([]byte{0x02, 0x7f}, make([]byte, 127)...), 5)...),
		"octet 0: a type description of more than 512 octets":    bytes.Repeat(append([]byte{0x02, 0x7f}, make([]byte, 126)...), 5),
		"data octet 0: type description is cut short":            {},
		"data octet 2: type description is cut short: unexpecte": {0x02, 1},
	} {
		d, rest, err := axdr.CutTypeDescription(b)
		require.ErrorContains(t, err, name)
		require.Equal(t, b, rest)
		require.Equal(t, axdr.TagNull, d.Tag())
	}
	for want, types := range map[string]string{
		"data octet 0: contents of a compact-array without a type description": "",
		"data octet 0: a compact-array whose elements take no octets":          "0202 00 FF",
		"data octet 1: a compact-array whose elements take no octets":          "0202 11 01 FFFF 00",
	} {
		var d axdr.TypeDescription
		if types != "" {
			var err error
			d, _, err = axdr.CutTypeDescription(octets(t, types))
			require.NoError(t, err)
		}
		_, _, err := d.AppendElement(nil, []byte{1, 2, 3}, false, 1<<20)
		require.EqualError(t, err, want)
	}
}

func TestCounted(t *testing.T) {
	for _, c := range []struct {
		types, contents string
		size            int
		want            bool
	}{
		{"0202 11 12", "", 7, false},                      // no arrays
		{"0202 11 01 0002 12", "", 10, false},             // two elements of 5 octets
		{"0202 11 01 0002 12", "", 12, true},              // two of 6
		{"0202 11 01 0002 12", "", 0, false},              // none
		{"0202 11 01 0000 12", "", 6, false},              // one octet each
		{"01 FFFF 01 FFFF 01 FFFF 14", "", 8, true},       // more than there can be
		{"0202 09 01 0002 11", "01AA 02 05 06", 5, true},  // cannot be read without
		{"0202 09 01 0002 11", "01AA 02 05", 5, false},    // cannot be told yet
		{"0202 09 01 0002 11", "01AA 05 06 FF", 4, false}, // read without
		{"0202 00 01 FFFF 00", "01", 1, true},             // no octets each way: refused when it is read
		{"0202 09 01 0002 11", "", -1, false},
	} {
		d, _, err := axdr.CutTypeDescription(octets(t, c.types))
		require.NoError(t, err)
		require.Equal(t, c.want, d.Counted(octets(t, c.contents), c.size), "%+v", c)
	}
}

// FuzzTypeDescription reads elements one by one, as Expand does all at once.
func FuzzTypeDescription(f *testing.F) {
	f.Add(octets(f, "0202 06 12 0C 0000000A 0001 0000000B 0002"))
	f.Add(octets(f, "0202 11 01 0002 12 06 01 02 0001 0002"))
	f.Add(octets(f, "0202 09 01 0002 11 05 01AA 02 05 06"))
	f.Add(octets(f, "01 FFFF 01 FFFF 11 84 7FFFFFFF 00"))
	f.Add(octets(f, "0202 16 01 3030 00 02 3000"))
	f.Add(octets(f, "01 0000 20 01 00")) // no elements by the description: then the octet is a count
	f.Fuzz(func(t *testing.T, b []byte) {
		d, rest, err := axdr.CutTypeDescription(b)
		if err != nil {
			return
		}
		n, contents, err := axdr.CutLength(rest)
		if err != nil {
			return
		}
		const limit = 4096
		var rows []byte
		count := 0
		counted := d.Counted(contents, n)
		contents = contents[:min(n, len(contents))]
		for len(contents) > 0 && len(rows) < limit {
			var left []byte
			before := len(rows)
			rows, left, err = d.AppendElement(rows, contents, counted, limit)
			if err != nil {
				break
			}
			require.Less(t, len(left), len(contents))
			require.LessOrEqual(t, len(rows)-before, limit)
			_, err := axdr.Parse(rows[before:])
			require.NoError(t, err)
			contents = left
			count++
		}
		whole, parseErr := axdr.Parse(append([]byte{0x13}, b...))
		if parseErr != nil {
			return
		}
		expanded, expandErr := axdr.Expand(nil, whole, limit)
		if expandErr != nil || err != nil && strings.Contains(err.Error(), "largest APDU") {
			return // Expand then tries the other way
		}
		require.NoError(t, err)
		require.Empty(t, contents)
		require.Equal(t, []byte(expanded), append(axdr.AppendArray(nil, count), rows...))
	})
}
