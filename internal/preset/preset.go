// Package preset reads and writes preset files: what is known about a kind of
// meter, as tables that requests can use.
//
//	[match]                              # which meters it is for; all keys optional
//	maker = "LGZ"                        # of the logical device name
//	logical_device_name = "LGZ5*"        # a glob
//	system_title = "4C475A*"             # likewise, of the hexadecimal digits
//
//	[link]                               # keys of a request, as defaults
//	client_address = 32
//
//	[[item]]                             # as in a request
//	name = "active_energy_import_total"
//	obis = "1.0.1.8.0.255"
//
//	[[list]]                             # pushes that do not say what their values are
//	leading = "KFM_001"                  # all that is stated must fit; see List
//	elements = 13
//	[[list.item]]
//	index = 4                            # the place of the value, from 1
//	obis = "1.0.1.7.0.255"
//
//	[events."0.0.99.98.0.255"]           # what the codes in an event log mean; "any" is for all others
//	1 = "power down"
package preset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// Match says which meters a preset is for. An empty text is for all.
type Match struct {
	Maker             string `toml:"maker"` // FLAG code of three letters, with which the name begins
	LogicalDeviceName string `toml:"logical_device_name"`
	SystemTitle       string `toml:"system_title"`
}

// File is a preset: L are the keys of a link, I those of an item.
type File[L, I any] struct {
	Match Match     `toml:"match"`
	Link  L         `toml:"link"`
	Item  []I       `toml:"item"`
	List  []List[I] `toml:"list"`

	// Events are the texts of the codes in event logs, by the OBIS code of the log, or AnyLog.
	Events map[string]map[string]string `toml:"events"`
}

// AnyLog stands for each event log that has no texts of its own.
const AnyLog = "any"

// List says what the values of a push are that does not tell it, or not all of
// it: no OBIS codes, or no scalers. It is for those that fit everything stated.
type List[I any] struct {
	Elements int    `toml:"elements"` // of the outermost list; 0: any number
	Types    string `toml:"types"`    // a letter for the type of each, ? for any
	Leading  string `toml:"leading"`  // a glob for the first element as text
	First    string `toml:"first"`    // the first element, if it is an OBIS code
	Item     []I    `toml:"item"`
	// Automatic says that it is used without its preset being named. By default
	// it is, if its first element tells which list it is.
	Automatic *bool `toml:"automatic"`
}

// Auto reports whether the list is used without its preset being named.
func (l *List[I]) Auto() bool {
	if l.Automatic != nil {
		return *l.Automatic
	}
	return l.Leading != "" || l.First != ""
}

// Load reads the preset of that name: a file, given absolutely or relative to
// dir; else one of builtin, whose names have no ending. Unknown keys and wrong
// values are errors that name file and line.
func Load[L, I any](name, dir string, builtin fs.FS) (f File[L, I], err error) {
	text, where, err := find(name, dir, builtin)
	if err != nil {
		return f, err
	}
	meta, err := toml.Decode(string(text), &f)
	var syntax toml.ParseError
	switch {
	case errors.As(err, &syntax):
		return f, fmt.Errorf("%s:%d: %s", where, syntax.Position.Line, syntax.Message)
	case err != nil:
		return f, fmt.Errorf("%s: %w", where, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return f, fmt.Errorf("%s: unknown key %.80s", where, unknown[0].String())
	}
	if len(f.Item) == 0 && len(f.List) == 0 && len(f.Events) == 0 {
		return f, fmt.Errorf("%s: it has no [[item]], no [[list]], and no [events]", where)
	}
	for log, texts := range f.Events {
		for code := range texts {
			if n, err := strconv.ParseUint(code, 10, 32); err != nil || code != strconv.FormatUint(n, 10) {
				return f, fmt.Errorf("%s: events.%s: %.40q is no code of an event: a number is expected", where, log, code)
			}
		}
	}
	if m := f.Match.Maker; m != "" && len(m) != makerLetters {
		return f, fmt.Errorf("%s: match: maker %q: a code of %d letters is expected", where, m, makerLetters)
	}
	for _, glob := range []string{f.Match.LogicalDeviceName, f.Match.SystemTitle} {
		if _, err := path.Match(glob, ""); err != nil {
			return f, fmt.Errorf("%s: match: %q is no glob: %w", where, glob, err)
		}
	}
	return f, nil
}

// makerLetters is the length of a maker's FLAG code.
const makerLetters = 3

// largest is how many octets a preset may have.
const largest = 8 << 20

// deepest is how many arrays, tables or parts of keys may be inside each other. A
// parser that recurses cannot be stopped by anything else.
const deepest = 1000

// tooDeep counts brackets wherever they are, and dots of a line.
func tooDeep(text []byte) bool {
	brackets, dots := 0, 0
	for _, c := range text {
		switch c {
		case '[', '{':
			brackets++
		case ']', '}':
			brackets = max(brackets-1, 0)
		case '.':
			dots++
		case '\n':
			dots = 0
		default:
		}
		if brackets > deepest || dots > deepest {
			return true
		}
	}
	return false
}

func find(name, dir string, builtin fs.FS) (text []byte, where string, err error) {
	file := name
	if !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	info, err := os.Stat(file)
	switch {
	case err == nil && info.Size() > largest:
		return nil, "", fmt.Errorf("%s: %d octets are too many for a preset", file, info.Size())
	case err == nil:
		text, err = os.ReadFile(file) //nolint:gosec // the configuration names it
		if err == nil && tooDeep(text) {
			return nil, "", fmt.Errorf("%s: more than %d arrays, tables or keys inside each other: this is no preset", file, deepest)
		}
		return text, file, err
	case !errors.Is(err, fs.ErrNotExist):
		return nil, "", err
	}
	if builtin != nil && !strings.ContainsAny(name, `/\.`) {
		if text, err := fs.ReadFile(builtin, name+".toml"); err == nil {
			return text, "preset " + name, nil
		}
		return nil, "", fmt.Errorf("there is no file %s, and no preset %q: there is %s", file, name, strings.Join(Names(builtin), ", "))
	}
	return nil, "", fmt.Errorf("there is no file %s", file)
}

// Names lists the presets of builtin.
func Names(builtin fs.FS) []string {
	files, err := fs.Glob(builtin, "*.toml")
	if err != nil {
		return nil
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(f, ".toml")
	}
	return files
}

// Differs says in what a meter is not one that the preset is for: its maker or logical
// device name, or its system title in hexadecimal digits, where they are known;
// "" if in nothing.
func (m Match) Differs(name, title string) string {
	maker := name[:min(len(name), makerLetters)]
	for _, c := range []struct{ what, glob, is string }{
		{"maker", m.Maker, maker},
		{"logical device name", m.LogicalDeviceName, name}, {"system title", strings.ToUpper(m.SystemTitle), strings.ToUpper(title)},
	} {
		if c.glob == "" || c.is == "" {
			continue
		}
		if ok, err := path.Match(c.glob, c.is); !ok || err != nil {
			return fmt.Sprintf("its %s is %q, not %q", c.what, c.is, c.glob)
		}
	}
	return ""
}

// Choose returns which of the names one of the globs fits, and globs that fit
// none. No globs choose all.
func Choose(names, globs []string) (chosen []bool, idle []string, err error) {
	chosen = make([]bool, len(names))
	for i := range chosen {
		chosen[i] = len(globs) == 0
	}
	for _, glob := range globs {
		fits := false
		for i, name := range names {
			ok, err := path.Match(glob, name)
			if err != nil {
				return nil, nil, fmt.Errorf("%q is no glob: %w", glob, err)
			}
			fits = fits || ok
			chosen[i] = chosen[i] || ok
		}
		if !fits {
			idle = append(idle, glob)
		}
	}
	return chosen, idle, nil
}
