package dlms_cosem

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// A ConfigError is one mistake in the configuration.
type ConfigError struct {
	Path    string // where: "request[1].item[0].obis", counted from 0; the table if the key is missing; "" is the whole table
	Request string // name of the request, or its number if it has none; "" for keys above the first request
	Item    string // name of the item, or its number
	Profile string // likewise, of the profile
	Key     string
	Value   string // as in the file, quotes included; empty for secrets and missing keys
	Msg     string // what is wrong and what is allowed
}

// Error is request "main meter", item "energy": obis = "1.0.x": what is wrong.
func (e *ConfigError) Error() string {
	var where []string
	if e.Request != "" {
		where = append(where, "request "+e.Request)
	}
	if e.Item != "" {
		where = append(where, "item "+e.Item)
	}
	if e.Profile != "" {
		where = append(where, "profile "+e.Profile)
	}
	var b strings.Builder
	if len(where) > 0 {
		b.WriteString(strings.Join(where, ", "))
		b.WriteString(": ")
	}
	if e.Key != "" {
		b.WriteString(e.Key)
		if e.Value != "" {
			b.WriteString(" = ")
			b.WriteString(e.Value)
		}
		b.WriteString(": ")
	}
	b.WriteString(e.Msg)
	return b.String()
}

// ConfigPath is the place in the file, for a host that knows the lines.
func (e *ConfigError) ConfigPath() string { return e.Path }

// problems collects mistakes and warnings.
type problems struct {
	errs     []error
	warnings []string
}

func (p *problems) err() error { return errors.Join(p.errs...) }

// scope is a table of the file in which mistakes are found.
type scope struct {
	p             *problems
	path          string
	request, item string
	profile       string
}

// bad reports a value that is not allowed.
func (s scope) bad(key, value, format string, args ...any) {
	s.report(join(s.path, key), key, value, format, args...)
}

// missing reports a key that is not there.
func (s scope) missing(key, format string, args ...any) {
	s.report(s.path, key, "", format, args...)
}

func (s scope) report(path, key, value, format string, args ...any) {
	s.p.errs = append(s.p.errs, &ConfigError{Path: path, Request: s.request, Item: s.item, Profile: s.profile,
		Key: key, Value: value, Msg: fmt.Sprintf(format, args...)})
}

func (s scope) warn(format string, args ...any) {
	e := ConfigError{Request: s.request, Item: s.item, Profile: s.profile, Msg: fmt.Sprintf(format, args...)}
	s.p.warnings = append(s.p.warnings, e.Error())
}

// oneOf checks a word and reports it with the words allowed. An empty one is
// not set.
func (s scope) oneOf(key, value string, allowed ...string) bool {
	if value == "" {
		return true
	}
	for _, a := range allowed {
		if a == value {
			return true
		}
	}
	quoted := make([]string, len(allowed))
	for i, a := range allowed {
		quoted[i] = strconv.Quote(a)
	}
	last := len(quoted) - 1
	s.bad(key, strconv.Quote(value), "allowed are %s and %s", strings.Join(quoted[:last], ", "), quoted[last])
	return false
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// show is a value of the file for people.
func show(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = show(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	default:
		return fmt.Sprint(v)
	}
}

// valueKeys lists the keys of a table that are no tables themselves, with those
// of the structs embedded in it.
func valueKeys(table reflect.Type) (keys []string) {
	for i := range table.NumField() {
		f := table.Field(i)
		switch {
		case f.Anonymous:
			keys = append(keys, valueKeys(f.Type)...)
		case f.Type.Kind() == reflect.Map || f.Type.Kind() == reflect.Slice:
		default:
			keys = append(keys, f.Tag.Get("toml"))
		}
	}
	return keys
}

// sets reports whether the table has the key.
func (s *Settings) sets(key string) bool {
	v := reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("toml") == key {
			return !v.Field(i).IsZero()
		}
	}
	return false
}
