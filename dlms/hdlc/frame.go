package hdlc

import (
	"bytes"
	"encoding/binary"
	"io"
)

const (
	// Flag opens and closes a frame. It may stand inside of one as well: the
	// profile knows no transparency, the length tells where a frame ends.
	Flag = 0x7E

	// MaxLength is the largest value of the length field: the octets between
	// the flags.
	MaxLength = 2047
	// MaxFrame is the longest frame in octets, its flags included.
	MaxFrame = MaxLength + 2

	formatType   = 0xA0 // high nibble of the frame format field: type 3
	formatMask   = 0xF0
	segmentedBit = 0x08

	checkOctets = 2
	minLength   = 2 + 1 + 1 + 1 + checkOctets // shortest addresses, no information
)

// Frame is one frame of format type 3 (Green Book, clause 8.4.1).
type Frame struct {
	Destination Address
	Source      Address
	Segmented   bool // more segments of the same message follow
	Control     Control
	Info        []byte // information field; after CutFrame a view into its argument
}

// Append appends the frame with both of its flags. A frame without information
// has one check sequence, any other has two. It fails with a *FrameError
// (FrameLength) if more than 2047 octets come between the flags, and if an
// address cannot be encoded.
func (f Frame) Append(b []byte) ([]byte, error) {
	return f.appendWith(b, nil)
}

// appendWith is Append with a prefix in front of the information.
func (f Frame) appendWith(b, prefix []byte) ([]byte, error) {
	if err := f.Destination.Validate(); err != nil {
		return b, err
	}
	if err := f.Source.Validate(); err != nil {
		return b, err
	}
	length := 2 + f.Destination.size() + f.Source.size() + 1 + checkOctets
	info := len(prefix) + len(f.Info)
	if info > 0 {
		length += info + checkOctets
	}
	if length > MaxLength {
		return b, &FrameError{Kind: FrameLength, Length: length}
	}
	format := uint16(formatType)<<8 | uint16(length)
	if f.Segmented {
		format |= segmentedBit << 8
	}
	b = append(b, Flag)
	start := len(b)
	b = binary.BigEndian.AppendUint16(b, format)
	b = f.Destination.Append(b)
	b = f.Source.Append(b)
	b = append(b, byte(f.Control))
	b = binary.LittleEndian.AppendUint16(b, ^fcsUpdate(fcsInit, b[start:]))
	if info > 0 {
		b = append(b, prefix...)
		b = append(b, f.Info...)
		b = binary.LittleEndian.AppendUint16(b, ^fcsUpdate(fcsGood, b[len(b)-info:]))
	}
	return append(b, Flag), nil
}

// CutFrame takes the first frame from the front of b.
//
// The flag that closes the frame stays at the front of rest, for it may open
// the next one as well. The information field of the frame is a view into b.
//
// With io.ErrUnexpectedEOF more octets are needed; rest is what has to be kept
// for them: b without all but the last of its leading flags, at most MaxFrame
// octets. With a *FrameError rest is where to go on, at least one octet further
// on: behind noise, or one octet behind a flag that has opened no frame, since
// that may have been an octet of data. Whatever is received, CutFrame looks
// ahead at most MaxFrame octets, and checks the header before it waits for, or
// sums up, what the length promises.
func CutFrame(b []byte) (f Frame, rest []byte, err error) {
	if len(b) == 0 {
		return Frame{}, b, io.ErrUnexpectedEOF
	}
	if b[0] != Flag {
		n := bytes.IndexByte(b, Flag)
		if n < 0 {
			n = len(b)
		}
		return Frame{}, b[n:], &FrameError{Kind: FrameNoise, Skipped: n}
	}
	for len(b) > 1 && b[1] == Flag {
		b = b[1:]
	}
	if len(b) > 1 && b[1]&formatMask != formatType {
		return Frame{}, b[1:], &FrameError{Kind: FrameFormat, Skipped: 1}
	}
	if len(b) < 3 {
		return Frame{}, b, io.ErrUnexpectedEOF
	}
	length := int(binary.BigEndian.Uint16(b[1:]) & MaxLength)
	frameError := func(kind FrameErrorKind) error {
		return &FrameError{Kind: kind, Skipped: 1, Length: length}
	}
	if length < minLength {
		return Frame{}, b[1:], frameError(FrameLength)
	}
	body := b[1:min(len(b), 1+length)] // what is there of the octets between the flags
	n, err := f.cutHeader(body)
	switch {
	case err != nil:
		return Frame{}, b[1:], err
	case n == 0 && len(body) < length:
		return Frame{}, b, io.ErrUnexpectedEOF
	case n == 0:
		return Frame{}, b[1:], frameError(FrameLength)
	}
	if len(b) < 1+length+1 {
		return Frame{}, b, io.ErrUnexpectedEOF
	}
	if b[1+length] != Flag {
		return Frame{}, b[1:], frameError(FrameEnd)
	}
	if n < length {
		info := body[n : length-checkOctets]
		want := ^fcsUpdate(fcsGood, info)
		if got := binary.LittleEndian.Uint16(body[length-checkOctets:]); got != want {
			return Frame{}, b[1:], &FrameError{Kind: FrameFCS, Skipped: 1, Length: length, Want: want, Got: got}
		}
		if len(info) > 0 {
			f.Info = info
		}
	}
	return f, b[1+length:], nil
}

// cutHeader reads the header of the frame at the front of body and verifies
// the check sequence behind it, which is the HCS of a frame with information,
// and the FCS of one without. It returns the number of octets of both, 0 if
// body is too short.
func (f *Frame) cutHeader(body []byte) (int, error) {
	length := int(binary.BigEndian.Uint16(body) & MaxLength)
	n := 2
	for _, a := range []*Address{&f.Destination, &f.Source} {
		address, size := cutAddress(body[n:])
		if size < 0 {
			return 0, &FrameError{Kind: FrameAddress, Skipped: 1, Length: length}
		}
		if size == 0 {
			return 0, nil
		}
		*a = address
		n += size
	}
	end := n + 1 + checkOctets
	if length > end && length < end+checkOctets || length < end {
		return 0, &FrameError{Kind: FrameLength, Skipped: 1, Length: length}
	}
	if len(body) < end {
		return 0, nil
	}
	want := ^fcsUpdate(fcsInit, body[:n+1])
	if got := binary.LittleEndian.Uint16(body[n+1:]); got != want {
		kind := FrameHCS
		if length == end {
			kind = FrameFCS
		}
		return 0, &FrameError{Kind: kind, Skipped: 1, Length: length, Want: want, Got: got}
	}
	f.Segmented = body[0]&segmentedBit != 0
	f.Control = Control(body[n])
	return end, nil
}
