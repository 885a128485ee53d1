package preset

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Entry is an object to be written.
type Entry struct {
	OBIS      string
	Class     uint16
	Attribute int     // 0: it has no single value, and is written as a comment
	BaseName  *uint16 // in short-name referencing
	Name      string  // what it is; may be empty
	Remark    string  // its value and unit now, or why it has none
	Denied    bool    // it cannot be read, and is written as a comment
}

// Write writes a preset: of head, the lines of a comment; of link, keys with
// their values in TOML; and of the objects, each with a name of its own.
func Write(w io.Writer, head []string, match Match, link [][2]string, objects []Entry) error {
	var b strings.Builder
	for _, line := range head {
		fmt.Fprintf(&b, "# %s\n", clean(line))
	}
	if match != (Match{}) {
		b.WriteString("\n[match]\n")
		if match.Maker != "" {
			fmt.Fprintf(&b, "maker = %s\n", Quote(match.Maker))
		}
		if match.LogicalDeviceName != "" {
			fmt.Fprintf(&b, "logical_device_name = %s\n", Quote(match.LogicalDeviceName))
		}
		if match.SystemTitle != "" {
			fmt.Fprintf(&b, "system_title = %s\n", Quote(match.SystemTitle))
		}
	}
	if len(link) > 0 {
		b.WriteString("\n[link]\n")
		for _, key := range link {
			fmt.Fprintf(&b, "%s = %s\n", key[0], key[1])
		}
	}
	taken := map[string]bool{}
	for i := range objects {
		writeObject(&b, &objects[i], taken)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeObject(b *strings.Builder, o *Entry, taken map[string]bool) {
	what := o.Name
	if what == "" {
		what = "no standard meaning"
	}
	if o.Attribute == 0 || o.Denied {
		fmt.Fprintf(b, "\n# %s, class %d: %s", o.OBIS, o.Class, clean(what))
		if o.Remark != "" {
			fmt.Fprintf(b, ": %s", clean(o.Remark))
		}
		b.WriteString("\n")
		return
	}
	fmt.Fprintf(b, "\n[[item]]\nname = %s\nobis = %s\nclass = %d\n", Quote(slug(o, taken)), Quote(o.OBIS), o.Class)
	if o.Attribute != 2 {
		fmt.Fprintf(b, "attribute = %d\n", o.Attribute)
	}
	if o.BaseName != nil {
		fmt.Fprintf(b, "base_name = 0x%04X\n", *o.BaseName)
	}
	if o.Remark != "" {
		fmt.Fprintf(b, "# %s\n", clean(o.Remark))
	}
}

// Slug makes a name of words: active_energy_import of "Active energy, import".
func Slug(words string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(words) {
		switch {
		case r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			b.WriteRune(r)
		case !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		default:
		}
	}
	return strings.Trim(b.String(), "_")
}

// slug makes a name of the words for an object that no other has.
func slug(o *Entry, taken map[string]bool) string {
	text := o.Name
	if text == "" || strings.HasSuffix(text, " specific") {
		text = "obis " + o.OBIS
	}
	name := Slug(text)
	for unique, n := name, 2; ; n++ {
		if !taken[unique] {
			taken[unique] = true
			return unique
		}
		unique = fmt.Sprintf("%s_%d", name, n)
	}
}

// Quote writes a text as a basic string of TOML.
func Quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(s, "\ufffd") {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// clean makes a text fit for a comment.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}
