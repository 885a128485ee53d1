package simmeter

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// table is one table of a file. Each key that is read is remembered; finish
// reports the others.
type table struct {
	name string // what messages call it
	m    map[string]any
	used map[string]bool
	errs *[]error
}

func newTable(name string, m map[string]any, errs *[]error) *table {
	return &table{name: name, m: m, used: map[string]bool{}, errs: errs}
}

func (t *table) fail(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	if t.name != "" {
		err = fmt.Errorf("%s: %w", t.name, err)
	}
	*t.errs = append(*t.errs, err)
}

func (t *table) has(key string) bool {
	_, ok := t.m[key]
	return ok
}

func (t *table) take(key string) (any, bool) {
	v, ok := t.m[key]
	if ok {
		t.used[key] = true
	}
	return v, ok
}

// finish reports the keys that nobody has asked for.
func (t *table) finish() {
	for _, key := range slices.Sorted(maps.Keys(t.m)) {
		if !t.used[key] {
			t.fail("unknown key %q", key)
		}
	}
}

// wrong reports a value of another type.
func (t *table) wrong(key, want string, v any) {
	t.fail("%s: want %s, not %s", key, want, typeName(v))
}

func typeName(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("the text %q", v)
	case bool:
		return fmt.Sprintf("the boolean %t", v)
	case int64:
		return fmt.Sprintf("the number %d", v)
	case float64:
		return fmt.Sprintf("the number %v", v)
	case time.Time:
		return "a date or time"
	case map[string]any:
		return "a table"
	default:
		return "an array"
	}
}

func (t *table) table(key string) (*table, bool) {
	v, ok := t.take(key)
	if !ok {
		return nil, false
	}
	m, ok := v.(map[string]any)
	if !ok {
		t.wrong(key, "a table", v)
		return nil, false
	}
	name := key
	if t.name != "" {
		name = t.name + ", " + key
	}
	return newTable(name, m, t.errs), true
}

// tables is an array of tables; their names are up to the caller.
func (t *table) tables(key string) []*table {
	v, ok := t.take(key)
	if !ok {
		return nil
	}
	var tables []*table
	for _, e := range t.elements(key, v) {
		m, ok := e.(map[string]any)
		if !ok {
			t.wrong(key, "an array of tables, [["+key+"]]", v)
			return nil
		}
		tables = append(tables, newTable(key, m, t.errs))
	}
	return tables
}

// elements of an array, which the decoder gives in one of two types.
func (t *table) elements(key string, v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case []map[string]any:
		elements := make([]any, 0, len(v))
		for _, e := range v {
			elements = append(elements, e)
		}
		return elements
	default:
		t.wrong(key, "an array", v)
		return nil
	}
}

// integer is 0 if the key is absent or wrong.
func (t *table) integer(key string, low, high int64) int64 {
	v, ok := t.take(key)
	if !ok {
		return 0
	}
	n, ok := v.(int64)
	switch {
	case !ok:
		t.wrong(key, "a whole number", v)
		return 0
	case n < low || n > high:
		t.fail("%s = %d: want %d to %d", key, n, low, high)
		return 0
	}
	return n
}

// times is a number of times, -1 for true: always.
func (t *table) times(key string) int {
	v, _ := t.take(key)
	switch v := v.(type) {
	case nil, int64:
		return int(t.integer(key, -1, 1<<30))
	case bool:
		if v {
			return -1
		}
		return 0
	default:
		t.wrong(key, "a number of times or true, which is always", v)
		return 0
	}
}

func (t *table) boolean(key string) bool {
	v, ok := t.take(key)
	if !ok {
		return false
	}
	b, ok := v.(bool)
	if !ok {
		t.wrong(key, "true or false", v)
	}
	return b
}

func (t *table) text(key string) string {
	v, ok := t.take(key)
	if !ok {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		t.wrong(key, "a text", v)
	}
	return s
}

func (t *table) texts(key string) []string {
	v, ok := t.take(key)
	if !ok {
		return nil
	}
	var texts []string
	for _, e := range t.elements(key, v) {
		s, ok := e.(string)
		if !ok {
			t.wrong(key, "an array of texts", e)
			return nil
		}
		texts = append(texts, s)
	}
	return texts
}

// choice is empty if the key is absent or wrong.
func (t *table) choice(key string, allowed ...string) string {
	s := t.text(key)
	if s != "" && !slices.Contains(allowed, s) {
		t.fail("%s = %q: want one of %s", key, s, strings.Join(allowed, ", "))
		return ""
	}
	return s
}

func (t *table) duration(key string) time.Duration {
	s := t.text(key)
	if s == "" {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		t.fail("%s = %q: want a duration such as 20ms", key, s)
	}
	return d
}

func (t *table) octets(key string) []byte {
	b, err := parseHex(t.text(key))
	if err != nil {
		t.fail("%s: %w", key, err)
	}
	return b
}

// addresses is nil if the key is absent, and not nil if it is there.
func (t *table) addresses(key string) []uint16 {
	v, ok := t.take(key)
	if !ok {
		return nil
	}
	addresses := []uint16{}
	for _, e := range t.elements(key, v) {
		n, ok := e.(int64)
		if !ok || n < 0 || n > 0xffff {
			t.wrong(key, "addresses from 0 to 65535", e)
			return addresses
		}
		addresses = append(addresses, uint16(n))
	}
	return addresses
}

// parseHex reads octets in hexadecimal, which blanks may separate.
func parseHex(s string) ([]byte, error) {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		return nil, fmt.Errorf("%q is not a text of octets in hexadecimal", s)
	}
	return b, nil
}
