package cosem_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

func TestParseObject(t *testing.T) {
	o, err := cosem.ParseObject(octets(t, "0204 120007 1101 09060100630100FF 0202 0102 0203 0F02 1604 0102 0F01 0F02 0203 0FFF 1600 00 0101 0202 0F01 1601"))
	require.NoError(t, err)
	require.Equal(t, cosem.Object{
		Class: cosem.ProfileGeneric, Version: 1, Instance: obis.Code{1, 0, 99, 1, 0, 255},
		Attributes: []cosem.AttributeAccess{{ID: 2, Mode: cosem.AuthenticatedReadOnly, Selectors: []int8{1, 2}}, {ID: -1}},
		Methods:    []cosem.MethodRight{{ID: 1, Mode: cosem.MethodAccess}},
	}, o)

	// Version 0 has booleans for methods; classes of a manufacturer are kept.
	o, err = cosem.ParseObject(octets(t, "0204 122711 1100 0906000060FFFFFF 0202 0100 0102 0202 0F01 0301 0202 0F02 0300"))
	require.NoError(t, err)
	require.Equal(t, cosem.ClassID(10001), o.Class)
	require.Equal(t, []cosem.MethodRight{{ID: 1, Mode: cosem.MethodAccess}, {ID: 2}}, o.Methods)

	// Without access rights, as selective access 1 gives it; rights of nothing.
	for _, hex := range []string{"0203 120003 1100 09060100010800FF", "0204 120003 1100 09060100010800FF 0200", "0205 120003 1100 09060100010800FF 0203 0100 0100 00 00"} {
		o, err = cosem.ParseObject(octets(t, hex))
		require.NoError(t, err, hex)
		require.Equal(t, cosem.Object{Class: cosem.Register, Instance: obis.Code{1, 0, 1, 8, 0, 255}}, o)
	}
	for hex, want := range map[string]string{
		"00":                                   "object_list: data octet 0: want structure, got null-data",
		"0202 120003 1100":                     "object_list: structure of 2 elements, want class, version, logical name, access rights",
		"0203 120003 1100 09050100010800":      "object_list: logical name of 5 octets, want 6",
		"0203 0FFF 1100 09060100010800FF":      "object_list: class -1, want 0 to 65535",
		"0203 120003 1100 09060100010800FF 00": "object_list: 1 octets after the end of the element",
	} {
		_, err := cosem.ParseObject(octets(t, hex))
		require.EqualError(t, err, want, hex)
	}
}

func TestReadable(t *testing.T) {
	for mode, want := range []bool{false, true, false, true, true, true, true, true} {
		require.Equal(t, want, cosem.AccessMode(mode).Readable(), "%d", mode)
	}
}

// The element of a recorded list of version 0 begins like the first.
func TestShortName(t *testing.T) {
	for hex, want := range map[string]cosem.ShortName{
		"0204 106200 120003 1100 09060100010800FF": {Base: 0x6200, Class: cosem.Register, Instance: obis.Code{1, 0, 1, 8, 0, 255}},
		"0204 10FA00 12000C 1103 09060000280000FF": {Base: 0xFA00, Class: cosem.AssociationSN, Version: 3, Instance: obis.Code{0, 0, 40, 0, 0, 255}},
		"0204 108008 122715 1100 09060100600100FF": {Base: 0x8008, Class: 10005, Instance: obis.Code{1, 0, 96, 1, 0, 255}},
	} {
		b := octets(t, hex)
		n, err := cosem.ParseShortName(b)
		require.NoError(t, err)
		require.Equal(t, want, n)
		require.Equal(t, b, n.Append(nil))
		for i := range b {
			_, err := cosem.ParseShortName(b[:i])
			require.Error(t, err, "%d octets", i)
		}
	}
	// Base names without a sign, as some meters write them.
	n, err := cosem.ParseShortName(octets(t, "0204 12FA00 12000C 1103 09060000280000FF"))
	require.NoError(t, err)
	require.Equal(t, cosem.BaseAssociationSN, n.Base)
	for hex, want := range map[string]string{
		"0203 106200 120003 1100":                       "object_list: structure of 3 elements, want base name, class, version, logical name",
		"0204 0600010000 120003 1100 09060100010800FF":  "object_list: base name 65536, want -32768 to 65535",
		"0204 106200 120003 1100 090501000108FF":        "object_list: logical name of 5 octets, want 6",
		"0204 106200 120003 1100 09060100010800FF 0F00": "object_list: 2 octets after the end of the element",
	} {
		_, err := cosem.ParseShortName(octets(t, hex))
		require.EqualError(t, err, want, hex)
	}
	for id, want := range map[int8]uint16{1: 0x6200, 2: 0x6208, 3: 0x6210, 127: 0x65F0} {
		name, ok := cosem.ShortName{Base: 0x6200}.Attribute(id)
		require.True(t, ok)
		require.Equal(t, want, name)
	}
	for _, n := range []struct {
		base uint16
		id   int8
	}{{0x6200, 0}, {0x6200, -1}, {0xFFF8, 3}} {
		_, ok := cosem.ShortName{Base: n.base}.Attribute(n.id)
		require.False(t, ok, "%v", n)
	}
}

func TestShortNames(t *testing.T) {
	code := func(c byte) obis.Code { return obis.Code{1, 0, c, 8, 0, 255} }
	list := []cosem.ShortName{
		{Base: 0x9000, Class: cosem.Register, Instance: code(3)},
		{Base: 0x6200, Class: cosem.Register, Instance: code(1)},
		{Base: 0x7000, Class: cosem.DemandRegister, Instance: code(1)},
		{Base: 0x6200, Class: cosem.Register, Instance: code(1)},
		{Base: 0x0100, Class: cosem.Clock, Version: 1, Instance: obis.Code{0, 0, 1, 0, 0, 255}},
	}
	packed := cosem.PackShortNames(list)
	require.True(t, packed.Valid())
	require.Equal(t, 4, packed.Len())
	require.Equal(t, list[4], packed.At(0))
	require.Equal(t, []cosem.ShortName{list[1], list[2]}, packed.Find(code(1)))
	require.Empty(t, packed.Find(code(2)))
	require.Empty(t, cosem.ShortNames(nil).Find(code(2)))
	name, ok := packed.Name(cosem.Attribute{Class: cosem.DemandRegister, Instance: code(1), ID: 4})
	require.True(t, ok)
	require.Equal(t, uint16(0x7018), name)
	for _, at := range []cosem.Attribute{{Class: cosem.Data, Instance: code(1), ID: 2}, {Class: cosem.Register, Instance: code(1), ID: -2}} {
		_, ok := packed.Name(at)
		require.False(t, ok, "%v", at)
	}
	// Four attributes further on another object begins.
	near := cosem.PackShortNames([]cosem.ShortName{list[1], {Base: 0x6220, Class: cosem.Register, Instance: code(9)}})
	for id, want := range map[int8]bool{1: true, 4: true, 5: false, 6: false} {
		_, ok := near.Name(cosem.Attribute{Class: cosem.Register, Instance: code(1), ID: id})
		require.Equal(t, want, ok, "attribute %d", id)
	}
	require.True(t, cosem.ShortNames{}.Valid())
	require.False(t, packed[:12].Valid())
	require.False(t, append(packed[11:22:22], packed[:11]...).Valid())
}

func FuzzObjectLists(f *testing.F) {
	f.Add(octets(f, "0204 120007 1101 09060100630100FF 0202 0102 0203 0F02 1604 0102 0F01 0F02 0203 0FFF 1600 00 0101 0202 0F01 1601"))
	f.Add(octets(f, "0204 10FA00 12000C 1103 09060000280000FF"))
	f.Add(octets(f, "0204 120003 1100 09060100010800FF 0202 01847FFFFFFF 0100"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := cosem.ParseShortName(b); err == nil {
			again, err := cosem.ParseShortName(n.Append(nil))
			require.NoError(t, err)
			require.Equal(t, n, again)
		}
		if o, err := cosem.ParseObject(b); err == nil {
			require.LessOrEqual(t, len(o.Attributes)+len(o.Methods), len(b))
			list, err := axdr.Parse(cosem.AppendObjectList(nil, []cosem.Object{o}))
			require.NoError(t, err)
			element, _ := list.Element(0)
			again, err := cosem.ParseObject(element)
			require.NoError(t, err)
			require.Equal(t, o, again)
		}
	})
}
