package execd

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"github.com/influxdata/telegraf"
)

// Decode sets an input's settings from a tree of values as a TOML parser gives
// them, with the same strictness as Load. The error joins one *FileError, with
// neither file nor line, for each mistake.
func Decode(input telegraf.Input, table map[string]any) error {
	wrong := &mistakes{}
	d := &decoder{lines: &lineIndex{}, wrong: wrong}
	d.input(input, table, "")
	return wrong.err()
}

// decoder sets the fields of a struct from decoded TOML, by their toml tags.
type decoder struct {
	lines   *lineIndex
	wrong   *mistakes
	refused map[string]string // keys not allowed in the outermost table
	around  []level           // tables around the current one, outermost first
}

// level is one table on the way to the current one.
type level struct {
	fields map[string]reflect.StructField
	header string // how the file opens it
}

// place is where a value stands: its path in the file and how a person finds
// it.
type place struct {
	path  string
	where string // `request "main meter", item 2`, "" in the outermost table
}

func (p place) key(k string) place { return place{joinPath(p.path, k), p.where} }

func (d *decoder) add(p place, format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	if p.where != "" {
		msg = p.where + ": " + msg
	}
	d.wrong.add(d.lines.line(p.path), "%s", msg)
}

func (d *decoder) input(input telegraf.Input, table map[string]any, path string) {
	v := reflect.ValueOf(input)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		d.add(place{path: path}, "%T has no settings", input)
		return
	}
	header := withoutIndices(path)
	for _, key := range sortedKeys(table) {
		if hint, ok := d.refused[key]; ok {
			d.add(place{path: joinPath(path, key)}, "%s is not allowed here: %s", key, hint)
		}
	}
	d.table(v.Elem(), table, place{path: path}, header)
}

// fieldsOf returns the settings of a struct by key, those of embedded structs
// included.
func fieldsOf(t reflect.Type) map[string]reflect.StructField {
	out := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(t) {
		tag, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		if !f.IsExported() || tag == "-" || f.Anonymous && tag == "" {
			continue
		}
		if tag == "" {
			tag = f.Name
		}
		out[tag] = f
	}
	return out
}

func (d *decoder) table(dst reflect.Value, src map[string]any, at place, header string) {
	fields := fieldsOf(dst.Type())
	d.around = append(d.around, level{fields, header})
	defer func() { d.around = d.around[:len(d.around)-1] }()
	for _, key := range sortedKeys(src) {
		if _, refused := d.refused[key]; refused && len(d.around) == 1 {
			continue
		}
		f, ok := fields[key]
		if !ok {
			d.add(at.key(key), "unknown key %q%s", key, d.hint(key))
			continue
		}
		d.value(dst.FieldByIndex(f.Index), src[key], at.key(key), key)
	}
}

// hint says what an unknown key was probably meant to be.
func (d *decoder) hint(key string) string {
	here := d.around[len(d.around)-1]
	names := make([]string, 0, len(here.fields))
	for name := range here.fields {
		names = append(names, name)
	}
	sort.Strings(names)
	if s := Suggest(key, names); s != "" {
		return fmt.Sprintf("; did you mean %q?", s)
	}
	for _, name := range names {
		if elem, ok := tableType(here.fields[name].Type); ok {
			if _, ok := fieldsOf(elem)[key]; ok {
				return fmt.Sprintf("; it belongs in a [[%s.%s]] table", here.header, name)
			}
		}
	}
	for i := len(d.around) - 2; i >= 0; i-- {
		if _, ok := d.around[i].fields[key]; ok {
			return fmt.Sprintf("; it belongs in [[%s]], above its first [[%s]]", d.around[i].header, d.around[i+1].header)
		}
	}
	return ""
}

// tableType returns the struct of a slice of structs.
func tableType(t reflect.Type) (reflect.Type, bool) {
	if t.Kind() != reflect.Slice {
		return nil, false
	}
	elem := t.Elem()
	if elem.Kind() == reflect.Pointer {
		elem = elem.Elem()
	}
	return elem, elem.Kind() == reflect.Struct && !isText(elem)
}

func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// value sets one field. Key is its name, with an index if it is an element.
func (d *decoder) value(dst reflect.Value, src any, at place, key string) {
	if _, reported := src.(unset); reported {
		return
	}
	if dst.Kind() == reflect.Pointer {
		if dst.IsNil() {
			dst.Set(reflect.New(dst.Type().Elem()))
		}
		dst = dst.Elem()
	}
	if isText(dst.Type()) {
		d.text(dst, src, at, key)
		return
	}
	switch dst.Kind() {
	case reflect.Interface:
		dst.Set(reflect.ValueOf(src))
	case reflect.Struct:
		table, ok := src.(map[string]any)
		if !ok {
			d.mismatch(at, key, src, "a table")
			return
		}
		d.table(dst, table, at, withoutIndices(at.path))
	case reflect.Slice:
		d.slice(dst, src, at, key)
	case reflect.Map:
		d.mapping(dst, src, at, key)
	default:
		d.scalar(dst, src, at, key)
	}
}

// text sets a field that reads its own text. The value is not shown: it may be
// a secret.
func (d *decoder) text(dst reflect.Value, src any, at place, key string) {
	var s string
	switch src := src.(type) {
	case string:
		s = src
	case int64:
		s = strconv.FormatInt(src, 10)
	default:
		d.add(at, "%s must be a string in quotes, not %s", key, typeName(src))
		return
	}
	u, ok := dst.Addr().Interface().(encoding.TextUnmarshaler)
	if !ok {
		return
	}
	if err := u.UnmarshalText([]byte(s)); err != nil {
		d.add(at, "%s: %s", key, err)
	}
}

func (d *decoder) slice(dst reflect.Value, src any, at place, key string) {
	if _, ok := tableType(dst.Type()); ok {
		tables, ok := tablesOf(src)
		if !ok {
			d.add(at, "%s must be an array of tables: write [[%s]] with double brackets", key, withoutIndices(at.path))
			return
		}
		out := reflect.MakeSlice(dst.Type(), len(tables), len(tables))
		for i, table := range tables {
			elem := out.Index(i)
			if elem.Kind() == reflect.Pointer {
				elem.Set(reflect.New(elem.Type().Elem()))
				elem = elem.Elem()
			}
			where := element(key, i, table)
			if at.where != "" {
				where = at.where + ", " + where
			}
			d.table(elem, table, place{indexPath(at.path, i), where}, withoutIndices(at.path))
		}
		dst.Set(out)
		return
	}
	list, ok := src.([]any)
	if !ok {
		d.mismatch(at, key, src, "an array")
		return
	}
	out := reflect.MakeSlice(dst.Type(), len(list), len(list))
	for i, e := range list {
		d.value(out.Index(i), e, place{indexPath(at.path, i), at.where}, indexPath(key, i))
	}
	dst.Set(out)
}

// isKey reports whether the current table has a setting of that name.
func (d *decoder) isKey(key string) bool {
	_, ok := d.around[len(d.around)-1].fields[key]
	return ok
}

// element names one table of an array: by its key "name", else by number.
func element(key string, i int, table map[string]any) string {
	if name, ok := table["name"].(string); ok && name != "" {
		return fmt.Sprintf("%s %q", key, name)
	}
	return fmt.Sprintf("%s %d", key, i+1)
}

func (d *decoder) mapping(dst reflect.Value, src any, at place, key string) {
	table, ok := src.(map[string]any)
	if !ok || dst.Type().Key().Kind() != reflect.String {
		d.mismatch(at, key, src, "a table")
		return
	}
	out := reflect.MakeMapWithSize(dst.Type(), len(table))
	for _, k := range sortedKeys(table) {
		if _, isText := table[k].(string); !isText && d.isKey(k) {
			d.add(at.key(k), "%s is a key of [[%s]]: it has to stand above [%s], which takes all lines below it", k, d.around[len(d.around)-1].header, withoutIndices(at.path))
			continue
		}
		elem := reflect.New(dst.Type().Elem()).Elem()
		d.value(elem, table[k], at.key(k), joinPath(key, k))
		out.SetMapIndex(reflect.ValueOf(k).Convert(dst.Type().Key()), elem)
	}
	dst.Set(out)
}

func (d *decoder) scalar(dst reflect.Value, src any, at place, key string) {
	switch kind := dst.Kind(); kind {
	case reflect.String:
		if s, ok := src.(string); ok {
			dst.SetString(s)
			return
		}
		d.mismatch(at, key, src, "a string in quotes")
	case reflect.Bool:
		if b, ok := src.(bool); ok {
			dst.SetBool(b)
			return
		}
		d.mismatch(at, key, src, "true or false")
	case reflect.Float32, reflect.Float64:
		switch n := src.(type) {
		case float64:
			dst.SetFloat(n)
		case int64:
			dst.SetFloat(float64(n))
		default:
			d.mismatch(at, key, src, "a number")
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, ok := src.(int64)
		if !ok {
			d.mismatch(at, key, src, "a whole number")
			return
		}
		if err := setInteger(dst, n); err != nil {
			d.add(at, "%s = %d: %s", key, n, err)
		}
	default:
		d.add(at, "%s cannot be set from a file", key)
	}
}

func setInteger(dst reflect.Value, n int64) error {
	bits := dst.Type().Bits()
	low, high := int64(math.MinInt64)>>(64-bits), int64(math.MaxInt64)>>(64-bits)
	if !dst.CanInt() {
		low, high = 0, math.MaxInt64
		if bits < 64 {
			high = 1<<bits - 1
		}
	}
	switch {
	case n < low || n > high:
		if low == 0 && high == math.MaxInt64 {
			return errors.New("must not be negative")
		}
		return fmt.Errorf("out of range, allowed are %d to %d", low, high)
	case dst.CanInt():
		dst.SetInt(n)
	default:
		dst.SetUint(uint64(n))
	}
	return nil
}

// mismatch reports a value of the wrong type, and shows it if it is short
// enough to stand in a message.
func (d *decoder) mismatch(at place, key string, src any, want string) {
	value := ""
	switch src := src.(type) {
	case string:
		if len(src) <= 64 {
			value = fmt.Sprintf(" = %q", src)
		}
	case bool, int64, float64:
		value = fmt.Sprintf(" = %v", src)
	default:
	}
	d.add(at, "%s%s: must be %s, not %s", key, value, want, typeName(src))
}

func typeName(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case int64:
		return "a whole number"
	case float64:
		return "a number with a fraction"
	case bool:
		return "a boolean"
	case []any:
		return "an array"
	case map[string]any:
		return "a table"
	case []map[string]any:
		return "an array of tables"
	default:
		return "a date or time"
	}
}
