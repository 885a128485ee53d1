package dlms_cosem

import (
	"fmt"
	"net"
	"net/netip"
)

// admits reports whether a meter may connect, and counts it.
func (l *listener) admits(from net.Addr) bool {
	ip := ipOf(from)
	if !l.allowed(ip) {
		l.complain("source "+ip.String(), fmt.Errorf("%s: a connection from %s was refused: it is not in allowed_sources", l.endpoint, ip))
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.enters(ip) {
		l.complainLocked("sockets "+ip.String(), fmt.Errorf("%s: a connection from %s was refused: there are %d from there, and %d in all; at most %d and %d are served", l.endpoint, ip, l.from[ip], l.sockets, mostOfSource, mostSockets))
		return false
	}
	return true
}

// allowed reports whether a request takes something from there.
func (l *listener) allowed(ip netip.Addr) bool {
	for _, list := range [][]*request{l.passive, l.active} {
		for _, r := range list {
			if r.admits(ip) {
				return true
			}
		}
	}
	return false
}

// admits reports whether the request takes something from there.
func (r *request) admits(ip netip.Addr) bool {
	if len(r.sources) == 0 || !ip.IsValid() {
		return true
	}
	for _, p := range r.sources {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

func ipOf(a net.Addr) netip.Addr {
	if a == nil {
		return netip.Addr{}
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}

func ipText(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}
