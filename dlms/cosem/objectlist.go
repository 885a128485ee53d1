package cosem

import (
	"math"
	"strconv"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// AccessMode is the right to use an attribute or method, in the sense of
// Association LN versions 0 to 2.
type AccessMode uint8

// The access modes of attributes; for methods 1 is access and 2 authenticated
// access.
const (
	NoAccess                  AccessMode = 0
	ReadOnly                  AccessMode = 1
	WriteOnly                 AccessMode = 2
	ReadWrite                 AccessMode = 3
	AuthenticatedReadOnly     AccessMode = 4
	AuthenticatedWriteOnly    AccessMode = 5
	AuthenticatedReadWrite    AccessMode = 6
	MethodAccess              AccessMode = 1
	AuthenticatedMethodAccess AccessMode = 2
)

// AttributeAccess is the right to use one attribute.
type AttributeAccess struct {
	ID        int8
	Mode      AccessMode
	Selectors []int8 // of selective access; none is written as null-data
}

// MethodRight is the right to use one method.
type MethodRight struct {
	ID   int8
	Mode AccessMode
}

// Object is an element of the object list of an association.
type Object struct {
	Class      ClassID
	Version    uint8
	Instance   obis.Code
	Attributes []AttributeAccess
	Methods    []MethodRight
}

// AppendObjectList appends objs as attribute 2 of an Association LN object
// (Blue Book Ed. 13, clause 4.4.4 "Association LN", object_list_type).
func AppendObjectList(b []byte, objs []Object) []byte {
	b = axdr.AppendArray(b, len(objs))
	for i := range objs {
		b = objs[i].append(b)
	}
	return b
}

func (o *Object) append(b []byte) []byte {
	b = axdr.AppendStructure(b, 4)
	b = axdr.AppendLongUnsigned(b, uint16(o.Class))
	b = axdr.AppendUnsigned(b, o.Version)
	b = axdr.AppendOctetString(b, o.Instance[:])
	b = axdr.AppendStructure(b, 2)
	b = axdr.AppendArray(b, len(o.Attributes))
	for _, a := range o.Attributes {
		b = axdr.AppendStructure(b, 3)
		b = axdr.AppendInteger(b, a.ID)
		b = axdr.AppendEnum(b, uint8(a.Mode))
		if len(a.Selectors) == 0 {
			b = axdr.AppendNull(b)
			continue
		}
		b = axdr.AppendArray(b, len(a.Selectors))
		for _, s := range a.Selectors {
			b = axdr.AppendInteger(b, s)
		}
	}
	b = axdr.AppendArray(b, len(o.Methods))
	for _, m := range o.Methods {
		b = axdr.AppendStructure(b, 2)
		b = axdr.AppendInteger(b, m.ID)
		b = axdr.AppendEnum(b, uint8(m.Mode))
	}
	return b
}

// ParseObject reads an element of attribute 2 of an Association LN object.
// Numbers may have any integer type, an access mode may be a boolean, as in
// version 0 of the class, and elements that later versions may add are passed
// over. Errors are of type [*DecodeError].
func ParseObject(d axdr.Data) (Object, error) {
	var dec axdr.Decoder
	dec.Reset(d)
	o, err := decodeObject(&dec)
	if err == nil && len(dec.Rest()) > 0 {
		err = trailing(len(dec.Rest()))
	}
	if err != nil {
		return Object{}, &DecodeError{What: "object_list", Err: err}
	}
	return o, nil
}

func decodeObject(dec *axdr.Decoder) (o Object, err error) {
	dec.Structure(-1)
	n := dec.Count()
	if dec.Err() == nil && n < 3 {
		return o, shapeError("structure of " + strconv.Itoa(n) + " elements, want class, version, logical name, access rights")
	}
	class, version, name := dec.Int64(), dec.Int64(), dec.Octets()
	var attributes, methods axdr.Data
	if n > 3 {
		dec.Structure(-1)
		if rights := dec.Count(); rights >= 2 {
			attributes, methods = dec.Data(), dec.Data()
			skip(dec, rights-2)
		} else {
			skip(dec, rights)
		}
		skip(dec, n-4)
	}
	if err := dec.Err(); err != nil {
		return o, err
	}
	if o.Class, o.Instance, err = objectID(class, name); err != nil {
		return o, err
	}
	o.Version = uint8(version)
	for a := range attributes.All() {
		if right, ok := parseRight(a); ok {
			access := AttributeAccess{ID: right.ID, Mode: right.Mode}
			selectors, _ := a.Element(2)
			for s := range selectors.All() {
				if v, ok := s.Int64(); ok {
					access.Selectors = append(access.Selectors, int8(v))
				}
			}
			o.Attributes = append(o.Attributes, access)
		}
	}
	for m := range methods.All() {
		if right, ok := parseRight(m); ok {
			o.Methods = append(o.Methods, right)
		}
	}
	return o, nil
}

func skip(dec *axdr.Decoder, n int) {
	for range n {
		dec.Skip()
	}
}

// parseRight reads what attributes and methods have in common.
func parseRight(d axdr.Data) (r MethodRight, ok bool) {
	first, _ := d.Element(0)
	second, _ := d.Element(1)
	id, ok := first.Int64()
	if !ok || id < math.MinInt8 || id > math.MaxInt8 {
		return r, false
	}
	mode, ok := second.Int64()
	if granted, boolean := second.Bool(); boolean {
		ok = true
		if granted {
			mode = int64(MethodAccess)
		}
	}
	return MethodRight{ID: int8(id), Mode: AccessMode(mode)}, ok && mode >= 0 && mode <= math.MaxUint8
}

// Readable reports whether an attribute with this right is worth an attempt to
// read it. 4 and 5 are read and write access with authentication up to version 2
// of the class, and read access on conditions later, so only those remain that
// never let read.
func (m AccessMode) Readable() bool { return m != NoAccess && m != WriteOnly }
