package cosem

import (
	"math"
	"strconv"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// CaptureObject is a column of a profile (Blue Book Ed. 13, clause 4.3.6
// "Profile generic", capture_object_definition).
type CaptureObject struct {
	Class     ClassID
	Instance  obis.Code
	Attribute int8   // 0 stands for all attributes
	DataIndex uint16 // 0 is the whole attribute, n its element n, counted from 1
}

// captureObjectSize is the length of an encoded CaptureObject in octets.
const captureObjectSize = 2 + 3 + 8 + 2 + 3

// String returns for example
// "class 3, 1.0.1.8.0.255, attribute 2 (value), element 1".
func (c CaptureObject) String() string {
	s := Attribute{Class: c.Class, Instance: c.Instance, ID: c.Attribute}.String()
	if c.DataIndex != 0 {
		s += ", element " + strconv.Itoa(int(c.DataIndex))
	}
	return s
}

// Append appends c as a structure of 18 octets.
func (c CaptureObject) Append(b []byte) []byte {
	b = axdr.AppendStructure(b, 4)
	b = axdr.AppendLongUnsigned(b, uint16(c.Class))
	b = axdr.AppendOctetString(b, c.Instance[:])
	b = axdr.AppendInteger(b, c.Attribute)
	return axdr.AppendLongUnsigned(b, c.DataIndex)
}

// AppendCaptureObjects appends an array of cs, the form of attribute 3 of a
// Profile generic object.
func AppendCaptureObjects(b []byte, cs []CaptureObject) []byte {
	b = axdr.AppendArray(b, len(cs))
	for _, c := range cs {
		b = c.Append(b)
	}
	return b
}

// ParseCaptureObjects reads attribute 3 of a Profile generic object. Numbers
// may have any integer type, and elements after the fourth, which later
// versions of push lists have, are passed over. Errors are of type
// [*DecodeError].
func ParseCaptureObjects(d axdr.Data) ([]CaptureObject, error) {
	var dec axdr.Decoder
	dec.Reset(d)
	n := dec.Array()
	if err := dec.Err(); err != nil {
		return nil, &DecodeError{What: "capture_objects", Err: err}
	}
	// The octets, not the count, tell how many there can be.
	cs := make([]CaptureObject, 0, min(n, len(d)/captureObjectSize))
	for range n {
		c, err := decodeCaptureObject(&dec)
		if err != nil {
			return nil, &DecodeError{What: "capture_objects, column " + strconv.Itoa(len(cs)+1), Err: err}
		}
		cs = append(cs, c)
	}
	if rest := dec.Rest(); len(rest) > 0 {
		return nil, &DecodeError{What: "capture_objects", Err: trailing(len(rest))}
	}
	return cs, nil
}

// ParseCaptureObject reads one capture_object_definition, as attribute 6,
// sort_object, of a Profile generic object is. Errors are of type [*DecodeError].
func ParseCaptureObject(d axdr.Data) (CaptureObject, error) {
	var dec axdr.Decoder
	dec.Reset(d)
	c, err := decodeCaptureObject(&dec)
	if rest := dec.Rest(); err == nil && len(rest) > 0 {
		err = trailing(len(rest))
	}
	if err != nil {
		return CaptureObject{}, &DecodeError{What: "capture_object_definition", Err: err}
	}
	return c, nil
}

func decodeCaptureObject(dec *axdr.Decoder) (CaptureObject, error) {
	dec.Structure(-1)
	n := dec.Count()
	if dec.Err() == nil && n < 4 {
		return CaptureObject{}, shapeError("structure of " + strconv.Itoa(n) + " elements, want class, logical name, attribute, data index")
	}
	class, name, attribute, index := dec.Int64(), dec.Octets(), dec.Int64(), dec.Int64()
	for range n - 4 {
		dec.Skip()
	}
	if err := dec.Err(); err != nil {
		return CaptureObject{}, err
	}
	id, code, err := objectID(class, name)
	switch {
	case err != nil:
		return CaptureObject{}, err
	case attribute < math.MinInt8 || attribute > math.MaxInt8:
		return CaptureObject{}, shapeError("attribute " + strconv.FormatInt(attribute, 10) + ", want -128 to 127")
	case index < 0 || index > math.MaxUint16:
		return CaptureObject{}, shapeError("data index " + strconv.FormatInt(index, 10) + ", want 0 to 65535")
	}
	return CaptureObject{Class: id, Instance: code, Attribute: int8(attribute), DataIndex: uint16(index)}, nil
}

// objectID is what names an object, out of numbers and octets of a meter.
func objectID(class int64, name []byte) (ClassID, obis.Code, error) {
	code, ok := obis.FromOctets(name)
	switch {
	case !ok:
		return 0, obis.Code{}, shapeError("logical name of " + strconv.Itoa(len(name)) + " octets, want 6")
	case class < 0 || class > math.MaxUint16:
		return 0, obis.Code{}, shapeError("class " + strconv.FormatInt(class, 10) + ", want 0 to 65535")
	default:
		return ClassID(class), code, nil
	}
}
