package hdlc

import (
	"bytes"
	"fmt"
)

// A Joiner joins the segments of messages that are only listened to: the
// information of UI and I frames from one station to another. The zero value is
// ready but for Max.
type Joiner struct {
	Max     int // octets of a message
	buf     []byte
	joining bool
	last    Control
	size    int // octets of the last segment
}

// JoinError is a message that cannot be joined: it has more than Max octets,
// or Max is 0 and a segment is missing.
type JoinError struct {
	Max       int
	Got, Want uint8 // numbers of segments
}

func (e *JoinError) Error() string {
	if e.Max > 0 {
		return fmt.Sprintf("an HDLC message of more than %d octets in segments", e.Max)
	}
	return fmt.Sprintf("HDLC segment with N(S) %d, %d was expected: one is missing", e.Got, e.Want)
}

// Add joins the information of a frame. It returns the message that this frame
// completes, or nil; the message is valid until the next call. A segment that
// comes twice, octet by octet the same, counts once. Numbers are checked where
// the sender counts: some meters send every I frame as number 0.
func (j *Joiner) Add(f Frame) (message []byte, err error) {
	if k := f.Control.Kind(); k != I && k != UI {
		return nil, nil
	}
	if !j.joining || begins(f.Info) && !bytes.Equal(f.Info, j.buf) {
		j.joining, j.buf = false, j.buf[:0]
		if !f.Segmented {
			return f.Info, nil
		}
	} else if f.Control == j.last && bytes.Equal(f.Info, j.buf[len(j.buf)-j.size:]) {
		return nil, nil
	} else if want := (j.last.NS() + 1) & 7; f.Control.Kind() == I && f.Control.NS() != want && f.Control.NS() != j.last.NS() {
		j.Reset()
		return nil, &JoinError{Got: f.Control.NS(), Want: want}
	}
	if len(j.buf)+len(f.Info) > j.Max {
		j.Reset()
		return nil, &JoinError{Max: max(j.Max, 1)}
	}
	j.buf = append(j.buf, f.Info...)
	j.joining, j.last, j.size = f.Segmented, f.Control, len(f.Info)
	if f.Segmented {
		return nil, nil
	}
	return j.buf, nil
}

// begins reports whether information is that of a first segment, which alone
// has the LLC header: the end of the message before was lost.
func begins(info []byte) bool {
	return len(info) > llcOctets && info[0] == llcLSAP && (info[1] == llcLSAP || info[1] == llcResponse) && info[2] == llcQuality
}

// Reset forgets what was joined. It reports whether there was something.
func (j *Joiner) Reset() bool {
	was := j.joining
	j.buf, j.joining = j.buf[:0], false
	return was
}

// Pending reports whether there are segments that wait for others.
func (j *Joiner) Pending() bool { return j.joining }

// Held returns how many octets of memory it holds.
func (j *Joiner) Held() int { return cap(j.buf) }
