package preset

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/require"
)

type link struct {
	Client *int `toml:"client_address"`
}

type item struct {
	Name      string `toml:"name"`
	OBIS      string `toml:"obis"`
	Class     int    `toml:"class"`
	Attribute int    `toml:"attribute"`
	BaseName  *int   `toml:"base_name"`
}

var builtin = fstest.MapFS{
	"old.toml": {Data: []byte("[match]\nlogical_device_name = \"LGZ*\"\n[link]\nclient_address = 32\n[[item]]\nname = \"a\"\nobis = \"1.0.1.8.0.255\"\n")},
	"x.toml":   {Data: []byte("[[item]]\nobis = \"1.0.1.8.0.255\"\n")},
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mine.toml"), []byte("[[item]]\nname = \"mine\"\n"), 0o600))
	f, err := Load[link, item]("mine.toml", dir, builtin)
	require.NoError(t, err)
	require.Equal(t, []item{{Name: "mine"}}, f.Item)
	f, err = Load[link, item](filepath.Join(dir, "mine.toml"), "elsewhere", nil)
	require.NoError(t, err)
	require.Len(t, f.Item, 1)
	f, err = Load[link, item]("old", dir, builtin)
	require.NoError(t, err)
	require.Equal(t, Match{LogicalDeviceName: "LGZ*"}, f.Match)
	require.Equal(t, 32, *f.Link.Client)
	// A user's own file comes before ours.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "old"), []byte("[[item]]\nname = \"own\"\n"), 0o600))
	f, err = Load[link, item]("old", dir, builtin)
	require.NoError(t, err)
	require.Equal(t, "own", f.Item[0].Name)
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "p.toml")
	for text, want := range map[string]string{
		"[[item]]\nname = 1\n":                    file + ": toml: line 2",
		"[[item]]\nnam = \"x\"\n":                 file + ": unknown key item.nam",
		"[links]\n":                               file + ": unknown key links",
		"[link]\nclient_address = 1\n":            file + ": it has no [[item]]",
		"[[item]\n":                               file + ":2: ",
		"\xff\xfe":                                file,
		"[[item]]\n[match]\nsystem_title = \"[\"": file + `: match: "[" is no glob`,
		"[[item]]\n[match]\nmaker = \"LG\"":       file + `: match: maker "LG": a code of 3 letters is expected`,
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err := Load[link, item]("p.toml", dir, builtin)
		require.ErrorContains(t, err, want, "%q", text)
	}
	_, err := Load[link, item]("none.toml", dir, builtin)
	require.EqualError(t, err, "there is no file "+filepath.Join(dir, "none.toml"))
	_, err = Load[link, item]("none", dir, builtin)
	require.EqualError(t, err, "there is no file "+filepath.Join(dir, "none")+`, and no preset "none": there is old, x`)
	require.NoError(t, os.WriteFile(file, make([]byte, largest+1), 0o600))
	_, err = Load[link, item]("p.toml", dir, builtin)
	require.ErrorContains(t, err, "too many for a preset")
}

func TestDiffers(t *testing.T) {
	m := Match{LogicalDeviceName: "LGZ*", SystemTitle: "4c475a*"}
	require.Empty(t, m.Differs("LGZ51282380", "4C475A0011223344"))
	require.Empty(t, m.Differs("", ""))
	require.Equal(t, `its logical device name is "ISK1", not "LGZ*"`, m.Differs("ISK1", ""))
	require.Equal(t, `its system title is "49534B", not "4C475A*"`, m.Differs("", "49534b"))
	require.Empty(t, Match{}.Differs("x", "y"))
	m = Match{Maker: "LGZ"}
	require.Empty(t, m.Differs("LGZ51282380", ""))
	require.Equal(t, `its maker is "ISK", not "LGZ"`, m.Differs("ISK1", ""))
	require.Equal(t, `its maker is "I", not "LGZ"`, m.Differs("I", ""))
}

func TestChoose(t *testing.T) {
	names := []string{"energy_import", "energy_export", "power"}
	for _, c := range []struct {
		globs  []string
		chosen []bool
		idle   []string
	}{
		{nil, []bool{true, true, true}, nil},
		{[]string{"energy_*"}, []bool{true, true, false}, nil},
		{[]string{"power", "gas*"}, []bool{false, false, true}, []string{"gas*"}},
	} {
		chosen, idle, err := Choose(names, c.globs)
		require.NoError(t, err)
		require.Equal(t, c.chosen, chosen)
		require.Equal(t, c.idle, idle)
	}
	_, _, err := Choose(names, []string{"["})
	require.ErrorContains(t, err, `"[" is no glob`)
}

func TestWrite(t *testing.T) {
	base := uint16(0x9000)
	var b strings.Builder
	require.NoError(t, Write(&b, []string{"made of a meter\nwith a \"name\""}, Match{LogicalDeviceName: "SIM\x01*"}, [][2]string{{"client_address", "32"}}, []Entry{
		{OBIS: "1.0.1.8.0.255", Class: 3, Attribute: 2, Name: "active energy import, total", Remark: "Wh, now 12\n[[item]]"},
		{OBIS: "1.1.1.8.0.255", Class: 3, Attribute: 2, Name: "active energy import, total"},
		{OBIS: "1.0.99.1.0.255", Class: 7, Name: "load profile 1"},
		{OBIS: "1.0.96.128.0.255", Class: 1, Attribute: 3, BaseName: &base, Name: "manufacturer specific"},
		{OBIS: "0.0.96.1.0.255", Class: 1, Attribute: 2, Denied: true, Name: "serial number", Remark: "denied"},
		{OBIS: "0.0.90.0.0.255", Class: 9999},
	}))
	require.Equal(t, `# made of a meter with a "name"

[match]
logical_device_name = "SIM\u0001*"

[link]
client_address = 32

[[item]]
name = "active_energy_import_total"
obis = "1.0.1.8.0.255"
class = 3
# Wh, now 12 [[item]]

[[item]]
name = "active_energy_import_total_2"
obis = "1.1.1.8.0.255"
class = 3

# 1.0.99.1.0.255, class 7: load profile 1

[[item]]
name = "obis_1_0_96_128_0_255"
obis = "1.0.96.128.0.255"
class = 1
attribute = 3
base_name = 0x9000

# 0.0.96.1.0.255, class 1: serial number: denied

# 0.0.90.0.0.255, class 9999: no standard meaning
`, b.String())
	var f File[link, item]
	_, err := toml.Decode(b.String(), &f)
	require.NoError(t, err)
	require.Len(t, f.Item, 3)
	require.Equal(t, 0x9000, *f.Item[2].BaseName)
	require.Error(t, Write(failing{}, nil, Match{}, nil, nil))
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("full") }

// FuzzLoad: a preset from a stranger gives a file or an error, and what is
// written of its items is read again.
func FuzzLoad(f *testing.F) {
	f.Add([]byte("[match]\nlogical_device_name = \"LGZ*\"\n[link]\nclient_address = 32\n[[item]]\nname = \"a\"\nobis = \"1.0.1.8.0.255\"\n"))
	f.Add([]byte("[[item]]\nbase_name = 0x9000\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Load[link, item]("p", "nowhere", fstest.MapFS{"p.toml": {Data: b}})
		if err != nil {
			return
		}
		var list []Entry
		for _, i := range got.Item {
			list = append(list, Entry{OBIS: i.OBIS, Class: uint16(i.Class), Attribute: 2, Name: i.Name, Remark: i.Name})
		}
		var text strings.Builder
		require.NoError(t, Write(&text, []string{got.Match.SystemTitle}, got.Match, nil, list))
		again, err := Load[link, item]("p", "nowhere", fstest.MapFS{"p.toml": {Data: []byte(text.String())}})
		require.NoError(t, err, text.String())
		require.Len(t, again.Item, len(list))
		require.Equal(t, got.Match, again.Match)
	})
}
