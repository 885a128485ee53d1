package explain

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Node is a part of the input, and what it means.
type Node struct {
	Name    string
	Value   string
	Note    string // what more there is to say about the value
	Offset  int    // first octet in the input; -1: not known
	Length  int    // octets; -1: not known
	Problem string // what is wrong with it
	Reading *Reading

	Children []*Node

	line int // of the input, where there is no offset
}

// Reading is a value with the code that names it, for programs.
type Reading struct {
	OBIS      string `json:"obis,omitempty"`  // empty: it has no name
	Index     string `json:"index,omitempty"` // its place, where it has no name: index_3
	Class     int    `json:"class,omitempty"` // 0: not told
	Attribute int    `json:"attribute"`
	Type      string `json:"type"`            // of the Data: double-long-unsigned
	Value     any    `json:"value,omitempty"` // a number, scaled, a text or a boolean
	Unit      string `json:"unit,omitempty"`
	Time      string `json:"time,omitempty"` // of the row of a profile
}

// Colour marks text for a terminal.
type Colour uint8

// What is marked.
const (
	ColourName Colour = iota + 1
	ColourValue
	ColourNote
	ColourProblem
)

// TreeOptions say how a tree is written.
type TreeOptions struct {
	Width  int                                // columns of the terminal; 0: no limit
	Colour func(c Colour, text string) string // nil: none
}

// widest is how wide names and values may make their columns.
const widest = 44

// treeWriter writes the lines of a tree.
type treeWriter struct {
	b      strings.Builder
	r      *Report
	o      TreeOptions
	offset int // digits
}

// WriteTree writes the report for people: the offset of each part, its name,
// what it is, and what is wrong with it.
func (r *Report) WriteTree(w io.Writer, o TreeOptions) error {
	t := treeWriter{r: r, o: o, offset: len(fmt.Sprint(r.Octets))}
	t.children(r.Nodes, 0)
	t.summary()
	_, err := io.WriteString(w, t.b.String())
	return err
}

// children writes nodes that stand beside each other, in columns.
func (t *treeWriter) children(list []*Node, depth int) {
	name, value := 0, 0
	for _, n := range list {
		if w := utf8.RuneCountInString(n.Name); w <= widest {
			name = max(name, w)
		}
		if w := utf8.RuneCountInString(n.Value); w <= widest && n.Note != "" {
			value = max(value, w)
		}
	}
	for _, n := range list {
		t.node(n, depth, name, value)
		t.children(n.Children, depth+1)
	}
}

func (t *treeWriter) node(n *Node, depth, name, value int) {
	at := strings.Repeat(" ", t.offset)
	if n.Offset >= 0 {
		at = fmt.Sprintf("%*d", t.offset, n.Offset)
	}
	indent := strings.Repeat("  ", depth)
	line := at + "  " + indent
	used := utf8.RuneCountInString(line)
	text := t.colour(ColourName, n.Name)
	used += utf8.RuneCountInString(n.Name)
	if n.Value != "" || n.Note != "" {
		gap := max(name-utf8.RuneCountInString(n.Name), 0) + 2
		text += strings.Repeat(" ", gap)
		used += gap
		shown := t.cut(n.Value, used)
		text += t.colour(ColourValue, shown)
		used += utf8.RuneCountInString(shown)
		if n.Note != "" {
			gap = max(value-utf8.RuneCountInString(shown), 0) + 2
			text += strings.Repeat(" ", gap) + t.colour(ColourNote, t.cut(n.Note, used+gap))
		}
	}
	t.b.WriteString(strings.TrimRight(line+text, " ") + "\n")
	if n.Problem != "" {
		fmt.Fprintf(&t.b, "%s  %s  %s\n", strings.Repeat("!", t.offset), indent, t.colour(ColourProblem, t.r.place(n)+n.Problem))
	}
}

// leastShown is how much of a text is shown in any case.
const leastShown = 24

// cut shortens a text to what the line has left for it.
func (t *treeWriter) cut(s string, used int) string {
	if t.o.Width == 0 {
		return s
	}
	room := max(t.o.Width-used, leastShown)
	if utf8.RuneCountInString(s) <= room {
		return s
	}
	return string([]rune(s)[:room-3]) + "..."
}

func (t *treeWriter) colour(c Colour, text string) string {
	if t.o.Colour == nil || text == "" {
		return text
	}
	return t.o.Colour(c, text)
}

// place says where the problem of a node is.
func (r *Report) place(n *Node) string {
	line := r.line(n)
	switch {
	case n.Offset < 0 && line > 0:
		return fmt.Sprintf("line %d: ", line)
	case n.Offset < 0:
		return ""
	case line > 0:
		return fmt.Sprintf("octet %d (line %d): ", n.Offset, line)
	default:
		return fmt.Sprintf("octet %d: ", n.Offset)
	}
}

// summary writes what there was in all.
func (t *treeWriter) summary() {
	r := t.r
	fmt.Fprintf(&t.b, "\n%s, %s, %s", count(r.Octets, "octet"), count(r.Frames, "frame"), count(r.Messages, "APDU"))
	if r.Problems > 0 {
		fmt.Fprintf(&t.b, ", %s", count(r.Problems, "problem"))
	}
	t.b.WriteString("\n")
	for _, m := range r.Missing {
		fmt.Fprintf(&t.b, "missing: %s\n", m)
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// jsonNode is a node as WriteJSON writes it.
type jsonNode struct {
	Name     string     `json:"name"`
	Value    string     `json:"value,omitempty"`
	Note     string     `json:"note,omitempty"`
	Offset   *int       `json:"offset,omitempty"`
	Length   *int       `json:"length,omitempty"`
	Line     int        `json:"line,omitempty"`
	Problem  string     `json:"problem,omitempty"`
	Reading  *Reading   `json:"reading,omitempty"`
	Children []jsonNode `json:"children,omitempty"`
}

// WriteJSON writes the report for programs: an object with
//
//	octets, frames, messages, problems  how many there were
//	complete   whether all was decoded
//	missing    the keys that are missing: a list of texts, absent if there are none
//	nodes      the tree: a list of objects with
//	           name, value, note   texts
//	           offset, length      octets of the input; absent if not known
//	           line                of the input, from 1; absent if it has none
//	           problem             what is wrong with it
//	           reading             a value: obis or index, class, attribute, type, value, unit, time
//	           children            a list of such objects
func (r *Report) WriteJSON(w io.Writer) error {
	out := struct {
		Octets   int        `json:"octets"`
		Frames   int        `json:"frames"`
		Messages int        `json:"messages"`
		Problems int        `json:"problems"`
		Complete bool       `json:"complete"`
		Missing  []string   `json:"missing,omitempty"`
		Nodes    []jsonNode `json:"nodes"`
	}{r.Octets, r.Frames, r.Messages, r.Problems, r.Complete(), r.Missing, r.jsonNodes(r.Nodes)}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(out)
}

func (r *Report) jsonNodes(list []*Node) []jsonNode {
	out := make([]jsonNode, len(list))
	for i, n := range list {
		j := jsonNode{Name: n.Name, Value: n.Value, Note: n.Note, Line: r.line(n), Problem: n.Problem, Reading: n.Reading}
		if n.Offset >= 0 {
			j.Offset = &n.Offset
		}
		if n.Length >= 0 {
			j.Length = &n.Length
		}
		j.Children = r.jsonNodes(n.Children)
		out[i] = j
	}
	return out
}
