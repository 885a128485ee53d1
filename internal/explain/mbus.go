package explain

import (
	"errors"
	"fmt"
	"io"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/mbus"
)

const (
	mbusHead = 4 // start, length twice, start
	mbusTail = 2 // sum, stop
	mbusStop = 0x16
)

// fragments joins the fragments of a message, and keeps where they are.
type fragments struct {
	mbus.Joiner
	got  gather
	next int
}

// add joins a frame with the data behind its transport addresses. It returns
// the message that it completes.
func (j *fragments) add(f mbus.Frame, data octets) (message octets, complete bool, err error) {
	j.Max = maxAPDU
	number := int(f.CI & 0x0F)
	m, err := j.Add(f)
	if err != nil {
		j.got = gather{}
		return octets{}, false, err
	}
	switch {
	case number == 0:
		j.got, j.next = gather{}, 1
		j.got.add(data)
	case number == j.next&0x0F:
		j.next++
		j.got.add(data)
	default: // it came once more
	}
	if m == nil {
		return octets{}, false, nil
	}
	return j.got.take(), true, nil
}

// mbusFrame deals with a frame of wired M-Bus; n is -1 if it is none.
func (s *stream) mbusFrame(o octets, final bool) (n int, good bool) {
	if o.b[0] == 0xE5 {
		s.frame("M-Bus acknowledge", "E5", o.cut(0, 1))
		return 1, true
	}
	f, rest, err := mbus.CutFrame(o.b)
	var bad *mbus.FrameError
	switch {
	case err == nil:
		n = len(o.b) - len(rest)
		s.mbusGood(f, o.cut(0, n), "")
		return n, true
	case errors.Is(err, io.ErrUnexpectedEOF) && !final:
		return 0, false
	case errors.Is(err, io.ErrUnexpectedEOF) && len(o.b) > mbusHead && (s.found == dlms.MBus || s.begins()):
		n = s.next(o.b)
		node := s.frame("M-Bus long frame", hexText(o.b[:n]), o.cut(0, n))
		s.x.flaw(node, fmt.Sprintf("the input ends within a frame: %d of %d octets are there", n, int(o.b[1])+mbusHead+mbusTail))
		return n, true
	case errors.As(err, &bad) && bad.Kind == mbus.BadSum && o.b[0] == 0x68:
		return s.mbusBad(o, bad)
	default:
		return -1, false
	}
}

// mbusBad deals with a long frame whose sum is wrong. It is taken for one if its
// stop is where it should be.
func (s *stream) mbusBad(o octets, bad *mbus.FrameError) (n int, good bool) {
	n = mbusHead + int(o.b[1]) + mbusTail
	if n > len(o.b) || o.b[n-1] != mbusStop || o.b[1] < 3 || s.next(o.b[:n]) < n {
		return -1, false
	}
	b := o.b[:n]
	f := mbus.Frame{Control: b[4], Address: b[5], CI: b[6], Data: b[7 : n-mbusTail]}
	s.mbusGood(f, o.cut(0, n), fmt.Sprintf("wrong sum: %02X received, %02X expected", bad.Got, bad.Want))
	return n, true
}

// fixMBus gives a frame the sum that fits.
func fixMBus(b []byte) {
	from := mbusHead
	if b[0] == 0x10 {
		from = 1
	}
	var sum uint8
	for _, c := range b[from : len(b)-mbusTail] {
		sum += c
	}
	b[len(b)-mbusTail] = sum
}

// mbusGood shows a frame; problem is what is wrong with its sum.
func (s *stream) mbusGood(f mbus.Frame, o octets, problem string) {
	x := s.x
	s.x.mark(kindMBus, o)
	if problem == "" {
		s.counted(dlms.MBus)
	}
	if f.Short {
		n := s.frame("M-Bus short frame", fmt.Sprintf("control %02X, address %d", f.Control, f.Address), o)
		x.add(n, "sum", fmt.Sprintf("%02X ok", o.b[3]), o.cut(3, 4))
		return
	}
	n := s.frame("M-Bus long frame", count(len(o.b), "octet"), o)
	x.add(n, "control", fmt.Sprintf("%02X", f.Control), o.cut(4, 5))
	x.add(n, "address", fmt.Sprintf("%d", f.Address), o.cut(5, 6))
	ci := x.add(n, "CI field", fmt.Sprintf("%02X", f.CI), o.cut(6, 7))
	sum := x.add(n, "sum", fmt.Sprintf("%02X", o.b[len(o.b)-mbusTail]), o.cut(len(o.b)-mbusTail, len(o.b)-1))
	if problem == "" {
		sum.Value += " ok"
	} else {
		x.flaw(sum, problem)
	}
	if f.CI&^0x1F != 0 || len(f.Data) < 2 {
		x.add(n, "data", hexText(f.Data), o.cut(7, 7+len(f.Data)))
		x.flaw(ci, fmt.Sprintf("CI field %02X is not that of a DLMS fragment: 00 to 1F expected, and transport addresses", f.CI))
		return
	}
	ci.Note = fmt.Sprintf("fragment %d", f.CI&0x0F)
	if f.CI&0x10 != 0 {
		ci.Note += ", the last one"
	}
	x.add(n, "STSAP", fmt.Sprintf("%d", f.Data[0]), o.cut(7, 8)).Note = "source"
	x.add(n, "DTSAP", fmt.Sprintf("%d", f.Data[1]), o.cut(8, 9)).Note = "destination"
	data := o.cut(9, 7+len(f.Data))
	message, complete, err := s.mbus.add(f, data)
	switch {
	case err != nil:
		x.add(n, "data", hexText(data.b), data)
		x.flaw(ci, err.Error())
	case !complete:
		x.add(n, "fragment", hexText(data.b), data)
	default:
		from, to := hdlc.Address{Upper: uint16(s.mbus.SAPs[0])}, hdlc.Address{Upper: uint16(s.mbus.SAPs[1])}
		parent := n
		if f.CI&0x0F > 0 {
			parent = x.add(n, "joined", fmt.Sprintf("%s from fragments", count(len(message.b), "octet")), message)
		}
		x.message(parent, message, s.ctx(from, to))
	}
}
