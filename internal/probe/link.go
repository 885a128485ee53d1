package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
)

// evenBauds is at how many speeds characters with parity are tried: few meters
// have them with HDLC.
const evenBauds = 3

// ways lists how the octets may go, the likely ones first.
func (p *prober) ways() []Way {
	mode := func(m string) bool { return len(p.cfg.Modes) == 0 || slices.Contains(p.cfg.Modes, m) }
	framing := func(f string) bool { return p.cfg.Framing == "" || p.cfg.Framing == f }
	var list []Way
	switch p.cfg.Network {
	case "file":
		bauds := p.cfg.Bauds
		if len(bauds) == 0 {
			bauds = []int{9600, 19200, 2400, 4800, 38400, 115200, 300}
		}
		for i, baud := range bauds {
			if mode(modeDLMS) && p.cfg.Parity != "even" {
				list = append(list, Way{Framing: dlms.HDLC, Baud: baud, Mode: modeDLMS})
			}
			if i == 0 && mode(modeIEC) {
				list = append(list, Way{Framing: dlms.HDLC, Mode: modeIEC})
			}
		}
		if mode(modeDLMS) && p.cfg.Parity != "none" {
			for _, baud := range bauds[:min(len(bauds), evenBauds)] {
				list = append(list, Way{Framing: dlms.HDLC, Baud: baud, Even: true, Mode: modeDLMS})
			}
		}
		return list
	case "udp":
		return []Way{{Framing: dlms.Wrapper, Mode: modeDLMS}}
	}
	if framing("wrapper") && mode(modeDLMS) {
		list = append(list, Way{Framing: dlms.Wrapper, Mode: modeDLMS})
	}
	if framing("hdlc") && mode(modeDLMS) {
		list = append(list, Way{Framing: dlms.HDLC, Mode: modeDLMS})
	}
	if p.cfg.Port != "4059" {
		slices.Reverse(list)
	}
	if framing("hdlc") && slices.Contains(p.cfg.Modes, modeIEC) {
		list = append(list, Way{Framing: dlms.HDLC, Mode: modeIEC})
	}
	return list
}

// addresses lists where a meter may be, the likely ones first: of one octet,
// then of two and four with the physical addresses that are usual.
func (p *prober) addresses(w Way) []Address {
	logical := p.cfg.Logical
	if w.Framing == dlms.Wrapper {
		return []Address{{Logical: logical}}
	}
	var list []Address
	if len(p.cfg.Physical) > 0 || p.cfg.AddressSize > 0 {
		physical := p.cfg.Physical
		if len(physical) == 0 {
			physical = []uint16{0}
			if p.cfg.AddressSize > 1 {
				physical = []uint16{17, 1, 16, 127}
			}
		}
		for _, n := range physical {
			if p.cfg.AddressSize > 0 {
				list = append(list, Address{n, logical, p.cfg.AddressSize})
				continue
			}
			list = append(list, Address{n, logical, 0})
			if n <= 127 && logical <= 127 {
				list = append(list, Address{n, logical, 4})
			}
		}
		return list
	}
	list = append(list, Address{0, logical, 1})
	for _, size := range []int{2, 4} {
		for _, n := range []uint16{17, 1, 16, 127} {
			list = append(list, Address{n, logical, size})
		}
	}
	return list
}

// try is a way and an address to try.
type try struct {
	w Way
	a Address
}

// tries lists the first address of each way, and then the others: most meters
// are at the first, and a wrong way costs as much time as a wrong address.
func (p *prober) tries() (list []try) {
	ways := p.ways()
	for _, w := range ways {
		list = append(list, try{w, p.addresses(w)[0]})
	}
	for _, w := range ways {
		for _, a := range p.addresses(w)[1:] {
			list = append(list, try{w, a})
		}
	}
	return list
}

// findLink finds framing, speed and address.
func (p *prober) findLink(ctx context.Context) error {
	client := uint16(publicClient)
	if p.cfg.Client > 0 {
		client = p.cfg.Client
	}
	list := p.tries()
	for len(list) > 0 {
		w, a := list[0].w, list[0].a
		list = list[1:]
		as, err := p.associate(ctx, w, a, login{client: client, short: p.short})
		var dial *DialError
		if ctx.Err() != nil {
			return ctx.Err()
		}
		tried := fmt.Sprintf("%s, %s, client %d", w, a, client)
		switch {
		case errors.As(err, &dial):
			p.say(Note{Tried: "connection", Err: dial.Err})
			return ErrNobody
		case err == nil || answered(err):
			p.r.Way, p.r.Address = Way{w.Framing, max(w.Baud, p.r.Way.Baud), w.Even, w.Mode}, a
			p.say(Note{Tried: tried, Found: "a meter answers"})
			if as != nil {
				p.release(ctx, w, as)
			}
			return nil
		}
		p.say(Note{Tried: tried, Err: err})
		var mode *dlms.ModeError
		other, isOther := otherFraming(err)
		switch {
		case isOther:
			list = slices.DeleteFunc(list, func(t try) bool { return t.w.Framing != other })
		case errors.As(err, &mode), w.Mode == modeIEC && signOnFailed(err), connectionEnded(err):
			list = slices.DeleteFunc(list, func(t try) bool { return t.w == w }) // no address makes this better
		default:
		}
	}
	return ErrNobody
}

// answered reports whether an error is one that only a meter at this address can
// have caused.
func answered(err error) bool {
	var (
		reject       *dlms.RejectError
		disconnected *dlms.DisconnectedError
		timeout      *dlms.TimeoutError
		exception    *dlms.ExceptionError
		service      *dlms.ServiceError
	)
	switch {
	case errors.As(err, &reject):
		return reject.Err == nil || reject.OtherReferencing || reject.Diagnostic.Source != acse.SourceNone
	case errors.As(err, &disconnected), errors.As(err, &exception), errors.As(err, &service):
		return true
	case errors.As(err, &timeout):
		return timeout.Op == "AARQ" && timeout.Acknowledge
	default:
		return false
	}
}

func signOnFailed(err error) bool {
	var timeout *dlms.TimeoutError
	return errors.As(err, &timeout) && timeout.Op == "sign-on"
}

// otherFraming is what came in place of the framing that was tried.
func otherFraming(err error) (dlms.Framing, bool) {
	var framing *dlms.FramingError
	if !errors.As(err, &framing) {
		return 0, false
	}
	switch framing.Seen {
	case "an HDLC frame":
		return dlms.HDLC, true
	case "a wrapper header":
		return dlms.Wrapper, true
	default:
		return 0, false
	}
}

// connectionEnded reports whether the other side has hung up.
func connectionEnded(err error) bool { return errors.Is(err, io.EOF) }

// lost reports whether the connection cannot be used any more.
func lost(err error) bool {
	var op *net.OpError
	return connectionEnded(err) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed) || errors.As(err, &op)
}
