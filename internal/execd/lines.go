package execd

import (
	"strconv"
	"strings"
)

// maxNesting bounds the nesting of arrays and inline tables the line scanner
// follows. What lies deeper has the line of what holds it.
const maxNesting = 64

// lineIndex tells on which line of a TOML file a key or a table is defined.
//
// Paths are the keys joined by dots, with the index of an element in brackets:
// inputs.dlms_cosem[0].request[1].item[0].obis. Keys which are not bare keys
// of TOML are quoted.
type lineIndex struct {
	at     map[string]int
	opened map[string]bool // tables with a header of their own, arrays of tables excluded
}

// line returns the line of path, or that of the nearest table around it which
// the file has; 0 if there is none.
func (x *lineIndex) line(path string) int {
	for path != "" {
		if n, ok := x.at[path]; ok {
			return n
		}
		path = parentPath(path)
	}
	return 0
}

// has reports whether the file itself has the path.
func (x *lineIndex) has(path string) bool {
	_, ok := x.at[path]
	return ok
}

// joinPath appends a key to a path.
func joinPath(path, key string) string {
	if !bareKey(key) {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// indexPath appends an index to a path.
func indexPath(path string, i int) string {
	return path + "[" + strconv.Itoa(i) + "]"
}

// parentPath cuts the last key or index off a path.
func parentPath(path string) string {
	cut := 0
	for i := 0; i < len(path); i++ {
		switch path[i] {
		case '"':
			for i++; i < len(path) && path[i] != '"'; i++ {
				if path[i] == '\\' {
					i++
				}
			}
		case '.', '[':
			cut = i
		default:
		}
	}
	return path[:cut]
}

func bareKey(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return s != ""
}

// scanLines notes the line of every key and table of a TOML text. The text is
// expected to have passed a TOML parser; with any other it stays in bounds and
// resumes at the next line.
func scanLines(text string) *lineIndex {
	s := &lineScanner{
		text:   strings.TrimPrefix(text, "\ufeff"),
		line:   1,
		index:  &lineIndex{at: map[string]int{}, opened: map[string]bool{}},
		counts: map[string]int{},
	}
	table := ""
	for {
		s.skipSpace(true)
		if s.pos >= len(s.text) {
			return s.index
		}
		if s.text[s.pos] == '[' {
			if t, ok := s.header(); ok {
				table = t
			}
		} else {
			s.assignment(table, 0)
		}
		s.skipLine()
	}
}

type lineScanner struct {
	text   string
	pos    int
	line   int
	index  *lineIndex
	counts map[string]int // elements seen of each array of tables
}

func (s *lineScanner) define(path string) {
	if _, ok := s.index.at[path]; !ok {
		s.index.at[path] = s.line
	}
}

func (s *lineScanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

// next steps over one octet and counts lines.
func (s *lineScanner) next() {
	if s.pos < len(s.text) {
		if s.text[s.pos] == '\n' {
			s.line++
		}
		s.pos++
	}
}

// skipSpace steps over blanks and, if lines is set, over line ends and
// comments.
func (s *lineScanner) skipSpace(lines bool) {
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case c == ' ' || c == '\t' || c == '\r':
			s.pos++
		case lines && c == '\n':
			s.next()
		case lines && c == '#':
			for s.pos < len(s.text) && s.text[s.pos] != '\n' {
				s.pos++
			}
		default:
			return
		}
	}
}

// skipLine steps over the rest of the line, its end included.
func (s *lineScanner) skipLine() {
	for s.pos < len(s.text) && s.text[s.pos] != '\n' {
		s.pos++
	}
	s.next()
}

// header reads [a.b] or [[a.b]] and returns the path of the table it opens.
func (s *lineScanner) header() (path string, ok bool) {
	s.pos++
	array := s.peek() == '['
	if array {
		s.pos++
	}
	keys := s.keys()
	if len(keys) == 0 || s.peek() != ']' {
		return "", false
	}
	for i, key := range keys {
		path = joinPath(path, key)
		s.define(path)
		switch n := s.counts[path]; {
		case array && i == len(keys)-1:
			s.counts[path]++
			path = indexPath(path, n)
			s.define(path)
		case n > 0:
			path = indexPath(path, n-1)
		default:
		}
	}
	if !array {
		s.index.opened[path] = true
	}
	return path, true
}

// assignment reads key = value below the table of that path.
func (s *lineScanner) assignment(path string, depth int) bool {
	keys := s.keys()
	if len(keys) == 0 || s.peek() != '=' {
		return false
	}
	s.pos++
	for _, key := range keys {
		path = joinPath(path, key)
		s.define(path)
	}
	s.skipSpace(false)
	s.value(path, depth)
	return true
}

// keys reads a dotted key and the blanks after it.
func (s *lineScanner) keys() []string {
	var keys []string
	for {
		s.skipSpace(false)
		key, ok := s.key()
		if !ok {
			return nil
		}
		keys = append(keys, key)
		s.skipSpace(false)
		if s.peek() != '.' {
			return keys
		}
		s.pos++
	}
}

func (s *lineScanner) key() (string, bool) {
	start := s.pos
	switch s.peek() {
	case '"':
		s.quoted('"')
		return unescape(s.text[start:s.pos])
	case '\'':
		s.quoted('\'')
		if s.pos-start < 2 {
			return "", false
		}
		return s.text[start+1 : s.pos-1], true
	default:
		for s.pos < len(s.text) && !strings.ContainsRune(" \t\r\n.=[]{},#\"'", rune(s.text[s.pos])) {
			s.pos++
		}
		return s.text[start:s.pos], s.pos > start
	}
}

// value steps over a value and notes the lines of what it holds.
func (s *lineScanner) value(path string, depth int) {
	switch s.peek() {
	case '"', '\'':
		q := s.text[s.pos]
		if triple := strings.Repeat(string(q), 3); strings.HasPrefix(s.text[s.pos:], triple) {
			s.longString(q, triple)
		} else {
			s.quoted(q)
		}
	case '[':
		s.array(path, depth+1)
	case '{':
		s.inlineTable(path, depth+1)
	default:
		for s.pos < len(s.text) && !strings.ContainsRune(",]}#\n", rune(s.text[s.pos])) {
			s.pos++
		}
	}
}

// quoted steps over a string on one line.
func (s *lineScanner) quoted(quote byte) {
	s.pos++
	for s.pos < len(s.text) && s.text[s.pos] != '\n' {
		c := s.text[s.pos]
		s.pos++
		if c == quote {
			return
		}
		if c == '\\' && quote == '"' && s.peek() != '\n' && s.pos < len(s.text) {
			s.pos++
		}
	}
}

// longString steps over a string in triple quotes, which may end in up to two
// quotes of its own.
func (s *lineScanner) longString(quote byte, triple string) {
	s.pos += len(triple)
	for s.pos < len(s.text) {
		switch {
		case s.text[s.pos] == '\\' && quote == '"':
			s.next()
			s.next()
		case strings.HasPrefix(s.text[s.pos:], triple):
			s.pos += len(triple)
			for range 2 {
				if s.peek() == quote {
					s.pos++
				}
			}
			return
		default:
			s.next()
		}
	}
}

func (s *lineScanner) array(path string, depth int) {
	s.pos++
	for i := 0; ; {
		s.skipSpace(true)
		start := s.pos
		switch {
		case s.pos >= len(s.text):
			return
		case s.text[s.pos] == ']':
			s.pos++
			return
		case s.text[s.pos] == ',' || depth > maxNesting:
			s.next()
		default:
			element := indexPath(path, i)
			i++
			s.define(element)
			s.value(element, depth)
			if s.pos == start {
				s.next()
			}
		}
	}
}

func (s *lineScanner) inlineTable(path string, depth int) {
	s.pos++
	for {
		s.skipSpace(true)
		start := s.pos
		switch {
		case s.pos >= len(s.text):
			return
		case s.text[s.pos] == '}':
			s.pos++
			return
		case s.text[s.pos] == ',' || depth > maxNesting:
			s.next()
		default:
			if !s.assignment(path, depth) && s.pos == start {
				s.next()
			}
		}
	}
}

// unescape resolves the escapes of a basic string, given with its quotes.
func unescape(quoted string) (string, bool) {
	if len(quoted) < 2 || quoted[len(quoted)-1] != '"' {
		return "", false
	}
	in := quoted[1 : len(quoted)-1]
	if !strings.Contains(in, `\`) {
		return in, true
	}
	var out strings.Builder
	for i := 0; i < len(in); i++ {
		if in[i] != '\\' || i+1 == len(in) {
			out.WriteByte(in[i])
			continue
		}
		i++
		digits := 0
		switch in[i] {
		case 'b':
			out.WriteByte('\b')
		case 't':
			out.WriteByte('\t')
		case 'n':
			out.WriteByte('\n')
		case 'f':
			out.WriteByte('\f')
		case 'r':
			out.WriteByte('\r')
		case 'e':
			out.WriteByte(0x1b)
		case 'x':
			digits = 2
		case 'u':
			digits = 4
		case 'U':
			digits = 8
		default:
			out.WriteByte(in[i])
		}
		if digits > 0 {
			if i+digits > len(in)-1 {
				return "", false
			}
			r, err := strconv.ParseUint(in[i+1:i+1+digits], 16, 32)
			if err != nil {
				return "", false
			}
			out.WriteRune(rune(r))
			i += digits
		}
	}
	return out.String(), true
}
