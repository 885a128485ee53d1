//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
	"github.com/telegraf-dlms/telegraf-dlms/interop/peer"
)

// manyObjects is how many registers the meter has whose objects are listed.
const manyObjects = 300

// wideMeter is a meter of registers, all with a scaler and a unit.
type wideMeter struct{}

func (wideMeter) code(i int) obis.Code { return obis.Code{1, 0, byte(1 + i/10), 8, byte(i % 10), 255} }

// Get implements dlmstest.Objects.
func (m wideMeter) Get(_ uint16, at cosem.Attribute, _ *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
	switch {
	case at.Class == cosem.AssociationLN && at.ID == 2:
		list := make([]cosem.Object, manyObjects)
		for i := range list {
			list[i] = cosem.Object{Class: cosem.Register, Instance: m.code(i)}
		}
		return cosem.AppendObjectList(b, list), xdlms.Success
	case at.Class == cosem.Register && at.ID == 2:
		return axdr.AppendDoubleLongUnsigned(b, uint32(at.Instance[2])<<16|uint32(at.Instance[4])), xdlms.Success
	case at.Class == cosem.Register && at.ID == 3:
		return axdr.AppendEnum(axdr.AppendInteger(axdr.AppendStructure(b, 2), 0), 30), xdlms.Success
	default:
		return b, xdlms.ObjectUndefined
	}
}

// objectLists measures the listing of a meter's objects over a paced line.
func objectLists(ctx context.Context, e environment) ([]figure, error) {
	line, err := pacedMeter(ctx, dlmstest.Config{Framing: dlmstest.FramingHDLC}, wideMeter{})
	if err != nil {
		return nil, err
	}
	defer line.end()
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	command := exec.CommandContext(ctx, e.binary, "objects", "file://"+line.port, "-format", "csv")
	command.Env = append(os.Environ(), "STATE_DIRECTORY="+dir)
	began := time.Now()
	out, err := command.Output()
	took := time.Since(began).Seconds()
	if err != nil {
		return nil, fmt.Errorf("objects: %w\n%s", err, out)
	}
	if n := strings.Count(string(out), ",Wh,"); n != manyObjects {
		return nil, fmt.Errorf("objects: %d of %d with a unit:\n%s", n, manyObjects, out)
	}
	octets := float64(line.octets.Load())
	return []figure{
		{name: "objects of a meter of 300, at 9600 baud, beside the time of its octets", measured: took * pacedBaud / 10 / octets, format: "%.3f", target: 1.1},
		{name: "  octets of it", measured: octets, format: "%.0f", compare: true},
	}, nil
}

// shortNames is what a poll by short names costs, and what another start of the
// program does once the names are known.
func shortNames(ctx context.Context, e environment) ([]figure, error) {
	foreign, err := peer.Gurux.Start(ctx, e.root, "--framing", "hdlc", "--referencing", "sn")
	if err != nil {
		return nil, err
	}
	defer foreign.Stop()
	var registers []string
	for _, r := range foreign.Contents.Registers {
		registers = append(registers, r.OBIS)
	}
	const keys = `referencing = "sn"`
	trips, octets, err := steadyPoll(ctx, e, foreign.Address, keys, registers)
	if err != nil {
		return nil, fmt.Errorf("steady poll by short names: %w", err)
	}
	proxy, err := peer.StartProxy(foreign.Address)
	if err != nil {
		return nil, err
	}
	defer proxy.Stop()
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var starts [2]peer.Counts
	for i := range starts {
		if err := pollSoOften(ctx, e, proxy.Address, dir, keys, registers, 1); err != nil {
			return nil, fmt.Errorf("start %d by short names: %w", i+1, err)
		}
		starts[i] = proxy.Counts()
	}
	next := float64(starts[1].Down - starts[0].Down)
	return []figure{
		{name: "20 registers by short names, steady, kept open, Gurux for Java", measured: trips, format: "%.1f round trips", target: 1},
		{name: "20 registers by short names, steady, kept open, Gurux for Java", measured: octets, format: "%.0f octets", compare: true},
		{name: "  the first start, which reads the names", measured: float64(starts[0].Down), format: "%.0f octets", compare: true},
		{name: "  the next start, which knows them", measured: next, format: "%.0f octets", target: float64(starts[0].Down) / 2},
	}, nil
}
