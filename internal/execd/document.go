package execd

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// FileError is one mistake in a configuration file.
type FileError struct {
	File string // as given to Load
	Line int    // 1 is the first; 0 if no line can be named
	Msg  string // never holds a secret nor the value of a variable
	Err  error  // what the plugin said, if it was the plugin
}

// Error returns FILE:LINE: message.
func (e *FileError) Error() string {
	switch {
	case e.File == "":
		return e.Msg
	case e.Line == 0:
		return e.File + ": " + e.Msg
	default:
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg)
	}
}

// Unwrap returns what the plugin said.
func (e *FileError) Unwrap() error { return e.Err }

// mistakes collects what is wrong with one file.
type mistakes struct {
	file string
	list []*FileError
}

func (m *mistakes) add(line int, format string, args ...any) {
	m.list = append(m.list, &FileError{File: m.file, Line: line, Msg: fmt.Sprintf(format, args...)})
}

// err returns the mistakes in the order of the file, joined; nil if there are
// none.
func (m *mistakes) err() error {
	sort.SliceStable(m.list, func(i, j int) bool { return m.list[i].Line < m.list[j].Line })
	errs := make([]error, len(m.list))
	for i, e := range m.list {
		errs[i] = e
	}
	return errors.Join(errs...)
}

// document is a parsed configuration file with its variables expanded.
type document struct {
	file  string
	tree  map[string]any
	lines *lineIndex
	vars  variables
	wrong *mistakes // found while variables were expanded
}

// read parses the file and expands its variables. The error is a *FileError.
func read(file string) (*document, error) {
	text, err := os.ReadFile(file) //nolint:gosec // the configuration that the user names
	if err != nil {
		err = Reason(err)
		return nil, &FileError{File: file, Msg: "cannot read the configuration: " + err.Error(), Err: err}
	}
	return parse(file, string(text))
}

func parse(file, text string) (*document, error) {
	doc := &document{file: file, tree: map[string]any{}, lines: scanLines(text)}
	if _, err := toml.Decode(text, &doc.tree); err != nil {
		return nil, syntaxError(file, text, err, doc.lines)
	}
	doc.wrong = &mistakes{file: file}
	doc.vars = variables{lookup: os.LookupEnv, lines: doc.lines, wrong: doc.wrong}
	doc.vars.expandTable(doc.tree, "")
	return doc, nil
}

const hidden = "something else"

var (
	quotedText  = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'[^']*'`)
	numberRange = regexp.MustCompile(`^\S+ is out of`)
)

// syntaxError gives the parser's message without what it quotes of the source:
// a password without quotes is a syntax error, too.
func syntaxError(file, text string, err error, lines *lineIndex) error {
	out := &FileError{File: file, Msg: "not valid TOML"}
	var pe toml.ParseError
	if !errors.As(err, &pe) {
		return out
	}
	out.Line = pe.Position.Line
	if strings.Contains(pe.Message, `but got '\n'`) { // the parser counts from behind that line end
		out.Line = 1 + strings.Count(text[:min(max(pe.Position.Start, 0), len(text))], "\n")
	}
	msg := quotedText.ReplaceAllStringFunc(pe.Message, func(q string) string {
		inner := q[1 : len(q)-1]
		if utf8.RuneCountInString(inner) <= 1 || strings.HasPrefix(inner, `\`) && len(inner) == 2 || strings.Trim(inner, `"'`) == "" ||
			strings.HasPrefix(pe.Message, "Key '") && lines.hasKey(inner) {
			return q
		}
		return hidden
	})
	msg = strings.ReplaceAll(msg, " "+hidden+":", ":")
	msg = numberRange.ReplaceAllString(msg, "the number is out of")
	msg = strings.TrimSuffix(msg, " instead")
	msg = strings.TrimSuffix(msg, ".")
	out.Msg += ": " + msg
	if strings.HasPrefix(pe.Message, "expected value but found") && strings.Contains(msg, hidden) || strings.HasPrefix(pe.Message, "Invalid ") ||
		strings.HasPrefix(pe.Message, "invalid datetime") {
		out.Msg += " (texts stand in double quotes)"
	}
	return out
}

// hasKey reports whether a dotted path without indices is a key of the file.
func (x *lineIndex) hasKey(path string) bool {
	for p := range x.at {
		if withoutIndices(p) == path {
			return true
		}
	}
	return false
}

var indices = regexp.MustCompile(`\[\d+\]`)

func withoutIndices(path string) string { return indices.ReplaceAllString(path, "") }
