package xdlms

import (
	"errors"
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

// AccessChoice is the choice inside Variable-Access-Specification.
type AccessChoice uint8

// The ways to address a variable of short-name referencing.
const (
	VariableName        AccessChoice = 2 // an attribute or method by its short name
	ParameterizedAccess AccessChoice = 4 // the same, with a selector and a parameter
	BlockNumberAccess   AccessChoice = 5 // the block after this one
	ReadDataBlockAccess AccessChoice = 6 // a part of a request that is too long for one APDU
)

// VariableAccess is Variable-Access-Specification: one entry of a read-request.
type VariableAccess struct {
	Choice AccessChoice
	// Name is the short name, for VariableName and ParameterizedAccess: the base name of the object plus the offset.
	Name uint16
	// Selector and Parameter, one encoded Data, are those of a ParameterizedAccess.
	Selector  uint8
	Parameter axdr.Data
	// Block is the number of the block just received (BlockNumberAccess), or of the part sent (ReadDataBlockAccess).
	Block uint16
	// Last and Raw are what a ReadDataBlockAccess carries.
	Last bool
	Raw  []byte
}

// leastAccess is the octets of the smallest entry of a read-request, leastReadResult of a read-response.
const (
	leastAccess     = 3
	leastReadResult = 2
)

// ReadRequest is ReadRequest, the confirmed read of short-name referencing (Green Book Ed. 9, 9.3.14, The Read service,
// and 9.5). It has no invoke id: what an answer belongs to is known by nothing but that it comes next.
type ReadRequest struct {
	Accesses []VariableAccess // one or more
}

// Append appends the encoded request to b. It fails when the fields do not fit together.
func (q *ReadRequest) Append(b []byte) ([]byte, error) {
	if len(q.Accesses) == 0 {
		return nil, errors.New("read-request without variables")
	}
	b = axdr.AppendLength(append(b, uint8(TagReadRequest)), len(q.Accesses))
	for i := range q.Accesses {
		a := &q.Accesses[i]
		b = append(b, uint8(a.Choice))
		switch a.Choice {
		case VariableName:
			b = appendU16(b, a.Name)
		case ParameterizedAccess:
			if len(a.Parameter) == 0 {
				return nil, fmt.Errorf("parameterized access %d without a parameter", a.Selector)
			}
			b = append(append(appendU16(b, a.Name), a.Selector), a.Parameter...)
		case BlockNumberAccess:
			b = appendU16(b, a.Block)
		case ReadDataBlockAccess:
			b = appendOctets(appendU16(appendLast(b, a.Last), a.Block), a.Raw)
		default:
			return nil, fmt.Errorf("variable access of choice %d", a.Choice)
		}
	}
	return b, nil
}

// ParseReadRequest decodes a request that fills b. Parameters and raw octets are views into it. The error is a
// *SyntaxError.
func ParseReadRequest(b []byte) (ReadRequest, error) {
	r := newReader(b, TagReadRequest)
	n := r.count(leastAccess, "variable-access-specification")
	if n == 0 && r.err == nil {
		r.fail("variable-access-specification: empty")
	}
	var q ReadRequest
	for i := 0; i < n && r.err == nil; i++ {
		at := r.size - len(r.b)
		a := VariableAccess{Choice: AccessChoice(r.u8("variable-access-specification"))}
		switch a.Choice {
		case VariableName:
			a.Name = r.u16("variable-name")
		case ParameterizedAccess:
			a.Name = r.u16("variable-name")
			a.Selector = r.u8("selector")
			a.Parameter = r.data("parameter")
		case BlockNumberAccess:
			a.Block = r.u16("block-number")
		case ReadDataBlockAccess:
			a.Last = r.u8("last-block") != 0
			a.Block = r.u16("block-number")
			a.Raw = r.octets(r.length("raw-data"), "raw-data")
		default:
			r.failAt(at, fmt.Sprintf("variable-access-specification: choice %d", a.Choice), nil)
		}
		q.Accesses = append(q.Accesses, a)
	}
	if err := r.end(); err != nil {
		return ReadRequest{}, err
	}
	return q, nil
}

// ReadChoice is the choice inside one result of a read-response.
type ReadChoice uint8

// The results of a read.
const (
	ReadData        ReadChoice = 0
	ReadRefused     ReadChoice = 1
	ReadBlock       ReadChoice = 2 // a part of the body of the read-response, count included
	ReadBlockNumber ReadChoice = 3 // the part of the request with this number was taken
)

// ReadResult is one result of a read-response. Its slices are views.
type ReadResult struct {
	Choice ReadChoice
	Data   axdr.Data        // the value of ReadData
	Error  DataAccessResult // the reason of ReadRefused
	Last   bool             // no block follows this ReadBlock
	Block  uint16           // number of a ReadBlock or ReadBlockNumber
	Raw    []byte           // what a ReadBlock carries, cut anywhere; may be empty
}

// ParseReadResponse decodes the beginning of a response: the number of results, and the results themselves, to be cut
// with CutReadResult. Their count only is checked against the octets that are there. The error is a *SyntaxError.
func ParseReadResponse(b []byte) (count int, results []byte, err error) {
	r := newReader(b, TagReadResponse)
	count = r.count(leastReadResult, "result")
	return count, r.b, r.err
}

// CutReadCount cuts the count in front of results that came in blocks: the joined blocks are the body of a response.
func CutReadCount(b []byte) (count int, rest []byte, err error) {
	r := reader{b: b, size: len(b), apdu: TagReadResponse}
	count = r.count(leastReadResult, "result")
	return count, r.b, r.err
}

// CutReadResult cuts one result. It is completely validated. It does not allocate. The error is a *SyntaxError whose
// offset counts from the start of b; it wraps io.ErrUnexpectedEOF when b ends within the result.
func CutReadResult(b []byte) (p ReadResult, rest []byte, err error) {
	r := reader{b: b, size: len(b), apdu: TagReadResponse}
	p.Choice = ReadChoice(r.u8("result"))
	switch p.Choice {
	case ReadData:
		p.Data = r.data("data")
	case ReadRefused:
		p.Error = DataAccessResult(r.u8("data-access-error"))
		if r.err == nil && p.Error == Success { // nothing to say, as in a get-response
			p.Choice, p.Data = ReadData, axdr.Data{0}
		}
	case ReadBlock:
		p.Last = r.u8("last-block") != 0
		p.Block = r.u16("block-number")
		p.Raw = r.octets(r.length("raw-data"), "raw-data")
	case ReadBlockNumber:
		p.Block = r.u16("block-number")
	default:
		r.failAt(0, fmt.Sprintf("result: choice %d", p.Choice), nil)
	}
	if r.err != nil {
		return ReadResult{}, nil, r.err
	}
	return p, r.b, nil
}

// AppendReadResponse appends the beginning of a read-response of n results, which follow, each written by
// ReadResult.Append.
func AppendReadResponse(b []byte, n int) []byte {
	return axdr.AppendLength(append(b, uint8(TagReadResponse)), n)
}

// Append appends the result.
func (p *ReadResult) Append(b []byte) []byte {
	b = append(b, uint8(p.Choice))
	switch p.Choice {
	case ReadData:
		return append(b, p.Data...)
	case ReadRefused:
		return append(b, uint8(p.Error))
	case ReadBlock:
		return appendOctets(appendU16(appendLast(b, p.Last), p.Block), p.Raw)
	default:
		return appendU16(b, p.Block)
	}
}

func appendLast(b []byte, last bool) []byte {
	if last {
		return append(b, 1)
	}
	return append(b, 0)
}
