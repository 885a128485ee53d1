// Package cosem knows the interface classes of COSEM as far as reading needs
// them: their names and attributes, units and scalers, the columns and the
// selective access of profiles, and which class an OBIS code usually has
// (Blue Book Ed. 13, clause 4 "The COSEM interface classes").
package cosem

import (
	"strconv"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// Attribute names one attribute of one object: the Cosem-Attribute-Descriptor
// of the services.
type Attribute struct {
	Class    ClassID
	Instance obis.Code
	ID       int8 // from 1; attributes of the manufacturer are negative
}

// String returns for example "class 3, 1.0.1.8.0.255, attribute 2 (value)".
func (a Attribute) String() string {
	s := "class " + strconv.Itoa(int(a.Class)) + ", " + a.Instance.String() + ", attribute " + strconv.Itoa(int(a.ID))
	if name := AttributeName(a.Class, a.ID); name != "" {
		s += " (" + name + ")"
	}
	return s
}

// Selection asks for a part of an attribute: the
// Selective-Access-Descriptor of the services.
type Selection struct {
	Selector   uint8
	Parameters axdr.Data // encoded
}

// Selectors of the buffer of a Profile generic object.
const (
	SelectorRange uint8 = 1
	SelectorEntry uint8 = 2
)

// RangeSelection selects the rows of a profile whose value in the restricting
// column lies between from and to, both included (Blue Book Ed. 13, clause
// 4.3.6 "Profile generic", range_descriptor). from and to are encoded values,
// as a rule octet-strings with a date-time. No columns means all.
func RangeSelection(from, to axdr.Data, restricting CaptureObject, columns []CaptureObject) Selection {
	b := make([]byte, 0, 28+len(from)+len(to)+captureObjectSize*len(columns))
	b = axdr.AppendStructure(b, 4)
	b = restricting.Append(b)
	b = append(b, from...)
	b = append(b, to...)
	return Selection{Selector: SelectorRange, Parameters: AppendCaptureObjects(b, columns)}
}

// EntrySelection selects rows and columns of a profile by number
// (entry_descriptor). Both count from 1; 0 as to or toCol means the last.
func EntrySelection(from, to uint32, fromCol, toCol uint16) Selection {
	b := axdr.AppendStructure(make([]byte, 0, 18), 4)
	b = axdr.AppendDoubleLongUnsigned(b, from)
	b = axdr.AppendDoubleLongUnsigned(b, to)
	b = axdr.AppendLongUnsigned(b, fromCol)
	return Selection{Selector: SelectorEntry, Parameters: axdr.AppendLongUnsigned(b, toCol)}
}
