package dlms_cosem

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path"
	"strconv"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/rfc2217"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/serial"
)

// wrapperPort is the registered port of DLMS/COSEM over TCP and UDP.
const wrapperPort = "4059"

// endpoint is where a link goes. Two that are equal are the same link.
type endpoint struct {
	network string // "tcp", "udp", "file", "rfc2217", "tcp-listen" or "udp-listen"
	address string // host:port, normalised, or the name of a serial port; also the tag source
}

// local reports whether it is a serial port of this machine.
func (e endpoint) local() bool { return e.network == "file" }

// serial reports whether it is a serial port, whose characters can be set.
func (e endpoint) serial() bool { return e.local() || e.network == "rfc2217" }

// listening reports whether meters come to us there.
func (e endpoint) listening() bool { return e.network == tcpListen || e.network == udpListen }

const (
	tcpListen = "tcp-listen"
	udpListen = "udp-listen"
)

func (e endpoint) String() string { return e.network + "://" + e.address }

const endpointsSupported = "supported are tcp://HOST:PORT, udp://HOST:PORT, file:///dev/ttyUSB0 or file://COM3 for serial ports, rfc2217://HOST:PORT for those of serial servers, and tcp-listen://ADDR:PORT and udp-listen://ADDR:PORT for meters that push or dial in"

// parseEndpoint reads tcp://HOST:PORT, udp://HOST:PORT, rfc2217://HOST:PORT,
// tcp-listen://ADDR:PORT, udp-listen://ADDR:PORT or file://PORT.
func parseEndpoint(s string) (endpoint, error) {
	network, rest, ok := strings.Cut(s, "://")
	if !ok {
		return endpoint{}, fmt.Errorf("the scheme is missing: %s", endpointsSupported)
	}
	network = strings.ToLower(network)
	switch network {
	case "tcp", "udp", "rfc2217", tcpListen, udpListen:
	case "file":
		return parsePort(rest)
	default:
		return endpoint{}, fmt.Errorf("unknown scheme %q: %s", cleanText(network), endpointsSupported)
	}
	if i := strings.IndexAny(rest, "/?#@ \t"); i >= 0 {
		return endpoint{}, fmt.Errorf("%q does not belong into a host and port: %s", rest[i:i+1], endpointsSupported)
	}
	host, port, err := net.SplitHostPort(rest)
	if err != nil {
		if !strings.Contains(rest, ":") || strings.HasSuffix(rest, "]") {
			if network == "rfc2217" {
				return endpoint{}, errors.New("the TCP port of the serial server is missing")
			}
			return endpoint{}, fmt.Errorf("the port is missing: DLMS over TCP and UDP has port %s, e.g. %s://%s:%s", wrapperPort, network, rest, wrapperPort)
		}
		return endpoint{}, fmt.Errorf("not a host and port (an IPv6 address needs brackets): %s", endpointsSupported)
	}
	listens := network == tcpListen || network == udpListen
	if host == "" && !listens {
		return endpoint{}, fmt.Errorf("the host is missing: %s", endpointsSupported)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 && !listens {
		return endpoint{}, fmt.Errorf("port %q: a number from 1 to 65535 is expected", port)
	}
	return endpoint{network: network, address: net.JoinHostPort(strings.ToLower(host), strconv.FormatUint(n, 10))}, nil
}

// parsePort reads the name of a serial port: a path, or COM3.
func parsePort(name string) (endpoint, error) {
	windows := len(name) > 3 && strings.EqualFold(name[:3], "COM")
	if windows {
		name = strings.ToUpper(name)
	}
	_, err := strconv.ParseUint(strings.TrimPrefix(name, "COM"), 10, 16)
	if windows && err != nil || !windows && !strings.HasPrefix(name, "/") || cleanText(name) != name || strings.HasSuffix(name, "/") {
		return endpoint{}, fmt.Errorf("not the name of a serial port: file:///dev/ttyUSB0, with three slashes, or file://COM3 is expected")
	}
	if !windows {
		name = path.Clean(name)
	}
	return endpoint{network: "file", address: name}, nil
}

// port returns the port's digits.
func (e endpoint) port() string {
	_, port, _ := net.SplitHostPort(e.address)
	return port
}

// Dial opens a connection, or a port, to an endpoint as it stands in the
// configuration.
func Dial(ctx context.Context, address string) (dlms.Transport, error) {
	e, err := parseEndpoint(address)
	if err != nil {
		return nil, err
	}
	if e.listening() {
		return nil, fmt.Errorf("%s: meters come to us there, it cannot be connected to", e)
	}
	if e.local() {
		return serial.Open(e.address, serial.Settings{})
	}
	network := e.network
	if network == "rfc2217" {
		network = "tcp"
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, e.address)
	if err != nil || e.network != "rfc2217" {
		return conn, err
	}
	return rfc2217.Open(ctx, conn)
}
