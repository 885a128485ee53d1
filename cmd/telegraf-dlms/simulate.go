package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter"
)

// simulateFlags are the flags of simulate: the connection keys of the
// configuration, for the meter's side of the link.
type simulateFlags struct {
	listen, framing          string
	authentication, password string
	client, logical          int
	physical                 string
	addressSize              string
	maxInfo, maxPDU          int
}

// runSimulate plays a meter until it is interrupted.
func runSimulate(ctx context.Context, c *command, s streams, args []string) int {
	fs := c.newFlags()
	var f simulateFlags
	fs.StringVar(&f.listen, "listen", "127.0.0.1:4059", "`ADDR` HOST:PORT, tcp://HOST:PORT or udp://HOST:PORT; port 0 takes a free one")
	fs.StringVar(&f.framing, "framing", "wrapper", "`NAME` wrapper or hdlc")
	fs.StringVar(&f.authentication, "authentication", "none", "`NAME` none or low")
	fs.StringVar(&f.password, "password", "", "`SECRET` for authentication low: file:PATH, env:NAME or - (ask)")
	fs.IntVar(&f.client, "client_address", 0, "only `CLIENT` is let in (default 16, or 32 with authentication low)")
	fs.IntVar(&f.logical, "logical_address", 1, "`ADDRESS` of the meter, 1 to 16382")
	fs.StringVar(&f.physical, "physical_address", "", "`ADDRESSES` that answer with hdlc, as 17 or 1,2,3 (default any)")
	fs.StringVar(&f.addressSize, "address_size", "auto", "`OCTETS` of a server address that is answered with hdlc: auto (any), 1, 2 or 4")
	fs.IntVar(&f.maxInfo, "max_info", dlmstest.DefaultMaxInfo, "largest `OCTETS` of an HDLC information field")
	fs.IntVar(&f.maxPDU, "max_pdu", dlmstest.DefaultMaxPDU, "largest `OCTETS` of an APDU")
	if _, err := c.parse(fs, args, 0, 0, s.err); err != nil {
		return exitFor(err)
	}
	cfg, err := f.config(ctx)
	if err != nil {
		fmt.Fprintf(s.err, "%s: %v\n", c.title(), err)
		return exitUsage
	}
	meter := dlmstest.NewMeter(cfg, simmeter.New(simmeter.Config{}))
	if err := f.serve(ctx, meter, s); err != nil {
		fmt.Fprintf(s.err, "%s: %v\n", c.title(), err)
		return exitFailed
	}
	return exitOK
}

// config checks the flags and makes the meter's settings of them.
func (f *simulateFlags) config(ctx context.Context) (dlmstest.Config, error) {
	cfg := dlmstest.Config{
		Framing:        f.framing,
		LogicalAddress: uint16(f.logical),
		MaxInfo:        f.maxInfo,
		MaxPDU:         f.maxPDU,
	}
	if f.framing != dlmstest.FramingHDLC && f.framing != dlmstest.FramingWrapper {
		return cfg, fmt.Errorf("-framing %q: allowed are wrapper and hdlc", f.framing)
	}
	if strings.HasPrefix(f.listen, "udp://") && f.framing == dlmstest.FramingHDLC {
		return cfg, errors.New("-framing hdlc does not go over UDP")
	}
	if err := inRange("-logical_address", f.logical, 1, 16382); err != nil {
		return cfg, err
	}
	if err := inRange("-max_info", f.maxInfo, 32, 2030); err != nil {
		return cfg, err
	}
	if err := inRange("-max_pdu", f.maxPDU, 64, 65535); err != nil {
		return cfg, err
	}
	switch f.addressSize {
	case "auto":
	case "1", "2", "4":
		cfg.AddressSize = int(f.addressSize[0] - '0')
	default:
		return cfg, fmt.Errorf("-address_size %q: allowed are auto, 1, 2 and 4", f.addressSize)
	}
	var err error
	if cfg.PhysicalAddresses, err = addressList(f.physical); err != nil {
		return cfg, err
	}
	cfg.Clients, err = f.clients(ctx)
	return cfg, err
}

// clients returns the one client the meter lets in.
func (f *simulateFlags) clients(ctx context.Context) (map[uint16]dlmstest.Client, error) {
	address, client := 16, dlmstest.Client{Mechanism: acse.None}
	switch f.authentication {
	case "none":
		if f.password != "" {
			return nil, errors.New("-password is of no use without -authentication low")
		}
	case "low":
		if f.password == "" {
			return nil, errors.New("-authentication low needs -password")
		}
		password, err := readPassword(ctx, f.password)
		if err != nil {
			return nil, err
		}
		address, client = 32, dlmstest.Client{Mechanism: acse.Low, Password: password}
	default:
		return nil, fmt.Errorf("-authentication %q: allowed are none and low", f.authentication)
	}
	if f.client != 0 {
		address = f.client
	}
	limit := 65535
	if f.framing == dlmstest.FramingHDLC {
		limit = 127
	}
	if err := inRange("-client_address", address, 1, limit); err != nil {
		return nil, err
	}
	return map[uint16]dlmstest.Client{uint16(address): client}, nil
}

// serve listens, tells the URL and answers until ctx ends.
func (f *simulateFlags) serve(ctx context.Context, meter *dlmstest.Meter, s streams) error {
	network, address, ok := strings.Cut(f.listen, "://")
	if !ok {
		network, address = "tcp", f.listen
	}
	var lc net.ListenConfig
	switch network {
	case "tcp":
		l, err := lc.Listen(ctx, "tcp", address)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "tcp://%s\n", l.Addr())
		return ended(ctx, meter.Serve(ctx, l))
	case "udp":
		pc, err := lc.ListenPacket(ctx, "udp", address)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "udp://%s\n", pc.LocalAddr())
		return ended(ctx, meter.ServePacket(ctx, pc))
	default:
		return fmt.Errorf("-listen %q: allowed are HOST:PORT, tcp://HOST:PORT and udp://HOST:PORT", f.listen)
	}
}

// ended drops the error of a server that was asked to end.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
