package cosem

import (
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
