package dlms

import (
	"context"
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// gatewayLink is a link to a gateway, for a device behind it: each APDU has a
// header that names the device, and so has each answer.
type gatewayLink struct {
	link
	gateway xdlms.Gateway
	header  []byte // of requests
	tx      []byte
}

func newGatewayLink(l link, g xdlms.Gateway) (*gatewayLink, error) {
	header, err := g.Append(nil, xdlms.TagGatewayRequest)
	if err != nil {
		return nil, err
	}
	return &gatewayLink{link: l, gateway: xdlms.Gateway{Network: g.Network, Device: header[len(header)-len(g.Device):]}, header: header}, nil
}

func (l *gatewayLink) room() int { return l.link.room() - len(l.header) }

func (l *gatewayLink) exchange(ctx context.Context, op operation, apdu []byte, e expectation) ([]byte, error) {
	l.tx = append(append(l.tx[:0], l.header...), apdu...)
	if again := e.again; again != nil {
		e.again = func() ([]byte, error) {
			apdu, err := again()
			l.tx = append(append(l.tx[:0], l.header...), apdu...)
			return l.tx, err
		}
	}
	e.gateway = &l.gateway
	answer, err := l.link.exchange(ctx, op, l.tx, e)
	return l.within(op, answer, err)
}

func (l *gatewayLink) more(ctx context.Context, op operation, e expectation) ([]byte, error) {
	e.gateway = &l.gateway
	answer, err := l.link.more(ctx, op, e)
	return l.within(op, answer, err)
}

// within takes the header off an answer.
func (l *gatewayLink) within(op operation, answer []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	_, rest, ok, err := xdlms.CutGateway(answer, xdlms.TagGatewayResponse)
	switch {
	case err != nil:
		return nil, &ProtocolError{Op: op.String(), Msg: shown(answer), Err: err}
	case ok:
		return rest, nil
	}
	switch xdlms.APDUTag(answer[0]) {
	case xdlms.TagExceptionResponse, xdlms.TagConfirmedServiceError:
		err = errorAPDU(op.String(), answer)
	default:
		err = &ProtocolError{Op: op.String(), Msg: shown(answer)}
	}
	return nil, &GatewayError{Gateway: l.gateway, Err: err}
}

// A GatewayError says that an answer came without the header of the device: a
// gateway answered in its place, or there is none.
type GatewayError struct {
	Gateway xdlms.Gateway
	Err     error // what the answer says, or what it is
}

func (e *GatewayError) Error() string {
	return fmt.Sprintf("network %d, device %s: the answer is not the device's but that of the gateway, or there is no gateway: %v",
		e.Gateway.Network, shown(e.Gateway.Device), e.Err)
}

// Unwrap returns Err.
func (e *GatewayError) Unwrap() error { return e.Err }
