package dlms_cosem

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

const maxNetwork = 255

// ParseGateway makes the header for a device behind a gateway: its address is
// text, or octets as "hex:01020304".
func ParseGateway(network int, device string) (*xdlms.Gateway, error) {
	g := &xdlms.Gateway{Network: uint8(network), Device: []byte(device)}
	if digits, ok := strings.CutPrefix(device, "hex:"); ok {
		var err error
		if g.Device, err = hexOctets(digits); err != nil {
			return nil, errors.New(`after "hex:" an even number of hexadecimal digits is expected`)
		}
	}
	switch {
	case network < 0 || network > maxNetwork:
		return nil, fmt.Errorf("network %d is out of range: 0 to %d", network, maxNetwork)
	case len(g.Device) == 0 || len(g.Device) > xdlms.MaxGatewayDevice:
		return nil, fmt.Errorf("%d octets: 1 to %d are allowed", len(g.Device), xdlms.MaxGatewayDevice)
	}
	return g, nil
}

// checkGateway reports keys of a gateway that are not allowed.
func checkGateway(sc scope, s *Settings) {
	checkNumber(sc, "gateway_network", s.GatewayNetwork, 0, maxNetwork)
	if s.GatewayDevice != "" {
		if _, err := ParseGateway(0, s.GatewayDevice); err != nil {
			sc.bad("gateway_device", strconv.Quote(s.GatewayDevice), "%v", err)
		}
	}
}

// buildGateway fills in the device behind a gateway.
func buildGateway(sc requestScope, s *Settings, r *request) {
	switch {
	case s.GatewayDevice != "":
		network := 0
		if s.GatewayNetwork != nil {
			network = *s.GatewayNetwork
		}
		r.gateway, _ = ParseGateway(network, s.GatewayDevice) // a mistake is reported where it stands
	case s.GatewayNetwork != nil:
		sc.bad("gateway_network", strconv.Itoa(*s.GatewayNetwork), "without gateway_device it has no effect: set that, or remove it")
	}
}

// behind tells for keys, and for people, that a device is behind a gateway.
func (r *request) behind() string {
	if r.gateway == nil {
		return ""
	}
	return fmt.Sprintf(" gateway %d/%s", r.gateway.Network, hex.EncodeToString(r.gateway.Device))
}
