// Package push finds OBIS codes and values in what meters push: the body of a
// data-notification (Green Book Ed. 9, clause 9.3.10; Blue Book Ed. 13, clause
// 4.4.8 "Push setup").
//
// The standard says that the body is what the push object list names, and
// nothing of how it is arranged. [Mapper] knows the arrangements that meters
// use, and needs nothing about a single kind of meter but for lists without
// OBIS codes, which [List] describes.
package push

import (
	"fmt"
	"strconv"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// Entry is one value of a push.
type Entry struct {
	// Path is where the value stands: the numbers, from 1, of the elements that
	// lead to it from the outermost list. It is valid until the callback returns.
	Path []int

	Named     bool // Code, Class and Attribute are told or known; else only Path is
	Code      obis.Code
	Class     cosem.ClassID // 0: not told
	Attribute int8          // 2 where it is not told
	Index     uint16        // data index: the value is this element of the attribute; 0: the whole

	Value axdr.Data // a view, valid until the next call of Map

	Unit    cosem.ScalerUnit // scaler and unit of the value
	HasUnit bool             // Unit was sent

	// Item is the entry of a List that names the value; nil: none.
	Item *Item

	// Row is the number of the row, from 1, of a value that stands in a row of a
	// profile, whose Code it has unless the columns are told, with Column as Index;
	// 0: in none. Column is its place in the row, from 1.
	Row, Column int
	Time        axdr.Data // date-time of the row, or beside the value; nil: there is none
}

// Label is the place of a value for people: index_3, or index_3_1.
func (e *Entry) Label() string {
	s := "index"
	for _, n := range e.Path {
		s += "_" + strconv.Itoa(n)
	}
	return s
}

// Shape is what is known about a push as a whole.
type Shape struct {
	Elements int       // of the outermost list
	Leading  string    // its first element as text, if that is a string of printable ASCII
	Types    string    // types of its elements, a letter each; see TypeLetter. At most 256
	Values   int       // values found
	Unnamed  int       // of these, without a name
	List     *List     // what has named some of them
	Repaired bool      // the body was not valid A-XDR, but one of the forms that meters send instead
	First    obis.Code // of the first element, if it is an OBIS code
}

// BodyError is a body that cannot be understood.
type BodyError struct {
	Err error
}

// Error says what is wrong with it.
func (e *BodyError) Error() string { return "the body of the push: " + e.Err.Error() }

// Unwrap gives the cause.
func (e *BodyError) Unwrap() error { return e.Err }

// A Mapper finds the values of pushes. The zero value is ready. It is not safe
// for concurrent use, and allocates nothing per value once its buffers have
// grown.
type Mapper struct {
	// Lists name the values of lists without OBIS codes.
	Lists []*List
	// MaxAPDU is how many octets a compact-array may expand to; 0: 1 MiB.
	MaxAPDU int

	expanded []byte
	repaired []byte
	types    []byte
	stack    []axdr.Data // elements of the lists that are open
	path     []int
	units    []unitOf
	captures []capture
	columns  []object
	third    third
	loose    int // a scaler and unit that no value stands in front of

	lastTypes, lastLeading string // of the shape before, which is mostly the same
	yield                  func(*Entry) bool
	entry                  Entry
	shape                  Shape
	ended                  bool
}

const defaultMaxAPDU = 1 << 20

// Map calls yield for each value of the body, in their order, until it returns
// false. A body without values, null-data, is a heartbeat: no error.
func (m *Mapper) Map(body []byte, yield func(e *Entry) bool) (Shape, error) {
	m.shape, m.ended, m.yield = Shape{}, false, yield
	m.stack, m.path, m.units, m.columns, m.third = m.stack[:0], m.path[:0], m.units[:0], m.columns[:0], attributeThird
	m.captures = m.captures[:0]
	d, err := m.data(body)
	if err != nil {
		return m.shape, &BodyError{Err: err}
	}
	m.describe(d)
	m.outermost(d)
	m.yield = nil
	return m.shape, nil
}

// data returns the body as valid A-XDR without compact-arrays.
func (m *Mapper) data(body []byte) (axdr.Data, error) {
	limit := m.MaxAPDU
	if limit == 0 {
		limit = defaultMaxAPDU
	}
	d, err := parse(body)
	if err != nil {
		var ok bool
		if m.repaired, ok = repair(m.repaired[:0], body, limit); !ok {
			return nil, err
		}
		m.shape.Repaired = true
		if d, err = axdr.Parse(m.repaired); err != nil {
			return nil, err
		}
	}
	if !d.HasCompact() {
		return d, nil
	}
	x, err := axdr.Expand(m.expanded[:0], d, limit)
	if err != nil {
		return nil, err
	}
	m.expanded = x
	return x, nil
}

// parse is axdr.Parse for a body that may be padded with zeros.
func parse(body []byte) (axdr.Data, error) {
	d, rest, err := axdr.Cut(body)
	if err != nil {
		return nil, err
	}
	for i, c := range rest {
		if c != 0 {
			return nil, fmt.Errorf("%d octets behind its end, at octet %d", len(rest)-i, len(body)-len(rest)+i)
		}
	}
	return d, nil
}

// Valid reports whether a body is one that Map reads without an error.
func Valid(body []byte) bool {
	var m Mapper
	_, err := m.data(body)
	return err == nil
}

// mostTypes bounds Shape.Types.
const mostTypes = 256

// describe fills in the shape.
func (m *Mapper) describe(d axdr.Data) {
	m.types = m.types[:0]
	if !complexData(d) {
		m.shape.Elements = 1
		m.types = append(m.types, TypeLetter(d.Tag()))
	}
	for e := range d.All() {
		if m.shape.Elements == 0 {
			m.shape.First, _ = codeOf(e)
			if text := printable(e); m.shape.First == (obis.Code{}) && text != nil {
				if m.lastLeading != string(text) {
					m.lastLeading = string(text)
				}
				m.shape.Leading = m.lastLeading
			}
		}
		m.shape.Elements++
		if len(m.types) < mostTypes {
			m.types = append(m.types, TypeLetter(e.Tag()))
		}
	}
	m.shape.List = m.match()
	if m.lastTypes != string(m.types) {
		m.lastTypes = string(m.types)
	}
	m.shape.Types = m.lastTypes
}

// give passes on the entry.
func (m *Mapper) give() {
	if m.ended {
		return
	}
	e := &m.entry
	e.Path = m.path
	m.name(e)
	m.shape.Values++
	if !e.Named {
		m.shape.Unnamed++
	}
	if !m.yield(e) {
		m.ended = true
	}
}
