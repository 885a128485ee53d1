// Package mbus cuts the frames of wired M-Bus (EN 13757-2) in which meters push
// DLMS/COSEM, and joins the fragments that their CI fields number.
//
// A long frame is 68 L L 68, then L octets: control, address, CI, data; then
// the sum of these, and 16. The data of a DLMS fragment begin with the two
// transport addresses, STSAP and DTSAP.
package mbus

import (
	"bytes"
	"fmt"
	"io"
)

const (
	start      = 0x68 // of a long frame
	startShort = 0x10
	stop       = 0x16
	singleE5   = 0xE5 // acknowledge

	shortOctets = 5 // start, control, address, sum, stop
	frameOctets = 6 // of a long frame besides what its length counts
	minLength   = 3 // control, address, CI
	overflow    = 256

	// MaxFrame is the longest frame in octets: one whose length has overflowed.
	MaxFrame = frameOctets + 255 + overflow
)

// Frame is a frame. Data is what follows the CI field, a view into the octets
// given to CutFrame; nil in a short frame, which has no CI field either.
type Frame struct {
	Short   bool
	Control uint8
	Address uint8
	CI      uint8
	Data    []byte
}

// ErrorKind is what is wrong with octets.
type ErrorKind uint8

// The kinds.
const (
	Noise    ErrorKind = iota + 1 // octets that begin no frame
	BadStart                      // 68 that begins no long frame
	BadSum                        // the sum is another one, or no 16 where the frame should end
)

// FrameError is octets that are no frame.
type FrameError struct {
	Kind      ErrorKind
	Skipped   int // octets that were passed over
	Want, Got uint8
}

// Error says what is wrong.
func (e *FrameError) Error() string {
	switch e.Kind {
	case BadStart:
		return "M-Bus: 68 without a length that is there twice"
	case BadSum:
		return fmt.Sprintf("M-Bus: the sum is %02X, %02X was expected, or 16 is not where the frame should end", e.Got, e.Want)
	default:
		return fmt.Sprintf("M-Bus: %d octets that begin no frame", e.Skipped)
	}
}

// CutFrame takes the first frame from the front of b.
//
// With io.ErrUnexpectedEOF more octets are needed; rest is what has to be kept
// for them, at most MaxFrame octets. With a *FrameError rest is where to go on,
// at least one octet further on. The single character E5 is passed over with
// the noise.
//
// Meters with more data than the length can count send it modulo 256: where the
// frame does not end where its length says, it may end 256 octets later.
func CutFrame(b []byte) (f Frame, rest []byte, err error) {
	if len(b) == 0 {
		return f, b, io.ErrUnexpectedEOF
	}
	switch b[0] {
	case startShort:
		return cutShort(b)
	case start:
		return cutLong(b)
	default:
		n := bytes.IndexFunc(b, func(r rune) bool { return r == start || r == startShort })
		if n < 0 {
			n = len(b)
		}
		return f, b[n:], &FrameError{Kind: Noise, Skipped: n}
	}
}

func cutShort(b []byte) (f Frame, rest []byte, err error) {
	if len(b) < shortOctets {
		return f, b, io.ErrUnexpectedEOF
	}
	if want := b[1] + b[2]; b[3] != want || b[4] != stop {
		return f, b[1:], &FrameError{Kind: BadSum, Skipped: 1, Want: want, Got: b[3]}
	}
	return Frame{Short: true, Control: b[1], Address: b[2]}, b[shortOctets:], nil
}

func cutLong(b []byte) (f Frame, rest []byte, err error) {
	for i, want := range []byte{start, 0, 0, start} {
		if i == 1 || i == 2 {
			want = b[min(1, len(b)-1)]
		}
		if i == len(b) {
			return f, b, io.ErrUnexpectedEOF
		}
		if b[i] != want {
			return f, b[1:], &FrameError{Kind: BadStart, Skipped: 1}
		}
	}
	length := int(b[1])
	var bad *FrameError
	for _, n := range []int{length, length + overflow} {
		if n < minLength {
			continue
		}
		if len(b) < n+frameOctets {
			return f, b, io.ErrUnexpectedEOF
		}
		var sum uint8
		for _, c := range b[4 : 4+n] {
			sum += c
		}
		if b[4+n] == sum && b[5+n] == stop {
			return Frame{Control: b[4], Address: b[5], CI: b[6], Data: b[7 : 4+n : 4+n]}, b[n+frameOctets:], nil
		}
		if bad == nil {
			bad = &FrameError{Kind: BadSum, Skipped: 1, Want: sum, Got: b[4+n]}
		}
		if n == length && !mayOverflow(b) {
			break
		}
	}
	return f, b[1:], bad
}

// mayOverflow reports whether a frame that is not right by its length may be
// one of a DLMS push whose length has overflowed: it has the CI field and the
// transport addresses of one, and little of it would be there otherwise.
func mayOverflow(b []byte) bool {
	return len(b) > 8 && b[1] < 32 && b[6]&^(ciNumber|ciLast) == 0
}

const (
	ciNumber = 0x0F // number of the fragment
	ciLast   = 0x10

	sapOctets = 2 // STSAP, DTSAP
)

// Append appends a long frame; data that do not fit its length make it
// overflow, as meters do.
func (f Frame) Append(b []byte) []byte {
	if f.Short {
		return append(b, startShort, f.Control, f.Address, f.Control+f.Address, stop)
	}
	n := uint8(minLength + len(f.Data))
	b = append(b, start, n, n, start)
	from := len(b)
	b = append(append(b, f.Control, f.Address, f.CI), f.Data...)
	var sum uint8
	for _, c := range b[from:] {
		sum += c
	}
	return append(b, sum, stop)
}

// FragmentError is a fragment that does not follow the one before.
type FragmentError struct {
	CI        uint8
	Got, Want int // numbers
	Size      int // octets that were joined, if it is about their number
}

// Error says what came.
func (e *FragmentError) Error() string {
	switch {
	case e.Size > 0:
		return fmt.Sprintf("M-Bus: a message of more than %d octets", e.Size)
	case e.Got == e.Want:
		return fmt.Sprintf("M-Bus: CI field %02X is not that of a DLMS fragment (00 to 1F), or the frame has no transport addresses", e.CI)
	default:
		return fmt.Sprintf("M-Bus: fragment %d came, %d was expected", e.Got, e.Want)
	}
}

// Joiner joins the fragments of a message. The zero value is ready but for Max.
type Joiner struct {
	Max  int // octets of a message
	buf  []byte
	next int // number of the fragment expected
	SAPs [sapOctets]uint8
}

// Add joins a fragment. Fragment 0 begins anew, whatever was before; a repeated
// one is passed over. The message is valid until the next call.
func (j *Joiner) Add(f Frame) (message []byte, err error) {
	number := int(f.CI & ciNumber)
	switch {
	case f.Short:
		return nil, nil
	case f.CI&^(ciNumber|ciLast) != 0, len(f.Data) < sapOctets:
		return nil, &FragmentError{CI: f.CI}
	case number == 0:
		j.buf, j.next = j.buf[:0], 0
		j.SAPs = [sapOctets]uint8(f.Data)
	case j.next > 0 && number == (j.next-1)&ciNumber:
		return nil, nil
	case number != j.next&ciNumber || j.next == 0:
		want := j.next & ciNumber
		j.Reset()
		return nil, &FragmentError{CI: f.CI, Got: number, Want: want}
	default:
	}
	if len(j.buf)+len(f.Data)-sapOctets > j.Max {
		j.Reset()
		return nil, &FragmentError{CI: f.CI, Size: j.Max}
	}
	j.buf = append(j.buf, f.Data[sapOctets:]...)
	j.next++
	if f.CI&ciLast == 0 {
		return nil, nil
	}
	j.next = 0
	return j.buf, nil
}

// Reset forgets what was joined. It reports whether there was something.
func (j *Joiner) Reset() bool {
	was := j.next > 0
	j.buf, j.next = j.buf[:0], 0
	return was
}

// Pending reports whether there are fragments that wait for others.
func (j *Joiner) Pending() bool { return j.next > 0 }

// Held returns how many octets of memory it holds.
func (j *Joiner) Held() int { return cap(j.buf) }
