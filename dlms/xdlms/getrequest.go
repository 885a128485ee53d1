package xdlms

import (
	"errors"
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
)

// GetType is the choice inside Get-Request and Get-Response. The numbers mean the same kind of exchange in both, but 2
// is get-request-next in a request and get-response-with-datablock in a response.
type GetType uint8

// The kinds of a GET. GetBlock is GetNext seen from the answer.
const (
	GetNormal   GetType = 1
	GetNext     GetType = 2
	GetBlock    GetType = 2
	GetWithList GetType = 3
)

// String gives a short name.
func (t GetType) String() string {
	switch t {
	case GetNormal:
		return "normal"
	case GetNext:
		return "next or block"
	case GetWithList:
		return "with-list"
	default:
		return name(nil, uint8(t))
	}
}

// descriptorSize is the octets of a Cosem-Attribute-Descriptor with the flag of its access selection.
const descriptorSize = 2 + 6 + 1 + 1

// GetRequest is Get-Request of the three kinds: one attribute, the next block, a list of attributes (Green Book Ed. 9,
// 9.3.6, The GET service, and 9.5).
type GetRequest struct {
	Type     GetType
	InvokeID InvokeID
	// Attributes are what is read: exactly one for GetNormal, one or more for GetWithList.
	Attributes []cosem.Attribute
	// Selections are the selective accesses of the attributes: nil when there are none, else one entry, which may be
	// nil, for each attribute.
	Selections []*cosem.Selection
	// Block is, for GetNext, the number of the block just received.
	Block uint32
}

// Append appends the encoded request to b. It fails when the fields do not fit together.
func (q *GetRequest) Append(b []byte) ([]byte, error) {
	if q.Selections != nil && len(q.Selections) != len(q.Attributes) {
		return nil, fmt.Errorf("get-request with %d selections for %d attributes", len(q.Selections), len(q.Attributes))
	}
	b = append(b, uint8(TagGetRequest), uint8(q.Type), uint8(q.InvokeID))
	switch q.Type {
	case GetNormal:
		if len(q.Attributes) != 1 {
			return nil, fmt.Errorf("get-request-normal with %d attributes", len(q.Attributes))
		}
		return q.appendAttribute(b, 0)
	case GetNext:
		return appendU32(b, q.Block), nil
	case GetWithList:
		if len(q.Attributes) == 0 {
			return nil, errors.New("get-request-with-list without attributes")
		}
		b = axdr.AppendLength(b, len(q.Attributes))
		var err error
		for i := range q.Attributes {
			if b, err = q.appendAttribute(b, i); err != nil {
				return nil, err
			}
		}
		return b, nil
	default:
		return nil, fmt.Errorf("get-request of type %d", q.Type)
	}
}

// appendAttribute writes the descriptor and the selection of one attribute.
func (q *GetRequest) appendAttribute(b []byte, i int) ([]byte, error) {
	at := &q.Attributes[i]
	b = appendU16(b, uint16(at.Class))
	b = append(b, at.Instance[:]...)
	b = append(b, uint8(at.ID))
	if q.Selections == nil || q.Selections[i] == nil {
		return append(b, 0), nil
	}
	s := q.Selections[i]
	if len(s.Parameters) == 0 {
		return nil, fmt.Errorf("selective access %d without parameters", s.Selector)
	}
	b = append(b, 1, s.Selector)
	return append(b, s.Parameters...), nil
}

// ParseGetRequest decodes a request that fills b. The parameters of selections are views into it. The error is a
// *SyntaxError.
func ParseGetRequest(b []byte) (GetRequest, error) {
	var q GetRequest
	if err := q.Parse(b); err != nil {
		return GetRequest{}, err
	}
	return q, nil
}

// Parse is ParseGetRequest into an existing value, whose slices are used again: a server that parses one request after
// the other into the same value does not allocate for attributes. After an error the value is not to be used.
func (q *GetRequest) Parse(b []byte) error {
	*q = GetRequest{Attributes: q.Attributes[:0], Selections: q.Selections[:0]}
	r := newReader(b, TagGetRequest)
	q.Type = GetType(r.u8("type"))
	q.InvokeID = InvokeID(r.u8("invoke-id-and-priority"))
	switch {
	case r.err != nil:
	case q.Type == GetNormal:
		q.parseAttribute(&r)
	case q.Type == GetNext:
		q.Block = r.u32("block-number")
	case q.Type == GetWithList:
		n := r.count(descriptorSize, "attribute-descriptor-list")
		if n == 0 && r.err == nil {
			r.fail("attribute-descriptor-list: empty")
		}
		for i := 0; i < n && r.err == nil; i++ {
			q.parseAttribute(&r)
		}
	default:
		r.failAt(1, fmt.Sprintf("type %d", q.Type), nil)
	}
	if len(q.Selections) == 0 {
		q.Selections = nil
	}
	return r.end()
}

// parseAttribute reads one descriptor with its selection. Selections begin with the first attribute that has one.
func (q *GetRequest) parseAttribute(r *reader) {
	const what = "attribute-descriptor"
	at := cosem.Attribute{Class: cosem.ClassID(r.u16(what))}
	copy(at.Instance[:], r.octets(len(at.Instance), what))
	at.ID = int8(r.u8(what))
	var selection *cosem.Selection
	if r.flag("access-selection") {
		selection = &cosem.Selection{Selector: r.u8("access-selector"), Parameters: r.data("access-parameters")}
	}
	if r.err != nil {
		return
	}
	if selection != nil || len(q.Selections) > 0 {
		for len(q.Selections) < len(q.Attributes) {
			q.Selections = append(q.Selections, nil)
		}
		q.Selections = append(q.Selections, selection)
	}
	q.Attributes = append(q.Attributes, at)
}
