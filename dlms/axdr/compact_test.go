package axdr_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

func TestExpand(t *testing.T) {
	for _, c := range []struct{ name, compact, want string }{
		{"rows of two columns", "13 020206 12 0C 0000000A 0001 0000000B 0002", "0102 0202 060000000A 120001 0202 060000000B 120002"},
		{"one simple type", "13 11 03 010203", "0103 1101 1102 1103"},
		{"strings", "13 09 05 02AABB 01CC", "0102 0902AABB 0901CC"},
		{"array of a fixed count inside", "13 0202 11 01 0002 12 0A 01 0001 0002 02 0003 0004", "0102 0202 1101 0102 120001 120002 0202 1102 0102 120003 120004"},
		{"array that repeats its count", "13 0202 11 01 0002 12 06 01 02 0001 0002", "0101 0202 1101 0102 120001 120002"},
		{"nulls beside", "13 0202 00 11 02 0102", "0102 0202 00 1101 0202 00 1102"},
		{"empty", "13 0202 06 12 00", "0100"},
		{"inside of a structure", "0202 1105 13 11 01 07", "0202 1105 0101 1107"},
		{"none at all", "0202 1105 1206", "0202 1105 1206"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := octets(t, c.compact)
			if c.name == "none at all" {
				b = octets(t, "0202 1105 120006")
				c.want = "0202 1105 120006"
			}
			d, err := axdr.Parse(b)
			require.NoError(t, err)
			got, err := axdr.Expand(nil, d, 1000)
			require.NoError(t, err)
			assert.Equal(t, axdr.Data(octets(t, c.want)), got)
			assert.Equal(t, d.HasCompact(), !bytes.Equal(d, got))
			for n := range b {
				_, err := axdr.Parse(b[:n])
				require.Error(t, err)
			}
		})
	}
}

func TestExpandRefuses(t *testing.T) {
	for _, c := range []struct {
		name, compact string
		limit         int
		text          string
	}{
		{"elements without size", "13 00 01 00", 1000, "data octet 3: a compact-array whose elements take no octets"},
		{"empty structures", "13 0200 02 0000", 1000, "data octet 4: a compact-array whose elements take no octets"},
		{"many nulls in an octet", "13 0202 11 01FFFF00 01 00", 1 << 20, "data octet 10: a compact-array whose elements take no octets"},
		{"too much", "13 11 04 01020304", 8, "data octet 3: a compact-array that expands to more than the largest APDU allowed"},
		{"half an element", "13 12 03 000102", 1000, "data octet 5: long-unsigned is cut short: unexpected EOF"},
		{"string over the end", "13 09 02 05AA", 1000, "data octet 3: octet-string is cut short: unexpected EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := axdr.Parse(octets(t, c.compact))
			require.NoError(t, err)
			_, err = axdr.Expand(nil, d, c.limit)
			require.EqualError(t, err, c.text)
		})
	}
	deep := append([]byte{0x13}, bytes.Repeat([]byte{1, 0, 1}, 40)...)
	_, err := axdr.Parse(append(deep, 0x11, 0))
	require.EqualError(t, err, "data octet 97: types of a compact-array nested more than 32 deep")
	wide := []byte{0x13}
	for range 10 {
		wide = append(append(wide, 0x02, 0x7f), bytes.Repeat([]byte{0x11}, 126)...)
	}
	_, err = axdr.Parse(append(wide, 0x11, 0))
	require.ErrorContains(t, err, "a type description of")
}

func TestDeltaTypesAreNoNumbersByThemselves(t *testing.T) {
	for _, b := range []string{"1C01", "1D0001", "1E00000001", "1F01", "200001", "2100000001"} {
		d, err := axdr.Parse(octets(t, b))
		require.NoError(t, err)
		_, ok := d.Int64()
		require.False(t, ok, "a delta without what it adds to is no value")
	}
}

func FuzzExpand(f *testing.F) {
	f.Add(octets(f, "13 0202 11 01 0002 12 06 01 02 0001 0002"))
	f.Add(octets(f, "0202 1105 13 11 01 07"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := axdr.Parse(b)
		if err != nil {
			return
		}
		x, err := axdr.Expand(nil, d, 4096)
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(x), 4096)
		require.False(t, x.HasCompact())
		walk(t, x, 0)
	})
}
