package dlms_cosem

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
)

// Address limits of IEC 62056-46, and our words for them.
const (
	maxClientHDLC    = 127
	maxClientWrapper = 65535
	maxLogical       = 16382
	maxLogicalShort  = 126 // 127 is all devices in an address of one or two octets
	maxPhysical      = 16383
	maxPhysicalShort = 127
)

// linkTimes are what `link` sets.
type linkTimes struct{ reply, connect, timeout time.Duration }

func linkPreset(link string) linkTimes {
	switch link {
	case "gsm":
		return linkTimes{30 * time.Second, 30 * time.Second, 3 * time.Minute}
	case "nbiot":
		return linkTimes{60 * time.Second, 60 * time.Second, 10 * time.Minute}
	default: // auto on a network is local
		return linkTimes{5 * time.Second, 5 * time.Second, 30 * time.Second}
	}
}

// checkSettings reports values that are wrong whatever stands around them.
func checkSettings(sc scope, s *Settings) {
	if s.Endpoint != "" {
		if _, err := parseEndpoint(s.Endpoint); err != nil {
			sc.bad("endpoint", strconv.Quote(s.Endpoint), "%v", err)
		}
	}
	sc.oneOf("framing", s.Framing, "auto", "hdlc", "wrapper", "mbus")
	sc.oneOf("link", s.Link, "auto", "local", "gsm", "nbiot")
	checkDuration(sc, "reply_timeout", s.ReplyTimeout, 1, 24*time.Hour)
	checkDuration(sc, "inter_octet_timeout", s.InterOctetTimeout, 1, time.Hour)
	checkDuration(sc, "connect_timeout", s.ConnectTimeout, 1, 24*time.Hour)
	checkNumber(sc, "retries", s.Retries, 0, 1000)
	checkDuration(sc, "timeout", s.Timeout, 1, 24*time.Hour)
	checkDuration(sc, "min_interval", s.MinInterval, 0, 24*time.Hour)
	if s.PhysicalAddress != nil {
		if _, err := parseAddresses(s.PhysicalAddress); err != nil {
			sc.bad("physical_address", show(s.PhysicalAddress), "%v", err)
		}
	}
	checkNumber(sc, "logical_address", s.LogicalAddress, 1, maxLogical)
	if _, ok := parseAddressSize(s.AddressSize); !ok {
		sc.bad("address_size", s.AddressSize.text, `allowed are "auto", 1, 2 and 4`)
	}
	checkNumber(sc, "client_address", s.ClientAddress, 1, maxClientWrapper)
	sc.oneOf("referencing", s.Referencing, "ln", "sn")
	checkProtection(sc, s)
	if s.Password.Set() {
		if _, err := s.Password.Get(); err != nil {
			sc.bad("password", "", "%v", err)
		}
	}
	checkSerial(sc, s)
	checkGateway(sc, s)
	checkSignOn(sc, s)
	checkListen(sc, s)
	checkLimits(sc, s)
	sc.oneOf("method", s.Method, "gather", "once", "polling", "times", "cron", "event")
	checkDuration(sc, "misfire_grace", s.MisfireGrace, 0, 24*time.Hour)
	checkDuration(sc, "retry_window", s.RetryWindow, 0, 7*24*time.Hour)
	if _, err := loadZone(s.Timezone); err != nil {
		sc.bad("timezone", strconv.Quote(s.Timezone), noZone)
	}
	sc.oneOf("layout", s.Layout, "obis", "wide")
	if s.Measurement == statusMeasurement {
		sc.bad("measurement", strconv.Quote(s.Measurement), "this name belongs to the status metrics")
	}
	if _, err := loadZone(s.MeterTimezone); err != nil {
		sc.bad("meter_timezone", strconv.Quote(s.MeterTimezone), noZone)
	}
	sc.oneOf("deviation", s.Deviation, "auto", "standard", "inverted", "ignore")
}

const noZone = `not a time zone: "Local", "UTC" or a name like "Europe/Berlin" is expected`

func checkDuration(sc scope, key string, d Duration, low, high time.Duration) {
	switch {
	case !d.Set():
	case d.bad:
		sc.bad(key, strconv.Quote(d.text), `not a duration: a number with its unit is expected, e.g. "500ms", "10s" or "15m"`)
	case d.value < low && low == 0:
		sc.bad(key, strconv.Quote(d.text), "must not be negative")
	case d.value < low:
		sc.bad(key, strconv.Quote(d.text), "must be more than 0")
	case d.value > high:
		sc.bad(key, strconv.Quote(d.text), "must be at most %s", strings.TrimSuffix(high.String(), "0m0s"))
	}
}

func checkNumber(sc scope, key string, n *int, low, high int) {
	if n != nil && (*n < low || *n > high) {
		sc.bad(key, strconv.Itoa(*n), "out of range: %d to %d is allowed", low, high)
	}
}

func parseAddressSize(n Number) (size int, ok bool) {
	if n.text == "" || n.text == "auto" {
		return 0, true
	}
	v, ok := n.value()
	return v, ok && (v == 1 || v == 2 || v == 4)
}

func loadZone(name string) (*time.Location, error) {
	if name == "" {
		return time.Local, nil
	}
	return time.LoadLocation(name)
}

// parseAddresses reads 17, "1,2,3,4" or [1, 2, 3, 4].
func parseAddresses(v any) ([]uint16, error) {
	var list []uint16
	add := func(n int64) error {
		if n < 1 || n > maxPhysical {
			return fmt.Errorf("address %d is out of range: 1 to %d is allowed", n, maxPhysical)
		}
		for _, have := range list {
			if have == uint16(n) {
				return fmt.Errorf("address %d is there twice", n)
			}
		}
		list = append(list, uint16(n))
		return nil
	}
	var each func(v any, nested bool) error
	each = func(v any, nested bool) error {
		switch v := v.(type) {
		case int64:
			return add(v)
		case string:
			for part := range strings.SplitSeq(v, ",") {
				n, err := strconv.ParseInt(strings.TrimSpace(part), 10, 32)
				if err != nil {
					return fmt.Errorf(`%q is not an address: 17, "1,2,3,4" or [1, 2, 3, 4] is expected`, strings.TrimSpace(part))
				}
				if err := add(n); err != nil {
					return err
				}
			}
			return nil
		case []any:
			if nested {
				break
			}
			if len(v) == 0 {
				return fmt.Errorf("the list is empty: leave the key out if the meter has no physical address")
			}
			for _, e := range v {
				if err := each(e, true); err != nil {
					return err
				}
			}
			return nil
		default:
		}
		return fmt.Errorf(`not an address: 17, "1,2,3,4" or [1, 2, 3, 4] is expected`)
	}
	return list, each(v, false)
}

// requestScope also knows which keys came from the top of the file.
type requestScope struct {
	scope
	own, top *Settings
}

// bad reports a value where it stands: in the request, or at the top.
func (s requestScope) bad(key, value, format string, args ...any) {
	switch {
	case s.own.sets(key):
		s.scope.bad(key, value, format, args...)
	case s.top.sets(key):
		s.report(key, key, value, format, args...)
	default:
		s.missing(key, format, args...)
	}
}

// buildLink fills in where and how the request reads. s is merged with the
// defaults; values that checkSettings has reported are passed over.
func buildLink(sc requestScope, s *Settings, r *request) {
	known := false
	if s.Endpoint == "" {
		sc.missing("endpoint", "this key is required: %s", endpointsSupported)
	} else if e, err := parseEndpoint(s.Endpoint); err == nil {
		r.endpoint, known = e, true
	}
	r.passive = s.SendRequests != nil && !*s.SendRequests
	switch {
	case r.passive:
		r.framing = heardFraming(s.Framing)
	case s.Framing == "mbus":
		sc.bad("framing", `"mbus"`, "M-Bus is listened to only: set send_requests = false")
	case s.Framing == "hdlc":
		r.framing = dlms.HDLC
		if known && r.endpoint.network == "udp" {
			sc.bad("framing", `"hdlc"`, `HDLC does not go over UDP: use "wrapper", or tcp://`)
		}
	case known && r.endpoint.serial():
		r.framing = dlms.HDLC
	case s.Framing == "wrapper":
		r.framing = dlms.Wrapper
	case known && (r.endpoint.network == "udp" || r.endpoint.port() == wrapperPort):
		r.framing = dlms.Wrapper
	case known && (s.Framing == "" || s.Framing == "auto"):
		sc.missing("framing", `this key is required on TCP port %s: "hdlc" for serial servers and modems, "wrapper" for meters with DLMS over TCP (only port %s is known to be "wrapper")`,
			r.endpoint.port(), wrapperPort)
	default:
	}
	p := linkPreset(s.Link)
	r.replyTimeout = s.ReplyTimeout.Or(p.reply)
	r.connectTimeout = s.ConnectTimeout.Or(p.connect)
	r.timeout, r.timeoutGiven = s.Timeout.Or(p.timeout), s.Timeout.Set()
	r.interOctetTimeout = s.InterOctetTimeout.Or(500 * time.Millisecond)
	r.minInterval = s.MinInterval.Or(0)
	r.retries = 2
	if s.Retries != nil {
		r.retries = *s.Retries
	}
	if r.association.short = s.Referencing == "sn"; r.association.short && known && r.endpoint.network == "udp" {
		sc.bad("referencing", `"sn"`, "not over UDP: an answer in short names does not tell what it answers, so that one which comes late would be taken for another: use tcp://")
	}
	buildListen(sc, s, r)
	buildSerial(sc, s, r)
	buildSignOn(sc, s, r)
	buildLimits(s, r)
	buildLogin(sc, s, r)
	buildAddresses(sc, s, r)
	buildGateway(sc, s, r)
}

// buildLogin fills in the client and its password.
func buildLogin(sc requestScope, s *Settings, r *request) {
	r.client, r.mechanism = 16, mechanismOf(s.Authentication)
	switch {
	case r.mechanism == acse.Low:
		r.client = 32
	case r.mechanism != acse.None && s.ClientAddress == nil:
		sc.missing("client_address", "authentication = %q needs it: %s", s.Authentication, usualClients)
	default:
	}
	if s.ClientAddress != nil {
		r.client = uint16(max(0, min(*s.ClientAddress, math.MaxUint16)))
		if r.framing == dlms.HDLC && *s.ClientAddress > maxClientHDLC && *s.ClientAddress <= maxClientWrapper {
			sc.bad("client_address", strconv.Itoa(*s.ClientAddress), "out of range: 1 to %d is allowed with HDLC", maxClientHDLC)
		}
	}
	r.password = s.Password
	switch {
	case s.Authentication == "low" && !s.Password.Set():
		sc.missing("password", `authentication = "low" needs it`)
	case s.Authentication == "low":
		switch p, err := s.Password.Get(); {
		case err != nil: // reported where it stands
		case len(p) == 0:
			sc.bad("password", "", `it is empty, and authentication = "low" needs one`)
		case len(p) != 8:
			sc.warn("the password has %s; with authentication = \"low\" meters usually want 8", counted(len(p), "character"))
		default:
		}
	case sc.own.Password.source != "" && !r.mechanism.HasSecret():
		sc.bad("password", "", "%s", unsentPassword(r.mechanism))
	case r.mechanism.HasSecret():
		if p, err := s.Password.Get(); !s.Password.Set() || err == nil && len(p) == 0 {
			sc.missing("password", "authentication = %q needs it: it is the secret, which is never sent", s.Authentication)
		}
	default:
	}
	checkChallenge(sc, s, r)
	buildProtection(sc, s, r)
}

// unsentPassword is said of a password that is not used.
func unsentPassword(m acse.Mechanism) string {
	if m == acse.HLSGMAC {
		return `authentication = "high-gmac" has no password, it uses the keys: remove the password`
	}
	if m == acse.HLSECDSA {
		return `authentication = "high-ecdsa" has no password, it uses signing_key: remove the password`
	}
	return `without authentication = "low" it is never sent: add that, or remove the password`
}

// buildAddresses fills in the devices.
func buildAddresses(sc requestScope, s *Settings, r *request) {
	r.logical = 1
	if s.LogicalAddress != nil {
		if *s.LogicalAddress < 1 || *s.LogicalAddress > maxLogical {
			return
		}
		r.logical = uint16(*s.LogicalAddress)
	}
	size, ok := parseAddressSize(s.AddressSize)
	physical, err := []uint16(nil), error(nil)
	given := addressesOfSerials(sc, s)
	if given != nil {
		physical, err = parseAddresses(given)
	}
	if err != nil && s.SerialNumber != nil {
		sc.bad("serial_number", show(s.SerialNumber), "%v", err)
	}
	if !ok || err != nil {
		return
	}
	if r.framing == dlms.Wrapper {
		if len(physical) > 0 {
			sc.warn("physical_address is ignored: the wrapper has none, its server address is logical_address")
		}
		r.devices = []*device{{}}
		return
	}
	r.addressSize = size
	if size == 1 || size == 2 {
		if r.logical > maxLogicalShort {
			sc.bad("logical_address", strconv.Itoa(int(r.logical)), "out of range: with address_size = %d, 1 to %d is allowed", size, maxLogicalShort)
		}
	}
	if len(physical) == 0 {
		r.devices = []*device{{}}
		return
	}
	for _, p := range physical {
		switch {
		case size == 1:
			sc.bad("physical_address", show(s.PhysicalAddress), "with address_size = 1 there is no room for it: use 2, 4 or \"auto\"")
			return
		case size == 2 && p > maxPhysicalShort:
			sc.bad("physical_address", show(s.PhysicalAddress), "address %d is out of range: with address_size = 2, 1 to %d is allowed", p, maxPhysicalShort)
			return
		default:
		}
		r.devices = append(r.devices, &device{physical: p, tag: strconv.Itoa(int(p))})
	}
}
