package push

import (
	"errors"
	"io"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// Some meters push what is no A-XDR. Both forms are read by their own rules,
// and written anew as the A-XDR that is meant:
//
//   - an attribute descriptor without tags in front of a value, within a
//     structure that counts both as one element each: 02 02, class of two
//     octets, code of six, attribute of one, then the value with its tag.
//   - codes whose tag and length have changed places: 06 09 in place of 09 06.

const descriptorOctets = 2 + 6 + 1

// repair appends the body to dst as valid A-XDR. ok is false if it is none of
// the known forms, or would have more than limit octets.
func repair(dst, body []byte, limit int) (out []byte, ok bool) {
	for _, form := range forms {
		r := repairer{src: body, dst: dst, limit: len(dst) + limit, form: form}
		if end, ok := r.element(0, 0); ok && r.used && zeros(body[end:]) {
			return r.dst, true
		}
	}
	return dst, false
}

// Length returns how many octets the body at the front of b has by its own
// account: 0 if more octets are needed to tell, -1 if it cannot be told.
func Length(b []byte) int {
	d, rest, err := axdr.Cut(b)
	if err == nil && zeros(rest) {
		return len(d)
	}
	short := errors.Is(err, io.ErrUnexpectedEOF)
	for _, form := range forms {
		r := repairer{src: b, limit: defaultMaxAPDU, form: form}
		end, ok := r.element(0, 0)
		// What is A-XDR, too, is the other form only if that leaves nothing over.
		if ok && r.used && !r.maybe && (err != nil || zeros(b[end:])) {
			return end
		}
		short = short || r.maybe || r.used && r.short
	}
	switch {
	case err == nil:
		return len(d)
	case short:
		return 0
	default:
		return -1
	}
}

func zeros(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// form is a set of the forms that are looked for.
type form uint8

const (
	untagged form = 1 << iota
	swapped
)

var forms = []form{untagged, swapped, untagged | swapped}

type repairer struct {
	src, dst []byte
	limit    int
	form     form
	used     bool // something was not A-XDR
	maybe    bool // with more octets, something may turn out not to be
	short    bool // the octets have come to an end
}

// element writes the element at off. It returns the offset after it.
func (r *repairer) element(off, depth int) (end int, ok bool) {
	if off >= len(r.src) || depth > axdr.MaxDepth || len(r.dst) > r.limit {
		r.short = off >= len(r.src)
		return off, false
	}
	if r.form&swapped != 0 && r.swappedCode(off) {
		return off + swappedOctets, true
	}
	t := axdr.Tag(r.src[off])
	if t != axdr.TagArray && t != axdr.TagStructure {
		d, _, err := axdr.Cut(r.src[off:])
		if err != nil {
			r.short = errors.Is(err, io.ErrUnexpectedEOF)
			return off, false
		}
		r.dst = append(r.dst, d...)
		return off + len(d), true
	}
	n, rest, err := axdr.CutLength(r.src[off+1:])
	if err != nil || n > len(rest) {
		r.short = err == nil || errors.Is(err, io.ErrUnexpectedEOF)
		return off, false
	}
	next := len(r.src) - len(rest)
	if t == axdr.TagStructure && n == 2 && r.form&untagged != 0 && r.descriptor(next) {
		return r.element(next+descriptorOctets, depth+1)
	}
	r.dst = append(r.dst, r.src[off:next]...)
	for off = next; n > 0; n-- {
		if off, ok = r.element(off, depth+1); !ok {
			return off, false
		}
	}
	return off, true
}

const swappedOctets = 8

// swappedCode writes a code whose tag and length have changed places, if there
// is one at off.
func (r *repairer) swappedCode(off int) bool {
	b := r.src[off:]
	if len(b) < 2 || b[0] != 6 || b[1] != byte(axdr.TagOctetString) {
		return false
	}
	if len(b) < swappedOctets {
		r.maybe = true
		return false
	}
	code := obis.Code(b[2:swappedOctets])
	if !plausible(code) || code[5] != 255 {
		return false
	}
	r.used = true
	r.dst = axdr.AppendOctetString(r.dst, code[:])
	return true
}

// descriptor writes the head of a structure of class, code, attribute and the
// value that follows, if there is a descriptor without tags at off.
func (r *repairer) descriptor(off int) bool {
	b := r.src[off:]
	if len(b) >= 2 && !(cosem.ClassID(b[0])<<8 | cosem.ClassID(b[1])).Known() {
		return false
	}
	if len(b) <= descriptorOctets {
		r.maybe = true
		return false
	}
	class, code, attribute := cosem.ClassID(b[0])<<8|cosem.ClassID(b[1]), obis.Code(b[2:8]), int8(b[8])
	if !plausible(code) || code[5] != 255 || attribute < 1 || attribute > mostAttribute {
		return false
	}
	r.used = true
	r.dst = axdr.AppendStructure(r.dst, 4)
	r.dst = axdr.AppendLongUnsigned(r.dst, uint16(class))
	r.dst = axdr.AppendOctetString(r.dst, code[:])
	r.dst = axdr.AppendInteger(r.dst, attribute)
	return true
}
