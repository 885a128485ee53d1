package push

import (
	"path"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// A List describes a push that does not tell what its values are, or not all
// of it. It is for those pushes that fit all that it states.
type List struct {
	Elements int    // of the outermost list; 0: any number
	Types    string // of its elements, a letter each as TypeLetter gives them, a ? for any; "": any
	Leading  string // a glob for its first element as text; "": any
	First    obis.Code
	Items    []Item
}

// Item says what the value at a place is, or what the scaler and unit of a code
// are where they are not sent.
type Item struct {
	Path      []int // from 1; none: it is about Code
	Code      obis.Code
	Class     cosem.ClassID // 0: the usual one
	Attribute int8
	Unit      cosem.ScalerUnit
	HasUnit   bool
}

// TypeLetter is the letter of a type in List.Types and Shape.Types.
//
//	n null       a array        s structure   b boolean
//	i integers, signed          u integers, unsigned
//	o octet-string              t visible- and utf8-string
//	e enum       f float        d date-time, date, time
//	x others
func TypeLetter(t axdr.Tag) byte {
	switch t {
	case axdr.TagNull:
		return 'n'
	case axdr.TagArray:
		return 'a'
	case axdr.TagStructure:
		return 's'
	case axdr.TagBoolean:
		return 'b'
	case axdr.TagInteger, axdr.TagLong, axdr.TagDoubleLong, axdr.TagLong64:
		return 'i'
	case axdr.TagUnsigned, axdr.TagLongUnsigned, axdr.TagDoubleLongUnsigned, axdr.TagLong64Unsigned:
		return 'u'
	case axdr.TagOctetString:
		return 'o'
	case axdr.TagVisibleString, axdr.TagUTF8String:
		return 't'
	case axdr.TagEnum:
		return 'e'
	case axdr.TagFloat32, axdr.TagFloat64:
		return 'f'
	case axdr.TagDateTime, axdr.TagDate, axdr.TagTime:
		return 'd'
	default:
		return 'x'
	}
}

// match returns the first list that the push fits.
func (m *Mapper) match() *List {
	for _, l := range m.Lists {
		switch {
		case l.Elements != 0 && l.Elements != m.shape.Elements:
		case l.First != (obis.Code{}) && l.First != m.shape.First:
		case l.Leading != "" && !fits(l.Leading, m.shape.Leading):
		case l.Types != "" && !typesFit(l.Types, m.types):
		default:
			return l
		}
	}
	return nil
}

func fits(glob, text string) bool {
	if !strings.ContainsAny(glob, `*?[\`) {
		return glob == text
	}
	ok, err := path.Match(glob, text)
	return err == nil && ok
}

func typesFit(want string, types []byte) bool {
	if len(want) != len(types) {
		return false
	}
	for i := range types {
		if want[i] != '?' && want[i] != types[i] {
			return false
		}
	}
	return true
}

// name adds to an entry what the list says about it.
func (m *Mapper) name(e *Entry) {
	if m.shape.List == nil || e.Row > 0 {
		return
	}
	for i := range m.shape.List.Items {
		it := &m.shape.List.Items[i]
		switch {
		case e.Named && len(it.Path) == 0 && it.Code == e.Code && it.attribute() == e.Attribute:
		case !e.Named && len(it.Path) > 0 && samePath(it.Path, e.Path):
			e.Named, e.Code, e.Class, e.Attribute = true, it.Code, it.Class, it.attribute()
		default:
			continue
		}
		e.Item = it
		return
	}
}

func (it *Item) attribute() int8 {
	if it.Attribute == 0 {
		return 2
	}
	return it.Attribute
}

func samePath(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
