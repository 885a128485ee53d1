package push_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/push"
)

// What bodies are built of.

func str(e ...[]byte) []byte {
	return append(axdr.AppendStructure(nil, len(e)), slices.Concat(e...)...)
}

func arr(e ...[]byte) []byte { return append(axdr.AppendArray(nil, len(e)), slices.Concat(e...)...) }

func code(s string) []byte {
	c := codeOf(s)
	return axdr.AppendOctetString(nil, c[:])
}

// codeOf reads a code; what stands for F is 255 if it is left out.
func codeOf(s string) obis.Code {
	if strings.Count(s, ".") == 4 {
		s += ".255"
	}
	c, err := obis.Parse(s)
	if err != nil {
		panic(err)
	}
	return c
}

func u8(v uint8) []byte      { return axdr.AppendUnsigned(nil, v) }
func u16(v uint16) []byte    { return axdr.AppendLongUnsigned(nil, v) }
func u32(v uint32) []byte    { return axdr.AppendDoubleLongUnsigned(nil, v) }
func i8(v int8) []byte       { return axdr.AppendInteger(nil, v) }
func i16(v int16) []byte     { return axdr.AppendLong(nil, v) }
func enum(v uint8) []byte    { return axdr.AppendEnum(nil, v) }
func text(s string) []byte   { return axdr.AppendOctetString(nil, []byte(s)) }
func ascii(s string) []byte  { return axdr.AppendVisibleString(nil, s) }
func octet(b ...byte) []byte { return axdr.AppendOctetString(nil, b) }
func null() []byte           { return axdr.AppendNull(nil) }

func unit(scaler int8, u cosem.Unit) []byte { return str(i8(scaler), enum(uint8(u))) }

var (
	noon     = axdr.DateTime{Year: 2026, Month: 1, Day: 2, Weekday: 5, Hour: 12, Deviation: -60}
	midnight = axdr.DateTime{Year: 2026, Month: 1, Day: 2, Weekday: 5, Deviation: -60}
)

func clock(t axdr.DateTime) []byte { return octet(t.Append(nil)...) }

// Shorthands for the codes in most of the bodies.
var (
	import0, export0 = code("1.0.1.8.0"), code("1.0.2.8.0")
	power, volts     = code("1.0.1.7.0"), code("1.0.32.7.0")
	timeOf, serial   = code("0.0.1.0.0"), code("0.0.96.1.0")
	profile, setup   = code("1.0.99.1.0"), code("0.1.25.9.0")
	device           = text("ABC0123456")
	wh, watt, volt   = unit(0, cosem.UnitWattHour), unit(0, cosem.UnitWatt), unit(-1, cosem.UnitVolt)
)

// object is an entry of a push object list of 3, 4 or 6 elements.
func object(columns int, class uint16, ln []byte, attribute int8, index uint16) []byte {
	switch columns {
	case 3:
		return str(u16(class), ln, i8(attribute))
	case 4:
		return str(u16(class), ln, i8(attribute), u16(index))
	default:
		return str(u16(class), ln, i8(attribute), u16(index), str(enum(0), null()), arr())
	}
}

// show is an entry as the tests state it: place, name, value, and then what
// there is of scaler and unit, time, row and item.
func show(e *push.Entry) string {
	var b strings.Builder
	b.WriteString(strings.TrimPrefix(e.Label(), "index_"))
	if e.Named {
		fmt.Fprintf(&b, " %v", e.Code)
		if e.Class != 0 {
			fmt.Fprintf(&b, " class %d", uint16(e.Class))
		}
		if e.Attribute != 2 {
			fmt.Fprintf(&b, " attribute %d", e.Attribute)
		}
	}
	if e.Index != 0 {
		fmt.Fprintf(&b, " index %d", e.Index)
	}
	fmt.Fprintf(&b, ": %v", e.Value)
	if e.HasUnit {
		fmt.Fprintf(&b, " [%d %s]", e.Unit.Scaler, e.Unit.Unit.Symbol())
	}
	if e.Row > 0 {
		fmt.Fprintf(&b, " row %d column %d", e.Row, e.Column)
	}
	if len(e.Time) > 0 {
		t, _ := e.Time.DateTime()
		fmt.Fprintf(&b, " at %v", t)
	}
	if e.Item != nil {
		fmt.Fprintf(&b, " item %v", e.Item.Path)
		if e.Item.HasUnit {
			fmt.Fprintf(&b, " [%d %s]", e.Item.Unit.Scaler, e.Item.Unit.Unit.Symbol())
		}
	}
	return b.String()
}

// golden is a body and what it holds.
type golden struct {
	name string
	body []byte
	want []string
}

// mapped is what a Mapper finds.
func mapped(t testing.TB, m *push.Mapper, body []byte) ([]string, push.Shape) {
	t.Helper()
	var got []string
	shape, err := m.Map(body, func(e *push.Entry) bool {
		got = append(got, show(e))
		return true
	})
	require.NoError(t, err)
	require.Equal(t, len(got), shape.Values)
	return got, shape
}

// check maps a body and holds it to what it should give. A Mapper that has
// mapped something else before gives the same.
func check(t *testing.T, used *push.Mapper, g *golden) {
	t.Helper()
	for _, m := range []*push.Mapper{{}, used} {
		got, _ := mapped(t, m, g.body)
		require.Equal(t, g.want, got)
	}
	require.True(t, push.Valid(g.body))
	require.Equal(t, len(g.body), push.Length(g.body))
	padded := append(slices.Clone(g.body), 0, 0, 0, 0, 0, 0, 0)
	got, _ := mapped(t, used, padded)
	require.Equal(t, g.want, got, "zero padding")
	require.Equal(t, len(g.body), push.Length(padded), "zero padding")

	for i := range g.body {
		n := push.Length(g.body[:i])
		if d, rest, err := axdr.Cut(g.body[:i]); err == nil {
			require.True(t, n == len(d), "a prefix of %d octets is complete: %v, and %x", i, d, rest)
		} else {
			require.LessOrEqual(t, n, 0, "prefix of %d octets", i)
		}
		ignoring(used, g.body[:i])
	}
	b := slices.Clone(g.body)
	for i := range b {
		for _, c := range []byte{0, 1, 2, 6, 9, 0x12, 0x7F, 0x80, 0x84, 0xFF, b[i] + 1, b[i] - 1, b[i] ^ 0x80} {
			was := b[i]
			b[i] = c
			ignoring(used, b)
			if n := push.Length(b); n > len(b) {
				require.Fail(t, "more octets than there are")
			}
			b[i] = was
		}
	}
}

// ignoring maps what may be broken.
func ignoring(m *push.Mapper, body []byte) {
	_, _ = m.Map(body, func(e *push.Entry) bool { return len(e.Path) > 0 })
}

func TestMap(t *testing.T) {
	used := new(push.Mapper)
	for _, group := range [][]golden{pairs, triples, flats, classes, positions, mixtures, objectLists, wholes, profiles, odd, broken} {
		for i := range group {
			g := &group[i]
			t.Run(g.name, func(t *testing.T) { check(t, used, g) })
		}
	}
}

// TestNamesAreUnique: a golden is found by its name.
func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range goldens() {
		require.False(t, seen[g.name], g.name)
		seen[g.name] = true
	}
}

func goldens() []golden {
	return slices.Concat(pairs, triples, flats, classes, positions, mixtures, objectLists, wholes, profiles, odd, broken, forms)
}

func TestNested(t *testing.T) {
	body := str(import0, u32(7), wh)
	want := "2"
	for range 10 {
		body = arr(body)
		want = "1." + want
	}
	got, _ := mapped(t, new(push.Mapper), body)
	require.Equal(t, []string{strings.ReplaceAll(want, ".", "_") + " 1.0.1.8.0.255: double-long-unsigned 7 [0 Wh]"}, got)
	for range axdr.MaxDepth {
		body = arr(body)
	}
	_, err := new(push.Mapper).Map(body, func(*push.Entry) bool { return true })
	var e *push.BodyError
	require.ErrorAs(t, err, &e)
}

func TestHeartbeat(t *testing.T) {
	for _, body := range [][]byte{null(), str(), arr(), str(null()), arr(str(), str()), {0xFF}, str(null(), null(), []byte{0xFF}), str(setup)} {
		got, shape := mapped(t, new(push.Mapper), body)
		require.Empty(t, got)
		require.Zero(t, shape.Values)
		require.Equal(t, len(body), push.Length(body))
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		body []byte
		want string
		cut  bool
	}{
		{nil, "the body of the push: ", true},
		{str(import0, u32(1))[:9], "the body of the push: ", true},
		{[]byte{0x5A}, "0x5a", false},
		{append(str(import0, u32(1)), 0, 7), "1 octets behind its end, at octet 16", false},
	} {
		_, err := new(push.Mapper).Map(c.body, func(*push.Entry) bool { return true })
		var e *push.BodyError
		require.ErrorAs(t, err, &e)
		require.ErrorContains(t, err, c.want)
		if c.cut {
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.Zero(t, push.Length(c.body))
		}
		require.False(t, push.Valid(c.body))
	}
	require.Equal(t, -1, push.Length([]byte{0x5A}))
}

func TestStop(t *testing.T) {
	for _, g := range goldens() {
		for n := range g.want {
			var got []string
			m := push.Mapper{}
			shape, err := m.Map(g.body, func(e *push.Entry) bool {
				got = append(got, show(e))
				return len(got) <= n
			})
			require.NoError(t, err)
			require.Equal(t, g.want[:n+1], got, g.name)
			require.Equal(t, n+1, shape.Values, g.name)
		}
	}
}

func TestShape(t *testing.T) {
	for _, c := range []struct {
		body []byte
		want push.Shape
	}{
		{u32(1), push.Shape{Elements: 1, Types: "u", Values: 1, Unnamed: 1}},
		{str(text("KFM_001"), u32(1), i8(1), timeOf, axdr.AppendDateTime(nil, noon), axdr.AppendFloat32(nil, 1), ascii("x"), axdr.AppendBoolean(nil, true), enum(1), null(), arr(), str(), axdr.AppendBitString(nil, []byte{1}, 8)),
			push.Shape{Elements: 13, Leading: "KFM_001", Types: "ouiodftbenasx", Values: 9, Unnamed: 8}},
		{str(import0, u32(1)), push.Shape{Elements: 2, Types: "ou", Values: 1, First: codeOf("1.0.1.8.0")}},
		{str(text("KFM_01"), u32(1)), push.Shape{Elements: 2, Leading: "KFM_01", Types: "ou", Values: 2, Unnamed: 2}},
		{str(octet(0x41, 1, 2, 3, 4, 5), u32(1)), push.Shape{Elements: 2, Types: "ou", Values: 2, Unnamed: 2}},
		{arr(), push.Shape{}},
	} {
		_, shape := mapped(t, new(push.Mapper), c.body)
		require.Equal(t, c.want, shape)
	}
	long := make([][]byte, 300)
	for i := range long {
		long[i] = u8(1)
	}
	_, shape := mapped(t, new(push.Mapper), str(long...))
	require.Equal(t, 300, shape.Elements)
	require.Len(t, shape.Types, 256)
}

func TestTypeLetter(t *testing.T) {
	for tag := range 256 {
		require.Contains(t, "nasbiuoteftdx", string(push.TypeLetter(axdr.Tag(tag))))
	}
}

// lists of the kind that presets state.
var kaifa = &push.List{
	Elements: 4, Types: "oouu", Leading: "KFM_*",
	Items: []push.Item{
		{Path: []int{1}, Code: codeOf("1.1.0.2.129")},
		{Path: []int{3}, Code: codeOf("1.0.1.7.0"), Unit: cosem.ScalerUnit{Unit: cosem.UnitWatt}, HasUnit: true},
		{Path: []int{4}, Code: codeOf("1.0.32.7.0"), Attribute: 3, Class: cosem.DemandRegister},
	},
}

func TestLists(t *testing.T) {
	body := str(text("KFM_001"), text("A1"), u32(5), u16(2300))
	named := []string{
		`1 1.1.0.2.129.255: octet-string "KFM_001" item [1]`,
		`2: octet-string "A1"`,
		`3 1.0.1.7.0.255: double-long-unsigned 5 item [3] [0 W]`,
		`4 1.0.32.7.0.255 class 5 attribute 3: long-unsigned 2300 item [4]`,
	}
	m := push.Mapper{Lists: []*push.List{{Elements: 3}, {Types: "oou"}, {Types: "oouo"}, {Leading: "KFM"}, {Leading: "["}, {First: codeOf("1.0.1.8.0")}, kaifa, {}}}
	got, shape := mapped(t, &m, body)
	require.Equal(t, named, got)
	require.Same(t, kaifa, shape.List)
	require.Equal(t, 1, shape.Unnamed)

	for _, l := range []push.List{{}, {Types: "????"}, {Types: "?ou?"}, {Elements: 4}, {Leading: "KFM_???"}, {Leading: "KFM_001"}} {
		l.Items = kaifa.Items
		got, _ = mapped(t, &push.Mapper{Lists: []*push.List{&l}}, body)
		require.Equal(t, named, got, l)
	}
	for _, wrong := range [][]byte{
		str(text("KFM_001"), text("A1"), u32(5)),
		str(text("KFM_001"), text("A1"), u32(5), u16(2300), null()),
		str(text("KFM_001"), text("A1"), u32(5), text("x")),
		str(text("KAM_001"), text("A1"), u32(5), u16(2300)),
		str(octet(1, 2), text("A1"), u32(5), u16(2300)),
	} {
		_, shape = mapped(t, &push.Mapper{Lists: []*push.List{kaifa}}, wrong)
		require.Nil(t, shape.List)
		require.Equal(t, shape.Values, shape.Unnamed)
	}
}

// TestListsByCode: of codes that are told, a list gives scaler and unit.
func TestListsByCode(t *testing.T) {
	l := &push.List{First: codeOf("1.0.1.7.0"), Items: []push.Item{
		{Code: codeOf("1.0.1.7.0"), Unit: cosem.ScalerUnit{Scaler: 1, Unit: cosem.UnitWatt}, HasUnit: true},
		{Code: codeOf("1.0.32.7.0"), Attribute: 3},
	}}
	got, shape := mapped(t, &push.Mapper{Lists: []*push.List{l}}, str(power, u32(5), volts, u16(2300)))
	require.Equal(t, []string{"2 1.0.1.7.0.255: double-long-unsigned 5 item [] [1 W]", "4 1.0.32.7.0.255: long-unsigned 2300"}, got)
	require.Same(t, l, shape.List)
}

// TestListsPaths: a path leads into lists inside.
func TestListsPaths(t *testing.T) {
	l := &push.List{Elements: 3, Items: []push.Item{
		{Path: []int{3, 1}, Code: codeOf("1.0.1.8.0")},
		{Path: []int{3, 2, 2}, Code: codeOf("1.0.2.8.0")},
		{Path: []int{3}, Code: codeOf("1.0.3.8.0")},
		{Path: []int{4}, Code: codeOf("1.0.4.8.0")},
	}}
	got, _ := mapped(t, &push.Mapper{Lists: []*push.List{l}}, str(u8(1), u8(2), str(u32(3), arr(u32(4), u32(5)))))
	require.Equal(t, []string{
		"1: unsigned 1", "2: unsigned 2",
		"3_1 1.0.1.8.0.255: double-long-unsigned 3 item [3 1]",
		"3_2_1: double-long-unsigned 4",
		"3_2_2 1.0.2.8.0.255: double-long-unsigned 5 item [3 2 2]",
	}, got)
}

// steady are bodies of some thirty values.
func steady() map[string][]byte {
	var structures, flat, list [][]byte
	entries := make([][]byte, 0, 30)
	for i := range byte(30) {
		c := octet(1, 0, i+1, 8, 0, 255)
		structures = append(structures, str(c, u32(uint32(i)), wh))
		flat = append(flat, c, u32(uint32(i)))
		entries = append(entries, object(6, 3, c, 2, 0))
		list = append(list, u32(uint32(i)))
	}
	return map[string][]byte{
		"structures":  arr(structures...),
		"flat":        str(append([][]byte{text("KFM_001")}, flat...)...),
		"object list": str(append([][]byte{arr(entries...)}, list...)...),
		"positions":   str(append([][]byte{text("KFM_001")}, list...)...),
		"compact":     compact(30),
		"untagged":    egd(30),
	}
}

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for name, body := range steady() {
		if name == "untagged" {
			continue // that it is no A-XDR is an error first
		}
		var m push.Mapper
		n := 0
		count := func(*push.Entry) bool { n++; return true }
		_, err := m.Map(body, count)
		require.NoError(t, err)
		require.GreaterOrEqual(t, n, 30, name)
		require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = m.Map(body, count) }), name)
	}
}

func BenchmarkMap(b *testing.B) {
	for name, body := range steady() {
		b.Run(name, func(b *testing.B) {
			var m push.Mapper
			n := 0
			count := func(*push.Entry) bool { n++; return true }
			b.ReportAllocs()
			for b.Loop() {
				_, _ = m.Map(body, count)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/value")
		})
	}
}
