package dlms_cosem

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
)

// wrapperPort is the registered port of DLMS/COSEM over TCP and UDP.
const wrapperPort = "4059"

// endpoint is where a link goes. Two that are equal are the same link.
type endpoint struct {
	network string // "tcp" or "udp"
	address string // host:port, normalised; also the tag source
}

func (e endpoint) String() string { return e.network + "://" + e.address }

const endpointsSupported = "supported are tcp://HOST:PORT and udp://HOST:PORT"

// parseEndpoint reads tcp://HOST:PORT or udp://HOST:PORT.
func parseEndpoint(s string) (endpoint, error) {
	network, rest, ok := strings.Cut(s, "://")
	if !ok {
		return endpoint{}, fmt.Errorf("the scheme is missing: %s", endpointsSupported)
	}
	network = strings.ToLower(network)
	switch network {
	case "tcp", "udp":
	case "file", "rfc2217", "tcp-listen", "udp-listen":
		return endpoint{}, fmt.Errorf("%s:// is not supported: %s", network, endpointsSupported)
	default:
		return endpoint{}, fmt.Errorf("unknown scheme %q: %s", cleanText(network), endpointsSupported)
	}
	if i := strings.IndexAny(rest, "/?#@ \t"); i >= 0 {
		return endpoint{}, fmt.Errorf("%q does not belong into a host and port: %s", rest[i:i+1], endpointsSupported)
	}
	host, port, err := net.SplitHostPort(rest)
	if err != nil {
		if !strings.Contains(rest, ":") || strings.HasSuffix(rest, "]") {
			return endpoint{}, fmt.Errorf("the port is missing: DLMS over TCP and UDP has port %s, e.g. %s://%s:%s", wrapperPort, network, rest, wrapperPort)
		}
		return endpoint{}, fmt.Errorf("not a host and port (an IPv6 address needs brackets): %s", endpointsSupported)
	}
	if host == "" {
		return endpoint{}, fmt.Errorf("the host is missing: %s", endpointsSupported)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return endpoint{}, fmt.Errorf("port %q: a number from 1 to 65535 is expected", port)
	}
	return endpoint{network: network, address: net.JoinHostPort(strings.ToLower(host), strconv.FormatUint(n, 10))}, nil
}

// port returns the port's digits.
func (e endpoint) port() string {
	_, port, _ := net.SplitHostPort(e.address)
	return port
}

// dial opens a connection to an endpoint as it stands in the configuration.
func dial(ctx context.Context, address string) (dlms.Transport, error) {
	e, err := parseEndpoint(address)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	return d.DialContext(ctx, e.network, e.address)
}
