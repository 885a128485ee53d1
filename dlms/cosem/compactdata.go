package cosem

import (
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

// AnyTemplate stands for a template_id that is not known.
const AnyTemplate = -1

// ParseTemplateID reads the template_id of a "Compact data" object (Blue Book
// Ed. 13, clause 4.3.10, attribute 4): an unsigned. It fails with a [*DecodeError].
func ParseTemplateID(d axdr.Data) (int, error) {
	id, ok := d.Int64()
	if !ok || d.Tag() != axdr.TagUnsigned {
		return 0, &DecodeError{What: "template_id", Err: shapeError("got " + d.String() + ", want an unsigned")}
	}
	return int(id), nil
}

// ParseTemplateDescription reads the template_description of a "Compact data"
// object (attribute 5): an octet-string with the type description of a
// structure. The result shares nothing with d. It fails with a [*DecodeError].
func ParseTemplateDescription(d axdr.Data) (t axdr.TypeDescription, err error) {
	const what = "template_description"
	b, ok := d.Octets()
	if !ok || d.Tag() != axdr.TagOctetString {
		return t, &DecodeError{What: what, Err: shapeError("got " + d.Tag().String() + ", want an octet-string")}
	}
	t, rest, err := axdr.CutTypeDescription(b)
	switch {
	case err != nil:
		return axdr.TypeDescription{}, &DecodeError{What: what, Err: err}
	case len(rest) > 0:
		return axdr.TypeDescription{}, &DecodeError{What: what, Err: trailing(len(rest))}
	case t.Tag() != axdr.TagStructure:
		return axdr.TypeDescription{}, &DecodeError{What: what, Err: shapeError("got the type " + t.Tag().String() + ", want a structure")}
	}
	return t, nil
}

// AppendCompactBuffer appends what is in a compact_buffer (attribute 2: an
// octet-string with values without tags) as a structure with one element for each
// of the capture_objects, and returns that structure. The first octet is
// the template_id that was captured, and the first element. It has to be id, if that is
// not [AnyTemplate]: the template describes no other buffer.
//
// An empty buffer, as after a reset, is no row: then the Data is nil, and so is
// the error. A structure of more than limit octets, octets after its end, and
// whatever does not fit the template is a [*DecodeError]. The result shares
// nothing with buffer.
func AppendCompactBuffer(dst []byte, buffer axdr.Data, template axdr.TypeDescription, id, limit int) (axdr.Data, error) {
	const what = "compact_buffer"
	b, ok := buffer.Octets()
	switch {
	case !ok || buffer.Tag() != axdr.TagOctetString:
		return nil, &DecodeError{What: what, Err: shapeError("got " + buffer.Tag().String() + ", want an octet-string")}
	case len(b) == 0:
		return nil, nil //nolint:nilnil // no row is no fault
	case id != AnyTemplate && id != int(b[0]):
		return nil, &DecodeError{What: what, Err: shapeError(fmt.Sprintf("got template_id %d, want %d; template_id and template_description have to be read anew", b[0], id))}
	}
	counted := template.Counted(b, len(b))
	out, rest, err := template.AppendElement(dst, b, counted, limit)
	if !counted && template.HasArray() && (err != nil || len(rest) > 0) {
		// Counted looked for elements one after the other, and here is only one.
		if again, left, other := template.AppendElement(dst, b, true, limit); other == nil && len(left) == 0 {
			out, rest, err = again, left, nil
		}
	}
	switch {
	case err != nil:
		return nil, &DecodeError{What: what, Err: err}
	case len(rest) > 0:
		return nil, &DecodeError{What: what, Err: trailing(len(rest))}
	}
	return axdr.Data(out[len(dst):len(out):len(out)]), nil
}
