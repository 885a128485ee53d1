package cosem

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sort"
	"strconv"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// The base names that the standard reserves (Blue Book Ed. 13, clause 4.1.3
// "Reserved base_names for special COSEM objects").
const (
	BaseAssociationSN     uint16 = 0xFA00
	BaseScriptTable       uint16 = 0xFB00
	BaseSAPAssignment     uint16 = 0xFC00
	BaseLogicalDeviceName uint16 = 0xFD00
)

// ShortName is an object of a meter with short-name referencing: an element of
// attribute 2 of an Association SN object (Blue Book Ed. 13, clause 4.4.3,
// objlist_element).
type ShortName struct {
	Base     uint16
	Class    ClassID
	Version  uint8
	Instance obis.Code
}

// Attribute returns the short name of an attribute: the base name, and 8 for
// each attribute before it. ok is false if that has none: attributes of the
// manufacturer, which are negative, have not.
func (n ShortName) Attribute(id int8) (name uint16, ok bool) {
	if id < 1 {
		return 0, false
	}
	v := int(n.Base) + 8*(int(id)-1)
	return uint16(v), v <= 0xFFFF
}

// Append appends n as an element of the object list.
func (n ShortName) Append(b []byte) []byte {
	b = axdr.AppendStructure(b, 4)
	b = axdr.AppendLong(b, int16(n.Base))
	b = axdr.AppendLongUnsigned(b, uint16(n.Class))
	b = axdr.AppendUnsigned(b, n.Version)
	return axdr.AppendOctetString(b, n.Instance[:])
}

// ParseShortName reads an element of attribute 2 of an Association SN object.
// The base name is signed in the standard, so that those from 8000h on are
// negative; any integer type is taken. Errors are of type [*DecodeError].
func ParseShortName(d axdr.Data) (ShortName, error) {
	n, err := parseShortName(d)
	if err != nil {
		return ShortName{}, &DecodeError{What: "object_list", Err: err}
	}
	return n, nil
}

func parseShortName(d axdr.Data) (n ShortName, err error) {
	var dec axdr.Decoder
	dec.Reset(d)
	dec.Structure(-1)
	count := dec.Count()
	if dec.Err() == nil && count < 4 {
		return n, shapeError("structure of " + strconv.Itoa(count) + " elements, want base name, class, version, logical name")
	}
	base, class, version, name := dec.Int64(), dec.Int64(), dec.Int64(), dec.Octets()
	skip(&dec, count-4)
	if err := dec.Err(); err != nil {
		return n, err
	}
	if rest := dec.Rest(); len(rest) > 0 {
		return n, trailing(len(rest))
	}
	if base < -0x8000 || base > 0xFFFF {
		return n, shapeError("base name " + strconv.FormatInt(base, 10) + ", want -32768 to 65535")
	}
	n.Base, n.Version = uint16(base), uint8(version)
	n.Class, n.Instance, err = objectID(class, name)
	return n, err
}

// ShortNames are the objects of a meter, packed and in the order of their OBIS
// codes: 11 octets each, so that those of many meters can be kept. The zero
// value is a meter without objects.
type ShortNames []byte

const shortNameSize = 6 + 2 + 2 + 1

// PackShortNames packs list. An object that is there twice is packed once.
func PackShortNames(list []ShortName) ShortNames {
	packed := make([][]byte, 0, len(list))
	for _, n := range list {
		b := append(make([]byte, 0, shortNameSize), n.Instance[:]...)
		b = binary.BigEndian.AppendUint16(b, uint16(n.Class))
		b = binary.BigEndian.AppendUint16(b, n.Base)
		packed = append(packed, append(b, n.Version))
	}
	slices.SortFunc(packed, bytes.Compare)
	packed = slices.CompactFunc(packed, bytes.Equal)
	return bytes.Join(packed, nil)
}

// Valid reports whether the octets are those of PackShortNames: what comes from
// a file may not be.
func (s ShortNames) Valid() bool {
	if len(s)%shortNameSize != 0 {
		return false
	}
	for i := 1; i < s.Len(); i++ {
		if bytes.Compare(s.packed(i-1), s.packed(i)) >= 0 {
			return false
		}
	}
	return true
}

// Len returns the number of objects.
func (s ShortNames) Len() int { return len(s) / shortNameSize }

func (s ShortNames) packed(i int) []byte { return s[i*shortNameSize : (i+1)*shortNameSize] }

// At returns object i, counted from 0.
func (s ShortNames) At(i int) ShortName {
	b := s.packed(i)
	n := ShortName{
		Class: ClassID(binary.BigEndian.Uint16(b[6:])), Base: binary.BigEndian.Uint16(b[8:]), Version: b[10],
	}
	copy(n.Instance[:], b)
	return n
}

// Find returns the objects with a code: as a rule one, for only together with
// the class is a code unique.
func (s ShortNames) Find(instance obis.Code) []ShortName {
	low := sort.Search(s.Len(), func(i int) bool { return bytes.Compare(s.packed(i)[:len(instance)], instance[:]) >= 0 })
	var found []ShortName
	for ; low < s.Len() && bytes.Equal(s.packed(low)[:len(instance)], instance[:]); low++ {
		found = append(found, s.At(low))
	}
	return found
}

// Name returns the short name of an attribute; ok is false if the meter has no
// such object, or the attribute no name: one that would reach into the names of
// another object is that object's.
func (s ShortNames) Name(at Attribute) (name uint16, ok bool) {
	for _, n := range s.Find(at.Instance) {
		if n.Class != at.Class {
			continue
		}
		name, ok := n.Attribute(at.ID)
		return name, ok && !s.begins(n.Base, name)
	}
	return 0, false
}

// begins reports whether an object begins behind base, up to name.
func (s ShortNames) begins(base, name uint16) bool {
	for b := []byte(s); len(b) >= shortNameSize; b = b[shortNameSize:] {
		if other := binary.BigEndian.Uint16(b[8:]); other > base && other <= name {
			return true
		}
	}
	return false
}
