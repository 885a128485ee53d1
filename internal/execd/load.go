package execd

import (
	"errors"
	"fmt"
	"reflect"
	"sort"
	"strings"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/plugins/inputs"
)

// KeyRefuser is implemented by inputs whose settings share their names with
// settings Telegraf has for every plugin, which mean nothing here. Each key
// that is refused in the plugin's own table comes with what to do instead.
type KeyRefuser interface {
	RefusedKeys() map[string]string
}

// Load reads a configuration file which holds one [[inputs.NAME]] table, NAME
// being registered with Telegraf's inputs, and returns that input with its
// settings. Keys are matched exactly; ${VAR} is expanded inside string values,
// $$ is a single $.
//
// The error joins one *FileError for each mistake, in the order of the file.
// Init is not called yet.
func Load(file string) (telegraf.Input, error) {
	doc, err := read(file)
	if err != nil {
		return nil, err
	}
	wrong := doc.wrong
	input := doc.decode(wrong)
	for _, m := range wrong.list {
		m.Msg = doc.vars.hide(m.Msg)
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	return input, nil
}

// Init initialises an input that Load made from the file. Errors that name
// their place in the file by a method ConfigPath() string, alone or joined,
// become *FileError with that line, in the order of the file.
func Init(input telegraf.Input, file string) error {
	initializer, ok := input.(telegraf.Initializer)
	if !ok {
		return nil
	}
	err := initializer.Init()
	if err == nil {
		return nil
	}
	doc, readErr := read(file)
	if readErr != nil {
		return err
	}
	wrong := &mistakes{file: file}
	for _, e := range flatten(err) {
		out := &FileError{File: file, Msg: doc.vars.hide(e.Error()), Err: e}
		var located interface{ ConfigPath() string }
		if errors.As(e, &located) {
			out.Line = doc.lines.line(doc.pluginPath() + "." + located.ConfigPath())
			if located.ConfigPath() == "" {
				out.Line = doc.lines.line(doc.pluginPath())
			}
		}
		wrong.list = append(wrong.list, out)
	}
	return wrong.err()
}

// SetLogger gives the logger to an input that has a field Log
// telegraf.Logger, as Telegraf does. It is called before Init.
func SetLogger(input telegraf.Input, log telegraf.Logger) {
	v := reflect.ValueOf(input)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return
	}
	field := v.Elem().FieldByName("Log")
	if field.IsValid() && field.CanSet() && reflect.TypeOf(log).AssignableTo(field.Type()) {
		field.Set(reflect.ValueOf(log))
	}
}

// flatten returns the parts of a joined error, or the error itself.
func flatten(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, e := range joined.Unwrap() {
		out = append(out, flatten(e)...)
	}
	return out
}

// pluginPath returns the path of the first plugin table.
func (doc *document) pluginPath() string {
	tables, _ := doc.tree["inputs"].(map[string]any)
	for name := range tables {
		if path := indexPath(joinPath("inputs", name), 0); doc.lines.has(path) {
			return path
		}
	}
	return "inputs"
}

// decode finds the one plugin table and decodes it into a new input.
func (doc *document) decode(wrong *mistakes) telegraf.Input {
	doc.strays(wrong)
	tables, ok := doc.tree["inputs"].(map[string]any)
	if !ok {
		if _, any := doc.tree["inputs"]; any || len(wrong.list) == 0 {
			wrong.add(doc.lines.line("inputs"), "no table %s", ownTables())
		}
		return nil
	}
	var input telegraf.Input
	first := ""
	names := sortedKeys(tables)
	sort.SliceStable(names, func(i, j int) bool {
		return doc.lines.line(joinPath("inputs", names[i])) < doc.lines.line(joinPath("inputs", names[j]))
	})
	for _, name := range names {
		path := joinPath("inputs", name)
		creator, known := inputs.Inputs[name]
		if !known {
			wrong.add(doc.lines.line(path), "%s", unknownPlugin(name))
			continue
		}
		list, ok := tablesOf(tables[name])
		if !ok {
			doc.notArray(wrong, name, tables[name])
			continue
		}
		for i, table := range list {
			at := indexPath(path, i)
			if first != "" {
				wrong.add(doc.lines.line(at), "a second plugin table [[inputs.%s]]: put its [[inputs.%s.request]] tables into the first, line %d", name, name, doc.lines.line(first))
				continue
			}
			first = at
			input = creator()
			d := &decoder{lines: doc.lines, wrong: wrong}
			if r, ok := input.(KeyRefuser); ok {
				d.refused = r.RefusedKeys()
			}
			d.input(input, table, at)
		}
	}
	if first == "" && len(wrong.list) == 0 {
		wrong.add(0, "no table %s", ownTables())
	}
	return input
}

// strays reports what stands beside the table inputs.
func (doc *document) strays(wrong *mistakes) {
	own := ownTables()
	for _, key := range sortedKeys(doc.tree) {
		if key == "inputs" {
			continue
		}
		line := doc.lines.line(joinPath("", key))
		if name, ok := ownerOf(key); ok {
			if _, tables := tablesOf(doc.tree[key]); tables {
				wrong.add(line, "[[%s]] has to be [[inputs.%s.%s]], below [[inputs.%s]]", key, name, key, name)
			} else {
				wrong.add(line, "the key %q has to stand below [[inputs.%s]]", key, name)
			}
			continue
		}
		if s := Suggest(key, []string{"inputs"}); s != "" {
			wrong.add(line, "unknown table %q; did you mean %s?", key, own)
			continue
		}
		wrong.add(line, "%s does not belong here: this file holds only the table %s and what is below it; the rest belongs in Telegraf's own configuration",
			shown(key, doc.tree[key]), own)
	}
}

// ownerOf returns the input that has a setting of that name.
func ownerOf(key string) (name string, ok bool) {
	for _, name := range registered() {
		t := reflect.TypeOf(inputs.Inputs[name]())
		if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
			continue
		}
		if _, ok := fieldsOf(t.Elem())[key]; ok {
			return name, true
		}
	}
	return "", false
}

// notArray reports a plugin table in single brackets, or one that is not there
// although tables below it are.
func (doc *document) notArray(wrong *mistakes, name string, value any) {
	line := doc.lines.line(joinPath("inputs", name))
	if table, ok := value.(map[string]any); ok && len(table) > 0 {
		below := true
		for _, v := range table {
			_, one := v.(map[string]any)
			_, many := tablesOf(v)
			below = below && (one || many)
		}
		if below && !doc.lines.opened[joinPath("inputs", name)] {
			wrong.add(line, "the line [[inputs.%s]] is missing above this one", name)
			return
		}
	}
	wrong.add(line, "inputs.%s must be an array of tables: write [[inputs.%s]] with double brackets", name, name)
}

// unknownPlugin says what to do about a plugin this program does not have.
func unknownPlugin(name string) string {
	if s := Suggest(name, registered()); s != "" {
		return fmt.Sprintf("unknown plugin %q; did you mean [[inputs.%s]]?", name, s)
	}
	return fmt.Sprintf("[[inputs.%s]] does not belong here: this program has %s, and inputs of Telegraf belong in Telegraf's own configuration", name, ownTables())
}

// registered returns the names of the inputs this program has.
func registered() []string {
	names := make([]string, 0, len(inputs.Inputs))
	for name := range inputs.Inputs {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func ownTables() string {
	names := registered()
	for i, name := range names {
		names[i] = "[[inputs." + name + "]]"
	}
	return strings.Join(names, " or ")
}

// shown writes a top-level key as the file has it.
func shown(key string, value any) string {
	switch value := value.(type) {
	case map[string]any:
		for _, sub := range sortedKeys(value) {
			if list, ok := tablesOf(value[sub]); ok && len(list) > 0 {
				return fmt.Sprintf("[[%s.%s]]", key, sub)
			}
		}
		return fmt.Sprintf("[%s]", key)
	case []map[string]any:
		return fmt.Sprintf("[[%s]]", key)
	default:
		return fmt.Sprintf("the key %q", key)
	}
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// tablesOf returns an array of tables in either of its notations.
func tablesOf(value any) ([]map[string]any, bool) {
	switch value := value.(type) {
	case []map[string]any:
		return value, true
	case []any:
		out := make([]map[string]any, 0, len(value))
		for _, e := range value {
			table, ok := e.(map[string]any)
			if !ok {
				return nil, false
			}
			out = append(out, table)
		}
		return out, true
	default:
		return nil, false
	}
}
