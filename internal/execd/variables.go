package execd

import (
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// variables expands ${NAME} inside string values and remembers what it put
// there, so that no message shows it.
type variables struct {
	lookup func(name string) (string, bool)
	lines  *lineIndex
	wrong  *mistakes
	used   map[string]string // value -> name
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// unset stands in the tree for a string that could not be expanded: it has been
// reported and is not looked at again.
type unset struct{}

// minHidden is the length from which the value of a variable is hidden in
// messages wherever it stands; shorter ones are hidden where they are quoted,
// because "1" stands in many words of a message.
const minHidden = 4

// hide replaces the values of variables in a message by their names.
func (v *variables) hide(msg string) string {
	values := make([]string, 0, len(v.used))
	for value := range v.used {
		values = append(values, value)
	}
	sort.Slice(values, func(i, j int) bool {
		if len(values[i]) != len(values[j]) {
			return len(values[i]) > len(values[j])
		}
		return values[i] < values[j]
	})
	for _, value := range values {
		name := "${" + v.used[value] + "}"
		msg = strings.ReplaceAll(msg, strconv.Quote(value), `"`+name+`"`)
		if len(value) >= minHidden {
			msg = strings.ReplaceAll(msg, value, name)
			if q := strconv.Quote(value); q[1:len(q)-1] != value {
				msg = strings.ReplaceAll(msg, q[1:len(q)-1], name)
			}
		}
	}
	return msg
}

func (v *variables) expandTable(table map[string]any, path string) {
	for key, value := range table {
		table[key] = v.expandValue(value, joinPath(path, key))
	}
}

func (v *variables) expandValue(value any, path string) any {
	switch value := value.(type) {
	case string:
		return v.expand(value, path)
	case map[string]any:
		v.expandTable(value, path)
	case []map[string]any:
		for i, table := range value {
			v.expandTable(table, indexPath(path, i))
		}
	case []any:
		for i, element := range value {
			value[i] = v.expandValue(element, indexPath(path, i))
		}
	default:
	}
	return value
}

// expand resolves ${NAME} and $$ in one string. A $ before anything else is a
// $.
func (v *variables) expand(s, path string) any {
	if !strings.Contains(s, "$") {
		return s
	}
	var out strings.Builder
	ok := true
	for {
		before, after, found := strings.Cut(s, "$")
		out.WriteString(before)
		switch {
		case found:
		case !ok:
			return unset{}
		default:
			return out.String()
		}
		switch {
		case strings.HasPrefix(after, "$"):
			out.WriteByte('$')
			s = after[1:]
		case strings.HasPrefix(after, "{"):
			name, rest, closed := strings.Cut(after[1:], "}")
			if !closed || !variableName.MatchString(name) {
				v.wrong.add(v.lines.line(path), "%s: ${ without the name of a variable and a }; write $$ for a single $", lastKey(path))
				return unset{}
			}
			value, set := v.value(name, path)
			out.WriteString(value)
			ok = ok && set
			s = rest
		default:
			out.WriteByte('$')
			s = after
		}
	}
}

func (v *variables) value(name, path string) (value string, ok bool) {
	value, ok = v.lookup(name)
	if !ok {
		v.wrong.add(v.lines.line(path), "%s: the environment variable %s is not set", lastKey(path), name)
		return "", false
	}
	if value != "" {
		if v.used == nil {
			v.used = map[string]string{}
		}
		v.used[value] = name
	}
	return value, true
}

// lastKey returns the key at the end of a path, with its index if it is an
// element.
func lastKey(path string) string {
	parent := path
	for {
		cut := parentPath(parent)
		if !strings.HasPrefix(parent[len(cut):], "[") {
			return strings.TrimPrefix(path[len(cut):], ".")
		}
		parent = cut
	}
}
