package xdlms

import (
	"bytes"
	"fmt"
	"io"
)

// MaxGatewayDevice is the longest address of a device behind a gateway, in octets.
const MaxGatewayDevice = 255

// gatewayFixed is the octets of a gateway header besides the address.
const gatewayFixed = 3

// A Gateway header stands before each APDU to a device behind a gateway, and
// before each of its answers (gateway protocol of the Green Book).
type Gateway struct {
	Network uint8  // the network of the gateway that the device is in
	Device  []byte // physical address of the device, at most MaxGatewayDevice octets; of CutGateway: a view
}

// Append appends the header with the tag TagGatewayRequest or
// TagGatewayResponse. The error says that the address is too long.
func (g Gateway) Append(b []byte, tag APDUTag) ([]byte, error) {
	if len(g.Device) > MaxGatewayDevice {
		return b, fmt.Errorf("address of a device behind a gateway: %d octets, at most %d", len(g.Device), MaxGatewayDevice)
	}
	return append(append(b, byte(tag), g.Network, byte(len(g.Device))), g.Device...), nil
}

// CutGateway takes the header with this tag off an APDU; both results are views
// into it. ok is false if it does not begin with that tag. An APDU that ends
// within its header, or with it, is io.ErrUnexpectedEOF.
func CutGateway(apdu []byte, tag APDUTag) (g Gateway, rest []byte, ok bool, err error) {
	if len(apdu) == 0 || APDUTag(apdu[0]) != tag {
		return g, apdu, false, nil
	}
	if len(apdu) < gatewayFixed || len(apdu) <= gatewayFixed+int(apdu[2]) {
		return g, nil, true, fmt.Errorf("%s: %w", tag, io.ErrUnexpectedEOF)
	}
	end := gatewayFixed + int(apdu[2])
	return Gateway{Network: apdu[1], Device: apdu[gatewayFixed:end]}, apdu[end:], true, nil
}

// Equal reports whether both name the same device.
func (g Gateway) Equal(o Gateway) bool {
	return g.Network == o.Network && bytes.Equal(g.Device, o.Device)
}
