//go:build e2e

package e2e

import (
	"fmt"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/interop/peer"
)

// symbols are the units that the meter uses, by their code in the standard.
var symbols = map[uint8]string{
	0: "", 27: "W", 28: "VA", 29: "var", 30: "Wh", 31: "VAh", 32: "varh", 33: "A", 35: "V", 44: "Hz", 255: "",
}

// connection is the first part of a plugin file for a meter.
func connection(endpoint, framing string, low bool) string {
	conf := fmt.Sprintf("[[inputs.dlms_cosem]]\n  endpoint = %q\n  framing = %q\n", "tcp://"+endpoint, framing)
	if low {
		conf += "  authentication = \"low\"\n  password = \"12345678\"\n"
	}
	return conf
}

// request is a request for all registers, with more keys and items as text.
func request(m *peer.Meter, keys, items string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n  [[inputs.dlms_cosem.request]]\n    name = \"main meter\"\n%s", keys)
	for _, r := range append(m.Contents.Registers, m.Contents.Extended...) {
		fmt.Fprintf(&b, "    [[inputs.dlms_cosem.request.item]]\n      name = %q\n      obis = %q\n", itemName(r), r.OBIS)
	}
	return b.String() + items
}

// itemName is the name of a register's item.
func itemName(r peer.Register) string { return "r_" + strings.ReplaceAll(r.OBIS, ".", "_") }

// others are items for what is not a register.
const others = `
    [[inputs.dlms_cosem.request.item]]
      name = "serial"
      obis = "0.0.96.1.0.255"
      class = 1
    [[inputs.dlms_cosem.request.item]]
      name = "device"
      obis = "0.0.42.0.0.255"
      class = 1
      data_type = "string"
    [[inputs.dlms_cosem.request.item]]
      name = "uptime"
      obis = "0.0.96.6.0.255"
      class = 1
    [[inputs.dlms_cosem.request.item]]
      name = "offset"
      obis = "0.0.96.5.0.255"
      class = 1
    [[inputs.dlms_cosem.request.item]]
      name = "relay"
      obis = "0.0.96.3.10.255"
      class = 1
    [[inputs.dlms_cosem.request.item]]
      name = "clock"
      obis = "0.0.1.0.0.255"
`
