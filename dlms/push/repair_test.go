package push_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/push"
)

// untagged is a structure of a descriptor without tags and a value.
func untagged(class uint16, ln string, attribute byte, value []byte) []byte {
	c := codeOf(ln)
	b := axdr.AppendStructure(nil, 2)
	b = append(b, byte(class>>8), byte(class))
	b = append(append(b, c[:]...), attribute)
	return append(b, value...)
}

// swapped is a code whose tag and length have changed places.
func swapped(ln string) []byte {
	c := codeOf(ln)
	return append([]byte{6, 9}, c[:]...)
}

// egd is a body of the form that Czech meters push.
func egd(n int) []byte {
	var e [][]byte
	for i := range n {
		e = append(e, untagged(3, "1.0."+string([]byte{'1' + byte(i%9)})+".8.0", 2, u32(uint32(i))))
	}
	return str(enum(1), arr(e...))
}

// compact is a compact-array of n structures of code, value, scaler and unit.
func compact(n int) []byte {
	var b []byte
	for i := range n {
		b = append(b, 6, 1, 0, byte(i+1), 8, 0, 255, 0, 0, 0, byte(i), 0, 30)
	}
	return append(axdr.AppendLength([]byte{19, 2, 3, 9, 6, 2, 2, 15, 22}, len(b)), b...)
}

// forms are bodies that are no A-XDR.
var forms = []golden{
	{"untagged descriptors", str(enum(1), arr(
		untagged(1, "0.0.42.0.0", 2, text("EGD")), untagged(40, "0.2.25.9.0", 1, code("0.2.25.9.0")), untagged(70, "0.0.96.3.10", 3, enum(1)), untagged(3, "1.0.1.8.0", 2, u32(7)), untagged(1, "0.0.96.13.0", 2, text("")),
	)), []string{
		"1: enum 1", `2_1_4 0.0.42.0.0.255 class 1: octet-string "EGD"`, "2_3_4 0.0.96.3.10.255 class 70 attribute 3: enum 1",
		"2_4_4 1.0.1.8.0.255 class 3: double-long-unsigned 7", `2_5_4 0.0.96.13.0.255 class 1: octet-string ""`,
	}},
	{"an untagged descriptor alone", untagged(3, "1.0.1.8.0", 2, u32(7)), []string{"4 1.0.1.8.0.255 class 3: double-long-unsigned 7"}},
	{"an untagged descriptor and scaler and unit with it", arr(untagged(3, "1.0.1.8.0", 2, str(u32(7), wh))), []string{"1_4 1.0.1.8.0.255 class 3: double-long-unsigned 7 [0 Wh]"}},
	{"untagged scaler and unit beside the value", arr(untagged(3, "1.0.1.8.0", 2, u32(7)), untagged(3, "1.0.1.8.0", 3, wh)), []string{"1_4 1.0.1.8.0.255 class 3: double-long-unsigned 7 [0 Wh]"}},
	{"untagged and tagged", str(arr(untagged(3, "1.0.1.8.0", 2, u32(7)), str(u16(3), export0, i8(2), u32(8)), str(power, u16(9), watt))), []string{
		"1_1_4 1.0.1.8.0.255 class 3: double-long-unsigned 7", "1_2_4 1.0.2.8.0.255 class 3: double-long-unsigned 8", "1_3_2 1.0.1.7.0.255: long-unsigned 9 [0 W]",
	}},
	{"untagged null", arr(untagged(3, "1.0.1.8.0", 2, null()), untagged(3, "1.0.2.8.0", 2, u32(1))), []string{"2_4 1.0.2.8.0.255 class 3: double-long-unsigned 1"}},
	{"swapped pairs", arr(str(swapped("1.0.1.8.0"), u32(7)), str(swapped("1.0.2.8.0"), u32(8))), []string{"1_2 1.0.1.8.0.255: double-long-unsigned 7", "2_2 1.0.2.8.0.255: double-long-unsigned 8"}},
	{"swapped triples", arr(str(swapped("1.0.1.8.0"), u32(7), wh)), []string{"1_2 1.0.1.8.0.255: double-long-unsigned 7 [0 Wh]"}},
	{"swapped, flat", str(swapped("1.0.1.8.0"), u32(7), wh, swapped("1.0.2.8.0"), u32(8), wh), []string{"2 1.0.1.8.0.255: double-long-unsigned 7 [0 Wh]", "5 1.0.2.8.0.255: double-long-unsigned 8 [0 Wh]"}},
	{"swapped and tagged", str(timeOf, clock(noon), swapped("1.0.1.8.0"), u32(7), export0, u32(8)), []string{
		"2 0.0.1.0.0.255: octet-string 07ea0102050c000000ffc400", "4 1.0.1.8.0.255: double-long-unsigned 7", "6 1.0.2.8.0.255: double-long-unsigned 8",
	}},
	{"swapped in an object list", str(arr(str(u16(3), swapped("1.0.1.8.0"), i8(2), u16(0)), object(4, 3, export0, 2, 0)), u32(7), u32(8)), []string{
		"2 1.0.1.8.0.255 class 3: double-long-unsigned 7", "3 1.0.2.8.0.255 class 3: double-long-unsigned 8",
	}},
	{"untagged and swapped", arr(untagged(3, "1.0.1.8.0", 2, u32(7)), str(swapped("1.0.2.8.0"), u32(8))), []string{"1_4 1.0.1.8.0.255 class 3: double-long-unsigned 7", "2_2 1.0.2.8.0.255: double-long-unsigned 8"}},
}

func TestRepair(t *testing.T) {
	used := new(push.Mapper)
	for i := range forms {
		t.Run(forms[i].name, func(t *testing.T) {
			check(t, used, &forms[i])
			_, shape := mapped(t, used, forms[i].body)
			require.True(t, shape.Repaired)
			for n := range forms[i].body {
				if _, _, err := axdr.Cut(forms[i].body[:n]); err != nil {
					require.Zero(t, push.Length(forms[i].body[:n]), "prefix of %d octets", n)
				}
			}
		})
	}
}

// TestSound: what is A-XDR is not repaired, whatever it looks like.
func TestSound(t *testing.T) {
	for _, body := range [][]byte{
		str(axdr.AppendDoubleLongUnsigned(nil, 0x09010001), u8(1)), // 06 09 01 00 01
		str(null(), axdr.AppendBoolean(nil, true)),
		str(octet(swapped("1.0.1.8.0")...), u32(1)),
		str(octet(untagged(3, "1.0.1.8.0", 2, u32(7))...), u32(1)),
	} {
		_, shape := mapped(t, new(push.Mapper), body)
		require.False(t, shape.Repaired)
		require.Equal(t, shape.Values, shape.Unnamed)
	}
}

// TestNoRepair: what only nearly has one of the forms is not guessed at.
func TestNoRepair(t *testing.T) {
	for name, body := range map[string][]byte{
		"a class that is none":        arr(untagged(2, "1.0.1.8.0", 2, u32(7))),
		"a medium that is none":       arr(untagged(3, "99.0.1.8.0", 2, u32(7))),
		"a billing period":            arr(untagged(3, "1.0.1.8.0.1", 2, u32(7))),
		"an attribute that is none":   arr(untagged(3, "1.0.1.8.0", 99, u32(7))),
		"a value that is none":        arr(untagged(3, "1.0.1.8.0", 2, []byte{0x5A, 1})),
		"swapped, a billing period":   arr(str(swapped("1.0.1.8.0.1"), u32(7))),
		"octets behind it":            append(arr(untagged(3, "1.0.1.8.0", 2, u32(7))), 1),
		"more elements than counted":  append(arr(untagged(3, "1.0.1.8.0", 2, u32(7))), untagged(3, "1.0.1.8.0", 2, u32(7))...),
		"fewer elements than counted": append([]byte{1, 2}, untagged(3, "1.0.1.8.0", 2, u32(7))...),
	} {
		_, err := new(push.Mapper).Map(body, func(*push.Entry) bool { return true })
		require.Error(t, err, name)
		require.False(t, push.Valid(body), name)
	}
}

// TestLengthOfStream: a body ends where it ends, whatever follows.
func TestLengthOfStream(t *testing.T) {
	for _, g := range goldens() {
		stream := slices.Concat(g.body, []byte{0x0F, 0x40, 0, 0, 0, 0}, g.body)
		if d, _, err := axdr.Cut(g.body); err == nil && len(d) < len(g.body) {
			continue // its front is A-XDR by itself
		}
		require.Equal(t, len(g.body), push.Length(stream), g.name)
	}
}

func TestCompact(t *testing.T) {
	got, shape := mapped(t, new(push.Mapper), compact(2))
	require.Equal(t, []string{"1_2 1.0.1.8.0.255: double-long-unsigned 0 [0 Wh]", "2_2 1.0.2.8.0.255: double-long-unsigned 1 [0 Wh]"}, got)
	require.Equal(t, push.Shape{Elements: 2, Types: "ss", Values: 2}, shape)

	// With an array of two columns per row in a profile.
	rows := []byte{19, 2, 2, 25, 6, 2 * (12 + 4)}
	rows = append(noon.Append(rows), 0, 0, 0, 5)
	rows = append(midnight.Append(rows), 0, 0, 0, 6)
	got, _ = mapped(t, new(push.Mapper), str(profile, rows))
	require.Equal(t, []string{
		"2_1_2 1.0.99.1.0.255 index 2: double-long-unsigned 5 row 1 column 2 at 2026-01-02 12:00:00.00 +01:00",
		"2_2_2 1.0.99.1.0.255 index 2: double-long-unsigned 6 row 2 column 2 at 2026-01-02 00:00:00.00 +01:00",
	}, got)

	// What expands to too much, or to no whole elements, is refused.
	for _, bad := range [][]byte{
		{19, 6, 3, 0, 0, 0},
		{19, 0, 2, 0, 0},
	} {
		_, err := new(push.Mapper).Map(bad, func(*push.Entry) bool { return true })
		require.Error(t, err)
		require.False(t, push.Valid(bad))
		require.Equal(t, len(bad), push.Length(bad), "its end is known")
	}
	m := push.Mapper{MaxAPDU: 40}
	_, err := m.Map(compact(3), func(*push.Entry) bool { return true })
	require.Error(t, err)
}

// TestViews: a value is a view, and the body is left as it is.
func TestViews(t *testing.T) {
	for _, g := range goldens() {
		body := bytes.Clone(g.body)
		var m push.Mapper
		_, err := m.Map(body, func(e *push.Entry) bool {
			require.NotEmpty(t, e.Value)
			if !e.Value.HasCompact() && cosem.ClassID(e.Class) != cosem.PushSetup {
				_, err := axdr.Parse(e.Value)
				require.NoError(t, err)
			}
			return true
		})
		require.NoError(t, err)
		require.Equal(t, g.body, body, g.name)
	}
}
