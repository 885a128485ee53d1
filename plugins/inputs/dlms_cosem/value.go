package dlms_cosem

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
)

// maxText is how much text of a meter is passed on, in octets.
const maxText = 1024

// value is what an item decodes to: a number, a text, a flag or a date-time.
type value struct {
	number    float64
	text      string
	flag      bool
	when      axdr.DateTime // made into number and text when the clock's ways are known
	hasNumber bool
	hasText   bool
	hasFlag   bool
	hasWhen   bool
	scalable  bool // scaler and unit belong to the number
}

// shown is a value for people, and for programs: string, bool or float64.
func (v *value) shown() (text string, is any) {
	switch {
	case v.hasText:
		return v.text, v.text
	case v.hasFlag:
		return fmt.Sprint(v.flag), v.flag
	case v.hasNumber:
		return formatNumber(v.number), v.number
	default:
		return "", nil
	}
}

func numberValue(n float64) (value, error) {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return value{}, fmt.Errorf("the meter returned %v, which is no number", n)
	}
	return value{number: n, hasNumber: true, scalable: true}, nil
}

func textValue(s string) (value, error) { return value{text: cleanText(s), hasText: true}, nil }

func flagValue(b bool) (value, error) { return value{flag: b, hasFlag: true}, nil }

func whenValue(t axdr.DateTime) (value, error) { return value{when: t, hasWhen: true}, nil }

// errNoValue is what null-data means.
var errNoValue = errors.New("the meter has no value for it (null-data)")

// mismatch says that data is not what data_type asks for.
func mismatch(d axdr.Data, want string) (value, error) {
	if isNull(d) {
		return value{}, errNoValue
	}
	if isComplex(d) {
		return value{}, tooComplex(d)
	}
	advice := `use "auto", or the type it is`
	if want == "auto" {
		advice = `use "raw" to see its octets`
	}
	return value{}, fmt.Errorf("the meter returned %s: data_type = %q does not fit: %s", shorten(d.String(), 80), want, advice)
}

func isNull(d axdr.Data) bool { return d.Tag() == axdr.TagNull || d.Tag() == axdr.TagDontCare }

func isComplex(d axdr.Data) bool { return d.Tag() == axdr.TagArray || d.Tag() == axdr.TagStructure }

// complexError says that a structure or array came and what to do about it.
type complexError struct{ what string }

func tooComplex(d axdr.Data) error {
	article := "a"
	if d.Tag() == axdr.TagArray {
		article = "an"
	}
	return &complexError{what: fmt.Sprintf("%s %s of %s", article, d.Tag(), counted(d.Len(), "element"))}
}

func (e *complexError) Error() string {
	return "the meter returned " + e.what + `: give "element" to choose one value of it (counted from 1), or data_type = "raw"`
}

// atElement decodes one element of a structure or array. The path is counted
// from 1.
func atElement(path []int, decode decoder) decoder {
	return func(class cosem.ClassID, d axdr.Data) (value, error) {
		for depth, n := range path {
			if !isComplex(d) {
				return value{}, fmt.Errorf("element %s: the meter returned %s at this place, no structure or array",
					pathText(path[:depth+1]), shorten(d.String(), 80))
			}
			e, ok := d.Element(n - 1)
			if !ok {
				return value{}, fmt.Errorf("element %s: the %s the meter returned has only %s", pathText(path[:depth+1]), d.Tag(), counted(d.Len(), "element"))
			}
			d = e
		}
		return decode(class, d)
	}
}

func pathText(path []int) string {
	parts := make([]string, len(path))
	for i, n := range path {
		parts[i] = strconv.Itoa(n)
	}
	return strings.Join(parts, ".")
}

// cleanText makes text of a meter harmless: valid UTF-8, no control characters,
// and at most 1 KiB.
func cleanText(s string) string {
	clean := true
	for _, r := range s {
		clean = clean && r != utf8.RuneError && !unhealthy(r)
	}
	if !clean {
		s = strings.Map(func(r rune) rune {
			switch {
			case r == '\t' || r == '\n' || r == '\r':
				return ' '
			case unhealthy(r):
				return -1
			default:
				return r
			}
		}, strings.ToValidUTF8(s, "\uFFFD"))
	}
	return shorten(s, maxText)
}

// unhealthy characters control a terminal, end a line or turn its direction.
func unhealthy(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs)
}

// shorten cuts text to n octets, between two characters.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// octetsText is the text that octets hold, without the padding meters use.
// Octets that are declared to be text (a visible- or utf8-string) are cleaned,
// and taken as Latin-1 if they are no UTF-8; those of an octet-string that are
// not all printable are given in hexadecimal.
func octetsText(b []byte, declared bool) string {
	s := trimPadding(b)
	switch {
	case isPrintable(s):
		return s
	case !declared:
		return fmt.Sprintf("%x", b)
	case utf8.ValidString(s):
		return cleanText(s)
	default:
		runes := make([]rune, len(s))
		for i := range len(s) {
			runes[i] = rune(s[i])
		}
		return cleanText(string(runes))
	}
}

// trimPadding cuts off what meters fill texts up with: 00h and 20h at both ends,
// FFh at the end.
func trimPadding(b []byte) string {
	for len(b) > 0 && (b[0] == 0 || b[0] == ' ') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == 0 || b[len(b)-1] == ' ' || b[len(b)-1] == 0xFF) {
		b = b[:len(b)-1]
	}
	return string(b)
}

func isPrintable(s string) bool {
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return utf8.ValidString(s)
}

// formatNumber writes a number for people: no exponent where it can be avoided.
func formatNumber(n float64) string {
	if a := math.Abs(n); a != 0 && (a < 1e-6 || a >= 1e15) {
		return strconv.FormatFloat(n, 'g', -1, 64)
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}
