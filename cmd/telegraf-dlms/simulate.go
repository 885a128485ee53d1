package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter"
	"github.com/telegraf-dlms/telegraf-dlms/plugins/inputs/dlms_cosem"
)

// simulateFlags are the flags of simulate: the connection keys of the
// configuration, for the meter's side of the link.
type simulateFlags struct {
	listen, framing string
	referencing     string
	protocolMode    string
	baudRate        int
	secure          secureFlags
	logical         string
	further         []uint16 // of the logical addresses
	physical        string
	addressSize     string
	gatewayNetwork  int
	gatewayDevice   string
	maxInfo, maxPDU int
	blockWindow     int
	awkward         bool
	replay          replayFlags
}

// runSimulate plays a meter until it is interrupted.
func runSimulate(ctx context.Context, c *command, s streams, args []string) int {
	fs := c.newFlags()
	var f simulateFlags
	fs.StringVar(&f.listen, "listen", "127.0.0.1:4059", "`ADDR` HOST:PORT, tcp://HOST:PORT or udp://HOST:PORT; port 0 takes a free one; or a serial port, file:///dev/ttyUSB0")
	fs.StringVar(&f.protocolMode, "protocol_mode", "dlms", "`NAME` on a serial port: dlms, or dlms-iec, which wants a sign-on after IEC 62056-21 first")
	fs.IntVar(&f.baudRate, "baud_rate", 9600, "`N` speed of a serial port; with dlms-iec what is offered, up to 19200")
	fs.StringVar(&f.framing, "framing", "wrapper", "`NAME` wrapper or hdlc")
	fs.StringVar(&f.referencing, "referencing", "ln", "`NAME` ln or sn: logical or short names")
	f.secure.register(fs)
	fs.StringVar(&f.logical, "logical_address", "1", "`ADDRESSES` of its logical devices, as 1 or 1,20")
	fs.StringVar(&f.physical, "physical_address", "", "`ADDRESSES` that answer with hdlc, as 17 or 1,2,3 (default any)")
	fs.StringVar(&f.addressSize, "address_size", "auto", "`OCTETS` of a server address that is answered with hdlc: auto (any), 1, 2 or 4")
	fs.IntVar(&f.gatewayNetwork, "gateway_network", 0, "`N` of a device behind a gateway, which is played too")
	fs.StringVar(&f.gatewayDevice, "gateway_device", "", "`ADDRESS` of that device: text, or octets as hex:01020304 (default: no gateway)")
	fs.IntVar(&f.maxInfo, "max_info", dlmstest.DefaultMaxInfo, "`OCTETS` of the largest HDLC information field")
	fs.IntVar(&f.maxPDU, "max_pdu", dlmstest.DefaultMaxPDU, "`OCTETS` of the largest APDU")
	fs.IntVar(&f.blockWindow, "block_window", 0, "`N` general block transfer is offered with this many blocks per window, 1 to 63 (0: service specific blocks only)")
	fs.BoolVar(&f.awkward, "awkward", false, "play a meter with short frames, no lists, denied attributes and slow answers")
	f.replay.register(fs)
	if _, err := c.parse(fs, args, 0, 0, s.err); err != nil {
		return exitFor(err)
	}
	if isReplay(fs) {
		return f.runReplay(ctx, c, fs, s)
	}
	cfg, err := f.config(ctx, fs)
	if err != nil {
		fmt.Fprintf(s.err, "%s: %v\n", c.title(), err)
		return exitUsage
	}
	devices := simmeter.NewDevices(append([]uint16{cfg.LogicalAddress}, f.further...))
	var objects dlmstest.Objects = devices[cfg.LogicalAddress]
	for _, address := range f.further {
		cfg.LogicalDevices[address] = devices[address]
	}
	if f.awkward {
		objects = dlmstest.NewAwkward()
		awkward := dlmstest.AwkwardConfig(cfg.Framing, 128)
		cfg.NoLists, cfg.MaxSessions, cfg.ResponseDelay = awkward.NoLists, awkward.MaxSessions, awkward.ResponseDelay
		if !isSet(fs, "max_info") {
			cfg.MaxInfo = awkward.MaxInfo
		}
		if !isSet(fs, "max_pdu") {
			cfg.MaxPDU = awkward.MaxPDU
		}
	}
	if port, ok := f.port(); ok {
		err = f.servePort(ctx, port, cfg, objects, s)
	} else {
		err = f.serve(ctx, dlmstest.NewMeter(cfg, objects), s)
	}
	if err != nil {
		fmt.Fprintf(s.err, "%s: %v\n", c.title(), err)
		return exitFailed
	}
	return exitOK
}

// config checks the flags and makes the meter's settings of them.
func (f *simulateFlags) config(ctx context.Context, fs *flag.FlagSet) (dlmstest.Config, error) {
	cfg := dlmstest.Config{
		Framing:        f.framing,
		LogicalDevices: map[uint16]dlmstest.Objects{},
		MaxInfo:        f.maxInfo,
		MaxPDU:         f.maxPDU,
		GeneralBlocks:  f.blockWindow,
		ShortNames:     f.referencing == "sn",
	}
	if f.framing != dlmstest.FramingHDLC && f.framing != dlmstest.FramingWrapper {
		return cfg, fmt.Errorf("-framing %q: allowed are wrapper and hdlc", f.framing)
	}
	if f.referencing != "ln" && f.referencing != "sn" {
		return cfg, fmt.Errorf("-referencing %q: allowed are ln and sn", f.referencing)
	}
	port, serial := f.port()
	if f.protocolMode != "dlms" && f.protocolMode != "dlms-iec" {
		return cfg, fmt.Errorf("-protocol_mode %q: allowed are dlms and dlms-iec", f.protocolMode)
	}
	if serial {
		if isSet(fs, "framing") && f.framing != dlmstest.FramingHDLC {
			return cfg, fmt.Errorf("-framing %s: serial ports carry hdlc", f.framing)
		}
		f.framing = dlmstest.FramingHDLC
		cfg.Framing = f.framing
		if err := f.checkPort(port); err != nil {
			return cfg, err
		}
		return f.checkServer(ctx, fs, cfg)
	}
	network, err := f.checkNetwork(fs)
	if err != nil {
		return cfg, err
	}
	if network == "udp" && f.framing == dlmstest.FramingHDLC {
		return cfg, errors.New("-framing hdlc does not go over UDP")
	}
	if network == "udp" && cfg.ShortNames {
		return cfg, errors.New("-referencing sn does not go over UDP")
	}
	return f.checkServer(ctx, fs, cfg)
}

// checkNetwork checks -listen if it is no serial port.
func (f *simulateFlags) checkNetwork(fs *flag.FlagSet) (network string, err error) {
	for _, name := range []string{"protocol_mode", "baud_rate"} {
		if isSet(fs, name) {
			return "", fmt.Errorf("-%s is of no use without a serial port: -listen file:///dev/ttyUSB0", name)
		}
	}
	network, address := f.network()
	if network != "tcp" && network != "udp" {
		return "", fmt.Errorf("-listen %q: allowed are HOST:PORT, tcp://HOST:PORT and udp://HOST:PORT", f.listen)
	}
	if _, port, err := net.SplitHostPort(address); err != nil {
		return "", fmt.Errorf("-listen %q: HOST:PORT is expected, as in 127.0.0.1:4059", f.listen)
	} else if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("-listen %q: port %q is not a number from 0 to 65535", f.listen, port)
	}
	return network, nil
}

// checkPort checks the flags of a serial port.
func (f *simulateFlags) checkPort(name string) error {
	if name == "" {
		return fmt.Errorf("-listen %q: the name of a port is missing", f.listen)
	}
	return inRange("-baud_rate", f.baudRate, 300, 4000000)
}

// checkServer checks the flags that do not depend on where the meter is.
func (f *simulateFlags) checkServer(ctx context.Context, fs *flag.FlagSet, cfg dlmstest.Config) (dlmstest.Config, error) {
	logical, err := addressList("-logical_address", f.logical, 16382)
	if err != nil {
		return cfg, err
	}
	if len(logical) == 0 {
		return cfg, errors.New(`-logical_address "": a list of numbers is expected, as in 1,20`)
	}
	cfg.LogicalAddress, f.further = logical[0], logical[1:]
	if err := inRange("-max_info", f.maxInfo, 32, 2030); err != nil {
		return cfg, err
	}
	if err := inRange("-max_pdu", f.maxPDU, 64, 65535); err != nil {
		return cfg, err
	}
	if err := inRange("-block_window", f.blockWindow, 0, xdlms.MaxWindow); err != nil {
		return cfg, err
	}
	switch f.addressSize {
	case "auto":
	case "1", "2", "4":
		cfg.AddressSize = int(f.addressSize[0] - '0')
	default:
		return cfg, fmt.Errorf("-address_size %q: allowed are auto, 1, 2 and 4", f.addressSize)
	}
	if f.gatewayDevice != "" {
		if cfg.Gateway, err = dlms_cosem.ParseGateway(f.gatewayNetwork, f.gatewayDevice); err != nil {
			return cfg, fmt.Errorf("-gateway_device %q: %w", f.gatewayDevice, err)
		}
	} else if isSet(fs, "gateway_network") {
		return cfg, errors.New("-gateway_network is of no use without -gateway_device")
	}
	if cfg.PhysicalAddresses, err = addressList("-physical_address", f.physical, 16383); err != nil {
		return cfg, err
	}
	for _, name := range []string{"physical_address", "address_size", "max_info"} {
		if f.framing != dlmstest.FramingHDLC && isSet(fs, name) {
			return cfg, fmt.Errorf("-%s is of no use without -framing hdlc", name)
		}
	}
	for _, physical := range cfg.PhysicalAddresses {
		if most := slices.Max(logical); cfg.AddressSize == 1 || cfg.AddressSize == 2 && max(physical, most) > 127 {
			return cfg, fmt.Errorf("-address_size %d has no room for logical address %d and physical address %d", cfg.AddressSize, most, physical)
		}
	}
	err = f.secure.apply(ctx, fs, &cfg)
	return cfg, err
}

// serve listens, tells the URL and answers until ctx ends.
func (f *simulateFlags) serve(ctx context.Context, meter *dlmstest.Meter, s streams) error {
	network, address := f.network()
	var lc net.ListenConfig
	if network == "udp" {
		pc, err := lc.ListenPacket(ctx, network, address)
		if err != nil {
			return listenError(address, err)
		}
		fmt.Fprintf(s.out, "udp://%s\n", pc.LocalAddr())
		return ended(ctx, meter.ServePacket(ctx, pc))
	}
	l, err := lc.Listen(ctx, network, address)
	if err != nil {
		return listenError(address, err)
	}
	fmt.Fprintf(s.out, "tcp://%s\n", l.Addr())
	return ended(ctx, meter.Serve(ctx, l))
}

// network splits -listen; tcp is what it is without a scheme.
func (f *simulateFlags) network() (network, address string) {
	if network, address, ok := strings.Cut(f.listen, "://"); ok {
		return network, address
	}
	return "tcp", f.listen
}

func listenError(address string, err error) error {
	var opErr *net.OpError
	if errors.As(err, &opErr) {
		err = opErr.Err
	}
	hint := ""
	if errors.Is(err, syscall.EADDRINUSE) {
		hint = "; choose another port with -listen, 0 takes a free one"
	}
	return fmt.Errorf("cannot listen on %s: %w%s", address, err, hint)
}

// ended drops the error of a server that was asked to end.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
