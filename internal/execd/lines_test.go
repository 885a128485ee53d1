package execd

import (
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/require"
)

func TestLines(t *testing.T) {
	t.Parallel()
	const text = "\ufeff# [[inputs.no]] in a comment\r\n" + // 1
		"[[inputs.x]] # comment\r\n" + // 2
		"  endpoint = \"tcp://a # not a comment\"\n" + // 3
		"  text = \"\"\"\n" + // 4
		"[[inputs.x]]\n" + // 5
		"key = 1 \\\"\"\" still \"\"\"\"\n" + // 6
		"  'literal.key' = '''\n" + // 7
		"a = '\n" + // 8
		"'''''\n" + // 9
		"  \"quoted \\\"\\u00e4\" = 1\n" + // 10
		"  list = [ # comment ]\n" + // 11
		"    \"]\", [1,\n" + // 12
		"    2], {a = 1, b.c = '}'}, # ]\n" + // 13
		"  ] # end\n" + // 14
		"  a.b . c = 1979-05-27 07:32:00\n" + // 15
		"  [[inputs.x.request]]\n" + // 16
		"    name = \"one\"\n" + // 17
		"    [[inputs.x.request.item]]\n" + // 18
		"    obis = \"1\"\n" + // 19
		"    [[inputs.x.request.item]]\n" + // 20
		"    obis = \"2\"\n" + // 21
		"  [[inputs.x.request]]\n" + // 22
		"    [ inputs . x . request . tags ]\n" + // 23
		"    floor = 1\n" + // 24
		"    [[inputs.x.request.item]]\n" + // 25
		"    obis = { a = 1 } # x\n" + // 26
		"[[inputs.x]]\n" + // 27
		"  [[inputs.x.request]]\n" + // 28
		"  name=1\n" // 29
	_, err := toml.Decode(strings.TrimPrefix(text, "\ufeff"), &map[string]any{})
	require.NoError(t, err)
	x := scanLines(text)
	for path, line := range map[string]int{
		"inputs":                                2,
		"inputs.no":                             2, // is not there: what is around it
		"inputs.x":                              2,
		"inputs.x[0]":                           2,
		"inputs.x[0].endpoint":                  3,
		"inputs.x[0].text":                      4,
		`inputs.x[0]."literal.key"`:             7,
		`inputs.x[0]."quoted \"ä"`:              10,
		`inputs.x[0]."another \"].\\"`:          2,
		"inputs.x[0].list":                      11,
		"inputs.x[0].list[0]":                   12,
		"inputs.x[0].list[1][1]":                13,
		"inputs.x[0].list[2].b.c":               13,
		"inputs.x[0].a.b":                       15,
		"inputs.x[0].request[0]":                16,
		"inputs.x[0].request[0].item[0]":        18,
		"inputs.x[0].request[0].item[1].obis":   21,
		"inputs.x[0].request[0].item[1].unit":   20,
		"inputs.x[0].request[1]":                22,
		"inputs.x[0].request[1].tags":           23,
		"inputs.x[0].request[1].tags.floor":     24,
		"inputs.x[0].request[1].item[0]":        25,
		"inputs.x[0].request[1].item[0].obis.a": 26,
		"inputs.x[1]":                           27,
		"inputs.x[1].request[0].name":           29,
		"outputs":                               0,
		"":                                      0,
	} {
		require.Equal(t, line, x.line(path), path)
	}
}

// requireSameKeys proves that the scanner sees the keys the parser sees. Array
// elements and tables that are only implied are not in the parser's list.
func requireSameKeys(t *testing.T, text string) {
	t.Helper()
	md, err := toml.Decode(text, &map[string]any{})
	if err != nil {
		return
	}
	known := map[string]bool{}
	for _, key := range md.Keys() {
		path := ""
		for _, k := range key {
			path = joinPath(path, k)
			known[path] = true
		}
	}
	mine := map[string]bool{}
	lines := strings.Count(text, "\n") + 1
	for path, line := range scanLines(text).at {
		mine[withoutIndices(path)] = true
		require.True(t, line >= 1 && line <= lines, "%s at line %d of %d", path, line, lines)
	}
	require.Equal(t, known, mine)
}

func TestLinesSeeWhatTheParserSees(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"",
		"a = 1",
		"a.b.c = 1\na.d = 2\n",
		"[a.b]\nc = 1\n[a]\nd = 2",
		"[[a]]\n[[a.b]]\nc=1\n[[a.b]]\n[[a]]\n[a.b]\nd = 1",
		"a = [ { b = 1, c = { d = [ { e = 2 } ] } } ]",
		"a = { b.c = 1, 'd' = \"}\", \"e\" = ']' }\nf = 1",
		"\"\" = 1\n'' . x = 2",
		"a = \"\"\"\"\"\"\nb = ''''''\nc = \"\"\"a\"\"\"\"\"\nd = 1",
		"a = \"\\\"\"\nb = '\\'\nc = 1",
		"a = [\n# ]\n1, # ]\n]\nb = 1",
		"a = [[[[[[1]]]]]]\nb = 1",
		"\"a\\tb\\u0041\\U00000042\" = 1",
		"a = 07:32:00 # b = 1\nc = 1979-05-27T07:32:00Z",
	} {
		_, err := toml.Decode(text, &map[string]any{})
		if !strings.HasPrefix(text, "\"\" = 1") {
			require.NoError(t, err, text)
		}
		requireSameKeys(t, text)
	}
}

func FuzzLines(f *testing.F) {
	for _, seed := range []string{
		"[[inputs.x]]\na = \"b\"\n[[inputs.x.request]]\nitem = [{obis='1'}]\n",
		"a = \"\"\"\n\\\"\"\"\"\"\"\nb = '''c'''",
		"[a", "[[a]", "a = [", "a = {", "a = \"", "a = \"\\", "a.", "'", "\"\\u00", "a = {b", "a = {,}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		x := scanLines(text)
		for path := range x.at {
			require.Positive(t, x.line(path))
		}
		if len(text) < 2000 && !strings.HasPrefix(text, "\ufeff") {
			requireSameKeys(t, text)
		}
	})
}

func TestParentPath(t *testing.T) {
	t.Parallel()
	require.Equal(t, "a.b", parentPath("a.b.c"))
	require.Equal(t, "a.b", parentPath("a.b[3]"))
	require.Equal(t, "a", parentPath(`a."b.c[1]\""`))
	require.Empty(t, parentPath("a"))
	require.Equal(t, "x[1][2]", lastKey("a.x[1][2]"))
	require.Equal(t, "x", lastKey("a[0].x"))
	require.Equal(t, "x", lastKey("x"))
}
