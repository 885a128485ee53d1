package xdlms

import (
	"errors"
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

// resultSize is the octets of the smallest Get-Data-Result.
const resultSize = 2

// GetResponse is Get-Response of the three kinds: one value, one block, a list of values (Green Book Ed. 9, 9.3.6, The
// GET service, and 9.5). Slices in a parsed response are views into the input.
type GetResponse struct {
	Type     GetType
	InvokeID InvokeID
	// Result is, for GetNormal and GetBlock, Success or why there is no value.
	Result DataAccessResult
	// Data is the value of GetNormal when Result is Success.
	Data axdr.Data
	// Block is the block-number of GetBlock, Last whether no block follows it.
	Block uint32
	Last  bool
	// Raw is what a block carries when Result is Success: a part of the encoded value, cut anywhere, or of count and
	// results when a list was asked for. It may be empty.
	Raw []byte
	// Count is the number of results of GetWithList, List the results themselves, to be cut with CutGetResult.
	Count int
	List  []byte
}

// ParseGetResponse decodes a response that fills b. It does not allocate. The error is a *SyntaxError.
//
// The value of a normal response is validated completely. The results of a list are not looked at: their count only is
// checked against the octets that are there.
func ParseGetResponse(b []byte) (GetResponse, error) {
	r := newReader(b, TagGetResponse)
	p := GetResponse{
		Type:     GetType(r.u8("type")),
		InvokeID: InvokeID(r.u8("invoke-id-and-priority")),
	}
	switch {
	case r.err != nil:
	case p.Type == GetNormal:
		p.Data, p.Result = r.result()
		// Some meters send the array that they have begun behind the reason why there is none.
		if p.Result != Success && len(r.b) == 2 && axdr.Tag(r.b[0]) == axdr.TagArray && r.b[1] == 0 {
			r.octets(2, "")
		}
	case p.Type == GetBlock:
		p.Last = r.u8("last-block") != 0
		p.Block = r.u32("block-number")
		p.Raw, p.Result = r.block(p.Last)
	case p.Type == GetWithList:
		p.Count = r.count(resultSize, "result")
		p.List = r.octets(len(r.b), "result")
	default:
		r.failAt(1, fmt.Sprintf("type %d", p.Type), nil)
	}
	if err := r.end(); err != nil {
		return GetResponse{}, err
	}
	return p, nil
}

// result reads one Get-Data-Result. A meter that gives the result "success" in place of a value has nothing to say:
// this is read as null-data, whose encoding happens to be the same octet.
func (r *reader) result() (axdr.Data, DataAccessResult) {
	if !r.flag("get-data-result") {
		return r.data("data"), Success
	}
	code := r.octets(1, "data-access-result")
	if code == nil {
		return nil, 0
	}
	if DataAccessResult(code[0]) == Success {
		return axdr.Data(code), Success
	}
	return nil, DataAccessResult(code[0])
}

// block reads the result inside a block. Some meters end a transfer with a last block that has no result at all.
func (r *reader) block(last bool) ([]byte, DataAccessResult) {
	if r.err == nil && last && len(r.b) == 0 {
		return r.octets(0, ""), Success
	}
	if !r.flag("result") {
		return r.octets(r.length("raw-data"), "raw-data"), Success
	}
	result := DataAccessResult(r.u8("data-access-result"))
	if result == Success {
		return r.octets(0, ""), Success
	}
	return nil, result
}

// CutGetCount cuts the count in front of the results of a list. It is for lists that came in blocks: there count and
// results are what the joined blocks hold. A count that rest cannot hold is an error, a *SyntaxError.
func CutGetCount(b []byte) (n int, rest []byte, err error) {
	r := reader{b: b, size: len(b), apdu: TagGetResponse}
	n = r.count(resultSize, "result")
	return n, r.b, r.err
}

// CutGetResult cuts one result of a list: Data when res is Success, else nil. Data is a view into b, completely
// validated. It does not allocate. The error is a *SyntaxError whose offset counts from the start of b; it wraps
// io.ErrUnexpectedEOF when b ends within the result.
func CutGetResult(b []byte) (d axdr.Data, res DataAccessResult, rest []byte, err error) {
	r := reader{b: b, size: len(b), apdu: TagGetResponse}
	d, res = r.result()
	if r.err != nil {
		return nil, 0, nil, r.err
	}
	return d, res, r.b, nil
}

// Append appends the encoded response to b. It fails when the fields do not fit together.
func (p *GetResponse) Append(b []byte) ([]byte, error) {
	switch p.Type {
	case GetNormal:
		if p.Result != Success {
			return AppendGetResponseError(b, p.InvokeID, p.Result), nil
		}
		if len(p.Data) == 0 {
			return nil, errors.New("get-response-normal without data")
		}
		return AppendGetResponseNormal(b, p.InvokeID, p.Data), nil
	case GetBlock:
		if p.Result != Success {
			return AppendGetResponseBlockError(b, p.InvokeID, p.Last, p.Block, p.Result), nil
		}
		return AppendGetResponseBlock(b, p.InvokeID, p.Last, p.Block, p.Raw), nil
	case GetWithList:
		return append(AppendGetResponseList(b, p.InvokeID, p.Count), p.List...), nil
	default:
		return nil, fmt.Errorf("get-response of type %d", p.Type)
	}
}

// AppendGetResponseNormal appends a get-response-normal with a value, which must be one encoded Data. With nil it
// appends all that stands in front of the value.
func AppendGetResponseNormal(b []byte, id InvokeID, d axdr.Data) []byte {
	b = append(b, uint8(TagGetResponse), uint8(GetNormal), uint8(id), 0)
	return append(b, d...)
}

// AppendGetResponseError appends a get-response-normal with the reason why there is no value.
func AppendGetResponseError(b []byte, id InvokeID, res DataAccessResult) []byte {
	return append(b, uint8(TagGetResponse), uint8(GetNormal), uint8(id), 1, uint8(res))
}

// AppendGetResponseBlock appends a get-response-with-datablock.
func AppendGetResponseBlock(b []byte, id InvokeID, last bool, block uint32, raw []byte) []byte {
	return appendOctets(append(appendBlock(b, id, last, block), 0), raw)
}

// AppendGetResponseBlockError appends a get-response-with-datablock that ends the transfer with a reason.
func AppendGetResponseBlockError(b []byte, id InvokeID, last bool, block uint32, res DataAccessResult) []byte {
	return append(appendBlock(b, id, last, block), 1, uint8(res))
}

// appendBlock writes what blocks with and without data have in common.
func appendBlock(b []byte, id InvokeID, last bool, block uint32) []byte {
	b = append(b, uint8(TagGetResponse), uint8(GetBlock), uint8(id), 0)
	if last {
		b[len(b)-1] = 1
	}
	return appendU32(b, block)
}

// AppendGetResponseList appends the beginning of a get-response-with-list of n results, which follow, each written
// by AppendGetResult.
func AppendGetResponseList(b []byte, id InvokeID, n int) []byte {
	return axdr.AppendLength(append(b, uint8(TagGetResponse), uint8(GetWithList), uint8(id)), n)
}

// AppendGetResult appends one result of a list: d, one encoded Data, when res is Success, else res.
func AppendGetResult(b []byte, d axdr.Data, res DataAccessResult) []byte {
	if res != Success {
		return append(b, 1, uint8(res))
	}
	return append(append(b, 0), d...)
}
