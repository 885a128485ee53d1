package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

const password = "12345678" // the meter's default

// link is how to reach the meter of a cell.
type link struct {
	endpoint string // HOST:PORT
	framing  string // hdlc or wrapper
	low      bool
	short    bool // short names
	password string
	device   string        // behind a gateway; empty: none
	secure   *protection   // nil: no more than low
	more     []string      // flags of our program besides
	patience time.Duration // for an answer; 0: 10 s
	blocks   int           // window of general block transfer; 0: it is not proposed
	segments bool          // requests longer than an HDLC frame go out in segments
}

// linkOf fits the options of a meter.
func linkOf(options []string) link {
	l := link{framing: "wrapper", password: password}
	if slices.Contains(options, "hdlc") {
		l.framing = "hdlc"
	}
	l.low = slices.Contains(options, "low")
	l.short = slices.Contains(options, "sn")
	return l
}

// flags are what our program needs to be told besides the endpoint.
func (l link) flags() []string {
	flags := []string{"-framing", l.framing}
	if l.low {
		flags = append(flags, "-authentication", "low", "-password", "env:METER_PASSWORD")
	}
	if l.secure != nil {
		flags = append(flags, l.secure.flags()...)
	}
	if l.device != "" {
		flags = append(flags, "-gateway_device", l.device)
	}
	if l.short {
		flags = append(flags, "-referencing", "sn")
	}
	return append(flags, l.more...)
}

// environ is the environment that goes with the flags.
func (l link) environ() []string {
	list := append(os.Environ(), "METER_PASSWORD="+l.password)
	if p := l.secure; p != nil {
		list = append(list, "METER_KEY="+hex.EncodeToString(p.keys.EncryptionKey), "METER_AUTHENTICATION_KEY="+hex.EncodeToString(p.keys.AuthenticationKey),
			"METER_SIGNING_KEY="+string(p.signingKey))
		if p.public.MeterSigning != nil {
			list = append(list, "METER_SERVER_SIGNING_KEY="+p.public.MeterSigning.String())
		}
	}
	return list
}

// session is an open association.
type session struct {
	conn        *dlms.Conn
	association *dlms.Association
}

// open associates; a conformance of 0 is the library's default.
func (l link) open(ctx context.Context, conformance xdlms.Conformance) (*session, error) {
	var dialer net.Dialer
	transport, err := dialer.DialContext(ctx, "tcp", l.endpoint)
	if err != nil {
		return nil, err
	}
	cfg := dlms.ConnConfig{Framing: dlms.Wrapper, ClientAddress: 16, LogicalAddress: 1, ReplyTimeout: cmp.Or(l.patience, 10*time.Second), SegmentRequests: l.segments}
	if l.framing == "hdlc" {
		cfg.Framing = dlms.HDLC
	}
	association := dlms.AssociationConfig{Conformance: conformance, ShortNames: l.short, GeneralBlocks: l.blocks}
	if l.low {
		cfg.ClientAddress = 32
		association.Mechanism = acse.Low
		association.Password = []byte(l.password)
	}
	if l.secure != nil {
		cfg.ClientAddress = 1
		l.secure.apply(&association, l.password)
	}
	conn, err := dlms.NewConn(transport, cfg)
	if err != nil {
		_ = transport.Close()
		return nil, err
	}
	a, err := conn.Associate(ctx, association)
	if err == nil && l.short {
		_, err = a.ReadNames(ctx)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &session{conn: conn, association: a}, nil
}

// shortRLRE is what is wrong with the RLRE of Gurux for Java: the lengths in it are too small.
const shortRLRE = "RLRE: octets left over: 4"

// close releases and closes; the release is part of what is proven.
func (s *session) close(ctx context.Context) error {
	err := s.association.Release(ctx)
	_ = s.conn.Close()
	if err != nil && !strings.Contains(err.Error(), shortRLRE) {
		return fmt.Errorf("release: %w", err)
	}
	return nil
}
